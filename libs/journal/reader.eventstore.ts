import { type Asked, type Place, type Recorded, read } from './client.eventstore.ts';
import { type Connection, Failed } from './connection.eventstore.ts';
import type { StoredEvent } from './envelope.ts';
import { positionOf, toFact, weightOf } from './event.eventstore.ts';
import { JournalUnavailable, type StreamRange } from './journal.ts';

/** A page ends at whichever comes first. */
const PAGE = { events: 500, bytes: 2_000_000 };

/**
 * When no more than so many bytes were written since the last of our events was looked for, it is looked for forwards from
 * there: others may have written all of them.
 */
const NEAR = 4_000_000n;

/** What one request gave; `more` when there may be others. */
type Page = { events: Recorded[]; more: boolean };

/** Streams whose names start with one of `prefixes`. */
export const among = (prefixes: readonly string[]) => (stream: string) =>
  prefixes.some((prefix) => stream.startsWith(prefix));

/**
 * The read side: every page is a request of its own, so that a slow consumer holds nothing open. The server itself passes
 * over what other applications wrote.
 */
export class EventStoreReader {
  /** The last fact of ours up to `until`, where the log ended when it was looked for. */
  #last: { position: bigint | null; until: bigint } | null = null;

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
      const count = Math.min(PAGE.events, to - next + 1);
      const page = await this.#page(`read ${stream}`, { stream, from: BigInt(next), count });
      const facts = page.events.map((recorded) => {
        const fact = toFact(recorded);
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
    if (end !== null) yield* this.after(after, prefixes, end);
  }

  /**
   * The facts after `after`, page by page, until there are no more as of now, or up to and with `end`. While the consumer
   * is at a page the next one is fetched, and no more.
   */
  async *after(after: bigint | null, prefixes: readonly string[], end?: bigint): AsyncGenerator<StoredEvent[]> {
    const isOver = (position: bigint | null) => end !== undefined && position !== null && position >= end;
    let cursor = after;
    let coming: Promise<Page> | null = isOver(cursor) ? null : this.#after(cursor, prefixes);
    while (coming !== null) {
      const page: Page = await coming;
      const facts: StoredEvent[] = [];
      for (const recorded of page.events) {
        const position = positionOf(recorded);
        if (end !== undefined && position > end) break;
        cursor = position;
        const fact = toFact(recorded);
        if (fact !== null) facts.push(fact);
      }
      coming = !page.more || isOver(cursor) ? null : this.#after(cursor, prefixes);
      // Nobody may come back for it.
      coming?.catch(() => undefined);
      if (facts.length > 0) yield facts;
    }
  }

  #after(cursor: bigint | null, prefixes: readonly string[]): Promise<Page> {
    const asked = { prefixes, from: cursor ?? 'start', count: PAGE.events } as const;
    // The event at the position itself comes again.
    return this.#page('read the log', asked, (event) => cursor === null || positionOf(event) > cursor);
  }

  /** Position of the last event of the whole log, whoever wrote it; null when there is none. */
  async end(): Promise<bigint | null> {
    const { events } = await this.#page('read the log', { prefixes: null, from: 'end', count: 1, backwards: true });
    return events[0] === undefined ? null : positionOf(events[0]);
  }

  /** Position of the last event of our streams. */
  async tip(): Promise<bigint | null> {
    const until = await this.end();
    if (until === null) return null;
    const known = this.#last;
    if (known?.until === until) return known.position;
    const position =
      known !== null && until > known.until && until - known.until <= NEAR
        ? await this.#lastAfter(known, until)
        : await this.#lastBefore('end');
    if (until > (this.#last?.until ?? -1n)) this.#last = { position, until };
    return position;
  }

  async #lastAfter(known: { position: bigint | null; until: bigint }, end: bigint): Promise<bigint | null> {
    let { position } = known;
    for await (const facts of this.after(known.until, this.streams, end)) position = facts.at(-1)?.position ?? position;
    return position;
  }

  /** Looks back past what somebody else wrote into streams of ours. */
  async #lastBefore(place: Place): Promise<bigint | null> {
    let from = place;
    for (let count = 1; ; count = PAGE.events) {
      const asked = { prefixes: this.streams, from, count, backwards: true };
      const { events } = await this.#page('read the log', asked);
      const found = events.find((recorded) => toFact(recorded) !== null);
      if (found) return positionOf(found);
      const lowest = events.at(-1);
      if (!lowest) return null;
      from = positionOf(lowest);
    }
  }

  /** At most as many events as are asked for, fewer when they are large. */
  async #page(
    what: string,
    asked: Exclude<Asked, { follow: Place }>,
    isNew: (event: Recorded) => boolean = () => true,
  ): Promise<Page> {
    try {
      return await this.connection.ask(what, (_, signal) =>
        collectPage(read(this.connection.client, asked), asked.count, isNew, signal),
      );
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      if (error.verdict.kind === 'no-stream') return { events: [], more: false };
      const why = error.verdict.kind === 'refused' ? error.verdict.why : (error.cause as Error).message;
      throw new JournalUnavailable(`EventStoreDB cannot ${what}: ${why}.`, { cause: error.cause });
    }
  }
}

async function collectPage(
  reading: ReturnType<typeof read>,
  count: number,
  isNew: (event: Recorded) => boolean,
  signal: AbortSignal,
): Promise<Page> {
  const events: Recorded[] = [];
  let received = 0;
  let bytes = 0;
  let isWhole = false;
  const give = () => reading.cancel();
  signal.addEventListener('abort', give);
  try {
    for await (const said of reading) {
      if (said.kind !== 'event') continue;
      received += 1;
      if (!isNew(said.event)) continue;
      events.push(said.event);
      bytes += weightOf(said.event);
      if (bytes >= PAGE.bytes) return { events, more: true };
    }
    isWhole = true;
    return { events, more: received >= count };
  } finally {
    signal.removeEventListener('abort', give);
    // Leaving the loop ends this side only; the server is told, unless it has said everything.
    if (!isWhole) reading.cancel();
  }
}
