// Many subscribers of one stream of events, in a process of their own. Told how many by its parent, it tells when they
// are there, and for each fact when the last of them had it, in milliseconds of Unix time.
import { connect, type Socket } from 'node:net';

/** What the parent asks: subscribers, or that they go and tell what they saw. */
export type ToListeners =
  | { url: string; path: string; token: string; count: number; reading: boolean }
  | { gone: true };

/** The id of each fact, in order, and when the last subscriber had it. */
export type FromListeners = { there: true } | { ids: string[]; lastAt: number[] };

/** Begins every event of a stream but for its cursor and type. */
const MARK = Buffer.from('\ndata: ');

let sockets: Socket[] = [];
let ids: string[] = [];
let arrivals: number[] = [];
let lastAt: number[] = [];

const now = () => performance.timeOrigin + performance.now();
const tell = (message: FromListeners) => process.send?.(message);

function listen({ url, path, token, count, reading }: Exclude<ToListeners, { gone: true }>): void {
  const { hostname, port, host } = new URL(url);
  const request = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\n\r\n`;
  let there = 0;
  for (let i = 0; i < count; i += 1) {
    const socket = connect(Number(port), hostname, () => socket.write(request));
    sockets.push(socket);
    let seen = 0;
    let carried: Buffer<ArrayBufferLike> = Buffer.alloc(0);
    let text = '';
    let answered = false;
    socket.on('error', () => undefined);
    socket.on('data', (part) => {
      if (!answered) {
        answered = true;
        there += 1;
        if (!reading) socket.pause();
        if (there === count) tell({ there: true });
      }
      if (i === 0) {
        text += part.toString();
        const end = text.lastIndexOf('\n\n');
        for (const [, id] of text.slice(0, end + 1).matchAll(/\ndata: \{"specversion":"1.0","id":"([^"]+)"/g))
          ids.push(id as string);
        text = text.slice(end + 1);
      }
      const chunk: Buffer = carried.length > 0 ? Buffer.concat([carried, part]) : part;
      let at = chunk.indexOf(MARK);
      let after = 0;
      while (at >= 0) {
        arrivals[seen] = (arrivals[seen] ?? 0) + 1;
        if (arrivals[seen] === count) lastAt[seen] = now();
        seen += 1;
        after = at + MARK.length;
        at = chunk.indexOf(MARK, after);
      }
      carried = chunk.subarray(Math.max(after, chunk.length - MARK.length + 1));
    });
  }
}

process.on('message', (asked: ToListeners) => {
  if (!('gone' in asked)) return listen(asked);
  for (const socket of sockets) socket.destroy();
  tell({ ids, lastAt });
  sockets = [];
  ids = [];
  arrivals = [];
  lastAt = [];
});
process.send?.({ port: 0 });
