import { setTimeout as delay } from 'node:timers/promises';
import { jittered } from './connection.eventstore.ts';
import type { StoredEvent } from './envelope.ts';
import { isSlowConsumer, judge } from './errors.eventstore.ts';
import { JournalUnavailable } from './journal.ts';
import { type Held, Live } from './live.eventstore.ts';
import type { EventStoreReader } from './reader.eventstore.ts';

const PAUSE_MS = { first: 50, longest: 5_000 };

/**
 * The facts after `after`, for ever: what is there is read, then a live subscription is followed. Whenever that ends (the
 * consumer is slow, the server drops it, goes away, changes its leader), reading resumes after the last event that the
 * consumer got, so that nothing is lost and nothing comes twice.
 * Ends when `signal` aborts.
 * @throws JournalUnavailable when the journal is closed or the server refuses access; all else passes and is tried again
 */
export async function* follow(
  reader: EventStoreReader,
  after: bigint | null,
  prefixes: readonly string[],
  held: Held,
  signal: AbortSignal,
): AsyncGenerator<StoredEvent[]> {
  const { connection } = reader;
  const ending = new AbortController();
  const end = () => ending.abort();
  for (const each of [signal, connection.closing]) each.addEventListener('abort', end);
  let live: Live | undefined;
  let cursor = after;
  let pause = PAUSE_MS.first;
  try {
    while (!signal.aborted) {
      connection.assertOpen();
      try {
        if (prefixes.length === 0) await abortOf(ending.signal);
        if (ending.signal.aborted) continue;
        const pages = reader.after(cursor, prefixes);
        for (;;) {
          const page = await unless(ending.signal, pages.next());
          if (page === undefined || page.done) break;
          cursor = (page.value.at(-1) as StoredEvent).position;
          pause = PAUSE_MS.first;
          yield page.value;
          if (ending.signal.aborted) break;
        }
        if (ending.signal.aborted) continue;

        live = new Live(connection, cursor, prefixes, held, ending.signal);
        for (let facts = await live.next(); facts !== null; facts = await live.next()) {
          if (ending.signal.aborted) break;
          pause = PAUSE_MS.first;
          cursor = (facts.at(-1) as StoredEvent).position;
          yield facts;
        }
      } catch (error) {
        if (ending.signal.aborted) continue;
        if (isFinal(error)) throw error;
        if (isSlowConsumer(error)) continue;
        connection.report(error);
        await delay(jittered(pause), undefined, { signal: ending.signal }).catch(() => undefined);
        pause = Math.min(2 * pause, PAUSE_MS.longest);
      } finally {
        live?.stop();
      }
    }
  } finally {
    live?.stop();
    for (const each of [signal, connection.closing]) each.removeEventListener('abort', end);
  }
}

/** Whether trying again would give the same answer. */
function isFinal(error: unknown): boolean {
  const cause = error instanceof JournalUnavailable ? (error.cause ?? error) : error;
  return judge(cause).kind === 'refused';
}

/** What `asked` gives, or undefined as soon as `signal` aborts. */
async function unless<Result>(signal: AbortSignal, asked: Promise<Result>): Promise<Result | undefined> {
  const over = new AbortController();
  try {
    return await Promise.race([asked, abortOf(signal, over.signal)]);
  } finally {
    over.abort();
  }
}

/** Until `signal` aborts; `over` takes the listener away. */
function abortOf(signal: AbortSignal, over?: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true, ...(over && { signal: over }) });
  });
}
