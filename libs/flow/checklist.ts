import type { CalendarDate } from './dates.ts';
import type { Fact } from './fact.ts';
import type { Author, Item, Statement } from './workflow.ts';

/** A fact that the state accepts, whether the caller may propose it, and its whole checklist. */
export type Possible = {
  type: string;
  label: string;
  by: readonly string[];
  allowed: boolean;
  rules: CheckedRule[];
  /** Absent where the procedure does not expect it now: it may be recorded, and nobody is waited for. */
  expected?: { of: readonly string[]; sentence: string };
};

/** A rule of a checklist, by the sentence that is true of it: what it asks while nothing is known (`holds: null`). */
export type CheckedRule = { rule: string; message: string; holds: boolean | null; items?: readonly Item[] };

/**
 * One rule that a proposal breaks, and what is wrong. `field` is the payload's field it is about, `items` what the
 * sentence names, where there are such.
 */
export type BrokenRule = { rule: string; message: string; field?: string; items?: readonly Item[] };

/** For whom a checklist is made. */
export type Reader = {
  author: Author;
  roles: readonly string[];
  /** Members of the context that are withheld from the reader. */
  hidden: ReadonlySet<string>;
  today: CalendarDate;
};

/** A rule on the date of a fact, and what it says when that date breaks it. */
type DateRule = Statement & { rule: string; fails: (effectiveAt: CalendarDate, bound: CalendarDate) => string };

/** The rules of dates that hold for every fact (procedure, rule 4.2). */
export const DATE_RULES: Record<'future' | 'order', DateRule> = {
  future: {
    rule: 'date-non-future',
    asks: "La date d'effet ne doit pas être dans le futur.",
    holds: "La date d'effet n'est pas dans le futur.",
    fails: (effectiveAt, today) => `La date d'effet (${effectiveAt}) est dans le futur : nous sommes le ${today}.`,
  },
  order: {
    rule: 'date-dans-l-ordre',
    asks: "La date d'effet ne doit pas être antérieure à celle d'un fait déjà enregistré.",
    holds: "La date d'effet n'est pas antérieure à celle d'un fait déjà enregistré.",
    fails: (effectiveAt, since) =>
      `La date d'effet (${effectiveAt}) est antérieure à celle d'un fait déjà enregistré (${since}).`,
  },
};

/** The dates rules of a fact: free facts may carry any past date. */
export function dateRules(fact: Fact): readonly DateRule[] {
  return fact.free ? [DATE_RULES.future] : [DATE_RULES.future, DATE_RULES.order];
}
