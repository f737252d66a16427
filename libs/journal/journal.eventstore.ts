import { NEW_STREAM, openClient } from './client.eventstore.ts';
import { Connection, Failed } from './connection.eventstore.ts';
import type { NewEvent, StoredEvent } from './envelope.ts';
import { toEventStore } from './event.eventstore.ts';
import { follow } from './follow.eventstore.ts';
import {
  type Appended,
  AppendTooLarge,
  checkAppend,
  EventIdTaken,
  type Journal,
  JournalUnavailable,
  NO_STREAM,
  OutcomeUnknown,
  RevisionConflict,
  type StreamFilter,
  type StreamRange,
} from './journal.ts';
import type { Held } from './live.eventstore.ts';
import { among, EventStoreReader } from './reader.eventstore.ts';

/** How the journal behaves; everything has a default. */
export type EventStoreSettings = {
  /**
   * What the names of its streams start with. Whatever else lies in the database is passed over: EventStoreDB's own
   * streams, those of other applications.
   */
  streams: readonly string[];
  /** How long an append, or one page of a reading, may take, its tries included. */
  timeoutMs: number;
  /** How many events a subscription holds for a slow consumer before it reads the log instead. */
  held: number;
  /** Told of a failure that is tried again, once until something succeeds. */
  onTrouble: (error: unknown) => void;
};

const BYTES_HELD = 8_000_000;

/**
 * The journal in EventStoreDB: production, several nodes. FORMAT.md says how facts lie there.
 *
 * An append names the exact revision that it expects, never "any": only then does the server know a retry after its own
 * restart. It knows it by the ids of the events alone, so a retry with the same ids and another payload is a success that
 * stores nothing, as the port says; whoever must tell the two apart compares what is stored (`digest`).
 */
export class EventStoreJournal implements Journal {
  readonly #connection: Connection;
  readonly #reader: EventStoreReader;
  readonly #streams: readonly string[];
  readonly #held: Held;

  /** @throws JournalRefused when `url` is no connection string */
  constructor(url: string, { streams, timeoutMs, held, onTrouble }: EventStoreSettings) {
    this.#connection = new Connection(openClient(url), timeoutMs, onTrouble);
    this.#reader = new EventStoreReader(this.#connection, streams);
    this.#streams = streams;
    this.#held = { events: held, bytes: BYTES_HELD };
  }

  async append(stream: string, expected: number, events: readonly NewEvent[]): Promise<Appended> {
    checkAppend(stream, expected, events);
    if (!among(this.#streams)(stream)) throw new TypeError(`${stream} is no stream of this journal.`);
    const ids = new Set<string>();
    for (const { envelope } of events) {
      if (ids.has(envelope.id)) throw new EventIdTaken(envelope.id);
      ids.add(envelope.id);
    }
    const made = toEventStore(stream, events);
    const expectedRevision = expected === NO_STREAM ? NEW_STREAM : BigInt(expected);
    try {
      const { success, nextExpectedRevision, position } = await this.#connection.run('append', (deadline) =>
        this.#connection.client.appendToStream(stream, made, { expectedRevision, deadline, requiresLeader: true }),
      );
      const revision = expected + events.length;
      if (!success) throw new RevisionConflict(stream, expected, Number(nextExpectedRevision));
      // A deleted stream that is begun anew goes on counting: what the envelopes say does not hold there.
      if (Number(nextExpectedRevision) !== revision || position === undefined)
        throw new OutcomeUnknown(`${stream} took revision ${nextExpectedRevision} for ${revision}: it was deleted.`);
      return { revision, position: position.commit };
    } catch (error) {
      throw error instanceof Failed ? refusal(stream, expected, made, error) : error;
    }
  }

  read(stream: string, range?: StreamRange): AsyncIterable<StoredEvent[]> {
    return this.#reader.read(stream, range);
  }

  readAll(after: bigint | null, filter?: StreamFilter): AsyncIterable<StoredEvent[]> {
    return this.#reader.readAll(after, filter?.prefixes);
  }

  subscribe(after: bigint | null, filter: StreamFilter, signal: AbortSignal): AsyncIterable<StoredEvent[]> {
    return follow(this.#reader, after, filter.prefixes ?? this.#streams, this.#held, signal);
  }

  /** Position of the last event of this journal's streams: what else lies in the database is not counted. */
  tip(): Promise<bigint | null> {
    return this.#reader.tip();
  }

  async durability(): Promise<Record<string, string | number>> {
    this.#connection.assertOpen();
    const end = await this.#reader.end();
    const version = await this.#connection.version();
    return { adapter: 'eventstoredb', ...(version !== undefined && { version }), end: String(end ?? 'empty') };
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** A conflict says that no try did anything: had one, the server would know the retry by its ids. */
function refusal(stream: string, expected: number, events: readonly unknown[], failed: Failed): Error {
  const { verdict, reached, cause } = failed;
  if (verdict.kind === 'conflict') return new RevisionConflict(stream, expected, verdict.actual);
  if (verdict.kind === 'too-large')
    return new AppendTooLarge(stream, Buffer.byteLength(JSON.stringify(events)), verdict.limit);
  const why = verdict.kind === 'refused' ? verdict.why : 'there is no such stream';
  return new (reached ? OutcomeUnknown : JournalUnavailable)(`EventStoreDB cannot append to ${stream}: ${why}.`, {
    cause,
  });
}
