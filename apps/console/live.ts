import type { QueryClient } from '@tanstack/react-query';
import { useQueryClient } from '@tanstack/react-query';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { useEffect, useState } from 'react';
import type { Schemas } from './client.ts';
import { leave, type Session } from './session.ts';

/** What the tab that listens tells the others: the dossiers in which something happened, or since when nothing is heard. */
type News = { dossiers: string[] } | { lostAt: number | null };
type Tell = (news: News) => void;

/** The server sends at least a comment every 15 s: silence for longer means that the connection is dead. */
const SILENCE_MS = 40_000;
/** Facts that come together are told together. */
const TOGETHER_MS = 200;
const RETRY_MS = { first: 1_000, most: 10_000 };

/** Since when the connection is lost, and when it last came back, in milliseconds since 1970. */
export type Connection = { lostAt: number | null; backAt: number | null };

const WELL: Connection = { lostAt: null, backAt: null };

/**
 * Keeps what is on the screen up to date as long as somebody is logged in, and says how the connection is.
 *
 * A browser opens six connections to a server at most, whatever the number of its tabs: one tab listens, by a lock, and
 * tells the others.
 */
export function useLive(session: Session | null): Connection {
  const queries = useQueryClient();
  const [connection, setConnection] = useState(WELL);
  useEffect(() => {
    setConnection(WELL);
    if (!session) return;
    const place = `jalon.nouvelles.${session.roles}.${session.org ?? ''}.${session.sub}`;
    const tabs = new BroadcastChannel(place);
    const stop = new AbortController();
    const hear = (news: News) => {
      if ('dossiers' in news) refresh(queries, news.dossiers);
      else setConnection((before) => told(before, news.lostAt));
    };
    const tell = (news: News) => {
      hear(news);
      tabs.postMessage(news);
    };
    tabs.onmessage = ({ data }: MessageEvent<News>) => hear(data);
    inTurn(place, stop.signal, (takesOver) => listen(session.token, tell, stop.signal, takesOver)).catch(
      (fault: unknown) => {
        if (!stop.signal.aborted) throw fault;
      },
    );
    return () => {
      stop.abort();
      tabs.close();
    };
  }, [session, queries]);
  return connection;
}

/** What is known of the connection after it was said to be lost since an instant, or not to be. */
function told(before: Connection, lostAt: number | null): Connection {
  if (lostAt !== null) return { lostAt, backAt: null };
  return before.lostAt === null ? before : { lostAt, backAt: Date.now() };
}

/** Does what one tab does for all, as soon as no other does; `work` is told whether another did before. */
async function inTurn(place: string, stop: AbortSignal, work: (takesOver: boolean) => Promise<void>): Promise<void> {
  const first = await navigator.locks.request(place, { ifAvailable: true }, async (lock) => {
    if (lock) await work(false);
    return lock !== null;
  });
  if (!first && !stop.aborted) await navigator.locks.request(place, { signal: stop }, () => work(true));
}

/** Reads again what is on the screen of these dossiers, and whatever speaks of several; of all of them when none is named. */
function refresh(queries: QueryClient, dossiers: readonly string[]): void {
  const fixed = ['version', 'workflows', 'workflow', 'schema', 'requirements', 'diagram'];
  void queries.invalidateQueries({
    predicate: ({ queryKey: [kind, id] }) =>
      !fixed.includes(String(kind)) && (kind !== 'dossier' || dossiers.length === 0 || dossiers.includes(String(id))),
  });
}

/** Listens until it is told to stop, coming back after the last fact heard whenever the connection breaks. */
async function listen(token: string, tell: Tell, stop: AbortSignal, takesOver: boolean): Promise<void> {
  let missed = takesOver;
  let last: string | undefined;
  let wait = RETRY_MS.first;
  let lostAt: number | null = null;
  while (!stop.aborted) {
    try {
      const stream = await open(token, last, stop);
      if (stream === null) return;
      // What happened while nothing was heard comes now when a fact was heard before; otherwise all is read again.
      if (missed && last === undefined) tell({ dossiers: [] });
      if (missed) tell({ lostAt: null });
      missed = false;
      lostAt = null;
      wait = RETRY_MS.first;
      last = await read(stream, last, tell);
    } catch {
      // Whatever broke, coming back is all there is to do; it is told below.
    }
    if (stop.aborted) return;
    missed = true;
    lostAt ??= Date.now();
    tell({ lostAt });
    await pause(wait, stop);
    wait = Math.min(wait * 2, RETRY_MS.most);
  }
}

/** Null when this caller is told nothing, or no longer: their role receives no fact, or their token is over. */
async function open(token: string, last: string | undefined, stop: AbortSignal): Promise<ReadableStream | null> {
  const headers: Record<string, string> = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
  if (last !== undefined) headers['last-event-id'] = last;
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  const response = await fetch('/api/events', { headers, signal: AbortSignal.any([stop, silence.signal]) });
  if (response.status === 401) leave('expired');
  if (response.status === 401 || response.status === 403) return null;
  if (!response.ok || !response.body) throw new Error(`/api/events answers ${response.status}`);
  const heard = new TransformStream<Uint8Array, Uint8Array>({
    transform(bytes, controller) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      controller.enqueue(bytes);
    },
  });
  return response.body.pipeThrough(heard);
}

/** Tells every fact until the stream ends; gives the cursor of the last one. */
async function read(stream: ReadableStream, before: string | undefined, tell: Tell) {
  let last = before;
  let touched = new Set<string>();
  const reader = stream.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()).getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const { id, data } = next.value;
      last = id ?? last;
      if (touched.size === 0)
        setTimeout(() => {
          tell({ dossiers: [...touched] });
          touched = new Set();
        }, TOGETHER_MS);
      touched.add((JSON.parse(data) as Schemas['CloudEvent']).subject);
    }
  } catch {
    // The connection broke: what was heard before counts.
  }
  return last;
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    stop.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        done();
      },
      { once: true },
    );
  });
}
