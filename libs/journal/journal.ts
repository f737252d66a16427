import type { NewEvent, StoredEvent } from './envelope.ts';

/** Where an append expects its stream to be: the revision of the last event, or `NO_STREAM` when there is none yet. */
export const NO_STREAM = -1;

/** What an append was acknowledged with: the revision and position of the last event of the append. */
export type Appended = { revision: number; position: bigint };

export type StreamRange = {
  /** First revision, inclusive; 0 when absent. */
  from?: number;
  /** Last revision, inclusive; the tail when absent. */
  to?: number;
};

/** Which streams a reader of the whole log wants: those whose name starts with one of `prefixes` (all when absent). */
export type StreamFilter = { prefixes?: readonly string[] };

/** The log for those who only read it: verification, replay, export, also beside the process that writes. */
export interface JournalReader {
  /** The events of one stream, oldest first; no page for an unknown stream. */
  read(stream: string, range?: StreamRange): AsyncIterable<StoredEvent[]>;
  /** All events after `after` (exclusive; null: from the first), in position order, until the end as of now. */
  readAll(after: bigint | null, filter?: StreamFilter): AsyncIterable<StoredEvent[]>;
  /** Position of the last event, null for an empty log. */
  tip(): Promise<bigint | null>;
  /** Lets what was accepted finish. Everything afterwards throws JournalUnavailable, running subscriptions too. */
  close(): Promise<void>;
}

/**
 * The append-only log. Events are read in pages, arrays that are never empty: the next page is fetched when the consumer
 * asks for it, so that a slow consumer holds at most one page.
 *
 * Guarantees of every adapter (contract.ts states them as tests): an acknowledged append survives a kill and a power
 * loss; one append is atomic; of two rivals for one revision exactly one succeeds; appending the same ids at the same
 * expected revision again is the same success; positions increase in the order in which a reader sees the events.
 */
export interface Journal extends JournalReader {
  /**
   * Appends `events` (at least one; revisions follow `expected`) to `stream`.
   * @throws RevisionConflict when the stream is elsewhere, JournalUnavailable when nothing was written,
   * OutcomeUnknown when it may have been: the same call again resolves it. EventIdTaken for an id that is twice in the
   * append, and from an adapter that knows all ids for one stored elsewhere. TypeError for what is no append (see
   * checkAppend) or what JSON cannot say, AppendTooLarge.
   */
  append(stream: string, expected: number, events: readonly NewEvent[]): Promise<Appended>;
  /** Like `readAll`, then goes on with what is appended from then on (catch-up subscription), until `signal` aborts. */
  subscribe(after: bigint | null, filter: StreamFilter, signal: AbortSignal): AsyncIterable<StoredEvent[]>;
  /**
   * What protects what was acknowledged, as read back from the store (for the readiness report).
   * @throws JournalUnavailable when nothing can be appended any more.
   */
  durability(): Promise<Record<string, string | number>>;
}

/** The stream is not where the append expected it. */
export class RevisionConflict extends Error {
  override readonly name = 'RevisionConflict';
  constructor(
    readonly stream: string,
    readonly expected: number,
    readonly actual: number,
  ) {
    super(`Stream ${stream} is at revision ${actual}, not ${expected}.`);
  }
}

/** An event of this id is already stored elsewhere, or twice in the append; nothing was written. */
export class EventIdTaken extends Error {
  override readonly name = 'EventIdTaken';
  constructor(readonly id: string) {
    super(`An event ${id} is already stored elsewhere.`);
  }
}

/** The store takes no append of this size, in bytes over all of its events; nothing was written. */
export class AppendTooLarge extends Error {
  override readonly name = 'AppendTooLarge';
  constructor(
    readonly stream: string,
    readonly size: number,
    readonly limit: number,
  ) {
    super(`An append to ${stream} has ${size} bytes, more than the ${limit} that the store takes.`);
  }
}

/** The journal cannot be written or read now; nothing was written. */
export class JournalUnavailable extends Error {
  override readonly name: string = 'JournalUnavailable';
}

/** The journal may or may not have written: the same append (same ids, same expected revision) again tells. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}

/** The data folder, or the connection, cannot be opened, and why; nothing was changed. */
export class JournalRefused extends Error {
  override readonly name = 'JournalRefused';
}

/**
 * What every adapter refuses before it asks its store.
 * @throws TypeError when `expected` is no revision, `events` is empty, or its envelopes say another stream or other
 * revisions than those that follow `expected`.
 */
export function checkAppend(stream: string, expected: number, events: readonly NewEvent[]): void {
  if (!Number.isInteger(expected) || expected < NO_STREAM)
    throw new TypeError(`${expected} is no revision for ${stream} to be at.`);
  if (events.length === 0) throw new TypeError(`An append to ${stream} holds no event.`);
  for (const [i, { envelope }] of events.entries()) {
    if (envelope.stream !== stream || envelope.revision !== expected + 1 + i)
      throw new TypeError(
        `An append to ${stream} at revision ${expected} holds revision ${envelope.revision} of ${envelope.stream}.`,
      );
  }
}

/**
 * The JSON text of what an event holds.
 * @throws TypeError for what JSON cannot say: a bigint, a cycle, nothing at all
 */
export function jsonText(value: unknown): string {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`JSON cannot say ${typeof value}.`);
  return text;
}
