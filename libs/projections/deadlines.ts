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
  /** Closed, by facts that are withheld from these roles: to them it is open still. */
  openTo?: readonly string[];
};

/**
 * A deadline that a later fact closed, on the effective date of that fact. `ended`: because the dossier came to its end,
 * which everybody sees.
 */
export type ClosedDeadline = OpenDeadline & { closedBy: string; closedByType: string; closedOn: string; ended?: true };

/** What is open after a fact, to somebody at least, and what it closed. */
export type DeadlinesAfter = { open: readonly OpenDeadline[]; closed: readonly ClosedDeadline[] };

const NONE: readonly never[] = [];
const ENDED = { ended: true } as const;

/**
 * Follows the deadlines of a dossier over one fact: first it closes, then it sets its own, each in the place of an earlier
 * one of the same kind and key; a fact that leads to a final state closes all and sets none. What a withheld fact closes
 * stays open to those from whom it is withheld, lest they learn of it: they see it closed by what they may see.
 */
export function followDeadlines(open: readonly OpenDeadline[], read: ReadFact, final: boolean): DeadlinesAfter {
  const { event, workflow, fact } = read;
  const set = final || !fact.deadlines ? NONE : deadlinesSet(read);
  if (open.length === 0) return { open: set, closed: NONE };
  if (!final && set.length === 0 && !closesSome(workflow, fact.type)) return { open, closed: NONE };
  const closes = (deadline: OpenDeadline) =>
    final || isClosedBy(workflow, deadline, read) || set.some((newer) => replaces(newer, deadline));
  const { id, type } = event.envelope;
  const kept: OpenDeadline[] = [];
  const closed: ClosedDeadline[] = [];
  for (const deadline of open) {
    const still = closes(deadline) ? stillOpenTo(deadline, read, final) : undefined;
    if (still === undefined || still.length === deadline.openTo?.length) {
      kept.push(deadline);
      continue;
    }
    const { openTo: _before, ...rest } = deadline;
    const after: OpenDeadline = still.length === 0 ? rest : { ...rest, openTo: still };
    closed.push({ ...after, closedBy: id, closedByType: type, closedOn: read.effectiveAt, ...(final && ENDED) });
    if (still.length > 0) kept.push(after);
  }
  if (closed.length === 0) return { open: set.length === 0 ? open : [...open, ...set], closed: NONE };
  return { open: [...kept, ...set], closed };
}

/** The sentence shown beside a deadline. */
export function deadlineLabel(
  workflow: PublishedWorkflow | undefined,
  { type, spec }: Pick<OpenDeadline, 'type' | 'spec'>,
): string {
  const fact = workflow?.facts.get(type);
  return fact?.deadlines?.[spec]?.label ?? fact?.label ?? type;
}

const closing = new WeakMap<PublishedWorkflow, ReadonlySet<string>>();

/** Whether facts of this type close some deadline: most close none, and are not compared with what is open. */
export function closesSome(workflow: PublishedWorkflow, type: string): boolean {
  let types = closing.get(workflow);
  if (!types) {
    const specs = [...workflow.facts.values()].flatMap(({ deadlines }) => deadlines ?? []);
    types = new Set(specs.flatMap(({ closedBy, endedBy = [] }) => [...closedBy, ...endedBy]));
    closing.set(workflow, types);
  }
  return types.has(type);
}

function replaces(newer: OpenDeadline, earlier: OpenDeadline): boolean {
  return newer.type === earlier.type && newer.spec === earlier.spec && newer.key === earlier.key;
}

function isClosedBy(workflow: PublishedWorkflow, { type, spec, key }: OpenDeadline, { fact, data }: ReadFact): boolean {
  const declared = workflow.facts.get(type)?.deadlines?.[spec];
  if (declared?.endedBy?.includes(fact.type)) return true;
  if (!declared?.closedBy.includes(fact.type)) return false;
  return declared.key === undefined || valuesAt(data, declared.key.closing).includes(key);
}

/** The roles that see a deadline and neither the fact that closes it now nor one that did before. */
function stillOpenTo({ type, openTo }: OpenDeadline, { workflow, fact }: ReadFact, final: boolean): readonly string[] {
  if (final || !fact.withheldFrom) return NONE;
  const unaware = readersAmong(workflow, fact.withheldFrom);
  if (openTo) return openTo.filter((role) => unaware.includes(role));
  const blind = workflow.facts.get(type)?.withheldFrom ?? NONE;
  return unaware.every((role) => blind.includes(role)) ? NONE : unaware;
}

/** Those of some roles that see dossiers. */
function readersAmong(workflow: PublishedWorkflow, roles: readonly string[]): readonly string[] {
  return roles.filter((role) => workflow.roles[role]?.sees !== 'none');
}

/** The deadlines that a fact sets, as its payload now reads. */
export function deadlinesSet({ event, fact, data }: ReadFact): OpenDeadline[] {
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
