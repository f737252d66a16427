import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifierKey } from './note.ts';
import type { Witness } from './witness.ts';

/** A witness that answers over HTTP, and how it is stopped. */
export type ServedWitness = { url: string; close(): Promise<void> };

/** A checkpoint with a hundred signatures and a proof over any tree are well below it. */
const LONGEST_BODY = 65_536;

/**
 * Answers `POST /add-checkpoint` (C2SP tlog-witness), and at `/` says which key it has and which checkpoints it cosigned.
 * @throws the system's own error when it cannot listen there
 */
export async function serveWitness(witness: Witness, host: string, port: number): Promise<ServedWitness> {
  const server = createServer((request, response) => {
    answer(witness, request, response).catch(() => response.destroy());
  });
  server.requestTimeout = 10_000;
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(port, host, listening);
  });
  const { port: taken } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((closed) => {
      server.close(() => closed());
      server.closeAllConnections();
    });
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`, close };
}

async function answer(witness: Witness, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url } = request;
  const tell = (status: number, body: string, type = 'text/plain; charset=utf-8') =>
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
  if (url === '/' && method === 'GET') return void tell(200, summaryOf(witness));
  if (url !== '/add-checkpoint') return void tell(404, 'This is a witness: POST /add-checkpoint, GET /.\n');
  if (method !== 'POST') return void tell(405, 'POST /add-checkpoint.\n');
  const body = await bodyOf(request);
  if (body === null) return void tell(413, `A body has ${LONGEST_BODY} bytes at most.\n`);
  const given = witness.addCheckpoint(body);
  tell(given.status, given.body, given.type);
}

/** The key, then for each log when the last checkpoint was cosigned, and the checkpoint. */
function summaryOf(witness: Witness): string {
  const seen = witness.seen().map(({ at, note }) => `\n${at}\n${note}`);
  return `${verifierKey(witness.key, 'cosignature')}\n${seen.join('')}`;
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_BODY) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
