import {
  dataHash,
  type Envelope,
  FORMAT,
  type Journal,
  type NewEvent,
  NO_STREAM,
  OutcomeUnknown,
  RevisionConflict,
  seal,
} from '@jalon/journal';
import { type DueReminder, REMINDER } from './reminders.ts';

/** What is known of a stream of reminders: where it ends, and what it holds. */
type Tail = { revision: number; hash: string | null; recordedAt: string; ids: Set<string> };

type Parts = {
  journal: Pick<Journal, 'read' | 'append'>;
  clock: () => Date;
  salt: () => string;
  software: string;
};

/** Reminders per append, at most. */
const TOGETHER = 50;

/** How often an append that another clock forestalled is made again. */
const ATTEMPTS = 5;

/** Streams of which the tail is remembered: no reminder is older than the days in which it is worth recording. */
const STREAMS_HELD = 6;

/**
 * Records reminders, each once: the stream of the month of its moment tells whether it was, whoever recorded it. Each
 * stream is a chain of its own.
 */
export class ReminderLog {
  readonly #tails = new Map<string, Tail>();
  readonly #expected = new Map<string, DueReminder[]>();

  constructor(
    private readonly parts: Parts,
    private readonly actor: Envelope['actor'],
  ) {}

  /** Takes note of reminders that are due. */
  expect(due: readonly DueReminder[]): void {
    for (const reminder of due) {
      const stream = `rappels-${reminder.moment.slice(0, 7)}`;
      const others = this.#expected.get(stream);
      if (others) others.push(reminder);
      else this.#expected.set(stream, [reminder]);
    }
  }

  /** Records those of them that are not recorded yet; gives how many. @throws JournalUnavailable, OutcomeUnknown */
  async record(over: AbortSignal): Promise<number> {
    const expected = [...this.#expected].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#expected.clear();
    let recorded = 0;
    for (const [stream, due] of expected) {
      const inOrder = due.sort((a, b) => (a.moment < b.moment ? -1 : a.moment > b.moment ? 1 : a.id < b.id ? -1 : 1));
      for (let i = 0; i < inOrder.length && !over.aborted; i += TOGETHER)
        recorded += await this.#append(stream, inOrder.slice(i, i + TOGETHER));
    }
    return recorded;
  }

  async #append(stream: string, due: readonly DueReminder[]): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const tail = await this.#tailOf(stream);
      const missing = due.filter(({ id }) => !tail.ids.has(id));
      if (missing.length === 0) return 0;
      const { events, next } = this.#sealed(stream, tail, missing);
      try {
        await this.parts.journal.append(stream, tail.revision, events);
        if (await this.#isOurs(stream, next)) {
          this.#tails.set(stream, next);
          return missing.length;
        }
        // Another clock recorded the very same first: to the journal that is the same success.
        this.#tails.delete(stream);
      } catch (fault) {
        if (fault instanceof OutcomeUnknown || fault instanceof RevisionConflict) this.#tails.delete(stream);
        if (!(fault instanceof RevisionConflict) || attempt === ATTEMPTS) throw fault;
      }
    }
  }

  async #isOurs(stream: string, { revision, hash }: Tail): Promise<boolean> {
    for await (const [event] of this.parts.journal.read(stream, { from: revision, to: revision }))
      if (event) return event.hash === hash;
    return false;
  }

  async #tailOf(stream: string): Promise<Tail> {
    const known = this.#tails.get(stream);
    if (known) return known;
    const tail: Tail = { revision: NO_STREAM, hash: null, recordedAt: '', ids: new Set() };
    for await (const page of this.parts.journal.read(stream))
      for (const { envelope, hash } of page) {
        tail.ids.add(envelope.id);
        Object.assign(tail, { revision: envelope.revision, hash, recordedAt: envelope.recordedAt });
      }
    const [oldest] = [...this.#tails.keys()].sort();
    if (this.#tails.size >= STREAMS_HELD) this.#tails.delete(oldest as string);
    this.#tails.set(stream, tail);
    return tail;
  }

  /** The events to append, chained behind the tail, and the tail that they make. */
  #sealed(stream: string, tail: Tail, due: readonly DueReminder[]): { events: NewEvent[]; next: Tail } {
    const { iss, sub, role } = this.actor;
    const instant = this.parts.clock().toISOString();
    const next: Tail = {
      ...tail,
      // Never before the previous one, even when a clock was set back.
      recordedAt: later(instant, tail.recordedAt),
      ids: new Set(tail.ids),
    };
    const events = due.map(({ id, moment, deadline, data }) => {
      const salt = this.parts.salt();
      next.revision += 1;
      const event = seal(
        {
          format: FORMAT,
          id,
          stream,
          revision: next.revision,
          type: REMINDER,
          dataHash: dataHash(salt, data),
          actor: { iss, sub, role },
          effectiveAt: moment,
          recordedAt: next.recordedAt,
          correlationId: deadline.openedBy,
          causationId: deadline.openedBy,
          software: this.parts.software,
          previousHash: next.hash,
        },
        { data, salt },
      );
      next.hash = event.hash;
      next.ids.add(id);
      return event;
    });
    return { events, next };
  }
}

function later(one: string, other: string): string {
  return other > one ? other : one;
}
