import type { Fact } from '@jalon/flow';

/** What is declared of a fact, as far as its leaving is concerned. */
export type DeclaredFact = Pick<Fact, 'type' | 'label' | 'crosses' | 'publicFields' | 'withheldFrom' | 'summary'>;

/** The streams whose facts leave: dossiers, and the reminders of their deadlines. Accesses never do. */
export const DOSSIERS = 'dossier-';
const REMINDERS = 'rappels-';
export const FILTER = { prefixes: [DOSSIERS, REMINDERS] };

/** The type of a reminder, which leaves only to those who name it. */
export const REMINDER = 'echeance.rappel';
