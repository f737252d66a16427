// Streams.Read as a subscription: first the past, as fast as the client takes it, then what is committed from then on.
// Live, the server waits for nobody: a client that leaves more than a small buffer unread is dropped.
import { randomUUID } from 'node:crypto';
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import { type Filter, filterOf, PAGE } from './filter.ts';
import { eventAnswer, type Outlet } from './outlet.ts';
import { nameOf, streams } from './protocol.ts';
import { isReadable } from './read.ts';
import * as refusals from './refusals.ts';
import type { Recorded, Store } from './store.ts';

/** How many live events a subscription may leave unread. */
const LIVE_BUFFER = 32;

/** What a subscription reads: pages of the past, and which events are its own. */
type Source = {
  /** Events after those read so far, wanted or not; none at the end as of now. */
  next(): Recorded[];
  wants: Filter;
  /** Checkpoint after so many events looked at; null without a filter. */
  interval: number | null;
};

/** The subscriptions of a node. */
export class Subscriptions {
  readonly #running = new Set<Outlet>();

  constructor(readonly store: Store) {}

  /** Ends those that run now with an error. */
  drop(refusal: refusals.Refusal): void {
    for (const outlet of [...this.#running]) outlet.fail(refusal);
  }

  /** Serves a subscription until the client is gone or too slow. */
  async run(options: ReadReq.Options, outlet: Outlet): Promise<void> {
    const stream = options.hasAll() ? null : nameOf(options.getStream()?.getStreamIdentifier());
    if (stream === '') return outlet.fail(refusals.handlerThrew());
    if (stream !== null && this.store.isTombstoned(stream)) return outlet.fail(refusals.streamDeleted(stream));
    if (
      stream === null &&
      options.getAll()?.hasPosition() &&
      !isReadable(this.store, options.getAll() as ReadReq.Options.AllOptions)
    )
      return outlet.fail(refusals.handlerThrew());
    const source = stream === null ? allSource(this.store, options) : streamSource(this.store, stream, options);
    this.#running.add(outlet);
    outlet.onEnd(() => this.#running.delete(outlet));

    outlet.send(confirmation());
    const progress = new Checkpoints(source.interval, outlet);
    await catchUp(this.store, source, outlet, progress);
  }
}

/** Sends the past, page by page, then goes live. */
async function catchUp(store: Store, source: Source, outlet: Outlet, progress: Checkpoints): Promise<void> {
  while (store.isOpen && !outlet.isOver) {
    const page = source.next();
    // In one go: nothing can be committed between finding no more and listening for more.
    if (page.length === 0) return goLive(store, source.wants, outlet, progress);
    const wanted = page.filter(source.wants);
    for (const event of wanted) outlet.send(eventAnswer(event));
    progress.lookedAtPage(page.length, wanted.at(-1) ?? (page[0] as Recorded));
    await outlet.room();
  }
}

function goLive(store: Store, wants: Filter, outlet: Outlet, progress: Checkpoints): void {
  outlet.send(new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp()));
  const unread: (() => void)[] = [];
  let pumping = false;
  const pump = async () => {
    if (pumping) return;
    pumping = true;
    while (unread.length > 0 && !outlet.isOver) {
      if (outlet.isFull) await outlet.room();
      else unread.shift()?.();
    }
    pumping = false;
  };
  const stop = store.onCommit((events) => {
    for (const event of events) {
      if (wants(event)) unread.push(() => outlet.send(eventAnswer(event)));
      const checkpoint = progress.lookedAtLive(event);
      if (checkpoint) unread.push(checkpoint);
      if (unread.length > LIVE_BUFFER) {
        stop();
        return outlet.fail(refusals.consumerTooSlow());
      }
    }
    void pump();
  });
  outlet.onEnd(stop);
}

/** Tells a filtered subscription how far the server looked. */
class Checkpoints {
  #lookedAt = 0;

  constructor(
    readonly interval: number | null,
    readonly outlet: Outlet,
  ) {}

  /** In the past: after a page, at the last event that was wanted, or where the page began. */
  lookedAtPage(count: number, at: Recorded): void {
    if (this.interval === null) return;
    this.#lookedAt += count;
    if (this.#lookedAt < this.interval) return;
    this.#lookedAt %= this.interval;
    this.outlet.send(checkpoint(at));
  }

  /** Live: at the very event. */
  lookedAtLive(event: Recorded): (() => void) | null {
    if (this.interval === null) return null;
    this.#lookedAt += 1;
    if (this.#lookedAt < this.interval) return null;
    this.#lookedAt = 0;
    return () => this.outlet.send(checkpoint(event));
  }
}

/** A stream from after a revision; its truncation holds for the past. */
function streamSource(store: Store, stream: string, options: ReadReq.Options): Source {
  const from = options.getStream() as ReadReq.Options.StreamOptions;
  let after = from.hasRevision() ? Number(from.getRevision()) : from.hasEnd() ? store.tail(stream) : -1;
  let since = 0;
  return {
    wants: (event) => event.stream === stream && event.revision !== null && event.created >= since,
    interval: null,
    next() {
      const visible = store.visible(stream);
      if (!visible) return [];
      since = visible.since;
      const page = store.readStream(stream, Math.max(after + 1, visible.first), Number.MAX_SAFE_INTEGER, PAGE);
      after = page.at(-1)?.revision ?? after;
      return page;
    },
  };
}

/** The whole log from after a position. */
function allSource(store: Store, options: ReadReq.Options): Source {
  const from = options.getAll() as ReadReq.Options.AllOptions;
  const filter = filterOf(options);
  let next = from.hasPosition() ? Number(from.getPosition()?.getCommitPosition()) + 1 : from.hasEnd() ? store.end() : 0;
  return {
    wants: filter?.wants ?? (() => true),
    interval: filter?.interval ?? null,
    next() {
      const page = store.readAll(next, filter?.window ?? PAGE);
      next = (page.at(-1)?.position ?? next - 1) + 1;
      return page;
    },
  };
}

function confirmation() {
  return new streams.ReadResp().setConfirmation(
    new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(randomUUID()),
  );
}

function checkpoint({ position }: Recorded) {
  return new streams.ReadResp().setCheckpoint(
    new streams.ReadResp.Checkpoint().setCommitPosition(String(position)).setPreparePosition(String(position)),
  );
}
