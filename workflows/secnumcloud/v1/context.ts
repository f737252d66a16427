import type { CalendarDate } from '@jalon/flow';
import type { Version } from './referentiel.ts';

/** What a strategy binds: the services in its perimeter and its phases of audit, by their ids. */
type Strategie = { services: readonly string[]; phases: readonly string[] };

export type Audit = { phase: string; du: CalendarDate; etat: 'planifie' | 'ouvert' | 'clos' };

/** A finding, as much of it as rules and their sentences need: `gravite` is null when the requirement is met. */
export type Constat = { exigence: string; gravite: 'mineure' | 'majeure' | null; plan: boolean; leve: boolean };

/** What the machine remembers of a dossier: only what a rule needs, as JSON, `null` for what is not there. */
export type Context = {
  /** How many facts it has heard. */
  faits: number;

  referentiel: Version | null;
  renouvelleDe: string | null;
  /** Services of the application, by their ids. */
  services: readonly string[];
  /** Categories of which a document was received. */
  categories: readonly string[];
  accuse: boolean;
  charge: string | null;
  /** Since when an officer is designated, whoever it is. */
  chargeDepuis: CalendarDate | null;
  complementsAvantLe: CalendarDate | null;

  centre: string | null;
  strategieProposee: Strategie | null;
  /** The strategy last validated: it stands until another is. */
  strategie: Strategie | null;

  audits: Readonly<Record<string, Audit>>;
  constats: Readonly<Record<string, Constat>>;
  /** Where an interrupted evaluation comes back to. */
  reprendreA: 'plan-attendu' | 'audits' | 'rapport-en-revue' | 'verifications' | null;

  enquete: 'favorable' | 'defavorable' | null;
  /** The recommendation and its author, who may not decide. */
  avis: { sens: string; iss: string; sub: string } | null;
  /** The decision of J3; `valideJusquAu` is null when it refuses. */
  decision: { decideeLe: CalendarDate; valideJusquAu: CalendarDate | null } | null;
  notifiee: boolean;
  publiee: boolean;
  /** Reserves not yet lifted, by their ids. */
  reserves: readonly string[];
  /** The last grievances: whether they were answered, by when to do so, and where the qualification stood before. */
  griefs: { depuis: 'valide' | 'suspendue'; observationsAvantLe: CalendarDate; observations: boolean } | null;
};

export const VIERGE: Context = {
  faits: 0,
  referentiel: null,
  renouvelleDe: null,
  services: [],
  categories: [],
  accuse: false,
  charge: null,
  chargeDepuis: null,
  complementsAvantLe: null,
  centre: null,
  strategieProposee: null,
  strategie: null,
  audits: {},
  constats: {},
  reprendreA: null,
  enquete: null,
  avis: null,
  decision: null,
  notifiee: false,
  publiee: false,
  reserves: [],
  griefs: null,
};

/** A category of the application file of which no document was received. */
export function categoriesManquantes({ categories }: Context, toutes: readonly string[]): string[] {
  return toutes.filter((categorie) => !categories.includes(categorie));
}

/** Phases of the validated strategy of which no audit is closed. */
export function phasesNonAuditees({ strategie, audits }: Context): string[] {
  const auditees = new Set<string>();
  for (const { phase, etat } of Object.values(audits)) if (etat === 'clos') auditees.add(phase);
  return (strategie?.phases ?? []).filter((phase) => !auditees.has(phase));
}

export function auditsOuverts({ audits }: Context): string[] {
  return Object.entries(audits).flatMap(([id, { etat }]) => (etat === 'ouvert' ? [id] : []));
}

/** A non-conformity that is not lifted. */
export function estOuvert({ gravite, leve }: Constat): boolean {
  return gravite !== null && !leve;
}

/** Looks an entry up by the caller's id; `constructor` or `__proto__` are ids like any other. */
export function entree<T>(entrees: Readonly<Record<string, T>>, id: string): T | undefined {
  return Object.hasOwn(entrees, id) ? entrees[id] : undefined;
}
