import { RULES } from './beside.ts';
import type { PublishedWorkflow } from './catalogue.ts';
import { DATE_RULES } from './checklist.ts';
import { ANNULMENT, type FaitRectifie, VERSION_CHANGE } from './corrections.ts';
import type { CalendarDate } from './dates.ts';
import type { BrokenRule, Decision } from './decide.ts';
import { asRead, fatesOf, type RecordedFact } from './fates.ts';
import { type FindWorkflow, HistoryBroken, Reading } from './readings.ts';
import type { Situation } from './situation.ts';
import type { Rule } from './workflow.ts';

/** The fact that a correction is about in the end: a correction may be corrected in turn. */
export function rootOf(history: readonly RecordedFact[], id: string): RecordedFact | undefined {
  let fact = history.find((one) => one.id === id);
  while (fact?.target !== undefined) {
    const { target } = fact;
    fact = history.find((one) => one.id === target);
  }
  return fact;
}

/** What a decision beside the machine is taken on, besides the situation. */
export type Deliberation = {
  /** The whole dossier, in order, of which the situation is the fold. */
  history: readonly RecordedFact[];
  today: CalendarDate;
  find: FindWorkflow;
  /** Whether a fact, by its id, is withheld from who proposes: it is not named in a refusal. */
  untold: (id: string) => boolean;
};

/**
 * Decides on a rectification, an annulment or a change of version whose payload is valid and whose author may propose
 * it. The history must, read with it, replay under the version then in force as if each fact were proposed again.
 * @param proposal its `workflow` is that of the dossier now
 */
export function decideBeside(
  situation: Situation,
  proposal: RecordedFact,
  { history, today, find, untold }: Deliberation,
): Decision {
  const state = situation.state.state;
  const broken = (...rules: Rule[]): Decision => ({
    accepted: false,
    state,
    reasons: rules.map(({ rule, message, field }) => ({ rule, message, ...(field === undefined ? {} : { field }) })),
  });
  const unmet = proposal.type === VERSION_CHANGE ? unmetByVersion(situation, proposal, find) : unmetByTarget();
  if (proposal.effectiveAt > today) unmet.push(DATE_RULES.future);
  if (unmet.length > 0) return broken(...unmet);

  const after = [...history, proposal];
  const workflow = inForce(after, find);
  if (!workflow) return broken(RULES.published);
  const reading = new Reading(workflow, fatesOf(after), true);
  try {
    for (const fact of after) reading.take(fact);
  } catch (fault) {
    if (!(fault instanceof HistoryBroken)) throw fault;
    return { accepted: false, state, reasons: [noLonger(workflow, fault, untold)] };
  }
  const next = reading.situation;
  return { accepted: true, next, from: state, to: next.state.state };

  function unmetByTarget(): Rule[] {
    const target = history.find(({ id }) => id === proposal.target);
    if (!target) return [RULES.known];
    const rules: Rule[] = [];
    if (fatesOf(history).get(target.id)?.kind === 'annulled') rules.push(RULES.standing);
    if (proposal.type === ANNULMENT && situation.workflow.facts.get(target.type)?.opens) rules.push(RULES.opening);
    const should = (proposal.data as Partial<FaitRectifie>).donnees;
    if (proposal.type !== ANNULMENT && target.target !== undefined && should?.fait !== target.target)
      rules.push(RULES.sameTarget);
    return rules;
  }
}

function unmetByVersion({ workflow, state }: Situation, proposal: RecordedFact, find: FindWorkflow): Rule[] {
  const { version } = proposal.data as { version: number };
  const rules: Rule[] = [];
  if (!find(workflow.name, version)) rules.push(RULES.published);
  if (version === workflow.version) rules.push(RULES.other);
  if (state.final) rules.push(RULES.underway);
  return rules;
}

/** The workflow that a history ends under, once its corrections are read: the latest change of version that stands. */
function inForce(history: readonly RecordedFact[], find: FindWorkflow): PublishedWorkflow | undefined {
  const fates = fatesOf(history);
  let { name, version } = (history[0] as RecordedFact).workflow;
  for (const fact of history)
    if (fact.type === VERSION_CHANGE) {
      const read = asRead(fact, fates.get(fact.id));
      if (read) version = (read.data as { version: number }).version;
    }
  return find(name, version);
}

function noLonger(
  workflow: PublishedWorkflow,
  { fact, revision, reasons }: HistoryBroken,
  untold: Deliberation['untold'],
): BrokenRule {
  const label = workflow.facts.get(fact.type)?.label ?? fact.type;
  const why = reasons.map(({ message }) => message).join(' ');
  const where = untold(fact.id)
    ? 'un fait qui ne vous est pas communiqué serait refusé.'
    : `le fait ${revision}, « ${label} » du ${fact.effectiveAt}, serait refusé. ${why}`;
  return { rule: RULES.replays.rule, message: `L'historique ainsi lu ne se rejoue plus : ${where}` };
}
