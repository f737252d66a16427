// Streams.Read without a subscription: a stream or $all, forwards or backwards, page by page as the client takes it.
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import { filterOf, PAGE } from './filter.ts';
import { eventAnswer, type Outlet } from './outlet.ts';
import { identifierOf, nameOf, streams } from './protocol.ts';
import * as refusals from './refusals.ts';
import type { Recorded, Store } from './store.ts';

/** Answers a read; `fromRevision` and `fromPosition` are inclusive. */
export async function read(store: Store, options: ReadReq.Options, outlet: Outlet): Promise<void> {
  const count = Number(options.getCount());
  // Of $all the real server never answers it.
  if (count === 0) return options.hasAll() ? undefined : outlet.fail(refusals.readFailed());
  const backwards = options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS;
  const pages = options.hasAll() ? allPages(store, options, backwards) : streamPages(store, options, backwards);
  if ('refusal' in pages) return outlet.fail(pages.refusal);
  if ('notFound' in pages) {
    outlet.send(notFound(pages.notFound));
    return outlet.finish();
  }
  let left = count;
  while (left > 0 && !outlet.isOver && store.isOpen) {
    const page = pages.next(PAGE);
    if (page.length === 0) break;
    const wanted = page.filter(pages.wants).slice(0, left);
    for (const event of wanted) outlet.send(eventAnswer(event));
    left -= wanted.length;
    await outlet.room();
  }
  outlet.finish();
}

/** The next events in order, at most `limit`; none at the end. */
type Pages = { next: (limit: number) => Recorded[]; wants: (event: Recorded) => boolean };

function streamPages(
  store: Store,
  options: ReadReq.Options,
  backwards: boolean,
): Pages | { refusal: refusals.Refusal } | { notFound: string } {
  const from = options.getStream() as ReadReq.Options.StreamOptions;
  const stream = nameOf(from.getStreamIdentifier());
  if (stream === '') return { refusal: refusals.handlerThrew() };
  if (store.isTombstoned(stream)) return { refusal: refusals.streamDeleted(stream) };
  const visible = store.visible(stream);
  if (!visible) return { notFound: stream };
  let at = from.hasEnd() ? visible.last : from.hasStart() ? 0 : Number(from.getRevision());
  // Backwards without a revision begins at the start, as the client asks: that is one event.
  if (from.hasEnd() && !backwards) return { refusal: refusals.readFailed() };
  return {
    wants: ({ created }) => created >= visible.since,
    next(limit) {
      const page = backwards
        ? store.readStream(stream, visible.first, at, limit, true)
        : store.readStream(stream, Math.max(at, visible.first), Number.MAX_SAFE_INTEGER, limit);
      const last = page.at(-1)?.revision ?? at;
      at = backwards ? last - 1 : last + 1;
      return page;
    },
  };
}

function allPages(store: Store, options: ReadReq.Options, backwards: boolean): Pages | { refusal: refusals.Refusal } {
  const from = options.getAll() as ReadReq.Options.AllOptions;
  const position = Number(from.getPosition()?.getCommitPosition() ?? 0);
  if (from.hasPosition() && !isReadable(store, from)) return { refusal: refusals.readFailed() };
  let at = from.hasEnd() ? Number.MAX_SAFE_INTEGER : from.hasStart() ? 0 : position;
  return {
    wants: filterOf(options)?.wants ?? (() => true),
    next(limit) {
      const page = store.readAll(at, limit, backwards);
      const last = page.at(-1)?.position ?? at;
      // Backwards, a position is the place before which to read.
      at = backwards ? last : last + 1;
      return page;
    },
  };
}

/** Whether a position is one that the log has: where a record begins, prepared no later than it was committed. */
export function isReadable(store: Store, from: ReadReq.Options.AllOptions): boolean {
  const commit = Number(from.getPosition()?.getCommitPosition());
  return store.isPlace(commit) && Number(from.getPosition()?.getPreparePosition()) <= commit;
}

function notFound(stream: string) {
  return new streams.ReadResp().setStreamNotFound(
    new streams.ReadResp.StreamNotFound().setStreamIdentifier(identifierOf(stream)),
  );
}
