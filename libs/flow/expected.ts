import type { CalendarDate } from './dates.ts';

/**
 * What the procedure expects next of a dossier in one state, and of whom. What may be recorded is far more: only what is
 * declared here is somebody's to do.
 */
export type Expectation = {
  /** Types of facts, one of which is expected. */
  facts: readonly string[];
  /** Roles that are to record it, among those that may. */
  of: readonly string[];
  /** What is to be done, as a French sentence: « L'avis sur la qualification est à rendre. » */
  sentence: string;
  /** Where the state alone does not say: whether it is expected still, by what the dossier remembers and the day. */
  while?: (context: never, today: CalendarDate) => boolean;
  /** Members of the context that `while` reads, when some are withheld from some: these are told nothing of it. */
  reads?: readonly string[];
};

/** What the state expects now, by type of fact, as far as one may know from whom members of the context are withheld. */
export function expectationsNow(
  { state, snapshot }: { state: { expects: readonly Expectation[] }; snapshot: { context: unknown } },
  { hidden, today }: { hidden: ReadonlySet<string>; today: CalendarDate },
): ReadonlyMap<string, Expectation> {
  const due = new Map<string, Expectation>();
  for (const expectation of state.expects) {
    if (expectation.reads?.some((member) => hidden.has(member))) continue;
    if (expectation.while && !expectation.while(snapshot.context as never, today)) continue;
    for (const type of expectation.facts) if (!due.has(type)) due.set(type, expectation);
  }
  return due;
}
