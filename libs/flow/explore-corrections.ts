import { abstracter, type Exploration, factOf, standingOf } from './abstraction.ts';
import { isSamePerson } from './authors.ts';
import type { PublishedWorkflow } from './catalogue.ts';
import { decideBeside, restingOn, rootOf } from './correct.ts';
import { ANNULMENT, correctors, RECTIFICATION } from './corrections.ts';
import { decide } from './decide.ts';
import { fatesOf, type RecordedFact } from './fates.ts';
import { situationAt } from './readings.ts';
import { beginning, type Situation, summaryOf } from './situation.ts';
import type { Author } from './workflow.ts';

/** What is explored of the corrections of a procedure. */
export type CorrectionsExploration = {
  /** Whose samples and days lead to each state, and give what a rectification puts in place. */
  by: Exploration;
  /** Facts that must not have an author in common: each with those that decide on it. */
  fourEyes: Readonly<Record<string, readonly string[]>>;
  /** How many corrections follow each other. */
  depth: number;
  /** Persons that may correct, in any role. */
  persons: readonly string[];
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
  'parties-inchangees': "Une partie ne change ni l'identité du dossier ni ses parties.",
  'quatre-yeux': "Nul n'a part à la fois à un fait et à la décision prise sur lui.",
  'se-rejoue': 'Un historique corrigé se rejoue, et mène où la correction a dit.',
  'quelqu-un-corrige': 'Tout fait peut toujours être corrigé par un rôle au moins.',
} as const;

type Led = { history: RecordedFact[]; situation: Situation };

/**
 * Corrects every fact of a shortest history to each state, in every role, by several persons, in the ways that samples
 * offer, and what was so corrected again, and checks what is accepted by what the facts say, not by what was decided.
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

  constructor(
    private readonly workflow: PublishedWorkflow,
    private readonly asked: CorrectionsExploration,
  ) {}

  run(): CorrectionsExplored {
    for (const led of this.#histories()) {
      this.#counts.histories += 1;
      this.#correct(led, this.asked.depth);
    }
    return { ...this.#counts, faults: [...this.#faults.values()] };
  }

  /** One shortest history to each state, breadth first over what the exploration takes for one dossier. */
  *#histories(): Generator<Led> {
    const known = new Set<string>();
    const reached = new Set<string>();
    let wave: Led[] = [{ history: [], situation: beginning(this.workflow) }];
    while (wave.length > 0) {
      const next: Led[] = [];
      for (const { history, situation } of wave)
        for (const fact of this.#expected(situation)) {
          const decision = decide(situation, fact, TODAY);
          if (!decision.accepted) continue;
          const key = this.#keyOf(decision.next);
          if (known.has(key)) continue;
          known.add(key);
          const led = { history: [...history, this.#recorded(fact)], situation: decision.next };
          next.push(led);
          if (reached.has(decision.to)) continue;
          reached.add(decision.to);
          yield led;
        }
      wave = next;
    }
  }

  #keyOf(situation: Situation): string {
    const kept = this.asked.by.keeps(standingOf(situation) as never);
    return abstracter(situation.since)([situation.state.state, kept]);
  }

  *#expected(situation: Situation) {
    const { samples, days } = this.asked.by;
    for (const type of situation.state.accepts.keys())
      for (const sample of samples[type]?.(standingOf(situation) as never) ?? [])
        for (const day of sample.days ?? days) yield factOf(situation, type, sample, day);
  }

  #recorded(fact: ReturnType<typeof factOf>): RecordedFact {
    const { name, version, hash } = this.workflow;
    return { ...fact, workflow: { name, version, hash } };
  }

  #correct(led: Led, depth: number): void {
    const { history } = led;
    for (const target of history) {
      const root = rootOf(history, target.id) as RecordedFact;
      const declared = this.workflow.facts.get(root.type);
      if (!declared) continue;
      const rests = restingOn(this.workflow, history, root) !== undefined;
      for (const type of [RECTIFICATION, ANNULMENT]) {
        const may = correctors(this.workflow.roles, type, declared, rests);
        if (may.length === 0) this.#blame('quelqu-un-corrige', `${root.type} ne peut plus être corrigé.`, history);
        for (const role of Object.keys(this.workflow.roles))
          for (const sub of this.asked.persons)
            for (const data of type === ANNULMENT ? [undefined] : this.#puts(led, target)) {
              if (may.includes(role))
                this.#propose(led, { type, target, root, actor: { iss: 'urn:exploration', sub, role }, data }, depth);
              else this.#counts.forbidden += 1;
            }
      }
    }
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
    return [...texts.values()];
  }

  #propose(
    { history, situation }: Led,
    {
      type,
      target,
      root,
      actor,
      data,
    }: { type: string; target: RecordedFact; root: RecordedFact; actor: Author; data: unknown },
    depth: number,
  ): void {
    this.#counts.proposed += 1;
    if (this.#counts.proposed > this.asked.limit) throw new Error(`More than ${this.asked.limit} corrections.`);
    const { name, version, hash } = this.workflow;
    // A party corrects for the organisation whose dossier it is.
    const org = Object.values(situation.summary)[0];
    const by = this.workflow.roles[actor.role]?.sees === 'own' && org !== undefined ? { ...actor, org } : actor;
    const correction: RecordedFact = {
      ...{ type, id: `${history.length}`, dossier: target.dossier, actor: by, lookups: {}, target: target.id },
      data: { fait: target.id, ...(data === undefined ? {} : { donnees: data }), motif: 'Exploration' },
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
    if (!decision.accepted) {
      this.#counts.refused += 1;
      return;
    }
    this.#counts.accepted += 1;
    const after = [...history, correction];
    this.#check(after, correction, root, decision.next);
    if (depth > 1) this.#correct({ history: after, situation: decision.next }, depth - 1);
  }

  #check(history: RecordedFact[], correction: RecordedFact, root: RecordedFact, next: Situation): void {
    const before = history.slice(0, -1);
    const isParty = this.workflow.roles[correction.actor.role]?.sees === 'own';
    const fact = this.workflow.facts.get(root.type);
    const what = `${correction.type} de ${root.type} par ${correction.actor.role}`;
    const decided = before.some(
      ({ id, type }, i) =>
        i > before.indexOf(root) && this.workflow.decisions.has(type) && fatesOf(before).get(id)?.kind !== 'annulled',
    );
    if (isParty && decided && !fact?.free)
      this.#blame('partie-apres-decision', `${what}, après une décision.`, history);
    if (isParty && this.#whose(before) !== this.#whose(history))
      this.#blame('parties-inchangees', `${what} change à qui est le dossier.`, history);
    for (const [of, deciding] of Object.entries(this.asked.fourEyes))
      for (const type of deciding) {
        const both = this.#hands(history, of).find((one) =>
          this.#hands(history, type).some((other) => isSamePerson(one, other)),
        );
        if (both) this.#blame('quatre-yeux', `${both.sub} a part à ${of} et à ${type}.`, history);
      }
    const again = situationAt(history, { revision: history.length - 1, corrected: false }, () => this.workflow);
    if (again?.state.state !== next.state.state)
      this.#blame('se-rejoue', `${what} : le rejeu mène à ${again?.state.state}, non à ${next.state.state}.`, history);
  }

  /** Whose dossier a history says it is: the columns of its parties, as its last facts that stand give them. */
  #whose(history: readonly RecordedFact[]): string {
    const columns = Object.values(this.workflow.parties).flat();
    const fates = fatesOf(history);
    const said: Record<string, string> = {};
    for (const { id, type, data, target } of history) {
      const fate = fates.get(id);
      const fact = this.workflow.facts.get(type);
      if (target !== undefined || fate?.kind === 'annulled' || !fact) continue;
      Object.assign(said, summaryOf(fact, fate?.data ?? data));
    }
    return JSON.stringify(columns.map((column) => said[column] ?? null));
  }

  /** Who had a hand in the facts of a type that stand. */
  #hands(history: readonly RecordedFact[], type: string): Author[] {
    const fates = fatesOf(history);
    return history
      .filter((one) => {
        const root = rootOf(history, one.id) as RecordedFact;
        return root.type === type && fates.get(root.id)?.kind !== 'annulled';
      })
      .map(({ actor }) => actor);
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
