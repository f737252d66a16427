import { addDays, type CalendarDate, daysBetween } from './dates.ts';
import type { Fact } from './fact.ts';
import type { Invariant } from './invariant.ts';
import type { PastFact, Situation } from './situation.ts';
import { validatePayload } from './validate.ts';
import type { Happening, Lookup, Workflow } from './workflow.ts';

/** A dossier as samples are made for it, and as an abstraction reads it. */
export type Standing<C = Record<string, unknown>> = {
  state: string | null;
  context: C;
  /** The dossier's own id. */
  dossier: string;
  /** The date so many days after that of the last dated fact. */
  day: (offset: number) => CalendarDate;
  /** An identifier that this dossier has not seen. Those made so are alike: a key tells them apart, not their names. */
  fresh: (prefix: string) => string;
};

/** A fact to propose. Without `days` it is proposed on each of the exploration's. */
export type Sample = {
  role: string;
  data: Record<string, unknown>;
  days?: readonly number[];
  author?: { iss: string; sub: string };
  lookups?: Readonly<Record<string, Lookup>>;
};

/** What is explored of a workflow: which dossiers are taken for one, which facts are proposed, what must hold. */
export type Exploration = {
  name: string;
  /** What it is about, for an evaluator. */
  label: string;
  /** Its bounds, for an evaluator: French sentences. */
  bounds: readonly string[];
  /** What is kept of a dossier, for an evaluator. */
  kept: string;
  /** What is kept, as JSON. Dates count from the last dated fact, all that lie before it as one. */
  keeps: (dossier: Standing<never>) => unknown;
  /**
   * The only rules that are applied; every other is taken to hold. Each real path is then among those explored, and what
   * holds on all of these holds; that a state is reached proves nothing. Absent: every rule, as it is.
   */
  enforces?: readonly string[];
  /** Type of fact -> what is proposed of it, wherever it is expected. */
  samples: Readonly<Record<string, (dossier: Standing<never>) => readonly Sample[]>>;
  /** Days after the last dated fact on which facts are proposed. */
  days: readonly number[];
  invariants: readonly Invariant[];
  /** How many dossiers that count as one with the first are compared with it, fact by fact. */
  compares: number;
  /** Members of the context of which differences make no different dossier to compare: counters, names. */
  ignores: readonly string[];
  /** More abstract states than that, and it stops. */
  limit: number;
};

/** From when days are counted before the opening, and the dossier to which everything happens. */
const START: CalendarDate = '2024-01-01';
const DOSSIER = '00000000-0000-4000-8000-000000000000';

/** A dossier, as samples and abstractions are shown it. */
export function standingOf({ snapshot, state, since, revision }: Situation): Standing {
  return {
    state: state.state || null,
    context: snapshot.context as Record<string, unknown>,
    dossier: DOSSIER,
    day: (offset) => addDays(since ?? START, offset),
    fresh: (prefix) => `${prefix}-n${revision + 1}`,
  };
}

/** @throws TypeError when its role may not propose a sample, or its payload is not valid: nobody could propose it. */
export function checkSample(workflow: Workflow, type: string, { role, data }: Sample): void {
  const { by, payload } = workflow.facts.get(type) as Fact;
  if (!by.includes(role)) throw new TypeError(`${role} may not propose ${type}.`);
  const [error] = validatePayload(payload, data);
  if (error) throw new TypeError(`A sample of ${type} is not valid: ${JSON.stringify(error)}.`);
}

/** A sample as the machine receives it, so many days after the last dated fact. */
export function factOf({ revision, since }: Situation, type: string, sample: Sample, day: number): PastFact {
  const { role, data, author = { iss: 'urn:exploration', sub: role }, lookups = {} } = sample;
  return {
    ...{ type, data, lookups, id: `${revision + 1}`, dossier: DOSSIER, actor: { ...author, role } },
    effectiveAt: addDays(since ?? START, day),
    recordedAt: `${START}T00:00:00.000Z`,
  };
}

const DATE = /"(\d{4}-\d{2}-\d{2})"/g;
const FRESH = /-n(\d+)\b/g;
const offsets = new Map<string, string>();

function offset(from: CalendarDate, to: CalendarDate): string {
  const pair = from + to;
  let text = offsets.get(pair);
  if (text === undefined) {
    text = `"+${Math.max(-1, daysBetween(from, to))}"`.replace('+-', '-');
    offsets.set(pair, text);
  }
  return text;
}

/** Writes JSON so that only what differs in kind differs: dates as days from the last dated fact, ids as their rank. */
export function abstracter(since: CalendarDate | null): (value: unknown) => string {
  const from = since ?? START;
  const ranks = new Map<string, string>();
  return (value) =>
    JSON.stringify(value)
      .replaceAll(DATE, (_, date: string) => offset(from, date))
      .replaceAll(FRESH, (_, number: string) => {
        const rank = ranks.get(number) ?? `-${ranks.size}`;
        ranks.set(number, rank);
        return rank;
      });
}

/** What the rules asked while they were observed. */
export type Seen = {
  /** Members of the context that rules read since it was last emptied, each with the last rule that did. */
  reads: Map<string, string>;
  /** What rules read of proposals: `data`, `effectiveAt`, `actor`, `lookups`. */
  asks: Set<string>;
  /** Rule -> whether it was seen to hold, and to fail. */
  verdicts: Map<string, { held: boolean; failed: boolean }>;
};

/** The context, with a note of each member that is read. */
export function noting<C extends object>(context: C, note: (member: string) => void): C {
  return new Proxy(context, {
    get(target, member, receiver) {
      if (typeof member === 'string') note(member);
      return Reflect.get(target, member, receiver);
    },
  });
}

type Guard = (args: { context: object; event: Happening }, params: unknown) => boolean;

/**
 * The same workflow with its rules observed, those that are not enforced taken to hold. Guards that choose the way are
 * always as they are: were two of them true, the second way would never be gone.
 */
export function observed(workflow: Workflow, { enforces }: Exploration, seen: Seen): Workflow {
  const enforced = enforces && new Set([...enforces, ...(workflow.routing ?? [])]);
  const guards = Object.entries(workflow.machine.implementations.guards as Record<string, Guard>).map(
    ([name, guard]): [string, Guard] => {
      if (enforced && !enforced.has(name)) return [name, () => true];
      const verdict = { held: false, failed: false };
      seen.verdicts.set(name, verdict);
      return [
        name,
        ({ context, event }, params) => {
          const known = noting(context, (member) => seen.reads.set(member, name));
          const holds = guard({ context: known, event: noting(event, (member) => seen.asks.add(member)) }, params);
          verdict[holds ? 'held' : 'failed'] = true;
          return holds;
        },
      ];
    },
  );
  return { ...workflow, machine: workflow.machine.provide({ guards: Object.fromEntries(guards) as never }) };
}
