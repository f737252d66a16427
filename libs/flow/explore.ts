import {
  abstracter,
  checkSample,
  type Exploration,
  factOf,
  noting,
  observed,
  type Seen,
  standingOf,
} from './abstraction.ts';
import { type Decision, decide } from './decide.ts';
import type { Invariant } from './invariant.ts';
import { beginning, type PastFact, type Situation } from './situation.ts';
import type { StateSpec, Workflow } from './workflow.ts';

/** Something that does not hold: which invariant, what is wrong, and the shortest path that shows it, fact by fact. */
export type Fault = {
  exploration: string;
  invariant: string;
  sentence: string;
  fault: string;
  /** « 2024-01-02 j3.avis-rendu (chef-de-bureau, x) → j3.avis-rendu », a line for each fact. */
  path: readonly string[];
};

/** What an exploration found. The same workflow and exploration always give the same. */
export type Explored = {
  exploration: Exploration;
  /** Abstract states, and facts accepted between them. */
  states: number;
  transitions: number;
  /** Proposals that were refused. */
  refusals: number;
  /** Facts on the longest of the shortest paths. */
  depth: number;
  /** Dossiers that count as one with another and were compared with it, fact by fact. */
  compared: number;
  /** `from type to` of every way that was gone; `from` is empty before the opening. */
  ways: ReadonlySet<string>;
  /** What rules read of proposals (`data`, `effectiveAt`, `actor`, `lookups`): what none reads may be anything. */
  asks: ReadonlySet<string>;
  /** Rule -> whether it was seen to hold, and to fail. */
  verdicts: Seen['verdicts'];
  /** Broken invariants, each with the first path found. */
  faults: readonly Fault[];
};

/** Two dossiers that an abstraction takes for one do not behave alike, or a rule reads what it does not keep. */
export class AbstractionRefused extends Error {
  override readonly name = 'AbstractionRefused';
}

/** There are more abstract states than the exploration allows. */
export class ExplorationTooLarge extends Error {
  override readonly name = 'ExplorationTooLarge';
}

/** The property that every exploration of all the rules checks by itself. */
export const NO_DEAD_END = {
  name: 'aucune-impasse',
  sentence: "De tout état qui n'est pas final, une fin peut être atteinte sans que personne n'abandonne.",
};

/**
 * Goes every way that the samples open, breadth first, through the workflow's own machine. Of each abstract state one
 * dossier is kept, and some others are compared with it: each proposal must lead them to the same abstract state.
 * @throws AbstractionRefused, ExplorationTooLarge, TypeError for a sample that could not be proposed.
 */
export function explore(workflow: Workflow, exploration: Exploration): Explored {
  return new Expedition(workflow, exploration).run();
}

/** A path: the fact that ended it, in a line, and what came before; null before the first. */
type Path = { line: string; before: Path } | null;

/** A dossier on its way: where it stands, what invariants remember, how it came there. */
type Node = { situation: Situation; memories: readonly unknown[]; path: Path };

/**
 * An abstract state: how it was first reached, and where each proposal leads from there (null: refused). `marks` tell
 * apart the dossiers that reached it, until enough of them did.
 */
type Place = { key: string; state: StateSpec; path: Path; depth: number; leads: Leads; marks: Set<string> | null };
type Leads = Map<string, Place | null>;

class Expedition {
  readonly #seen: Seen = { reads: new Map(), asks: new Set(), verdicts: new Map() };
  readonly #workflow: Workflow;
  readonly #places = new Map<string, Place>();
  #queue: { node: Node; place: Place; first: boolean }[] = [];
  /** Samples that were found to be such as somebody could propose. */
  readonly #checked = new Set<string>();
  readonly #labels = new Map<string, string>();
  readonly #faults = new Map<string, Fault>();
  readonly #ways = new Set<string>();
  /** Where abstract states lead without anybody giving up. */
  readonly #onwards: { from: Place; to: Place }[] = [];
  #transitions = 0;
  #refusals = 0;
  #compared = 0;

  constructor(
    workflow: Workflow,
    private readonly exploration: Exploration,
  ) {
    this.#workflow = observed(workflow, exploration, this.#seen);
  }

  run(): Explored {
    const memories = this.exploration.invariants.map(({ starts }) => starts);
    this.#arrive({ situation: beginning(this.#workflow), memories, path: null }, 0);
    // What is as many facts deep at a time: dossiers are let go when all of them were followed.
    while (this.#queue.length > 0) {
      const wave = this.#queue;
      this.#queue = [];
      for (const { node, place, first } of wave)
        if (first) this.#expand(node, place);
        else this.#compare(node, place);
    }
    if (this.exploration.enforces === undefined) this.#seekDeadEnd();
    const places = [...this.#places.values()];
    return {
      exploration: this.exploration,
      states: places.length,
      transitions: this.#transitions,
      refusals: this.#refusals,
      depth: places.at(-1)?.depth ?? 0,
      compared: this.#compared,
      ways: this.#ways,
      asks: this.#seen.asks,
      verdicts: this.#seen.verdicts,
      faults: [...this.#faults.values()],
    };
  }

  /** The place of a dossier, which is queued when the place is new, or when it is another one to compare. */
  #arrive(node: Node, depth: number): Place {
    const { situation, memories } = node;
    const { keeps, compares, limit, name } = this.exploration;
    const write = abstracter(situation.since);
    const key = write([situation.state.state, keeps(standingOf(situation) as never), memories]);
    let place = this.#places.get(key);
    if (place === undefined) {
      if (this.#places.size >= limit) throw new ExplorationTooLarge(`${name}: more than ${limit} states.`);
      const marks = compares > 0 ? new Set([this.#markOf(situation)]) : null;
      place = { key, state: situation.state, path: node.path, depth, leads: new Map(), marks };
      this.#places.set(key, place);
      this.#queue.push({ node, place, first: true });
    } else if (place.marks) {
      const mark = this.#markOf(situation);
      if (!place.marks.has(mark)) this.#queue.push({ node, place, first: false });
      place.marks.add(mark);
      if (place.marks.size > compares) place.marks = null;
    }
    return place;
  }

  /** All of a context but what makes no difference. */
  #markOf({ snapshot, since }: Situation): string {
    const members = Object.entries(snapshot.context as object);
    return abstracter(since)(members.filter(([member]) => !this.exploration.ignores.includes(member)));
  }

  #expand(node: Node, place: Place): void {
    const from = node.situation.state.state;
    const accepted = new Set<string>();
    for (const { label, fact, decision } of this.#proposals(node)) {
      if (!decision.accepted) {
        this.#refusals += 1;
        place.leads.set(label, null);
        continue;
      }
      const to = this.#follow(node, fact, decision, place.depth + 1);
      accepted.add(fact.type);
      place.leads.set(label, to);
      this.#transitions += 1;
      this.#ways.add(`${from} ${fact.type} ${decision.to}`);
      if (!this.#workflow.facts.get(fact.type)?.abandons) this.#onwards.push({ from: place, to });
    }
    for (const [i, invariant] of this.exploration.invariants.entries())
      for (const type of invariant.expects?.(node.situation, node.memories[i]) ?? [])
        if (!accepted.has(type)) this.#blame(invariant, `${type} n'est pas accepté en ${from}.`, node.path);
  }

  /** Where an accepted fact leads. A path goes on after a fault: one invariant must not hide what another would find. */
  #follow(node: Node, fact: PastFact, { next, to, crosses }: Accepted, depth: number): Place {
    const path = { line: line(fact, to), before: node.path };
    const happened = { before: node.situation, fact, after: next, ...(crosses === undefined ? {} : { crosses }) };
    const memories = this.exploration.invariants.map((invariant, i) =>
      invariant.watch(node.memories[i], happened, (fault) => this.#blame(invariant, fault, path)),
    );
    return this.#arrive({ situation: next, memories, path }, depth);
  }

  /** Proposes the same to another dossier of a place. */
  #compare(node: Node, place: Place): void {
    this.#compared += 1;
    const leads: Leads = new Map();
    for (const { label, fact, decision } of this.#proposals(node))
      leads.set(label, decision.accepted ? this.#follow(node, fact, decision, place.depth + 1) : null);
    for (const label of new Set([...place.leads.keys(), ...leads.keys()])) {
      const [one, other] = [place.leads.get(label), leads.get(label)];
      if (one === other) continue;
      const said = (to?: Place | null) =>
        to === undefined ? 'not proposed' : to === null ? 'refused' : `accepted, to ${to.key}`;
      throw new AbstractionRefused(
        [
          `${this.exploration.name}: two dossiers count as one, but ${label} is not the same to them:`,
          ...[`${said(one)} after`, ...told(place.path), `${said(other)} after`, ...told(node.path)],
        ].join('\n'),
      );
    }
  }

  /** Everything that is proposed to a dossier, and what is decided; then, whether rules read only what is kept. */
  *#proposals(node: Node): Generator<{ label: string; fact: PastFact; decision: Decision }> {
    const { situation, memories } = node;
    const { keeps, samples, days, name } = this.exploration;
    const standing = standingOf(situation);
    const kept = new Set<string>();
    const watched = { ...standing, context: noting(standing.context, (member) => kept.add(member)) };
    const write = abstracter(situation.since);
    // As the key is written, so that fresh ids have the same ranks in the labels as in it.
    write([situation.state.state, keeps(watched as never), memories]);
    this.#seen.reads.clear();
    const labels = new Set<string>();
    for (const type of situation.state.accepts.keys())
      for (const sample of samples[type]?.(standing as never) ?? []) {
        const { role, data, author = null, lookups = null } = sample;
        const what = write([type, role, data, author, lookups]);
        if (!this.#checked.has(what)) checkSample(this.#workflow, type, sample);
        this.#checked.add(what);
        for (const day of sample.days ?? days) {
          const label = this.#shared(`${what} ${day}`);
          if (labels.has(label)) throw new TypeError(`${name}: ${label} is proposed twice.`);
          labels.add(label);
          const fact = factOf(situation, type, sample, day);
          yield { label, fact, decision: decide(situation, fact, LAST_DAY) };
        }
      }
    for (const [member, rule] of this.#seen.reads)
      if (!kept.has(member))
        throw new AbstractionRefused(
          `${name}: the rule « ${rule} » reads ${member} in ${situation.state.state}, which is not kept.`,
        );
  }

  /** One string for all that are equal: every place holds the labels of what is proposed there. */
  #shared(label: string): string {
    const known = this.#labels.get(label);
    if (known === undefined) this.#labels.set(label, label);
    return known ?? label;
  }

  #blame({ name, sentence }: Pick<Invariant, 'name' | 'sentence'>, fault: string, path: Path): void {
    if (this.#faults.has(name)) return;
    this.#faults.set(name, { exploration: this.exploration.name, invariant: name, sentence, fault, path: told(path) });
  }

  /** Looks for a state from which no end is reached: no final state or, in a procedure without one, no other state. */
  #seekDeadEnd(): void {
    const places = [...this.#places.values()];
    const finals = places.filter(({ state }) => state.final);
    const moves = this.#onwards.filter(({ from, to }) => from.state !== to.state);
    const alive = new Set(finals.length > 0 ? finals : moves.map(({ from }) => from));
    const before = new Map<Place, Place[]>();
    for (const { from, to } of this.#onwards) {
      const known = before.get(to);
      if (known) known.push(from);
      else before.set(to, [from]);
    }
    for (const place of alive) for (const from of before.get(place) ?? []) alive.add(from);
    const stuck = places.find((place) => !alive.has(place));
    if (stuck) this.#blame(NO_DEAD_END, `Rien ne mène de ${stuck.state.state} à une fin.`, stuck.path);
  }
}

type Accepted = Extract<Decision, { accepted: true }>;

/** Late enough for every path: that no date is in the future is not the machine's affair. */
const LAST_DAY = '2199-12-31';

function told(path: Path): string[] {
  const lines: string[] = [];
  for (let at = path; at; at = at.before) lines.push(at.line);
  return lines.reverse();
}

function line({ type, effectiveAt, actor }: PastFact, to: string): string {
  const who = actor.sub === actor.role ? actor.role : `${actor.role}, ${actor.sub}`;
  return `${effectiveAt} ${type} (${who}) → ${to}`;
}
