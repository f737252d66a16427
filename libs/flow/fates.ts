import { ANNULMENT, type FaitRectifie, RECTIFICATION } from './corrections.ts';
import type { CalendarDate } from './dates.ts';
import type { PastFact } from './situation.ts';

/** A fact of a history as recorded, with what corrections and versions say of it. */
export type RecordedFact = PastFact & {
  /** Id of the fact that it corrects. */
  target?: string;
  /** The version under which the dossier stands after it. */
  workflow: { name: string; version: number; hash: string };
};

/** Of each correction of a history, by its id, the fact that it touches in the end: a correction may be corrected in turn. */
export function rootsOf(history: readonly Pick<Touching, 'id' | 'target'>[]): Map<string, string> {
  const roots = new Map<string, string>();
  for (const { id, target } of history) if (target !== undefined) roots.set(id, roots.get(target) ?? target);
  return roots;
}

/** What later facts of a history made of one. */
export type Fate = {
  kind: 'rectified' | 'annulled';
  /** Id of the correction that decides: the latest one. */
  by: string;
  /** When what now stands was written: by the correction, or by what rectified it in turn. */
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

function fateBy({ id, type, recordedAt, lookups, ...beside }: Touching, own: Fate | undefined): Fate {
  const written = { recordedAt: own?.recordedAt ?? recordedAt };
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
