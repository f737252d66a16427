import { brokenBeside, type NoLonger, nameFact, RULES } from './beside.ts';
import type { PublishedWorkflow } from './catalogue.ts';
import { type BrokenRule, DATE_RULES } from './checklist.ts';
import { ANNULMENT, correctors, type FaitRectifie, isParty, VERSION_CHANGE } from './corrections.ts';
import type { CalendarDate } from './dates.ts';
import { type Decision, toldReasons } from './decide.ts';
import type { Fact } from './fact.ts';
import { asRead, type Fate, fatesOf, type RecordedFact, rootsOf } from './fates.ts';
import { correctionsOf, type FindWorkflow, HistoryBroken, Reading } from './readings.ts';
import { type Decided, type Situation, summaryOf } from './situation.ts';
import { isSameParty } from './texts.ts';
import { isWithheld, seeingRoles } from './visibility.ts';
import type { Author, Workflow } from './workflow.ts';

/** The fact that a correction is about in the end: a correction may be corrected in turn. */
export function rootOf(history: readonly RecordedFact[], id: string): RecordedFact | undefined {
  let fact = history.find((one) => one.id === id);
  while (fact?.target !== undefined) {
    const { target } = fact;
    fact = history.find((one) => one.id === target);
  }
  return fact;
}

/**
 * The last decision that rests on a fact: it stands, and was recorded after it; undefined when none does, and for free
 * facts.
 */
function restingOn(
  { workflow, decided }: Situation,
  history: readonly RecordedFact[],
  root: RecordedFact,
): Decided | undefined {
  if (!decided || workflow.facts.get(root.type)?.free) return undefined;
  const at = (wanted: string) => history.findIndex(({ id }) => id === wanted);
  return at(decided.id) > at(root.id) ? decided : undefined;
}

/** A correction as far as who may make it depends on it. */
export type Correcting = Pick<RecordedFact, 'type' | 'data'> & { target: string };

/** Who may make a correction, and what keeps others from it. */
export type Right = {
  /** Roles; of several that a person has, the first is that in which they correct. */
  by: readonly string[];
  /** The decision that rests on what is touched in the end. */
  restsOn?: Decided;
  /** What is touched in the end would say that the dossier is another's: no party corrects that. */
  parties?: { before: string; after: string };
};

/**
 * Who may make a correction (procedure, « Who may correct »): by what it touches in the end, the decisions that rest on
 * that, and whether it would change whose dossier it is.
 * @param history the whole dossier, of which the situation is the fold; `root` what the correction touches in the end
 */
export function whoMayCorrect(
  situation: Situation,
  history: readonly RecordedFact[],
  correction: Correcting,
  root: RecordedFact,
): Right {
  const { workflow } = situation;
  const { facts, roles } = workflow;
  const restsOn = restingOn(situation, history, root);
  const may = correctors(roles, facts.get(root.type) as Fact, restsOn !== undefined);
  const parties = partiesChanged(workflow, history, correction, root);
  return {
    by: parties ? may.filter((role) => !isParty(roles, role)) : may,
    ...(restsOn ? { restsOn } : {}),
    ...(parties ? { parties } : {}),
  };
}

/**
 * Why only those may make a correction who may: a sentence, to be followed by who they are. A decision that is withheld
 * from who sees the dossier by these roles is not named.
 */
export function whyOnly(
  workflow: Workflow,
  { parties, restsOn }: Right,
  { root, revision }: { root: RecordedFact; revision: number },
  seeing: readonly string[],
): string {
  const { name } = nameFact(workflow, root, revision);
  if (restsOn) {
    const decision = workflow.facts.get(restsOn.type);
    const which = decision && !isWithheld(decision, seeing) ? ` (« ${decision.label} » du ${restsOn.effectiveAt})` : '';
    return `Une décision${which} repose sur ${name} : il n'est plus corrigé que par`;
  }
  if (parties)
    return `Cette correction changerait à qui est le dossier (${parties.before} deviendrait ${parties.after}), ce que ne fait aucune partie ; ${name}, ne peut être ainsi corrigé que par`;
  return `Aucune décision ne repose encore sur ${name} : il peut être corrigé par`;
}

/** What a fact says of whose dossier it is, as it reads now and as it would with the correction; undefined when the same. */
function partiesChanged(
  workflow: Workflow,
  history: readonly RecordedFact[],
  correction: Correcting,
  root: RecordedFact,
): Right['parties'] {
  const fates = fatesOf(history);
  const { target, type } = correction;
  // What is refused to everybody is not a matter of who they are.
  const never = fates.get(target)?.kind === 'annulled' || (type === ANNULMENT && target === history[0]?.id);
  if (never) return undefined;
  const proposed = { ...correction, id: '', actor: root.actor, recordedAt: '', lookups: {} };
  const before = partiesSaid(workflow, root, fates.get(root.id));
  const after = partiesSaid(workflow, root, fatesOf([...history, proposed]).get(root.id));
  return before === after ? undefined : { before, after };
}

/** What a fact, as read, says of whose dossier it is. */
function partiesSaid({ facts, parties }: Workflow, root: RecordedFact, fate: Fate | undefined): string {
  const read = asRead(root, fate);
  const said = read ? summaryOf(facts.get(root.type) ?? {}, read.data) : {};
  const columns = Object.values(parties).flat();
  const named = columns.flatMap((column) => (said[column] === undefined ? [] : [`${column} « ${said[column]} »`]));
  return named.join(', ') || 'personne';
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
      : [...unmetByTarget(), ...unmetByBound()];
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

  /** Corrections are bounded for the organisations of parties; those who conduct the procedure are never kept from one. */
  function unmetByBound(): BrokenRule[] {
    const { workflow, summary } = situation;
    const { role, org = '' } = proposal.actor;
    if (!isParty(workflow.roles, role)) return [];
    const roots = rootsOf([...history, proposal]);
    const at = history.findIndex(({ id }) => id === roots.get(proposal.id));
    const root = history[at];
    if (!root) return [];
    // One organisation goes by its name or its SIREN: whoever is the same party of the dossier is the same.
    const isOwn = (other: Author) =>
      isParty(workflow.roles, other.role) &&
      (isSameParty(other.org ?? '', org) ||
        (other.role === role && seeingRoles(workflow, { roles: [role], org: other.org ?? '' }, summary).length > 0));
    const { length: count } = history.filter(
      ({ id, target, actor }) => target !== undefined && roots.get(id) === root.id && isOwn(actor),
    );
    if (count < workflow.correctionsPerFact) return [];
    const { by } = whoMayCorrect(situation, history, { ...proposal, target: proposal.target as string }, root);
    const others = by.filter((each) => !isParty(workflow.roles, each));
    return [
      brokenBeside(RULES.bounded, { count, fact: nameFact(workflow, root, at), by: roleLabels(workflow, others) }),
    ];
  }
}

/** Roles as sentences name them. */
export function roleLabels({ roles }: Pick<Workflow, 'roles'>, named: readonly string[]): string {
  return named.map((role) => roles[role]?.label ?? role).join(', ');
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
  // Nor are they told a date, which may be that of a fact that they do not see.
  const isTold = ({ rule }: BrokenRule) => hidden.size === 0 || rule !== DATE_RULES.order.rule;
  const why = toldReasons(workflow, reasons, hidden).filter((told, index) => told === reasons[index] && isTold(told));
  return { fact: nameFact(workflow, fact, revision), why };
}
