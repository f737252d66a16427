import { brokenBeside, type NoLonger, nameFact, RULES } from './beside.ts';
import type { PublishedWorkflow } from './catalogue.ts';
import { DATE_RULES } from './checklist.ts';
import { ANNULMENT, type FaitRectifie, VERSION_CHANGE } from './corrections.ts';
import type { CalendarDate } from './dates.ts';
import { type BrokenRule, type Decision, toldReasons } from './decide.ts';
import { asRead, type Fate, fatesOf, type RecordedFact, rootsOf } from './fates.ts';
import { correctionsOf, type FindWorkflow, HistoryBroken, Reading } from './readings.ts';
import { type Situation, summaryOf } from './situation.ts';
import { isSameParty } from './texts.ts';
import type { Workflow } from './workflow.ts';

/** The fact that a correction is about in the end: a correction may be corrected in turn. */
export function rootOf(history: readonly RecordedFact[], id: string): RecordedFact | undefined {
  let fact = history.find((one) => one.id === id);
  while (fact?.target !== undefined) {
    const { target } = fact;
    fact = history.find((one) => one.id === target);
  }
  return fact;
}

/** How often one organisation may correct one fact, unless the procedure says otherwise. */
const CORRECTIONS_PER_FACT = 20;

/**
 * The last decision that rests on a fact: it stands, is not free, and was recorded after it; undefined when none does, and
 * for free facts.
 */
export function restingOn(
  workflow: Workflow,
  history: readonly RecordedFact[],
  root: RecordedFact,
): RecordedFact | undefined {
  if (workflow.facts.get(root.type)?.free) return undefined;
  const fates = fatesOf(history);
  const at = history.findIndex(({ id }) => id === root.id);
  return history.findLast(
    ({ id, type }, i) => i > at && workflow.decisions.has(type) && fates.get(id)?.kind !== 'annulled',
  );
}

/** What a decision beside the machine is taken on, besides the situation. */
export type Deliberation = {
  /** The whole dossier, in order, of which the situation is the fold. */
  history: readonly RecordedFact[];
  today: CalendarDate;
  find: FindWorkflow;
  /** Whether a fact, by its id, is withheld from who proposes: it is not named in a refusal. */
  untold: (id: string) => boolean;
  /** Members of the context that are withheld from who proposes: what rules read of them is not told. */
  hidden: ReadonlySet<string>;
};

/**
 * Decides on a rectification, an annulment or a change of version whose payload is valid and whose author may propose
 * it. The history must, read with it, replay under the version then in force as if each fact were proposed again.
 * @param proposal its `workflow` is that of the dossier now
 */
export function decideBeside(
  situation: Situation,
  proposal: RecordedFact,
  { history, today, find, untold, hidden }: Deliberation,
): Decision {
  const state = situation.state.state;
  const refused = (reasons: BrokenRule[]): Decision => ({ accepted: false, state, reasons });
  const unmet =
    proposal.type === VERSION_CHANGE
      ? unmetByVersion(situation, proposal, find)
      : [...unmetByTarget(), ...unmetByParty()];
  const { future } = DATE_RULES;
  if (proposal.effectiveAt > today)
    unmet.push({ rule: future.rule, message: future.fails(proposal.effectiveAt, today) });
  if (unmet.length > 0) return refused(unmet);

  const after = [...history, proposal];
  const workflow = inForce(after, find);
  if (!workflow) return refused([brokenBeside(RULES.published, versionOf(after))]);
  const reading = new Reading(workflow, correctionsOf(after), true);
  try {
    for (const fact of after) reading.take(fact);
  } catch (fault) {
    if (!(fault instanceof HistoryBroken)) throw fault;
    const rule = proposal.type === VERSION_CHANGE ? RULES.replaysThere : RULES.replays;
    return refused([brokenBeside(rule, noLonger(workflow, fault, { untold, hidden }))]);
  }
  const next = reading.situation;
  return { accepted: true, next, from: state, to: next.state.state };

  function unmetByTarget(): BrokenRule[] {
    const revision = history.findIndex(({ id }) => id === proposal.target);
    const target = history[revision];
    if (!target) return [brokenBeside(RULES.known, (proposal.data as { fait: string }).fait)];
    const { workflow } = situation;
    const named = nameFact(workflow, target, revision);
    const reasons: BrokenRule[] = [];
    if (fatesOf(history).get(target.id)?.kind === 'annulled') reasons.push(brokenBeside(RULES.standing, named));
    if (proposal.type === ANNULMENT && workflow.facts.get(target.type)?.opens)
      reasons.push(brokenBeside(RULES.opening, named));
    const should = (proposal.data as Partial<FaitRectifie>).donnees;
    if (proposal.type !== ANNULMENT && target.target !== undefined && should?.fait !== target.target) {
      const at = history.findIndex(({ id }) => id === target.target);
      const fact = nameFact(workflow, history[at] as RecordedFact, at);
      reasons.push(brokenBeside(RULES.sameTarget, { fact, named: should?.fait as string | undefined }));
    }
    return reasons;
  }

  function unmetByParty(): BrokenRule[] {
    const { workflow } = situation;
    if (workflow.roles[proposal.actor.role]?.sees !== 'own') return [];
    const roots = rootsOf([...history, proposal]);
    const at = history.findIndex(({ id }) => id === roots.get(proposal.id));
    const root = history[at];
    if (!root) return [];
    const reasons: BrokenRule[] = [];
    const { length: count } = history.filter(
      ({ id, actor }) =>
        roots.get(id) === root.id &&
        workflow.roles[actor.role]?.sees === 'own' &&
        isSameParty(actor.org ?? '', proposal.actor.org ?? ''),
    );
    if (count >= (workflow.correctionsPerFact ?? CORRECTIONS_PER_FACT))
      reasons.push(brokenBeside(RULES.bounded, { count, fact: nameFact(workflow, root, at) }));
    const before = partiesSaid(workflow, root, fatesOf(history).get(root.id));
    const after = partiesSaid(workflow, root, fatesOf([...history, proposal]).get(root.id));
    if (before !== after) reasons.push(brokenBeside(RULES.parties, { before, after }));
    return reasons;
  }
}

/** What a fact, as read, says of whose dossier it is. */
function partiesSaid(workflow: Workflow, root: RecordedFact, fate: Fate | undefined): string {
  const read = asRead(root, fate);
  const said = read ? summaryOf(workflow.facts.get(root.type) ?? {}, read.data) : {};
  const columns = Object.values(workflow.parties).flat();
  const named = columns.flatMap((column) => (said[column] === undefined ? [] : [`${column} « ${said[column]} »`]));
  return named.join(', ') || 'personne';
}

function unmetByVersion({ workflow, state }: Situation, proposal: RecordedFact, find: FindWorkflow): BrokenRule[] {
  const { version } = proposal.data as { version: number };
  const reasons: BrokenRule[] = [];
  if (!find(workflow.name, version)) reasons.push(brokenBeside(RULES.published, version));
  if (version === workflow.version) reasons.push(brokenBeside(RULES.other, version));
  if (state.final) reasons.push(brokenBeside(RULES.underway, state.label));
  return reasons;
}

/** The version that a history ends under, once its corrections are read: the latest change of version that stands. */
function versionOf(history: readonly RecordedFact[]): number {
  const fates = fatesOf(history);
  let { version } = (history[0] as RecordedFact).workflow;
  for (const fact of history)
    if (fact.type === VERSION_CHANGE) {
      const read = asRead(fact, fates.get(fact.id));
      if (read) version = (read.data as { version: number }).version;
    }
  return version;
}

function inForce(history: readonly RecordedFact[], find: FindWorkflow): PublishedWorkflow | undefined {
  return find((history[0] as RecordedFact).workflow.name, versionOf(history));
}

function noLonger(
  workflow: PublishedWorkflow,
  { fact, revision, reasons }: HistoryBroken,
  { untold, hidden }: Pick<Deliberation, 'untold' | 'hidden'>,
): NoLonger {
  if (untold(fact.id)) return { why: [] };
  // What a rule asks is no reason why it fails: one who may not know is told that there is one.
  const why = toldReasons(workflow, reasons, hidden).filter((told, index) => told === reasons[index]);
  return { fact: nameFact(workflow, fact, revision), why };
}
