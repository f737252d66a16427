import {
  type CalendarDate,
  contextOf,
  hiddenMembers,
  type RecordedFact,
  Replay,
  type Situation,
  situationAt,
  visibleContext,
} from '@jalon/flow';
import type { StoredEvent } from '@jalon/journal';
import { createPatch, type Operation } from 'rfc6902';
import { type Dossier, type Dossiers, replayed, situationHash } from './dossiers.ts';
import { HistoryUnreadable, MomentNotFound } from './faults.ts';

/**
 * A point of a dossier's past, inclusive: the facts up to a revision, or recorded by an instant (RFC 3339, UTC,
 * milliseconds), and of them those effective by a date; all of them where none is given.
 */
export type PastMoment = {
  revision?: number;
  recordedAt?: string;
  effectiveAt?: CalendarDate;
  /** Every correction known today applies, not only those recorded by then. */
  corrected?: boolean;
};

/** Which reading of a history an answer gives: by what was known then, or by what is known now. */
export type ReadingName = 'recorded' | 'corrected';

/** Where a dossier stood, as one caller may see it. `revision` is that of the last fact then known. */
export type PastView = {
  id: string;
  workflow: { name: string; version: number };
  reading: ReadingName;
  revision: number;
  state: string;
  jalon: string;
  crossed: Situation['crossed'];
  context: Record<string, unknown>;
  /** As envelopes carry it; of a recorded reading at a revision it is that revision's own. */
  stateHash: string;
};

/** What a difference is made of: operations of RFC 6902 on { state, jalon, crossed, context }. */
export type Patch = Operation[];

/**
 * A dossier's situation at a moment of its past, as far as it is known up to the revision `known`.
 * @throws MomentNotFound, HistoryUnreadable
 */
export async function pastSituation(
  dossiers: Dossiers,
  id: string,
  moment: PastMoment,
  known?: number,
): Promise<Situation> {
  const { revision: wanted, recordedAt, effectiveAt, corrected = false } = moment;
  // Corrections recorded later are needed for the corrected reading only.
  const last = corrected ? known : least(wanted, known);
  const history = await dossiers.history(id, last);
  if (wanted !== undefined && wanted >= history.length)
    throw new MomentNotFound(`Le dossier n'a pas encore de révision ${wanted}.`);
  const revision = recordedAt === undefined ? (wanted ?? history.length - 1) : lastKnown(history, recordedAt);
  let situation: Situation | null;
  try {
    const by = effectiveAt === undefined ? {} : { effectiveBy: effectiveAt };
    situation = situationAt(history, { revision, corrected, ...by }, dossiers.find);
  } catch (cause) {
    throw new HistoryUnreadable(`The history of dossier ${id} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (!situation) throw new MomentNotFound("Le dossier n'était pas encore ouvert à ce moment.");
  return situation;
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}

// Instants never decrease within a stream.
function lastKnown(history: readonly RecordedFact[], instant: string): number {
  return history.findLastIndex(({ recordedAt }) => recordedAt <= instant);
}

/** What one who sees a dossier by these roles is shown of a situation of its past. */
export function pastView(id: string, situation: Situation, reading: ReadingName, seeing: readonly string[]): PastView {
  const { workflow, revision, state, crossed } = situation;
  return {
    id,
    workflow: { name: workflow.name, version: workflow.version },
    reading,
    revision,
    state: state.state,
    jalon: state.jalon,
    crossed,
    context: visibleContext(contextOf(situation), hiddenMembers(workflow, seeing)),
    stateHash: situationHash(situation),
  };
}

/** What changed from one view of a dossier's past to another (RFC 6902). */
export function difference(from: PastView, to: PastView): Patch {
  return createPatch(compared(from), compared(to));
}

function compared({ state, jalon, crossed, context }: PastView) {
  return { state, jalon, crossed, context };
}

/**
 * Replays a dossier fact by fact in the recorded reading: each stored fact with the dossier as it left it. The journal is
 * read once, whatever was corrected.
 * @throws HistoryUnreadable where it does not lead to what was recorded
 */
export async function* replay(
  dossiers: Dossiers,
  id: string,
): AsyncGenerator<{ event: StoredEvent; dossier: Dossier }> {
  const facts = new Replay(dossiers.find);
  let dossier: Dossier | undefined;
  for await (const event of dossiers.events(id)) {
    dossier = replayed(dossier ?? dossiers.begin(id, event), facts, event);
    if (situationHash(dossier.situation) !== event.envelope.stateHash)
      throw new HistoryUnreadable(
        `Fact ${event.envelope.revision} (${event.envelope.type}) of dossier ${id} does not lead to the state recorded.`,
      );
    yield { event, dossier };
  }
}
