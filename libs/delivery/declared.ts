import type { Fact } from '@jalon/flow';

/** What is declared of a fact, as far as its leaving is concerned. */
export type DeclaredFact = Pick<Fact, 'type' | 'label' | 'crosses' | 'publicFields' | 'withheldFrom' | 'summary'>;

/** The streams whose facts leave: dossiers, and the reminders of their deadlines. Accesses never do. */
export const DOSSIERS = 'dossier-';
export const REMINDERS = 'rappels-';
export const FILTER = { prefixes: [DOSSIERS, REMINDERS] };

/** The type of a reminder, which leaves only to those who name it. */
export const REMINDER = 'echeance.rappel';

/** What is declared of a reminder: no procedure does, since the clock records it beside all dossiers. */
export const DECLARED_REMINDER: DeclaredFact = {
  type: REMINDER,
  label: 'Rappel d’échéance',
  publicFields: ['dossier', 'workflow', 'libelle', 'date', 'jalon', 'fait', 'type', 'cle', 'echeance', 'delai'],
};

/** What of a reminder says whose it is: its dossier, and the fact that set the deadline, whose visibility it shares. */
export type ReminderData = { dossier: string; workflow: { name: string; version: number }; type: string };
