import { correctorsOf, isSamePerson } from './authors.ts';
import type { PublishedWorkflow } from './catalogue.ts';
import type { BrokenRule } from './checklist.ts';
import { isBesideTheMachine } from './corrections.ts';
import { type CalendarDate, parisDate } from './dates.ts';
import { brokenByAuthor, decide } from './decide.ts';
import { asRead, type Fate, fatesOf, type RecordedFact, type Touching } from './fates.ts';
import { beginning, fold, ReplayBroken, type Situation } from './situation.ts';
import type { Author } from './workflow.ts';

/** How to find the workflow of a name and version, undefined when this build has none. */
export type FindWorkflow = (name: string, version: number) => PublishedWorkflow | undefined;

/** A history that a correction or another version makes unacceptable: at which fact, and by which rules. */
export class HistoryBroken extends Error {
  override readonly name = 'HistoryBroken';
  constructor(
    readonly fact: RecordedFact,
    readonly revision: number,
    readonly reasons: readonly BrokenRule[],
  ) {
    super(`Fact ${revision} (${fact.type}) is refused: ${reasons.map(({ rule }) => rule).join(', ')}.`);
  }
}

/** This build has no workflow of this name, version and hash. */
export class WorkflowUnknown extends Error {
  override readonly name = 'WorkflowUnknown';
  constructor(readonly wanted: RecordedFact['workflow']) {
    super(`This build does not have ${wanted.name} ${wanted.version} (${wanted.hash}).`);
  }
}

/** The workflow under which a dossier stands after a fact. @throws WorkflowUnknown */
export function workflowAfter({ workflow: pinned }: RecordedFact, find: FindWorkflow): PublishedWorkflow {
  const workflow = find(pinned.name, pinned.version);
  if (workflow?.hash !== pinned.hash) throw new WorkflowUnknown(pinned);
  return workflow as PublishedWorkflow;
}

/** What the corrections of a history say: what became of its facts, and who had a hand in each. */
export type Corrections = { fates: ReadonlyMap<string, Fate>; correctors: ReadonlyMap<string, readonly Author[]> };

/** @param history the whole, or only its corrections */
export function correctionsOf(history: readonly Touching[]): Corrections {
  return { fates: fatesOf(history), correctors: correctorsOf(history) };
}

/** A person who corrected something, and where the dossier stands with them as its author; null while that is no other. */
type Shadow = { person: Author; situation: Situation | null };

/**
 * One reading of a history, fact by fact from the first: what corrections annulled is left out, what they rectified is
 * read as rectified, and facts beside the machine change nothing themselves.
 */
export class Reading {
  #situation: Situation;
  readonly #shadows: Shadow[] = [];
  #revision = -1;

  /** `strictly`: decide on every fact again, as when it was recorded, instead of trusting what was accepted. */
  constructor(
    workflow: PublishedWorkflow,
    private readonly corrections: Corrections,
    private readonly strictly: boolean,
  ) {
    this.#situation = beginning(workflow);
    for (const persons of corrections.correctors.values())
      for (const person of persons)
        if (!this.#shadows.some((shadow) => isSamePerson(shadow.person, person)))
          this.#shadows.push({ person, situation: null });
  }

  /** Where the dossier stands after the facts taken so far. */
  get situation(): Situation {
    const revision = this.#revision;
    const shadows = this.#shadows.flatMap(({ situation }) => (situation ? [{ ...situation, revision }] : []));
    return { ...this.#situation, revision, ...(shadows.length > 0 ? { shadows } : {}) };
  }

  /** Passes over the facts beside the machine that follow, up to this revision: they change nothing themselves. */
  passTo(revision: number): void {
    this.#revision = revision;
  }

  /**
   * Takes the next fact, unless as read it is effective after `by`.
   * @throws HistoryBroken when it is decided on again and refused, ReplayBroken when the machine does not accept it.
   */
  take(recorded: RecordedFact, by?: CalendarDate): void {
    this.#revision += 1;
    if (isBesideTheMachine(recorded.type)) return;
    const { fates } = this.corrections;
    const fate = fates.get(recorded.id);
    const fact = asRead(recorded, fate);
    if (!fact && this.strictly) this.#assertHands(recorded);
    if (!fact || (by !== undefined && fact.effectiveAt > by)) return;
    const declared = this.#situation.workflow.facts.get(fact.type);
    if (declared?.lapses && fates.size > 0 && this.#refusal(this.#situation, fact, fate)) return;
    if (this.strictly) this.#assertAccepted(fact, fate);
    this.#fold(fact);
  }

  #fold(fact: RecordedFact): void {
    for (const shadow of this.#shadows) {
      const written = this.#by(shadow.person, fact);
      // Until they had a hand in something, their shadow is the dossier itself.
      if (!shadow.situation && written === fact) continue;
      shadow.situation = this.#folded(shadow.situation ?? this.#situation, written);
    }
    this.#situation = this.#folded(this.#situation, fact);
  }

  /** A fact with this person as its author, if they corrected it. */
  #by(person: Author, fact: RecordedFact): RecordedFact {
    const hadAHand = this.corrections.correctors.get(fact.id)?.some((one) => isSamePerson(one, person));
    return hadAHand && !isSamePerson(person, fact.actor) ? { ...fact, actor: person } : fact;
  }

  #folded(situation: Situation, fact: RecordedFact): Situation {
    try {
      return fold(situation, fact);
    } catch (broken) {
      if (!(broken instanceof ReplayBroken)) throw broken;
      throw new ReplayBroken(this.#revision, broken.type, broken.state);
    }
  }

  #assertAccepted(fact: RecordedFact, fate: Fate | undefined): void {
    const reasons = this.#refusal(this.#situation, fact, fate) ?? this.#refusalInAShadow(fact, fate);
    if (reasons) throw new HistoryBroken(fact, this.#revision, reasons);
  }

  /** Rules on authors hold for whoever had a hand in a fact, or in those that it depends on. */
  #refusalInAShadow(fact: RecordedFact, fate: Fate | undefined): readonly BrokenRule[] | undefined {
    for (const { person, situation } of this.#shadows) {
      const written = this.#by(person, fact);
      if (!situation && written === fact) continue;
      const reasons = this.#refusal(situation ?? this.#situation, written, fate);
      if (reasons) return reasons;
    }
    return undefined;
  }

  /** To annul a fact is to have a hand in it: rules on authors hold for all of them where it was, though it does not stand. */
  #assertHands(fact: RecordedFact): void {
    for (const { person, situation } of this.#shadows) {
      const written = this.#by(person, fact);
      if (!situation && written === fact) continue;
      const reasons = brokenByAuthor(situation ?? this.#situation, written);
      if (reasons.length > 0) throw new HistoryBroken(fact, this.#revision, reasons);
    }
  }

  #refusal(situation: Situation, fact: RecordedFact, fate: Fate | undefined): readonly BrokenRule[] | undefined {
    const known = fate?.recordedAt ?? fact.recordedAt;
    const decision = decide(situation, fact, parisDate(new Date(known)));
    return decision.accepted ? undefined : decision.reasons;
  }
}

/** A point of a history, and which of its readings. */
export type Moment = {
  /** The last fact known then, by its revision. */
  revision: number;
  /** Only what is effective by then. */
  effectiveBy?: CalendarDate;
  /** Every correction of the history applies, not only those recorded up to `revision`. */
  corrected: boolean;
};

/**
 * Where a dossier stood at a moment, by replay of its whole history; null when it was not open then. In the corrected
 * reading the history follows its present version: that is where its corrections were found to hold.
 * @throws WorkflowUnknown, ReplayBroken
 */
export function situationAt(history: readonly RecordedFact[], moment: Moment, find: FindWorkflow): Situation | null {
  const { revision, effectiveBy, corrected } = moment;
  const known = history.slice(0, revision + 1);
  const deciding = corrected ? history : known;
  const last = deciding.at(-1);
  if (!last || known.length === 0) return null;
  const reading = new Reading(workflowAfter(last, find), correctionsOf(deciding), false);
  for (const [index, fact] of known.entries()) {
    reading.take(fact, effectiveBy);
    // Nothing precedes the opening: without it the dossier is not open by then.
    if (index === 0 && reading.situation.state.state === '') return null;
  }
  return reading.situation;
}

/**
 * Replays a history fact by fact in the recorded reading: after each, where the dossier stood by what was known then. It
 * holds the facts it was given: a correction has those read anew that the machine received, and nothing else.
 */
export class Replay {
  readonly #received: { fact: RecordedFact; revision: number }[] = [];
  readonly #corrections: RecordedFact[] = [];
  #situation: Situation | undefined;
  #revision = -1;

  constructor(private readonly find: FindWorkflow) {}

  /** @throws WorkflowUnknown, ReplayBroken */
  next(fact: RecordedFact): Situation {
    this.#revision += 1;
    if (fact.target !== undefined) this.#corrections.push(fact);
    if (isBesideTheMachine(fact.type)) {
      this.#situation = this.#readAnew(workflowAfter(fact, this.find));
    } else {
      this.#received.push({ fact, revision: this.#revision });
      this.#situation = followed(this.#situation ?? beginning(workflowAfter(fact, this.find)), fact);
    }
    return this.#situation;
  }

  #readAnew(workflow: PublishedWorkflow): Situation {
    const reading = new Reading(workflow, correctionsOf(this.#corrections), false);
    for (const { fact, revision } of this.#received) {
      reading.passTo(revision - 1);
      reading.take(fact);
    }
    reading.passTo(this.#revision);
    return reading.situation;
  }
}

/** The situation after a fact that the machine received. @throws WorkflowUnknown, ReplayBroken */
export function followed(situation: Situation, fact: RecordedFact): Situation {
  const { name, version, hash } = situation.workflow as PublishedWorkflow;
  const pinned = fact.workflow;
  if (pinned.name !== name || pinned.version !== version || pinned.hash !== hash) throw new WorkflowUnknown(pinned);
  return fold(situation, fact);
}
