import { type AnyStateMachine, type AnyStateNode, initialTransition } from 'xstate';
import { openForEver } from './closing.ts';
import { correctors, factsBeside, isBesideTheMachine, isParty } from './corrections.ts';
import type { CalendarDate } from './dates.ts';
import type { Expectation } from './expected.ts';
import type { Fact } from './fact.ts';

/** Who proposes a fact, as rules may ask: four eyes compare issuer and subject. */
export type Author = { iss: string; sub: string; role: string; org?: string };

/** What is known of another dossier: its revision and what its workflow exposes of it; null when there is none. */
export type Lookup = { revision: number; [member: string]: unknown } | null;

/** A fact as the machine receives it: the XState event. `effectiveAt` is always set, in Europe/Paris. */
export type Happening<D = unknown> = {
  type: string;
  id: string;
  /** UUID of the dossier that it happens to. */
  dossier: string;
  data: D;
  effectiveAt: CalendarDate;
  actor: Author;
  lookups: Readonly<Record<string, Lookup>>;
};

/** What a guard needs besides the state: what of it must be known before it can be said to hold. */
export type Need = 'payload' | 'date' | 'actor' | 'lookup';

/** Something that a failed rule is about, which can be looked up: a finding, an audit, an earlier fact of the history. */
export type Item = { kind: string; id: string; label: string };

/** What is wrong where a rule fails, and the things that the sentence names. */
export type Failing = { message: string; items?: readonly Item[] };

/** A rule in French sentences that can be quoted, whether or not it is known to hold. */
export type Statement = {
  /** What it asks, which claims nothing of the dossier: « Aucune non-conformité majeure ne doit rester ouverte. » */
  asks: string;
  /** What is true while it holds: « Aucune non-conformité majeure n'est ouverte. » */
  holds: string;
};

/** What an evaluator is told of a named guard. */
export type Reason = Statement & {
  /**
   * What is true while it fails, from what the dossier remembers and what the fact says: « 1 non-conformité majeure est
   * ouverte : C2 (10.5.a). ». A rule that needs no payload is given a fact without one. Those from whom one of `reads` is
   * withheld are told what the rule asks instead.
   */
  fails: (context: never, fact: never) => string | Failing;
  /** What the state adds to the two others: « Fin de la validité : 2028-06-30. ». Not for rules that read withheld members. */
  detail?: (context: never) => string | undefined;
  /** Empty: the state alone decides. */
  needs?: readonly Need[];
  /** Members of the context that it reads, when some are withheld from some. */
  reads?: readonly string[];
  /** Path of the payload's field that it is about, for the form. */
  field?: string;
};

/** A role of the procedure: what its holder sees (all dossiers, those it is a party to, none). */
export type RoleSpec = {
  label: string;
  sees: 'all' | 'own' | 'none';
  /** It may record facts on behalf of the parties (`onBehalfOf`). */
  recordsForOthers?: true;
  /** It is the clock's own: no person has it. */
  clock?: true;
  /** Facts reach it by subscription, whatever it sees: of every dossier, those that are not withheld from it. */
  subscribes?: true;
};

/** What `defineWorkflow` is given. */
export type WorkflowSpec = {
  name: string;
  version: number;
  label: string;
  machine: AnyStateMachine;
  facts: readonly Fact[];
  /** Named guard -> its sentence. */
  reasons: Readonly<Record<string, Reason>>;
  /** State string -> what is expected of a dossier there, and of whom. A state that expects nothing says so: `[]`. */
  expected: Readonly<Record<string, readonly Expectation[]>>;
  /** Named guards that choose where a fact leads and are never a reason to refuse. */
  routing?: readonly string[];
  roles: Readonly<Record<string, RoleSpec>>;
  /** Role that sees its own dossiers -> the columns of the summary that its organisation must equal one of. */
  parties: Readonly<Record<string, readonly string[]>>;
  /** Members of the context that are maps of many entries (hashed entry by entry). */
  keyed: readonly string[];
  /** Roles that may move a dossier to another version of the procedure. */
  versionChangedBy: readonly string[];
  /** How often the organisation of a party may correct one and the same fact; 20 when absent. */
  correctionsPerFact?: number;
  /** Whether a dossier is known to the public: who does not see it may name it then, and no other. Never when absent. */
  isPublic?: (context: never) => boolean;
  /** What other dossiers may look up of one. */
  exposes?: (context: never) => Record<string, unknown>;
};

/** One way a fact may go from a state: the guards that choose it, the rules that must hold, and where it leads. */
export type Candidate = { target: string | null; rules: readonly Rule[]; routes: readonly string[] };

export type Rule = Reason & { rule: string };

/** A state of the closed list. */
export type StateSpec = {
  state: string;
  label: string;
  /** The milestone worked towards; `fin` for a final state. */
  jalon: string;
  final: boolean;
  /** Type of fact -> the ways it may go, in XState's order. */
  accepts: ReadonlyMap<string, readonly Candidate[]>;
  /** What is to be done, and by whom; nothing where the procedure only lets things happen, or is over. */
  expects: readonly Expectation[];
};

/** A procedure: its facts, states, rules and roles, read off its machine once. */
export type Workflow = Omit<WorkflowSpec, 'facts' | 'keyed' | 'correctionsPerFact'> & {
  /** Those of the machine, then the three beside it: rectification, annulment, change of version. */
  facts: ReadonlyMap<string, Fact>;
  keyed: ReadonlySet<string>;
  /** Members of the context that facts withheld from some write. */
  withheldMembers: ReadonlySet<string>;
  correctionsPerFact: number;
  /** By state string; the state before the opening, from which no dossier is shown, is `null`. */
  states: ReadonlyMap<string | null, StateSpec>;
};

/** The jalon of final states. */
export const FINAL = 'fin';

/** The state string of a value: `candidature.deposee`, or null for the state before the opening. */
export function stateString(value: unknown): string | null {
  if (typeof value === 'string') return value === BEFORE ? null : value;
  const [parent, child] = Object.entries(value as Record<string, unknown>)[0] as [string, unknown];
  return `${parent}.${child}`;
}

/** Name of the machine's state before the opening. */
export const BEFORE = 'avant';

/**
 * Reads a machine into a workflow and refuses one that could be silently wrong.
 * @throws TypeError naming the first thing that is: an undeclared fact, a guard without a sentence, a transition without
 * an action (XState would answer the same snapshot, which looks like a refusal), a history or final XState state
 * (a place outside the context; a machine that hears nothing more), something that happens without a fact, a state
 * without a jalon, a role or a member of the context that does not exist.
 */
export function defineWorkflow(spec: WorkflowSpec): Workflow {
  const beside = factsBeside(spec);
  const facts = new Map([...spec.facts, ...beside].map((fact) => [fact.type, fact]));
  const { guards: written, actions } = spec.machine.implementations;
  const used = new Set<string>();
  const states = new Map<string | null, StateSpec>();
  const accepted = new Set<string>();
  const fail = (fault: string): never => {
    throw new TypeError(`Workflow ${spec.name} ${spec.version}: ${fault}.`);
  };

  const rule = (name: string): Rule => {
    const reason = spec.reasons[name] ?? fail(`the guard « ${name} » has no sentence`);
    for (const said of ['asks', 'holds', 'fails'] as const)
      if (!reason[said]) fail(`the guard « ${name} » does not say « ${said} »`);
    return { rule: name, ...reason };
  };

  const candidates = (node: AnyStateNode, type: string): Candidate[] =>
    (node.transitions.get(type) ?? []).map((transition) => {
      if (transition.actions.length === 0) fail(`${type} in ${node.id} has no action`);
      for (const action of transition.actions.map(actionName))
        if (action === undefined || !Object.hasOwn(actions, action))
          fail(`the action « ${action ?? 'without a name'} » of ${type} is not written`);
      const guards =
        guardNames(transition.guard) ?? fail(`a guard of ${type} in ${node.id} is not and([...]) of names`);
      for (const guard of guards) {
        used.add(guard);
        if (!Object.hasOwn(written, guard)) fail(`the guard « ${guard} » of ${type} is not written`);
      }
      return {
        target: transition.target?.[0] ? leafString(transition.target[0]) : null,
        rules: guards.filter((name) => !spec.routing?.includes(name)).map(rule),
        routes: guards.filter((name) => spec.routing?.includes(name) ?? false),
      };
    });

  for (const node of nodes(spec.machine.root)) {
    if (!['atomic', 'compound'].includes(node.type)) fail(`${node.id} is ${node.type}`);
    if ((node.always?.length ?? 0) + node.invoke.length + node.entry.length + node.exit.length > 0)
      fail(`${node.id} does something without a fact`);
    if (node.path.length > 2) fail(`${node.id} lies deeper than <stage>.<state>`);
  }
  for (const leaf of nodes(spec.machine.root)) {
    if (leaf.type !== 'atomic') continue;
    const accepts = new Map<string, Candidate[]>();
    for (let node: AnyStateNode | undefined = leaf; node; node = node.parent)
      for (const type of node.transitions.keys()) {
        if (!facts.has(type)) fail(`${node.id} accepts ${type}, which is not declared`);
        if (isBesideTheMachine(type)) fail(`${node.id} accepts ${type}, which no machine receives`);
        accepted.add(type);
        const found = candidates(node, type);
        const inner = accepts.get(type);
        if (inner === undefined) accepts.set(type, found);
        else if (inner.every((candidate) => candidate.rules.length + candidate.routes.length > 0))
          fail(`${type} is accepted by ${leaf.id} and again by ${node.id}: a refusal inside would fall through`);
      }
    const state = stateString(pathValue(leaf));
    const meta = { ...leaf.parent?.meta, ...leaf.meta } as { jalon?: string; label?: string };
    if (state !== null && meta.jalon === undefined) fail(`the state ${state} has no jalon`);
    if (state !== null && leaf.meta?.label === undefined) fail(`the state ${state} has no label`);
    const jalon = meta.jalon ?? '';
    const final = jalon === FINAL;
    const expects = (state !== null && spec.expected[state]) || [];
    if (state !== null && !final && !Object.hasOwn(spec.expected, state)) fail(`${state} does not say what it expects`);
    if (final && expects.length > 0) fail(`${state} expects something of a dossier that is over`);
    for (const { facts: types, of } of expects)
      for (const type of types) {
        if (!accepts.has(type)) fail(`${state} expects ${type}, which it does not accept`);
        const by = facts.get(type)?.by ?? [];
        for (const role of of)
          if (!by.includes(role)) fail(`${state} expects ${type} of ${role}, which may not propose it`);
      }
    states.set(state, { state: state ?? '', label: meta.label ?? '', jalon, final, accepts, expects });
  }
  if (facts.size < spec.facts.length + beside.length) fail('two facts have the same type');
  for (const { type } of spec.facts) if (!accepted.has(type)) fail(`${type} is accepted nowhere`);
  const members = Object.keys(initialTransition(spec.machine)[0].context as object);
  const remembered = (who: string, names: readonly string[] = []) => {
    for (const name of names) if (!members.includes(name)) fail(`${who} names ${name}, which the context has not`);
  };
  const playing = (who: string, names: readonly string[] = []) => {
    for (const name of names)
      if (!Object.hasOwn(spec.roles, name)) fail(`${who} names the role ${name}, which is not declared`);
  };
  remembered('keyed', spec.keyed);
  playing('parties', Object.keys(spec.parties));
  playing('versionChangedBy', spec.versionChangedBy);
  for (const fact of spec.facts) {
    const { type, by, withheldFrom, writes, deadlines = [] } = fact;
    playing(type, by);
    playing(type, fact.correctedBy);
    playing(type, fact.decides);
    playing(type, withheldFrom);
    remembered(type, writes);
    for (const closing of deadlines.flatMap(({ closedBy, endedBy = [] }) => [...closedBy, ...endedBy]))
      if (!facts.has(closing)) fail(`a deadline of ${type} is closed by ${closing}, which is not declared`);
    for (const { proposes } of deadlines)
      if (proposes !== undefined && !facts.has(proposes))
        fail(`a deadline of ${type} proposes ${proposes}, which is not declared`);
    for (const deadline of deadlines) {
      const state = openForEver(states, type, deadline);
      if (state !== undefined)
        fail(`« ${deadline.label} » of ${type} may be open in ${state}, and nothing closes it there`);
    }
  }
  for (const [state, expectations] of Object.entries(spec.expected)) {
    if (!states.has(state)) fail(`${state} expects something and is no state`);
    for (const { reads } of expectations) remembered(`what ${state} expects`, reads);
  }
  for (const [guard, { reads, detail }] of Object.entries(spec.reasons)) {
    if (reads && detail) fail(`the rule ${guard} reads what is withheld, and adds a detail whoever asks`);
    if (!used.has(guard)) fail(`there is a sentence for « ${guard} », which guards nothing`);
    remembered(`the rule ${guard}`, reads);
  }
  const withheld = spec.facts.filter(({ withheldFrom = [] }) => withheldFrom.length > 0);
  const withheldMembers = new Set(withheld.flatMap(({ writes = [] }) => writes));
  const { correctionsPerFact = CORRECTIONS_PER_FACT } = spec;
  if (!Number.isSafeInteger(correctionsPerFact) || correctionsPerFact < 1)
    fail('an organisation may correct a fact at least once, and so often as a whole number says');
  for (const fact of spec.facts) {
    const fault = uncorrectable(spec, fact);
    if (fault) fail(fault);
  }
  // Callers name roles: what every object has (« constructor ») is none.
  const roles = ownOnly(spec.roles);
  const parties = ownOnly(spec.parties);
  return { ...spec, roles, parties, facts, keyed: new Set(spec.keyed), withheldMembers, states, correctionsPerFact };
}

/** How often the organisation of a party may correct one fact, unless the procedure says otherwise. */
const CORRECTIONS_PER_FACT = 20;

/**
 * Why a fact could come to be corrected by nobody: parties may be missing, the clock corrects nothing, who does not see a
 * fact does not correct it, and a party changes no party.
 */
function uncorrectable({ roles, parties }: WorkflowSpec, fact: Fact): string | undefined {
  const { type, summary = {}, withheldFrom = [] } = fact;
  const may = (rested: boolean) =>
    correctors(roles, fact, rested).filter(
      (role) => !roles[role]?.clock && roles[role]?.sees !== 'none' && !withheldFrom.includes(role),
    );
  const officials = (rested: boolean) => may(rested).filter((role) => !isParty(roles, role));
  if (may(false).length === 0) return `nobody could correct ${type}`;
  if (!fact.free && officials(true).length === 0)
    return `nobody but a party could correct ${type} once a decision rests on it`;
  const naming = Object.values(parties).flat();
  if (Object.keys(summary).some((column) => naming.includes(column)) && officials(false).length === 0)
    return `nobody but a party could correct ${type}, which says who the parties are`;
  return undefined;
}

/** The same members on an object that has no others, not even those of every object. */
function ownOnly<T extends object>(members: T): T {
  return Object.assign(Object.create(null), members);
}

function actionName(action: unknown): string | undefined {
  const name = typeof action === 'string' ? action : (action as { type?: unknown }).type;
  return typeof name === 'string' ? name : undefined;
}

// Undefined for what is not a name or and([...]) of names: such a guard could not be explained.
function guardNames(guard: unknown): string[] | undefined {
  if (guard === undefined) return [];
  if (typeof guard === 'string') return [guard];
  const { check, guards = [] } = guard as { check?: { name?: string }; guards?: unknown[] };
  const names = guards.map(guardNames);
  return check?.name === 'checkAnd' && names.every((name) => name !== undefined) ? names.flat() : undefined;
}

function* nodes(node: AnyStateNode): Generator<AnyStateNode> {
  yield node;
  for (const child of Object.values(node.states) as AnyStateNode[]) yield* nodes(child);
}

function pathValue(node: AnyStateNode): unknown {
  const [parent, child] = node.path;
  return child === undefined ? parent : { [parent as string]: child };
}

function leafString(node: AnyStateNode): string | null {
  let leaf = node;
  while (leaf.initial.target[0]) leaf = leaf.initial.target[0];
  return stateString(pathValue(leaf));
}
