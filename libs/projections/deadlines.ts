import { type DeadlineSpec, type PublishedWorkflow, valueAt } from '@jalon/flow';
import type { ReadFact } from './projection.ts';

/** A deadline that a fact set. `spec` says which of the deadlines declared for the type of fact. */
export type OpenDeadline = {
  fact: string;
  type: string;
  revision: number;
  /** Place among the deadlines that this fact set. */
  n: number;
  spec: number;
  due: string;
  /** What tells it from others of the same kind: the id of a reserve, of a finding. */
  key?: string;
};

/** A deadline that a later fact closed, on the effective date of that fact. */
export type ClosedDeadline = OpenDeadline & { closedBy: string; closedByType: string; closedOn: string };

/** What is open after a fact, and what it closed. */
export type DeadlinesAfter = { open: readonly OpenDeadline[]; closed: readonly ClosedDeadline[] };

const NONE: readonly never[] = [];

/**
 * Follows the deadlines of a dossier over one fact: first it closes, then it sets its own, each in the place of an earlier
 * one of the same kind and key; a fact that leads to a final state closes all and sets none.
 */
export function followDeadlines(open: readonly OpenDeadline[], read: ReadFact, final: boolean): DeadlinesAfter {
  const { event, workflow, fact } = read;
  const set = final || !fact.deadlines ? NONE : deadlinesOf(read);
  if (open.length === 0) return { open: set, closed: NONE };
  if (!final && set.length === 0 && !closingTypes(workflow).has(fact.type)) return { open, closed: NONE };
  const closes = (deadline: OpenDeadline) =>
    final || isClosedBy(workflow, deadline, read) || set.some((newer) => replaces(newer, deadline));
  const closed = open.filter(closes);
  if (closed.length === 0) return { open: set.length === 0 ? open : [...open, ...set], closed: NONE };
  const { id, type } = event.envelope;
  return {
    open: [...open.filter((deadline) => !closed.includes(deadline)), ...set],
    closed: closed.map((deadline) => ({ ...deadline, closedBy: id, closedByType: type, closedOn: read.effectiveAt })),
  };
}

/** The sentence shown beside a deadline. */
export function deadlineLabel(workflow: PublishedWorkflow | undefined, { type, spec }: OpenDeadline): string {
  const fact = workflow?.facts.get(type);
  return fact?.deadlines?.[spec]?.label ?? fact?.label ?? type;
}

const closing = new WeakMap<PublishedWorkflow, ReadonlySet<string>>();

/** The types of facts that close some deadline: most close none, and are not compared with what is open. */
function closingTypes(workflow: PublishedWorkflow): ReadonlySet<string> {
  let types = closing.get(workflow);
  if (!types) {
    const specs = [...workflow.facts.values()].flatMap(({ deadlines }) => deadlines ?? []);
    types = new Set(specs.flatMap(({ closedBy }) => closedBy));
    closing.set(workflow, types);
  }
  return types;
}

function replaces(newer: OpenDeadline, earlier: OpenDeadline): boolean {
  return newer.type === earlier.type && newer.spec === earlier.spec && newer.key === earlier.key;
}

function isClosedBy(workflow: PublishedWorkflow, { type, spec, key }: OpenDeadline, { fact, data }: ReadFact): boolean {
  const declared = workflow.facts.get(type)?.deadlines?.[spec];
  if (!declared?.closedBy.includes(fact.type)) return false;
  return declared.key === undefined || valuesAt(data, declared.key.closing).includes(key);
}

function deadlinesOf({ event, fact, data }: ReadFact): OpenDeadline[] {
  const { id, type, revision } = event.envelope;
  const set: OpenDeadline[] = [];
  for (const [spec, declared] of (fact.deadlines ?? []).entries())
    for (const { due, key } of datesOf(declared, data))
      set.push({ fact: id, type, revision, n: set.length, spec, due, ...(key === undefined ? {} : { key }) });
  return set;
}

/** The dates of one declaration: one per item for `reserves[].avantLe`; none where the payload has no date there. */
function datesOf({ field, key }: DeadlineSpec, data: ReadFact['data']): { due: string; key: string | undefined }[] {
  const dates: { due: string; key: string | undefined }[] = [];
  const keys = key ? valuesAt(data, key.here) : [];
  for (const [i, due] of valuesAt(data, field).entries()) {
    const own = keys.length > 1 || field.includes('[]') ? keys[i] : keys[0];
    if (typeof due === 'string') dates.push({ due, key: typeof own === 'string' ? own : undefined });
  }
  return dates;
}

/** The values at a path where `name[]` stands for every item of a list; one per item, undefined where there is none. */
function valuesAt(data: unknown, path: string): unknown[] {
  const list = path.indexOf('[]');
  if (list < 0) return [valueAt(data, path)];
  const items = valueAt(data, path.slice(0, list));
  const rest = path.slice(list + 3);
  return Array.isArray(items) ? items.flatMap((item) => (rest === '' ? [item] : valuesAt(item, rest))) : [];
}
