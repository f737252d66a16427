import {
  BACKWARDS,
  END,
  type EventStoreDBClient,
  type ReadPosition,
  START,
  type StreamingRead,
} from '@eventstore/db-client';
import { type Connection, Failed } from './connection.eventstore.ts';
import type { StoredEvent } from './envelope.ts';
import { positionOf, type Resolved, toFact, weight } from './event.eventstore.ts';
import { JournalUnavailable, type StreamRange } from './journal.ts';

/** A page ends at whichever comes first. */
const PAGE = { events: 500, characters: 2_000_000 };

/** How many events back from the end of the log are looked at for the last of ours, one request after the other. */
const LOOK_BACK = [1, 64, 500];

/** What one request gave; `more` when there may be others. */
type Page = { events: Resolved[]; more: boolean };

/** A part of the log that was looked at: the facts in it, and the position up to which nothing else is there. */
export type Stretch = { facts: StoredEvent[]; until: bigint };

/** Streams whose names start with one of `prefixes`. */
export const among = (prefixes: readonly string[]) => (stream: string) =>
  prefixes.some((prefix) => stream.startsWith(prefix));

/** The read side: every page is a request of its own, so that a slow consumer holds nothing open. */
export class EventStoreReader {
  /** The last fact of ours up to `until`, as the last look back found it. */
  #last: { position: bigint | null; until: bigint } = { position: null, until: -1n };

  constructor(
    readonly connection: Connection,
    private readonly streams: readonly string[],
  ) {}

  async *read(
    stream: string,
    { from = 0, to = Number.MAX_SAFE_INTEGER }: StreamRange = {},
  ): AsyncGenerator<StoredEvent[]> {
    let next = Math.max(0, from);
    while (next <= to) {
      const maxCount = Math.min(PAGE.events, to - next + 1);
      const page = await this.#page(`read ${stream}`, maxCount, (client) =>
        client.readStream(stream, { fromRevision: BigInt(next), maxCount, requiresLeader: true }),
      );
      const facts = page.events.map((resolved) => {
        const fact = toFact(resolved);
        if (fact === null || fact.envelope.revision !== next)
          throw new JournalUnavailable(
            `${stream} cannot be read: instead of revision ${next} it has ${fact?.envelope.revision ?? 'no fact'}. What was there was deleted, truncated or written by something else.`,
          );
        next += 1;
        return fact;
      });
      if (facts.length > 0) yield facts;
      if (!page.more) return;
    }
  }

  async *readAll(after: bigint | null, prefixes: readonly string[] = this.streams): AsyncGenerator<StoredEvent[]> {
    const end = prefixes.length === 0 ? null : await this.end();
    if (end === null) return;
    for await (const { facts } of this.between(after, end, prefixes)) if (facts.length > 0) yield facts;
  }

  /**
   * All that lies after `after`, up to and with `end`; a stretch may hold no fact. While the consumer is at a page the next
   * one is fetched, and no more.
   */
  async *between(after: bigint | null, end: bigint, prefixes: readonly string[]): AsyncGenerator<Stretch> {
    const wanted = among(prefixes);
    const reached = (cursor: bigint | null) => cursor !== null && cursor >= end;
    let cursor = after;
    let coming = reached(cursor) ? null : this.#after(cursor);
    while (coming !== null) {
      const page = await coming;
      const facts: StoredEvent[] = [];
      const before: bigint | null = cursor;
      for (const resolved of page.events) {
        const position = positionOf(resolved);
        if ((cursor !== null && position <= cursor) || position > end) continue;
        cursor = position;
        const fact = wanted(resolved.event?.streamId ?? '') ? toFact(resolved) : null;
        if (fact !== null) facts.push(fact);
      }
      if (cursor === null || cursor === before) return;
      coming = reached(cursor) ? null : this.#after(cursor);
      // Nobody may come back for it.
      coming?.catch(() => undefined);
      yield { facts, until: cursor };
    }
  }

  /** A page of the whole log. The client's reads take no filter, and begin with the event at the position itself. */
  #after(cursor: bigint | null): Promise<Page> {
    const fromPosition: ReadPosition = cursor === null ? START : { commit: cursor, prepare: cursor };
    return this.#page('read the log', PAGE.events, (client) =>
      client.readAll({ fromPosition, maxCount: PAGE.events, requiresLeader: true }),
    );
  }

  /** Position of the last event of the whole log, whoever wrote it; null when there is none. */
  async end(): Promise<bigint | null> {
    const [last] = await this.#backwards(END, 1);
    return last === undefined ? null : positionOf(last);
  }

  /** Position of the last event of our streams. What other applications wrote since the last call is looked through. */
  async tip(): Promise<bigint | null> {
    const known = this.#last;
    let from: ReadPosition = END;
    let until: bigint | undefined;
    let lowest: bigint | undefined;
    const found = (position: bigint | null): bigint | null => {
      if (until !== undefined && until > this.#last.until) this.#last = { position, until };
      return position;
    };
    for (let look = 0; ; look += 1) {
      const events = await this.#backwards(from, LOOK_BACK[Math.min(look, LOOK_BACK.length - 1)] as number);
      const before: bigint | undefined = lowest;
      for (const resolved of events) {
        const position = positionOf(resolved);
        if (lowest !== undefined && position >= lowest) continue;
        lowest = position;
        until ??= position;
        if (position <= known.until) return found(known.position);
        if (among(this.streams)(resolved.event?.streamId ?? '') && toFact(resolved) !== null) return found(position);
      }
      if (lowest === before || lowest === undefined) return found(null);
      from = { commit: lowest, prepare: lowest };
    }
  }

  async #backwards(fromPosition: ReadPosition, maxCount: number): Promise<Resolved[]> {
    const { events } = await this.#page('read the log', maxCount, (client) =>
      client.readAll({ fromPosition, maxCount, direction: BACKWARDS, requiresLeader: true }),
    );
    return events;
  }

  /** At most `count` events, fewer when they are large. */
  async #page(
    what: string,
    count: number,
    read: (client: EventStoreDBClient) => StreamingRead<Resolved>,
  ): Promise<Page> {
    try {
      return await this.connection.ask(what, (_, signal) => collectPage(read(this.connection.client), count, signal));
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      if (error.verdict.kind === 'no-stream') return { events: [], more: false };
      const why = error.verdict.kind === 'refused' ? error.verdict.why : (error.cause as Error).message;
      throw new JournalUnavailable(`EventStoreDB cannot ${what}: ${why}.`, { cause: error.cause });
    }
  }
}

async function collectPage(reading: StreamingRead<Resolved>, count: number, signal: AbortSignal): Promise<Page> {
  const events: Resolved[] = [];
  let characters = 0;
  // Whatever it reports once nobody reads any more must not end the process.
  reading.on('error', () => undefined);
  const give = () => reading.destroy(signal.reason as Error);
  signal.addEventListener('abort', give);
  try {
    for await (const resolved of reading) {
      events.push(resolved);
      characters += weight(resolved.event?.data);
      if (characters >= PAGE.characters) return { events, more: true };
    }
    return { events, more: events.length >= count };
  } finally {
    signal.removeEventListener('abort', give);
    // Leaving the loop ends this side only; the server is told, unless it has said everything.
    if (!reading.readableEnded) reading.cancel().catch(() => undefined);
  }
}
