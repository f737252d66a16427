import type { CalendarDate } from './dates.ts';
import { defineFact, type Fact, factsOf } from './fact.ts';
import { DateField, ObjectField, Text, Uuid, VersionNumber } from './fields.ts';

/** The three facts that every procedure has and no machine receives: they change how its history is read. */
export const RECTIFICATION = 'dossier.fait-rectifie';
export const ANNULMENT = 'dossier.fait-annule';
export const VERSION_CHANGE = 'dossier.version-changee';

@defineFact(RECTIFICATION, { label: 'Fait rectifié', by: [], free: true, publicFields: ['fait'] })
export class FaitRectifie {
  @Uuid({ label: 'Fait rectifié', hint: "L'identifiant du fait, tel que l'historique le donne." }) fait!: string;
  @ObjectField({ label: 'Données rectifiées', hint: "Le contenu entier du fait, tel qu'il aurait dû être." })
  donnees!: Record<string, unknown>;
  @DateField({ label: "Date d'effet rectifiée", hint: 'Inchangée si elle est absente.', optional: true })
  effectiveAt?: CalendarDate;
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact(ANNULMENT, { label: 'Fait annulé', by: [], free: true, publicFields: ['fait'] })
export class FaitAnnule {
  @Uuid({ label: 'Fait annulé', hint: "L'identifiant du fait, tel que l'historique le donne." }) fait!: string;
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact(VERSION_CHANGE, { label: 'Version de la procédure changée', by: [], free: true })
export class VersionChangee {
  @VersionNumber({ label: 'Version de la procédure' }) version!: number;
  @Text({ label: 'Motif' }) motif!: string;
}

const BESIDE = factsOf({ FaitRectifie, FaitAnnule, VersionChangee });

/** Whether a fact is none of the machine's: it touches an earlier one, or changes the version. */
export function isBesideTheMachine(type: string): boolean {
  return type === RECTIFICATION || type === ANNULMENT || type === VERSION_CHANGE;
}

/** What must be known of a workflow to say who may correct in it. */
type Correctable = {
  roles: Readonly<Record<string, { sees: string; clock?: true }>>;
  facts: Iterable<Fact>;
  versionChangedBy: readonly string[];
};

/**
 * The three facts beside the machine, as a workflow has them: `by` are all who may correct some fact of it. Who may
 * correct a given fact is said by `correctors`.
 */
export function factsBeside({ roles, facts, versionChangedBy }: Correctable): Fact[] {
  const may = new Set(versionChangedBy);
  for (const fact of facts)
    for (const rested of [false, true]) for (const role of correctors(roles, fact, rested)) may.add(role);
  const correcting = Object.keys(roles).filter((role) => may.has(role));
  return BESIDE.map((fact) => ({ ...fact, by: fact.type === VERSION_CHANGE ? versionChangedBy : correcting }));
}

/**
 * Who may rectify or annul a fact (procedure, « Who may correct »): while no decision rests on it, whoever may propose it;
 * then, and always where that is the clock alone, those whom it declares.
 */
export function correctors(
  roles: Correctable['roles'],
  { by, correctedBy, free }: Fact,
  rested: boolean,
): readonly string[] {
  const persons = by.filter((role) => !roles[role]?.clock);
  if (persons.length > 0 && (free || !rested)) return persons;
  return correctedBy ?? persons.filter((role) => !isParty(roles, role));
}

/** Whether who acts in a role does so for an organisation that is a party of the dossier. */
export function isParty(roles: Correctable['roles'], role: string): boolean {
  return roles[role]?.sees === 'own';
}
