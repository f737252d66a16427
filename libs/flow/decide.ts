import { getNextTransitions } from 'xstate';
import { possibleBeside } from './beside.ts';
import { type BrokenRule, type CheckedRule, DATE_RULES, dateRules, type Possible, type Reader } from './checklist.ts';
import type { CalendarDate } from './dates.ts';
import { expectationsNow } from './expected.ts';
import type { Fact } from './fact.ts';
import { crossing, fold, type PastFact, type Situation } from './situation.ts';
import { visibleSince } from './visibility.ts';
import type { Candidate, Failing, Happening, Rule, StateSpec, Workflow } from './workflow.ts';

/** The answer to a proposal: accepted, with the situation after it; or refused, with every rule that failed. */
export type Decision =
  | { accepted: true; next: Situation; from: string | null; to: string; crosses?: string }
  | { accepted: false; state: string | null; reasons: BrokenRule[] };

function guardHolds(situation: Situation, guard: string, event: Happening): boolean {
  const implementation = situation.workflow.machine.implementations.guards[guard] as (
    args: { context: unknown; event: Happening },
    params: undefined,
  ) => boolean;
  return implementation({ context: situation.snapshot.context, event }, undefined);
}

/** The way that a fact would go from here, or undefined when it is not expected in this state. */
export function wayOf(situation: Situation, event: Happening): Candidate | undefined {
  return situation.state.accepts
    .get(event.type)
    ?.find((candidate) => candidate.routes.every((guard) => guardHolds(situation, guard, event)));
}

/** Whether a rule holds for this event in this situation. */
export function holds(situation: Situation, rule: Rule, event: Happening): boolean {
  return guardHolds(situation, rule.rule, event);
}

/** What is wrong where a rule fails for this event in this situation. */
function failing({ snapshot }: Situation, rule: Rule, event: Happening): Failing {
  const said = rule.fails(snapshot.context as never, event as never);
  return typeof said === 'string' ? { message: said } : said;
}

/**
 * Decides on a proposed fact whose payload is valid and whose author may propose it. Pure: the same situation, proposal
 * and day always give the same decision.
 */
export function decide(situation: Situation, proposal: PastFact, today: CalendarDate): Decision {
  const state = situation.state.state || null;
  const fact = situation.workflow.facts.get(proposal.type) as Fact;
  const way = wayOf(situation, proposal);
  if (!way) return { accepted: false, state, reasons: [unexpected(situation, fact)] };

  const reasons: BrokenRule[] = [];
  const { future, order } = DATE_RULES;
  const { effectiveAt } = proposal;
  const { since } = situation;
  if (effectiveAt > today) reasons.push({ rule: future.rule, message: future.fails(effectiveAt, today) });
  if (!fact.free && since !== null && effectiveAt < since)
    reasons.push({ rule: order.rule, message: order.fails(effectiveAt, since) });
  for (const rule of way.rules) if (!holds(situation, rule, proposal)) reasons.push(broken(situation, rule, proposal));
  for (const shadow of situation.shadows ?? []) {
    if (reasons.length > 0) break;
    const shadowed = decide(shadow, proposal, today);
    if (!shadowed.accepted) reasons.push(...shadowed.reasons);
  }
  if (reasons.length > 0) return { accepted: false, state, reasons };

  const next = fold(situation, proposal);
  const crosses = crossing(situation, fact);
  return { accepted: true, next, from: state, to: next.state.state, ...(crosses === undefined ? {} : { crosses }) };
}

/** The rules on authors that a fact breaks here, if it is expected here at all. */
export function brokenByAuthor(situation: Situation, proposal: PastFact): BrokenRule[] {
  const rules = wayOf(situation, proposal)?.rules ?? [];
  return rules
    .filter((rule) => rule.needs?.includes('actor') && !holds(situation, rule, proposal))
    .map((rule) => broken(situation, rule, proposal));
}

function broken(situation: Situation, rule: Rule, event: Happening): BrokenRule {
  const { field } = rule;
  return { rule: rule.rule, ...failing(situation, rule, event), ...(field === undefined ? {} : { field }) };
}

/**
 * Reasons as they may be told to one from whom these members of the context are withheld: of a rule that reads one of
 * them, what it asks, and nothing of what the dossier holds.
 */
export function toldReasons(
  { reasons: rules }: Workflow,
  reasons: readonly BrokenRule[],
  hidden: ReadonlySet<string>,
): BrokenRule[] {
  return reasons.map((reason) => {
    const rule = Object.hasOwn(rules, reason.rule) ? rules[reason.rule] : undefined;
    if (!rule || !readsHidden(rule, hidden)) return reason;
    const { field } = reason;
    return { rule: reason.rule, message: rule.asks, ...(field === undefined ? {} : { field }) };
  });
}

/**
 * Reasons as they may be told to one who sees by these roles: the date that a proposal of `effectiveAt` is too early for is
 * that of a fact that they see, or is not told.
 */
export function toldDates(
  situation: Situation,
  reasons: readonly BrokenRule[],
  effectiveAt: CalendarDate,
  seeing: readonly string[],
): BrokenRule[] {
  const { order } = DATE_RULES;
  const since = visibleSince(situation, seeing);
  if (since === situation.since) return [...reasons];
  const message = since !== null && effectiveAt < since ? order.fails(effectiveAt, since) : order.asks;
  return reasons.map((reason) => (reason.rule === order.rule ? { ...reason, message } : reason));
}

function unexpected({ state }: Situation, fact: Fact): BrokenRule {
  const where = state.state ? `à l'étape « ${state.label} »` : "tant que le dossier n'est pas ouvert";
  return { rule: 'fait-non-attendu', message: `Le fait « ${fact.label} » n'est pas attendu ${where}.` };
}

/** Checklists already made, by state: a dossier's changes seldom, and many dossiers have the same. */
const checklists = new WeakMap<StateSpec, Map<string, readonly Possible[]>>();
const CHECKLISTS_PER_STATE = 500;

/**
 * What the state accepts now, each with its checklist: what holds, what does not, what payload or date will decide. The
 * list is shared by all who would be given the same: it is not to be changed.
 */
export function possible(situation: Situation, reader: Reader): readonly Possible[] {
  const { state } = situation;
  const known = checklists.get(state) ?? new Map<string, readonly Possible[]>();
  checklists.set(state, known);
  const marks = marksOf(situation, reader);
  let list = known.get(marks);
  if (!list) {
    list = [...checklist(situation, reader), ...(state.state ? possibleBeside(situation, reader) : [])];
    if (known.size >= CHECKLISTS_PER_STATE) known.clear();
    known.set(marks, list);
  }
  return list;
}

/** Everything that a checklist depends on besides the state, as a text. */
function marksOf(situation: Situation, reader: Reader): string {
  let marks = `${reader.roles.join()} ${[...reader.hidden].join()}`;
  const due = expectationsNow(situation, reader);
  for (const type of situation.state.accepts.keys()) {
    const event = unknownPayload(type, reader);
    const rules = wayOf(situation, event)?.rules;
    marks += rules ? (due.get(type)?.sentence ?? '|') : '-';
    for (const rule of rules ?? []) {
      const { holds, message, items } = checked(situation, rule, event, reader);
      marks += holds;
      if (holds === false || rule.detail) marks += message + (items ? JSON.stringify(items) : '');
    }
  }
  return marks;
}

function checklist(situation: Situation, reader: Reader): Possible[] {
  const list: Possible[] = [];
  const due = expectationsNow(situation, reader);
  for (const type of situation.state.accepts.keys()) {
    const fact = situation.workflow.facts.get(type) as Fact;
    const event = unknownPayload(type, reader);
    const way = wayOf(situation, event);
    if (!way) continue;
    // Whoever reads need not be the one who is to act: that the reader could not is no reason.
    const isExpected = !way.rules.some(
      (rule) => !rule.needs?.includes('actor') && verdict(situation, rule, event, reader) === false,
    );
    const { of, sentence } = due.get(type) ?? {};
    list.push({
      type,
      label: fact.label,
      by: fact.by,
      allowed: fact.by.some((role) => reader.roles.includes(role)),
      rules: [
        ...way.rules.map((rule) => checked(situation, rule, event, reader)),
        ...dateRules(fact).map(({ rule, asks }) => ({ rule, message: asks, holds: null })),
      ],
      ...(of && sentence && isExpected ? { expected: { of, sentence } } : {}),
    });
  }
  return list;
}

/** A rule as a checklist shows it: by the sentence that is true. */
function checked(situation: Situation, rule: Rule, event: Happening, reader: Reader): CheckedRule {
  const holdsNow = verdict(situation, rule, event, reader);
  if (holdsNow !== false) {
    const message = holdsNow ? rule.holds : rule.asks;
    const detail = rule.detail?.(situation.snapshot.context as never);
    return { rule: rule.rule, message: detail ? `${message} ${detail}` : message, holds: holdsNow };
  }
  // It may hold for the author and fail only for who corrected a fact in the author's place.
  const failed = [situation, ...(situation.shadows ?? [])].find((each) => !holds(each, rule, event)) ?? situation;
  return { rule: rule.rule, ...failing(failed, rule, event), holds: false };
}

function unknownPayload(type: string, { author, today }: Reader): Happening {
  return { type, id: '', dossier: '', data: {}, effectiveAt: today, actor: author, lookups: {} };
}

/**
 * What can be said of a rule before there is a proposal: null when it reads what is withheld from the reader, or when a
 * payload, a look-up or the choice of a date decides. Rules on the date change once at most as days pass, so that they
 * are decided when they say the same of the earliest date that is admissible and of today.
 */
function verdict(situation: Situation, rule: Rule, event: Happening, reader: Reader): boolean | null {
  const { needs = [] } = rule;
  if (readsHidden(rule, reader.hidden) || needs.includes('payload') || needs.includes('lookup')) return null;
  const today = [situation, ...(situation.shadows ?? [])].every((each) => holds(each, rule, event));
  if (!needs.includes('date')) return today;
  const earliest = { ...event, effectiveAt: visibleSince(situation, reader.roles) ?? event.effectiveAt };
  return holds(situation, rule, earliest) === today ? today : null;
}

function readsHidden({ reads }: Pick<Rule, 'reads'>, hidden: ReadonlySet<string>): boolean {
  return reads?.some((member) => hidden.has(member)) ?? false;
}

/**
 * Whether a dossier waits for one of these roles: a fact is expected of it now, of which no rule is known to be false to
 * this very person.
 */
export function waitsFor(situation: Situation, reader: Reader): boolean {
  for (const [type, { of }] of expectationsNow(situation, reader)) {
    if (!of.some((role) => reader.roles.includes(role))) continue;
    const event = unknownPayload(type, reader);
    const way = wayOf(situation, event);
    if (way && !way.rules.some((rule) => verdict(situation, rule, event, reader) === false)) return true;
  }
  return false;
}

/** The transitions that XState itself would consider here, by type (a cross-check of what was read off the machine). */
export function xstateTypes(situation: Situation): Set<string> {
  return new Set(getNextTransitions(situation.snapshot).map(({ eventType }) => eventType));
}
