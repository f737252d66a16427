import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lead, opening, parties, refused, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { fact, upTo } from './walk.ts';

// The journal is closed under a running server, as if its disk had gone.
let server: Running;
let tokens: Tokens;
let id: string;
const folder = mkdtempSync(join(tmpdir(), 'jalon-'));
const failure = { requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) };
const { role: _, ...receipt } = fact('candidature.accuse-emis');
const { role: __, ...note } = fact('dossier.note-ajoutee');

beforeAll(async () => {
  server = await run({ folder });
  tokens = await parties(server);
  id = await lead(server, tokens, upTo('candidature.deposee'));
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const unavailable = async (method: string, path: string, body?: unknown, headers = {}) => {
  const answer = await server.call(tokens.charge, method, path, body, headers);
  expect(answer.headers.get('retry-after')).toBe('2');
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.body).toEqual({
    type: '/problems/journal-indisponible',
    title: 'Journal indisponible',
    status: 503,
    detail: expect.any(String),
    ...failure,
  });
};

describe('while the journal is away', () => {
  test('it is ready before', async () => {
    const { status, body } = await server.call(null, 'GET', '/health/ready');
    expect([status, body.status, body.journal.status, body.readModels.status]).toEqual([200, 'ok', 'ok', 'ok']);
    expect(body.journal.durability).toMatchObject({ journal_mode: 'wal', synchronous: 2 });
    await server.product.journal.close();
  });

  test('nothing is recorded: 503, and when to come back', async () => {
    const key = { 'idempotency-key': 'coupure' };
    await unavailable('POST', `/api/dossiers/${id}/facts`, receipt, key);
    await unavailable('POST', `/api/dossiers/${id}/facts`, note);
    await unavailable('POST', '/api/dossiers', opening(fact('candidature.deposee')));
  });

  test('an unknown dossier and a history are not said to be absent: 503', async () => {
    await unavailable('GET', '/api/dossiers/00000000-0000-4000-8000-000000000000');
    await unavailable('GET', `/api/dossiers/${id}/facts`);
  });

  test('what is wrong in a request is still said first', async () => {
    expect((await server.call(null, 'GET', `/api/dossiers/${id}`)).status).toBe(401);
    expect((await server.call(tokens.charge, 'GET', '/api/dossiers?limit=0')).status).toBe(400);
    const invalid = await server.call(tokens.charge, 'POST', `/api/dossiers/${id}/facts`, { ...receipt, data: {} });
    expect(invalid.status).toBe(422);
  });

  test('it lives and is not ready', async () => {
    expect((await server.call(null, 'GET', '/health/live')).body).toEqual({ status: 'ok' });
    const ready = await server.call(null, 'GET', '/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.headers.get('retry-after')).toBe('2');
    expect(ready.body).toMatchObject({ status: 'unavailable', journal: { status: 'unavailable' } });
  });

  test('once it is back, the same request with the same key is recorded, once', async () => {
    await server.stop('keep');
    server = await run({ folder });
    tokens = await parties(server);
    const key = { 'idempotency-key': 'coupure' };
    const send = () => server.call(tokens.charge, 'POST', `/api/dossiers/${id}/facts`, receipt, key);
    const [first, again] = [await send(), await send()];
    expect([first.status, again.status, first.body.revision]).toEqual([201, 201, 1]);
    expect(again.body).toEqual(first.body);
    await refused(server, 'introuvable', () =>
      server.call(tokens.charge, 'GET', '/api/dossiers/00000000-0000-4000-8000-000000000000'),
    );
  });
});
