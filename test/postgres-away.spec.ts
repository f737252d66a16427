import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from './eventually.ts';
import { lead, opening, parties, type Tokens } from './parties.ts';
import { PostgresServer } from './postgres.ts';
import { type Running, run } from './running.ts';
import { fact, upTo } from './walk.ts';

// A server whose read models are in a database of this file's own, which goes away and comes back.
let postgres: PostgresServer;
let server: Running;
let tokens: Tokens;
let id: string;
const deposit = opening(fact('candidature.deposee'));

beforeAll(async () => {
  postgres = await PostgresServer.start();
  server = await run({ env: { DATABASE_URL: postgres.url } });
  tokens = await parties(server);
  id = await lead(server, tokens, upTo('candidature.deposee'));
}, 30_000);
afterAll(async () => {
  await server.stop();
  await postgres.stop();
});

const list = () => server.call(tokens.charge, 'GET', '/api/dossiers?limit=200');
const ready = () => server.call(null, 'GET', '/health/ready');
const append = () => server.call(tokens.prestataire, 'POST', '/api/dossiers', deposit);

/** As many openings as it takes until told to stop; all must be recorded. */
function openMeanwhile(): () => Promise<string[]> {
  let going = true;
  const ids: string[] = [];
  const opening = (async () => {
    while (going) {
      const { status, body } = await append();
      if (status !== 201) throw new Error(`Answered ${status}: ${JSON.stringify(body)}`);
      ids.push(body.id);
    }
  })();
  return async () => {
    going = false;
    await opening;
    return ids;
  };
}

/** Everything that the list shows, page after page. */
async function listed(): Promise<{ id: string }[]> {
  const items: { id: string }[] = [];
  let path: string | undefined = '/api/dossiers?limit=200&sort=openedAt';
  while (path) {
    const { status, body } = await server.call(tokens.charge, 'GET', path);
    expect(status).toBe(200);
    items.push(...body.items);
    path = body.next;
  }
  return items;
}

describe('read models in PostgreSQL', () => {
  test('are shown as soon as a fact is acknowledged', async () => {
    const { status, body } = await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/timeline`);
    expect([status, body.revision]).toEqual([200, 0]);
    expect((await list()).body.items).toHaveLength(1);
    const { body: health } = await ready();
    expect([health.status, health.readModels.status]).toEqual(['ok', 'ok']);
  });

  test('when the database goes away under load, facts are recorded, reading says when to come back, and it is not ready', async () => {
    const stop = openMeanwhile();
    await postgres.pause();
    for (const path of ['/api/dossiers', `/api/dossiers/${id}/timeline`]) {
      const { status, body, headers } = await server.call(tokens.charge, 'GET', path);
      expect([status, body.type, headers.get('retry-after')]).toEqual([503, '/problems/vues-indisponibles', '2']);
    }
    const { status, body } = await ready();
    expect([status, body.journal.status, body.readModels]).toEqual([
      503,
      'ok',
      { status: 'unavailable', reason: 'ReadModelsUnavailable' },
    ]);
    expect((await server.call(tokens.charge, 'GET', `/api/dossiers/${id}`)).status).toBe(200);
    expect((await server.call(null, 'GET', '/metrics')).status).toBe(200);
    expect((await append()).status).toBe(201);
    expect((await stop()).length).toBeGreaterThan(0);
    expect(server.alarms).toEqual(['the read models failed and will be tried again']);
  });

  test('once it is back, they catch up by themselves and are what a rebuild gives', async () => {
    const stop = openMeanwhile();
    await postgres.resume();
    await until(async () => (await list()).status === 200);
    await until(async () => (await ready()).status === 200);
    await stop();
    const live = await listed();
    expect(live.length).toBe(Number(await server.product.journal.tip()));
    await server.product.projector.rebuild('all', () => undefined);
    expect(await listed()).toEqual(live);
  }, 30_000);

  test('are not needed to start: facts are recorded, and shown once the database is there', async () => {
    const { folder } = server.product;
    await server.stop('keep');
    await postgres.pause();
    server = await run({ folder, env: { DATABASE_URL: postgres.url } });
    tokens = await parties(server);
    const { status, body } = await append();
    expect(status).toBe(201);
    expect((await list()).body.type).toBe('/problems/vues-indisponibles');
    await postgres.resume();
    await until(async () => (await list()).status === 200);
    expect((await listed()).map((item) => item.id)).toContain(body.id);
    expect(server.alarms).toEqual(['the read models failed and will be tried again']);
  }, 30_000);
});
