import type { CalendarDate } from './dates.ts';
import type { Fact } from './fact.ts';
import type { Author, Rule } from './workflow.ts';

/** A fact that the state accepts, whether the caller may propose it, and its whole checklist. */
export type Possible = {
  type: string;
  label: string;
  by: readonly string[];
  allowed: boolean;
  rules: { rule: string; message: string; holds: boolean | null }[];
};

/** For whom a checklist is made. */
export type Reader = {
  author: Author;
  roles: readonly string[];
  /** Members of the context that are withheld from the reader. */
  hidden: ReadonlySet<string>;
  today: CalendarDate;
};

/** The rules of dates that hold for every fact (procedure, rule 4.2). */
export const DATE_RULES: Record<'future' | 'order', Rule> = {
  future: {
    rule: 'date-non-future',
    message: "La date d'effet n'est pas dans le futur.",
    needs: ['date'],
  },
  order: {
    rule: 'date-dans-l-ordre',
    message: "La date d'effet n'est pas antérieure à celle d'un fait déjà enregistré.",
    needs: ['date'],
  },
};

/** The dates rules of a fact: free facts may carry any past date. */
export function dateRules(fact: Fact): readonly Rule[] {
  return fact.free ? [DATE_RULES.future] : [DATE_RULES.future, DATE_RULES.order];
}
