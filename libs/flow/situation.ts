import { type AnyActorScope, type AnyMachineSnapshot, createActor, initialTransition } from 'xstate';
import type { CalendarDate } from './dates.ts';
import { type Fact, valueAt } from './fact.ts';
import { type Happening, type StateSpec, stateString, type Workflow } from './workflow.ts';

/** A fact of a history, as much of it as folding needs. */
export type PastFact = Happening & {
  recordedAt: string;
  /** Salt of its payload; it enters the state hash when the fact is withheld from some. Absent for erasable facts. */
  salt?: string;
  /** Of an opening: the salt of what withheld facts will write. Absent for who may not know it. */
  contextSalt?: string;
};

/** A milestone crossed, on which date, known since when. */
export type Crossing = { jalon: string; effectiveAt: CalendarDate; recordedAt: string };

/** A fact that is a decision: it crosses a milestone, ends the dossier, or is declared one of who recorded it. */
export type Decided = { id: string; type: string; effectiveAt: CalendarDate };

/** Where a dossier stands: the fold of its facts. Never changed: each fact makes a new one. */
export type Situation = {
  workflow: Workflow;
  snapshot: AnyMachineSnapshot;
  state: StateSpec;
  /** Revision of the last fact folded, -1 before the first. */
  revision: number;
  /** Latest effective date among the facts that are not free. */
  since: CalendarDate | null;
  /** The same among those that are withheld from the same roles, by these roles. */
  sinceOf: Readonly<Record<string, CalendarDate>>;
  crossed: readonly Crossing[];
  /** The last decision that stands: it rests on everything before it that is not free. */
  decided: Decided | null;
  /** What lists show: columns that facts declare (`summary`). */
  summary: Readonly<Record<string, string>>;
  /** Member of the context -> salt of the last withheld fact that wrote it. */
  salts: Readonly<Record<string, string>>;
  /** The salt that the opening keeps for members that no withheld fact wrote yet. */
  contextSalt?: string;
  /**
   * For each person who corrected a fact: the same history with them as the author of every fact that they recorded or
   * corrected, so that rules on authors hold for whoever had a hand in it. No part of the state.
   */
  shadows?: readonly Situation[];
};

/** A history that the machine does not accept: at which revision and fact it breaks. */
export class ReplayBroken extends Error {
  override readonly name = 'ReplayBroken';
  constructor(
    readonly revision: number,
    readonly type: string,
    readonly state: string | null,
  ) {
    super(`Fact ${revision} (${type}) is not accepted in ${state ?? 'a dossier not yet opened'}.`);
  }
}

const beginnings = new WeakMap<Workflow, Situation>();

/** A dossier of this workflow before its first fact. */
export function beginning(workflow: Workflow): Situation {
  let situation = beginnings.get(workflow);
  if (!situation) {
    const [snapshot] = initialTransition(workflow.machine);
    const state = workflow.states.get(null) as StateSpec;
    situation = {
      workflow,
      snapshot,
      state,
      revision: -1,
      since: null,
      sinceOf: {},
      crossed: [],
      decided: null,
      summary: {},
      salts: {},
    };
    beginnings.set(workflow, situation);
  }
  return situation;
}

/** What the machine remembers. */
export function contextOf(situation: Situation): Record<string, unknown> {
  return situation.snapshot.context as Record<string, unknown>;
}

/** The milestone that a fact crosses here: only the first time. */
export function crossing(situation: Situation, fact: Fact): string | undefined {
  return situation.crossed.some(({ jalon }) => jalon === fact.crosses) ? undefined : fact.crosses;
}

/**
 * Folds one fact that was accepted.
 * @throws ReplayBroken when the machine does not accept it here (XState answers the very same snapshot).
 */
export function fold(situation: Situation, past: PastFact): Situation {
  const { workflow } = situation;
  const fact = workflow.facts.get(past.type);
  const snapshot = fact ? step(workflow, situation.snapshot, past) : situation.snapshot;
  if (!fact || snapshot === situation.snapshot)
    throw new ReplayBroken(situation.revision + 1, past.type, situation.state.state || null);

  const jalon = crossing(situation, fact);
  const { id, type, effectiveAt, recordedAt } = past;
  const contextSalt = situation.contextSalt ?? past.contextSalt;
  const state = workflow.states.get(stateString(snapshot.value)) as StateSpec;
  const ends = state.final && !situation.state.final;
  const decides = !fact.free && (jalon !== undefined || ends || fact.decides?.includes(past.actor.role));
  return {
    workflow,
    snapshot,
    state,
    revision: situation.revision + 1,
    since: fact.free || (situation.since !== null && situation.since > effectiveAt) ? situation.since : effectiveAt,
    sinceOf: fact.free ? situation.sinceOf : withDate(situation.sinceOf, fact, effectiveAt),
    crossed: jalon ? [...situation.crossed, { jalon, effectiveAt, recordedAt }] : situation.crossed,
    decided: decides ? { id, type, effectiveAt } : situation.decided,
    summary: fact.summary ? { ...situation.summary, ...summaryOf(fact, past.data) } : situation.summary,
    salts: fact.writes && past.salt ? withSalt(situation.salts, fact.writes, past.salt) : situation.salts,
    ...(contextSalt === undefined ? {} : { contextSalt }),
    ...(situation.shadows ? { shadows: situation.shadows.map((shadow) => fold(shadow, past)) } : {}),
  };
}

const scopes = new WeakMap<Workflow, AnyActorScope>();

/**
 * What XState's own `transition` does, with one inert actor per workflow where that makes one per event, which is half
 * of its time. Machines here neither invoke, spawn nor send, so that nothing of an event stays in it.
 */
function step(workflow: Workflow, snapshot: AnyMachineSnapshot, past: PastFact): AnyMachineSnapshot {
  let scope = scopes.get(workflow);
  if (!scope) {
    const self = createActor(workflow.machine);
    const nothing = () => undefined;
    const { system } = self;
    scope = {
      self,
      system,
      id: '',
      sessionId: '',
      logger: nothing,
      defer: nothing,
      emit: nothing,
      stopChild: nothing,
      actionExecutor: nothing,
    };
    scopes.set(workflow, scope);
  }
  return workflow.machine.transition(snapshot, past, scope);
}

/** The columns that a fact gives to its dossier's summary. */
export function summaryOf(fact: Pick<Fact, 'summary'>, data: unknown): Record<string, string> {
  const columns: Record<string, string> = {};
  for (const [column, path] of Object.entries(fact.summary ?? {})) {
    const value = typeof path === 'string' ? valueAt(data, path) : path(data as never);
    if (typeof value === 'string') columns[column] = value;
  }
  return columns;
}

function withDate(dates: Situation['sinceOf'], { withheldFrom = [] }: Fact, date: CalendarDate): Situation['sinceOf'] {
  const from = withheldFrom.join();
  const known = dates[from];
  return known !== undefined && known >= date ? dates : { ...dates, [from]: date };
}

function withSalt(salts: Situation['salts'], members: readonly string[], salt: string): Situation['salts'] {
  return { ...salts, ...Object.fromEntries(members.map((member) => [member, salt])) };
}
