import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readConfig } from '../apps/api/config.ts';
import { openLog } from '../apps/api/log.ts';
import { openProduct, type Product } from '../apps/api/product.ts';
import { createServer } from '../apps/api/server.ts';
import { opening, refused } from './parties.ts';
import { sendBytes } from './raw.ts';
import { type Answer, run } from './running.ts';
import { fact } from './walk.ts';

const PATIENCE = { request: 1000, silence: 5000, keepAlive: 5000 };
const folder = mkdtempSync(join(tmpdir(), 'jalon-'));
let product: Product;
let app: Awaited<ReturnType<typeof createServer>>;
let url: string;
const lines: string[] = [];

async function start(): Promise<void> {
  product = await openProduct(
    folder,
    () => new Date(),
    () => {},
  );
  const log = openLog('debug', { write: (line) => void lines.push(line) });
  app = await createServer(product, readConfig({ PORT: '0', JALON_SAMPLE: 'none' }), log, PATIENCE);
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
}

beforeAll(start);
afterAll(async () => {
  await app.close();
  await product.close();
  rmSync(folder, { recursive: true, force: true });
});

async function call(method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
  const sent = { method, headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers } };
  const response = await fetch(url + path, body ? { ...sent, body: JSON.stringify(body) } : sent);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text.startsWith('{') ? JSON.parse(text) : text,
  };
}
const token = async () =>
  (await call('POST', '/api/demo/token', { role: 'charge-de-qualification', nom: 'Enora Riou' })).body.access_token;

describe('what is no request', () => {
  test.each<[string, string, number]>([
    ['not HTTP', 'BONJOUR\r\n\r\n', 400],
    ['a header that is none', 'GET /version HTTP/1.1\r\nHost: localhost\r\nsans deux points\r\n\r\n', 400],
    ['HTTP/1.1 without Host', 'GET /version HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    [
      'two tokens',
      'GET /version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\nConnection: close\r\n\r\n',
      400,
    ],
    [
      'a target elsewhere',
      'GET http://evil.example/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      421,
    ],
    ['two Hosts', 'GET /version HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400],
    [
      'two lengths',
      'POST /api/dossiers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
      400,
    ],
    [
      'a length and chunks',
      'POST /api/dossiers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['headers without end', `GET /version HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['a request that never ends', 'POST /api/dossiers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n', 408],
  ])('%s is answered by a problem, and the connection closed', async (_, bytes, status) => {
    const answer = await sendBytes(url, bytes);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.body).toEqual({
      type: expect.stringMatching(/^\/problems\//),
      title: expect.any(String),
      status,
      detail: expect.any(String),
    });
  });
});

describe('every answer', () => {
  test('is the same to a target in absolute form', async () => {
    const answer = await sendBytes(
      url,
      'GET http://localhost/api/dossiers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([401, 'no-store']);
  });

  test('carries the security headers, an id, and nothing of what answers', async () => {
    for (const path of ['/version', '/api/dossiers', '/nowhere', '/docs']) {
      const { headers } = await call('GET', path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers.get('server') ?? headers.get('x-powered-by')).toBeNull();
      expect(headers.get('cache-control')).toBe(path.startsWith('/api') ? 'no-store' : headers.get('cache-control'));
    }
  });
});

describe('the log', () => {
  test('has a line per request, and in none of them a token, a payload, a name or a query', async () => {
    lines.length = 0;
    const bearer = await token();
    const authorization = { authorization: `Bearer ${bearer}` };
    const deposit = opening(fact('candidature.deposee', { offre: 'Offre tenue secrète' }));
    const opened = await call('POST', '/api/dossiers', deposit, { ...authorization, 'idempotency-key': 'cle-secrete' });
    expect(opened.status).toBe(201);
    await call(
      'POST',
      `/api/dossiers/${opened.body.id}/facts`,
      { type: 'j0.acceptee', data: { reference: 'Secrète' } },
      authorization,
    );
    await call('POST', '/api/dossiers', { ...deposit, workflow: 'Secrète' }, authorization);
    await call('GET', '/api/dossiers?q=Secr%C3%A8te', undefined, authorization);
    await call('GET', `/api/dossiers?token=${bearer}`, undefined, authorization);
    await call('GET', '/api/dossiers', undefined, { authorization: `Bearer ${bearer}x` });
    await pause(20);
    const requests = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'answered');
    expect(requests.map(({ method, path, status }) => `${method} ${path} ${status}`)).toEqual([
      'POST /api/demo/token 200',
      'POST /api/dossiers 201',
      `POST /api/dossiers/${opened.body.id}/facts 422`,
      'POST /api/dossiers 422',
      'GET /api/dossiers 200',
      'GET /api/dossiers 400',
      'GET /api/dossiers 401',
    ]);
    // Who asked, from where, and why not.
    expect(requests.map(({ from, who, problem }) => [from, who?.roles.join() ?? '', problem ?? ''])).toEqual([
      ['127.0.0.1', '', ''],
      ['127.0.0.1', 'charge-de-qualification', ''],
      ['127.0.0.1', 'charge-de-qualification', 'proposition-invalide'],
      ['127.0.0.1', 'charge-de-qualification', 'proposition-invalide'],
      ['127.0.0.1', 'charge-de-qualification', ''],
      ['127.0.0.1', 'charge-de-qualification', 'requete-mal-formee'],
      ['127.0.0.1', '', 'non-authentifie'],
    ]);
    const all = lines.join('');
    for (const secret of [bearer, bearer.split('.')[2], 'secrète', 'Secr', 'Enora', 'cle-secrete', 'Bearer'])
      expect(all).not.toContain(secret);
  });

  test('hides a token that is given to it by mistake', () => {
    const written: string[] = [];
    const log = openLog('info', { write: (line) => void written.push(line) });
    log.info({ req: { headers: { authorization: 'Bearer secret' } }, token: 'secret' });
    expect(written).toHaveLength(1);
    expect(written[0]).not.toContain('secret');
  });
});

/** A request on a bare connection that stays open in the middle of its body until `finish`. */
async function half(body: string, bearer: string): Promise<{ socket: Socket; finish: () => Promise<string> }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  const head = `POST /api/dossiers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${bearer}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  socket.write(head + body.slice(0, 20));
  const finish = async () => {
    socket.write(body.slice(20));
    let received = '';
    for await (const chunk of socket.setEncoding('utf8')) received += chunk;
    return received;
  };
  return { socket, finish };
}

describe('closing', () => {
  test('finishes what was accepted: every request under way is answered, and what it recorded is there', async () => {
    const bearer = await token();
    const deposit = opening(fact('candidature.deposee'));
    const before = (await product.journal.tip()) as bigint;
    let arrived = 0;
    app.getHttpServer().on('request', () => {
      arrived += 1;
    });
    const parallel = Array.from({ length: 30 }, () =>
      call('POST', '/api/dossiers', deposit, { authorization: `Bearer ${bearer}` }),
    );
    const slow = await half(JSON.stringify(deposit), bearer);
    // All have arrived: they are being decided, or wait for their turn, for the disk, for the rest of their body.
    while (arrived < 31) await pause(1);
    const closed = app.close();
    await pause(50);
    const [last, ...answers] = [await slow.finish(), ...(await Promise.all(parallel))];
    await closed;
    expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(201));
    expect(last).toMatch(/^HTTP\/1\.1 201 /);
    expect(last).toMatch(/\r\nconnection: close\r\n/i);
    await product.close();

    await start();
    expect(await product.journal.tip()).toBe(before + 31n);
    const again = { authorization: `Bearer ${await token()}` };
    for (const { body } of answers)
      expect((await call('GET', `/api/dossiers/${body.id}`, undefined, again)).body.revision).toBe(0);
  });

  test('does not wait for ever for a request that never ends, nor for connections that ask nothing', async () => {
    const idle = connect(Number(new URL(url).port), '127.0.0.1');
    await once(idle, 'connect');
    const { socket } = await half(JSON.stringify(opening(fact('candidature.deposee'))), await token());
    socket.on('error', () => {});
    const gone = once(socket, 'close');
    const started = performance.now();
    await app.close();
    expect(performance.now() - started).toBeLessThan(PATIENCE.request + 1000);
    await gone;
    idle.destroy();
    await product.close();
    await start();
  });
});

describe('the data folder of a running server', () => {
  test('is for its owner alone, with all that lies in it', async () => {
    await call('GET', '/api/checkpoints/latest');
    const files = readdirSync(folder);
    expect(files).toEqual(
      expect.arrayContaining(['journal.db-wal', 'lectures.db', 'livraisons.db', 'preuve.db', 'cle.pem']),
    );
    const open = [folder, ...files.map((file) => join(folder, file))].filter(
      (path) => (statSync(path).mode & 0o077) !== 0,
    );
    expect(open).toEqual([]);
  });
});

describe('a server beside another', () => {
  test('on the same folder does not start, and says why in one line', async () => {
    await expect(
      openProduct(
        folder,
        () => new Date(),
        () => {},
      ),
    ).rejects.toThrow(/^[^\n]+JALON_DATA[^\n]*$/);
    const other = await run();
    await refused(other, 'non-authentifie', () => other.call(null, 'GET', '/api/dossiers'));
    await other.stop();
  });
});
