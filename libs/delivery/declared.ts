import type { Fact } from '@jalon/flow';

/** What is declared of a fact, as far as its leaving is concerned. */
export type DeclaredFact = Pick<Fact, 'type' | 'label' | 'crosses' | 'publicFields' | 'withheldFrom' | 'summary'>;

/** The streams whose facts leave: dossiers, and the reminders of their deadlines. Accesses never do. */
export const DOSSIERS = 'dossier-';
const REMINDERS = 'rappels-';
export const FILTER = { prefixes: [DOSSIERS, REMINDERS] };

/** The type of a reminder, which leaves only to those who name it. */
export const REMINDER = 'echeance.rappel';

/** Where a rectification's payload holds that of the fact it touches, as it should have been. */
export const CORRECTED_DATA = 'donnees';

/** The facts that every workflow has and no machine receives (procedure, "At any time"), as far as they leave. */
export const BESIDE_THE_MACHINE: ReadonlyMap<string, DeclaredFact> = new Map(
  [
    { type: 'dossier.fait-rectifie', label: 'Fait rectifié', publicFields: ['fait'] },
    { type: 'dossier.fait-annule', label: 'Fait annulé', publicFields: ['fait'] },
    { type: 'dossier.version-changee', label: 'Version de la procédure changée' },
  ].map((fact) => [fact.type, fact]),
);
