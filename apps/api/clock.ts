import { type Caller, type Engine, InvalidProposal, Refused } from '@jalon/engine';
import { addDays, type CalendarDate } from '@jalon/flow';
import { type Journal, rest } from '@jalon/journal';
import {
  type DeadlineList,
  type FollowedDeadline,
  Lease,
  type PostgresReadModels,
  type ReadModelFeed,
  sightsOf,
} from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import type { Config } from './config.ts';
import type { Alarm } from './read-models.ts';
import { ReminderLog } from './reminder-log.ts';
import { recalledOn, remindersOf } from './reminders.ts';

/** The clock's own actor, whom no token names. */
export const HORLOGE: Caller & { role: string } = {
  iss: 'urn:jalon:horloge',
  sub: 'horloge',
  role: 'horloge',
  roles: ['horloge'],
};

/** How often the clock looks at the deadlines. */
const EVERY_MS = 10_000;

/** How long it waits for the read models to be level with the log; else it looks again at the next turn. */
const PATIENCE_MS = 10_000;

/** What the clock is made of. */
export type ClockParts = {
  engine: Engine;
  journal: Journal;
  projector: ReadModelFeed;
  deadlines: DeadlineList;
  clock: () => Date;
  salt: () => string;
  /** Name and version of this build, kept with every reminder. */
  software: string;
  alarm: Alarm;
};

/** What one turn of the clock recorded. */
export type Turn = { proposed: number; reminded: number };

/**
 * Makes true what only the passing of a date does: it proposes the facts that deadlines declare, effective on the day
 * after, and records reminders. Nothing is a timer in memory: each turn looks at the deadlines that are due and open by
 * now, so that a clock that was stopped makes up for it, and two of them, by the ids of what they record, do it once.
 */
export class Clock {
  readonly #reminders: ReminderLog;
  readonly #sights = sightsOf(catalogue, HORLOGE);
  /** What was refused, told once. */
  readonly #refused = new Set<string>();

  constructor(private readonly parts: ClockParts) {
    this.#reminders = new ReminderLog(parts, HORLOGE);
  }

  /** Turns every so often until `over` aborts. Trouble is told once, and is over when a turn succeeds. */
  async run(over: AbortSignal): Promise<void> {
    let failing = false;
    for (; !over.aborted; await rest(EVERY_MS, over)) {
      try {
        await this.turn(over);
        failing = false;
      } catch (err) {
        if (!failing && !over.aborted) this.parts.alarm('the clock failed, and will try again', { err });
        failing = true;
      }
    }
  }

  /**
   * Records what is due by now, once.
   * @throws JournalUnavailable, OutcomeUnknown, ReadModelsUnavailable, ReadModelsBehind: the next turn makes up for it
   */
  async turn(over: AbortSignal = new AbortController().signal): Promise<Turn> {
    const { engine, journal, projector } = this.parts;
    await projector.caughtUp(await journal.tip(), PATIENCE_MS, over);
    const today = engine.today();
    const turn: Turn = { proposed: 0, reminded: 0 };
    await this.#propose(today, turn, over);
    await this.#remind(today, turn, over);
    return turn;
  }

  async #propose(today: CalendarDate, turn: Turn, over: AbortSignal): Promise<void> {
    const due = { sights: this.#sights, open: true, proposing: true, before: today, today } as const;
    for await (const deadline of this.parts.deadlines.each(due)) {
      if (over.aborted) return;
      if (await this.#makeTrue(deadline)) turn.proposed += 1;
    }
  }

  /** Proposes what the day after a deadline makes true; gives whether that is new. */
  async #makeTrue({ id, dossier, due, proposes = '', openedBy }: FollowedDeadline): Promise<boolean> {
    const { engine, alarm } = this.parts;
    const proposal = { type: proposes, effectiveAt: addDays(due, 1), causationId: openedBy };
    // One key per deadline and date: whoever proposed it before, now or years ago, it is recorded once.
    const idempotencyKey = `${id} ${due}`;
    try {
      const { remembered } = await engine.advance(HORLOGE, dossier, proposal, { route: 'horloge', idempotencyKey });
      return !remembered;
    } catch (err) {
      // Another fact came first, or the procedure does not want it: nothing that waiting mends.
      if (!(err instanceof Refused || err instanceof InvalidProposal)) throw err;
      if (!this.#refused.has(idempotencyKey)) alarm('what a date makes true was refused', { dossier, proposes, err });
      this.#refused.add(idempotencyKey);
      return false;
    }
  }

  async #remind(today: CalendarDate, turn: Turn, over: AbortSignal): Promise<void> {
    const recalled = { sights: this.#sights, open: true, within: recalledOn(today), today } as const;
    for await (const deadline of this.parts.deadlines.each(recalled)) {
      if (over.aborted) return;
      this.#reminders.expect(remindersOf(deadline, today));
    }
    turn.reminded = await this.#reminders.record(over);
  }
}

/** The clock of a process: idle until it begins, and there only when it is this process's turn. */
export type Timekeeper = {
  /** Begins to keep time, or to wait for this process's turn to. */
  begin(): void;
  close(): Promise<void>;
};

/** The clock of a process, which is one among several that share a database, if they do: there one of them keeps time. */
export function openTimekeeper(
  parts: ClockParts,
  { JALON_ROLES }: Pick<Config, 'JALON_ROLES'>,
  shared: PostgresReadModels | undefined,
): Timekeeper {
  const clock = new Clock(parts);
  const stopping = new AbortController();
  let keeping: Promise<void> = Promise.resolve();
  return {
    begin: () => {
      if (!JALON_ROLES.includes('clock')) return;
      const { signal } = stopping;
      const onError = (err: unknown) => parts.alarm('the clock waits for its database', { err });
      keeping = shared
        ? new Lease({ database: shared, role: 'clock', onError }).hold((_, over) => clock.run(over), signal)
        : clock.run(signal);
    },
    close: async () => {
      stopping.abort();
      await keeping;
    },
  };
}
