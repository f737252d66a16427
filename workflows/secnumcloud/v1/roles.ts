import type { RoleSpec } from '@jalon/flow';

export const PRESTATAIRE = 'prestataire';
export const CENTRE = 'centre-evaluation';
export const CHARGE = 'charge-de-qualification';
export const CHEF = 'chef-de-bureau';
export const DIRECTEUR = 'directeur-general';
const AUDITEUR = 'auditeur';
export const ABONNE = 'abonne';
const ADMINISTRATEUR = 'administrateur';
/** The clock's own role: no token ever carries it. */
export const HORLOGE = 'horloge';

/** Who takes part in a qualification, and which dossiers each of them sees. */
export const roles: Readonly<Record<string, RoleSpec>> = {
  [PRESTATAIRE]: { label: 'Prestataire', sees: 'own' },
  [CENTRE]: { label: "Centre d'évaluation", sees: 'own' },
  [CHARGE]: { label: 'Chargé de qualification', sees: 'all', recordsForOthers: true },
  [CHEF]: { label: 'Chef de bureau', sees: 'all' },
  [DIRECTEUR]: { label: 'Directeur général', sees: 'all' },
  [AUDITEUR]: { label: 'Auditeur', sees: 'all' },
  [ABONNE]: { label: 'Système abonné', sees: 'none', subscribes: true },
  [ADMINISTRATEUR]: { label: 'Administrateur', sees: 'none' },
  // Never a token's: it sees every dossier so that it can record what a date makes true.
  [HORLOGE]: { label: 'Horloge du système', sees: 'all', clock: true },
};

/** Whose dossier it is: the columns of its summary that an organisation must equal one of. */
export const parties: Readonly<Record<string, readonly string[]>> = {
  [PRESTATAIRE]: ['prestataire', 'siren'],
  [CENTRE]: ['centre'],
};
