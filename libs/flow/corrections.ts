import type { CalendarDate } from './dates.ts';
import { defineFact, type Fact, factsOf } from './fact.ts';
import { DateField, ObjectField, Text, Uuid, VersionNumber } from './fields.ts';
import type { PastFact } from './situation.ts';
import type { Workflow } from './workflow.ts';

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
type Correctable = Pick<Workflow, 'roles'> & { facts: Iterable<Fact>; versionChangedBy: readonly string[] };

/**
 * The three facts beside the machine, as a workflow has them: `by` are all who may correct some fact of it. Who may
 * correct a given fact is said by `correctors`.
 */
export function factsBeside({ roles, facts, versionChangedBy }: Correctable): Fact[] {
  const proposing = new Set(versionChangedBy);
  const annulling = new Set(versionChangedBy);
  for (const { by, annulledBy = by } of facts) {
    for (const role of by) proposing.add(role);
    for (const role of annulledBy) annulling.add(role);
  }
  const inOrder = (wanted: ReadonlySet<string>) => Object.keys(roles).filter((role) => wanted.has(role));
  const by: Record<string, readonly string[]> = {
    [RECTIFICATION]: inOrder(proposing),
    [ANNULMENT]: inOrder(annulling),
    [VERSION_CHANGE]: versionChangedBy,
  };
  return BESIDE.map((fact) => ({ ...fact, by: by[fact.type] as readonly string[] }));
}

/** Who may correct a fact: whoever may propose it; an annulment of what only the clock proposes has its own role. */
export function correctors(correction: string, touched: Fact): readonly string[] {
  return correction === ANNULMENT ? (touched.annulledBy ?? touched.by) : touched.by;
}

/** A fact of a history as recorded, with what corrections and versions say of it. */
export type RecordedFact = PastFact & {
  /** Id of the fact that it corrects. */
  target?: string;
  /** The version under which the dossier stands after it. */
  workflow: { name: string; version: number; hash: string };
};

/** What later facts of a history made of one. */
export type Fate = {
  kind: 'rectified' | 'annulled';
  /** Id of the correction that decides: the latest one. */
  by: string;
  /** Who wrote what now stands, and when: the correction's author, or of what rectified it in turn. */
  author: RecordedFact['actor'];
  recordedAt: string;
  /** What a rectification put in place of payload (null once destroyed), date, look-ups and salt. */
  data?: unknown;
  effectiveAt?: CalendarDate;
  lookups?: RecordedFact['lookups'];
  salt?: string;
};

/** As much of a fact as its corrections concern. */
export type Touching = Pick<RecordedFact, 'id' | 'type' | 'actor' | 'recordedAt' | 'lookups'> & {
  data: unknown;
  target?: string | undefined;
  salt?: string | undefined;
};

/**
 * What the corrections of a history make of its facts, by id. The latest correction of a fact decides, and keeps an
 * earlier one's date unless it gives its own; corrections are facts, and can be corrected in turn.
 */
export function fatesOf(history: readonly Touching[]): Map<string, Fate> {
  const fates = new Map<string, Fate>();
  for (let i = history.length - 1; i >= 0; i--) {
    const correction = history[i] as Touching;
    const { target } = correction;
    const own = fates.get(correction.id);
    if (target === undefined || own?.kind === 'annulled') continue;
    const later = fates.get(target);
    if (!later) fates.set(target, fateBy(correction, own));
    else if (later.kind === 'rectified' && later.effectiveAt === undefined && correction.type === RECTIFICATION) {
      const { effectiveAt } = fateBy(correction, own);
      if (effectiveAt !== undefined) fates.set(target, { ...later, effectiveAt });
    }
  }
  return fates;
}

function fateBy({ id, type, actor, recordedAt, lookups, ...beside }: Touching, own: Fate | undefined): Fate {
  const written = { author: own?.author ?? actor, recordedAt: own?.recordedAt ?? recordedAt };
  if (type === ANNULMENT) return { kind: 'annulled', by: id, ...written };
  const { donnees = null, effectiveAt } = ((own ? own.data : beside.data) ?? {}) as Partial<FaitRectifie>;
  const salt = own?.salt ?? beside.salt;
  return {
    kind: 'rectified',
    by: id,
    ...written,
    data: donnees,
    lookups: own?.lookups ?? lookups,
    ...(effectiveAt === undefined ? {} : { effectiveAt }),
    ...(salt === undefined ? {} : { salt }),
  };
}

/** The fact as it reads after its fate: recorded as it was, or with what a rectification put in place; null: annulled. */
export function asRead(recorded: RecordedFact, fate: Fate | undefined): RecordedFact | null {
  if (!fate) return recorded;
  if (fate.kind === 'annulled') return null;
  const { data, effectiveAt = recorded.effectiveAt, lookups, salt } = fate;
  return {
    ...recorded,
    data: data ?? recorded.data,
    effectiveAt,
    lookups: { ...recorded.lookups, ...lookups },
    ...(salt === undefined ? {} : { salt }),
  };
}
