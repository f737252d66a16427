// Where an append expects its stream to be, and when doing it again is the same success: the rules of a real server
// (23.10), measured and read in its source. Only ids are compared, never bodies.

/** Expected revision of an append: a revision (0: after the first event), or one of the three words. */
export type Expected = number | 'no_stream' | 'any' | 'stream_exists';

/** The stream as the decision needs to see it. */
export type StreamNow = {
  /** Revision of the last event, -1 without. */
  tail: number;
  tombstoned: boolean;
  softDeleted: boolean;
  hasMetadata: boolean;
  /** Id of the stored event at a revision, deleted or truncated ones too. */
  idAt(revision: number): string | undefined;
  /** Revision that an id has in this stream, as far as the process remembers having written it. */
  committed(id: string): number | undefined;
};

export type Decision =
  | { kind: 'append' }
  | { kind: 'idempotent'; revision: number }
  | { kind: 'conflict'; actual: number }
  | { kind: 'deleted' };

/** Whether an append of events with these ids is written, was written before, or conflicts. */
export function decide(stream: StreamNow, expected: Expected, ids: readonly string[]): Decision {
  const conflict = { kind: 'conflict', actual: stream.tail } as const;
  if (stream.tombstoned) return { kind: 'deleted' };
  if (expected === 'stream_exists') {
    if (stream.softDeleted) return { kind: 'deleted' };
    if (stream.tail < 0 && !stream.hasMetadata) return conflict;
  }
  if (expected === 'any' || expected === 'stream_exists') return byMemory(stream, ids) ?? conflict;

  const revision = expected === 'no_stream' ? -1 : expected;
  if (revision > stream.tail) return conflict;
  // Same ids at the current tail: written again, not recognised.
  if (revision === stream.tail) return { kind: 'append' };
  const other = ids.findIndex((id, i) => stream.idAt(revision + 1 + i) !== id);
  if (other < 0) return ids.length === 0 ? conflict : { kind: 'idempotent', revision: revision + ids.length };
  // A soft-deleted stream may be begun again with NO_STREAM, unless the first id is the one that began it before.
  if (other === 0 && expected === 'no_stream' && stream.softDeleted) return { kind: 'append' };
  return conflict;
}

/** Without a revision to look at, a retry is known only while its ids are in memory: after a restart it is not. */
function byMemory(stream: StreamNow, ids: readonly string[]): Decision | null {
  const known = ids.map((id) => stream.committed(id));
  if (known[0] === undefined) return { kind: 'append' };
  return known.includes(undefined) ? null : { kind: 'idempotent', revision: known.at(-1) as number };
}

/** The ids written since the process started, the newest 100,000; an id written twice keeps its first place. */
export class CommittedEvents {
  readonly #places = new Map<string, { stream: string; revision: number }>();

  put({ id, stream, revision }: { id: string; stream: string; revision: number | null }): void {
    if (revision === null || this.#places.has(id)) return;
    this.#places.set(id, { stream, revision });
    const [oldest] = this.#places.keys();
    if (this.#places.size > 100_000 && oldest !== undefined) this.#places.delete(oldest);
  }

  revisionIn(stream: string, id: string): number | undefined {
    const place = this.#places.get(id);
    return place?.stream === stream ? place.revision : undefined;
  }
}
