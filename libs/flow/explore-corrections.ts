import { abstracter, type Exploration, factOf, standingOf } from './abstraction.ts';
import { isSamePerson } from './authors.ts';
import type { PublishedWorkflow } from './catalogue.ts';
import { decideBeside, rootOf, whoMayCorrect } from './correct.ts';
import { ANNULMENT, correctors, isBesideTheMachine, isParty, RECTIFICATION } from './corrections.ts';
import { decide } from './decide.ts';
import { fatesOf, type RecordedFact } from './fates.ts';
import { situationAt } from './readings.ts';
import { beginning, type PastFact, type Situation, summaryOf } from './situation.ts';
import type { Author } from './workflow.ts';

/** A fact, what withdraws it, and what decides on it: nobody may have a hand in both it and the decision. */
export type FourEyes = { on: string; withdrawnBy: readonly string[]; decidedBy: readonly string[] };

/** What is explored of the corrections of a procedure. */
export type CorrectionsExploration = {
  /** Whose samples and days lead to each state, and give what a rectification puts in place. */
  by: Exploration;
  fourEyes: FourEyes;
  /** Columns of the summary that say whose dossier it is, told by the procedure's text rather than by its declarations. */
  owners: readonly string[];
  /** How many histories to each state are corrected, of those that the exploration does not take for one. */
  histories: number;
  /** How many corrections of any fact follow each other. */
  depth: number;
  /** How many acts on the facts of `fourEyes` follow each other: corrections of them, and themselves. */
  acts: number;
  /** Persons that may act, in any role. */
  persons: readonly Pick<Author, 'iss' | 'sub'>[];
  /** More corrections than that, and it stops. */
  limit: number;
};

/** A correction that was accepted and must not be, with the history that shows it, a line for each fact. */
export type CorrectionFault = { invariant: keyof typeof CORRECTION_INVARIANTS; fault: string; path: readonly string[] };

/** What an exploration of corrections found. */
export type CorrectionsExplored = {
  histories: number;
  proposed: number;
  accepted: number;
  refused: number;
  forbidden: number;
  /** The first of each invariant. */
  faults: readonly CorrectionFault[];
};

/** What must hold of each correction that is accepted. */
export const CORRECTION_INVARIANTS = {
  'partie-apres-decision': 'Une partie ne corrige plus ce sur quoi une décision repose.',
  'parties-inchangees': 'Une partie ne change jamais à qui est le dossier.',
  'quatre-yeux': "Nul n'a part à la fois à un fait et à la décision prise sur lui, même annulée.",
  'se-rejoue': 'Un historique corrigé se rejoue, et mène où la correction a dit.',
  'quelqu-un-corrige': "Tout fait peut toujours être corrigé par un rôle qui n'est pas partie.",
} as const;

type Led = { history: RecordedFact[]; situation: Situation };

/**
 * Corrects every fact of the shortest histories to each state, in every role, by several persons, in the ways that samples
 * offer, and what was so corrected again; and goes on, between corrections, with the facts that four eyes are about. What
 * is accepted is checked by what the facts say, not by what was decided.
 * @throws Error when there are more corrections than the exploration allows
 */
export function exploreCorrections(workflow: PublishedWorkflow, asked: CorrectionsExploration): CorrectionsExplored {
  return new CorrectionsExpedition(workflow, asked).run();
}

/** Late enough for every path. */
const TODAY = '2199-12-31';

class CorrectionsExpedition {
  readonly #counts = { histories: 0, proposed: 0, accepted: 0, refused: 0, forbidden: 0 };
  readonly #faults = new Map<string, CorrectionFault>();
  readonly #watched: ReadonlySet<string>;

  constructor(
    private readonly workflow: PublishedWorkflow,
    private readonly asked: CorrectionsExploration,
  ) {
    const { on, withdrawnBy, decidedBy } = asked.fourEyes;
    this.#watched = new Set([on, ...withdrawnBy, ...decidedBy]);
  }

  run(): CorrectionsExplored {
    for (const led of this.#histories()) {
      this.#counts.histories += 1;
      this.#correct(led, this.asked.depth);
      if (led.history.some(({ type }) => this.#watched.has(type))) this.#actOnWatched(led, this.asked.acts);
    }
    return { ...this.#counts, faults: [...this.#faults.values()] };
  }

  /** The shortest histories to each state, breadth first over what the exploration takes for one dossier. */
  *#histories(): Generator<Led> {
    const known = new Set<string>();
    const reached = new Map<string, number>();
    let wave: Led[] = [{ history: [], situation: beginning(this.workflow) }];
    while (wave.length > 0) {
      const next: Led[] = [];
      for (const led of wave)
        for (const fact of this.#expected(led.situation)) {
          const then = this.#follow(led, fact);
          if (!then) continue;
          const key = this.#keyOf(then.situation);
          if (known.has(key)) continue;
          known.add(key);
          next.push(then);
          const { state } = then.situation.state;
          const times = reached.get(state) ?? 0;
          if (times >= this.asked.histories) continue;
          reached.set(state, times + 1);
          yield then;
        }
      wave = next;
    }
  }

  /** The dossier after a fact that the machine receives; undefined when it is refused. */
  #follow({ history, situation }: Led, fact: PastFact): Led | undefined {
    const decision = decide(situation, fact, TODAY);
    if (!decision.accepted) return undefined;
    const { name, version, hash } = this.workflow;
    const recorded = { ...fact, id: `${history.length}`, workflow: { name, version, hash } };
    return { history: [...history, recorded], situation: decision.next };
  }

  #keyOf(situation: Situation): string {
    const kept = this.asked.by.keeps(standingOf(situation) as never);
    return abstracter(situation.since)([situation.state.state, kept]);
  }

  *#expected(situation: Situation): Generator<PastFact> {
    const { samples, days } = this.asked.by;
    for (const type of situation.state.accepts.keys())
      for (const sample of samples[type]?.(standingOf(situation) as never) ?? [])
        for (const day of sample.days ?? days) yield factOf(situation, type, sample, day);
  }

  /** Corrects each fact, and each correction, of which the root is wanted. */
  #correct(led: Led, depth: number, wants: (type: string) => boolean = () => true): void {
    for (const { after } of this.#corrections(led, wants)) if (depth > 1) this.#correct(after, depth - 1, wants);
  }

  /** Corrects the facts that four eyes are about, or goes on with them by each person, as often as that. */
  #actOnWatched(led: Led, acts: number): void {
    if (acts === 0) return;
    for (const { after } of this.#corrections(led, (type) => this.#watched.has(type), false))
      this.#actOnWatched(after, acts - 1);
    const proposed = new Set<string>();
    for (const fact of this.#expected(led.situation)) {
      if (!this.#watched.has(fact.type) || proposed.has(fact.type)) continue;
      let accepted = false;
      for (const person of this.asked.persons) {
        const then = this.#follow(led, { ...fact, actor: { ...fact.actor, ...person } });
        if (!then) continue;
        accepted = true;
        this.#checkFourEyes(then.history);
        this.#actOnWatched(then, acts - 1);
      }
      // Of several contents one that is accepted is enough here.
      if (accepted) proposed.add(fact.type);
    }
  }

  /** The corrections that are accepted, each checked; with `puts` by all that samples offer, else by what was recorded. */
  *#corrections(led: Led, wants: (type: string) => boolean, puts = true): Generator<{ after: Led }> {
    const { history, situation } = led;
    const { roles, facts } = this.workflow;
    for (const target of history) {
      const root = rootOf(history, target.id) as RecordedFact;
      const declared = facts.get(root.type);
      if (!declared || !wants(root.type)) continue;
      for (const type of [RECTIFICATION, ANNULMENT])
        for (const data of type === ANNULMENT ? [undefined] : puts ? this.#puts(led, target) : [target.data]) {
          const donnees = { fait: target.id, ...(data === undefined ? {} : { donnees: data }), motif: 'Exploration' };
          const { by } = whoMayCorrect(situation, history, { type, data: donnees, target: target.id }, root);
          for (const rested of [false, true])
            if (!declared.free && !correctors(roles, declared, rested).some((role) => this.#isOfficial(role)))
              this.#blame('quelqu-un-corrige', `${root.type} ne peut plus être corrigé.`, history);
          for (const role of Object.keys(roles))
            for (const person of this.asked.persons) {
              if (!by.includes(role)) this.#counts.forbidden += 1;
              else {
                const after = this.#propose(led, { type, target, actor: { ...person, role }, data: donnees });
                if (!after) continue;
                this.#check(after, root);
                yield { after };
              }
            }
        }
    }
  }

  #isOfficial(role: string): boolean {
    const spec = this.workflow.roles[role];
    return spec?.sees === 'all' && !spec.clock;
  }

  /** What a rectification of a fact may put in place: what was recorded, and what samples offered instead. */
  #puts({ history }: Led, target: RecordedFact): unknown[] {
    if (target.target !== undefined) return [target.data];
    const before = history.slice(0, history.indexOf(target));
    const situation =
      before.length === 0
        ? beginning(this.workflow)
        : situationAt(before, { revision: before.length - 1, corrected: false }, () => this.workflow);
    const samples = situation ? (this.asked.by.samples[target.type]?.(standingOf(situation) as never) ?? []) : [];
    const texts = new Map(
      [target.data, ...samples.map(({ data }) => data)].map((data) => [JSON.stringify(data), data]),
    );
    // Another name of each text that says whose dossier it is.
    const { summary = {} } = this.workflow.facts.get(target.type) ?? {};
    for (const column of this.asked.owners) {
      const path = summary[column];
      if (typeof path === 'string') texts.set(path, replaced(target.data, path.split('.'), '552100554'));
    }
    return [...texts.values()];
  }

  /** The dossier after a correction; undefined when it is refused. */
  #propose(
    { history, situation }: Led,
    { type, target, actor, data }: { type: string; target: RecordedFact; actor: Author; data: unknown },
  ): Led | undefined {
    this.#counts.proposed += 1;
    if (this.#counts.proposed > this.asked.limit) throw new Error(`More than ${this.asked.limit} corrections.`);
    const { name, version, hash } = this.workflow;
    // A party corrects for the organisation whose dossier it is.
    const org = Object.values(situation.summary)[0];
    const by = isParty(this.workflow.roles, actor.role) && org !== undefined ? { ...actor, org } : actor;
    const correction: RecordedFact = {
      ...{ type, id: `${history.length}`, dossier: target.dossier, actor: by, lookups: {}, target: target.id, data },
      effectiveAt: situation.since ?? target.effectiveAt,
      recordedAt: `${TODAY}T00:00:00.000Z`,
      workflow: { name, version, hash },
    };
    const deliberation = {
      history,
      today: TODAY,
      find: () => this.workflow,
      untold: () => false,
      hidden: new Set<string>(),
    };
    const decision = decideBeside(situation, correction, deliberation);
    this.#counts[decision.accepted ? 'accepted' : 'refused'] += 1;
    return decision.accepted ? { history: [...history, correction], situation: decision.next } : undefined;
  }

  #check({ history, situation }: Led, root: RecordedFact): void {
    const correction = history.at(-1) as RecordedFact;
    const before = history.slice(0, -1);
    const what = `${correction.type} de ${root.type} par ${correction.actor.role}`;
    const bound = isParty(this.workflow.roles, correction.actor.role);
    const free = this.workflow.facts.get(root.type)?.free;
    if (bound && !free && this.#decisions(before).some((i) => i > before.indexOf(root)))
      this.#blame('partie-apres-decision', `${what}, après une décision.`, history);
    if (bound && this.#whose(before) !== this.#whose(history))
      this.#blame('parties-inchangees', `${what} change à qui est le dossier.`, history);
    this.#checkFourEyes(history);
    const again = situationAt(history, { revision: history.length - 1, corrected: false }, () => this.workflow);
    const told = (one: Situation | null) =>
      one && JSON.stringify([one.snapshot.value, one.snapshot.context, one.since, one.crossed, one.summary]);
    if (told(again) !== told(situation))
      this.#blame('se-rejoue', `${what} : le rejeu ne mène pas au même état.`, history);
  }

  /** Revisions of the decisions that stand: a milestone crossed first, an end, or what is declared of who recorded it. */
  #decisions(history: readonly RecordedFact[]): number[] {
    const fates = fatesOf(history);
    const crossed = new Set<string>();
    return history.flatMap(({ id, type, actor }, i) => {
      const fact = this.workflow.facts.get(type);
      if (!fact || fact.free || fates.get(id)?.kind === 'annulled') return [];
      const crosses = fact.crosses !== undefined && !crossed.has(fact.crosses);
      if (fact.crosses !== undefined) crossed.add(fact.crosses);
      return crosses || this.#ends(type) || fact.decides?.includes(actor.role) ? [i] : [];
    });
  }

  #ends(type: string): boolean {
    const { states } = this.workflow;
    return [...states.values()].some(
      ({ final, accepts }) =>
        !final && accepts.get(type)?.some(({ target }) => target !== null && states.get(target)?.final),
    );
  }

  /** Whose dossier a history says it is, as its last facts that stand give it. */
  #whose(history: readonly RecordedFact[]): string {
    const fates = fatesOf(history);
    const said: Record<string, string> = {};
    for (const { id, type, data } of history) {
      const fate = fates.get(id);
      const fact = this.workflow.facts.get(type);
      if (isBesideTheMachine(type) || fate?.kind === 'annulled' || !fact) continue;
      Object.assign(said, summaryOf(fact, fate?.data ?? data));
    }
    return JSON.stringify(this.asked.owners.map((column) => said[column] ?? null));
  }

  /** Each decision, annulled or not, against what it was taken on, as the history now reads. */
  #checkFourEyes(history: readonly RecordedFact[]): void {
    const { on, withdrawnBy, decidedBy } = this.asked.fourEyes;
    const fates = fatesOf(history);
    let taken: RecordedFact | undefined;
    for (const fact of history) {
      const stands = fates.get(fact.id)?.kind !== 'annulled';
      if (stands && fact.type === on) taken = fact;
      if (stands && withdrawnBy.includes(fact.type)) taken = undefined;
      if (!taken || !decidedBy.includes(fact.type)) continue;
      const hands = handsIn(history, taken);
      const both = handsIn(history, fact).find((one) => hands.some((other) => isSamePerson(one, other)));
      if (both) this.#blame('quatre-yeux', `${both.sub} a part à ${on} et à ${fact.type}.`, history);
    }
  }

  #blame(invariant: CorrectionFault['invariant'], fault: string, history: readonly RecordedFact[]): void {
    if (this.#faults.has(invariant)) return;
    const path = history.map(({ type, actor, target }) => {
      const touched = target === undefined ? '' : ` de ${rootOf(history, target)?.type}`;
      return `${type}${touched} (${actor.role}, ${actor.sub})`;
    });
    this.#faults.set(invariant, { invariant, fault, path });
  }
}

/** Who recorded a fact, rectified or annulled it, or corrected what did, whether that stands or not. */
function handsIn(history: readonly RecordedFact[], { id }: RecordedFact): Author[] {
  return history.filter((one) => rootOf(history, one.id)?.id === id).map(({ actor }) => actor);
}

/** A copy of a payload that says something else at a path. */
function replaced(data: unknown, [step, ...others]: readonly string[], text: string): unknown {
  if (step === undefined) return text;
  const members = data as Record<string, unknown>;
  return { ...members, [step]: replaced(members[step], others, text) };
}
