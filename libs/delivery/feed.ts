import { cursorOf, type Place } from './cursor.ts';
import type { Departure } from './departure.ts';
import type { Hub } from './hub.ts';
import type { View } from './view.ts';

/** What is asked of the feed. */
export type FeedQuery = {
  /** Null: from the first fact. */
  after: Place | null;
  /** At most so many facts. */
  limit: number;
  /** How long to wait for the first one, in milliseconds. */
  waitMs: number;
  /** Ends the waiting. */
  signal: AbortSignal;
};

/** Facts in order, and the cursor from which the feed goes on: it always does, though nothing may be there yet. */
export type FeedPage = { departures: readonly Departure[]; cursor: string };

/** Facts looked at for one page, at most: a choosy subscriber is given an empty page, and goes on from its cursor. */
const LOOKED_AT = 10_000;

/**
 * The next facts after a place. Whoever stores nothing but the cursor that comes back gets every fact once, in order. It
 * lies behind the last fact that the subscriber may receive, wanted or not: were it to move with what is withheld, it would
 * tell of that, though never of what. Only a page that looked at the most it may moves on all the same.
 * @throws JournalUnavailable
 */
export async function readFeed(hub: Hub, view: View, query: FeedQuery): Promise<FeedPage> {
  const { after, limit, waitMs, signal } = query;
  const tail = await hub.open(after, view);
  const over = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
  const departures: Departure[] = [];
  let looked = 0;
  let receivable: string | undefined;
  try {
    while (departures.length < limit && looked < LOOKED_AT && !signal.aborted) {
      const { next } = hub;
      const passed = await tail.take(limit - departures.length);
      departures.push(...passed.filter((departure) => view.has(departure)));
      looked += passed.length;
      receivable = passed.findLast((departure) => view.mayReceive(departure))?.cursor ?? receivable;
      if (passed.length > 0) continue;
      if (departures.length > 0 || waitMs === 0 || over.aborted || hub.closed) break;
      await hub.arrival(next, over);
    }
    return { departures, cursor: looked < LOOKED_AT ? (receivable ?? cursorOf(after)) : tail.cursor };
  } finally {
    tail.close();
  }
}
