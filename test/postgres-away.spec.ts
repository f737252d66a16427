import { collect } from '@jalon/journal/contract';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from './eventually.ts';
import { lead, opening, parties, propose, type Tokens } from './parties.ts';
import { PostgresServer } from './postgres.ts';
import { type Running, run } from './running.ts';
import { fact, upTo } from './walk.ts';

// A server whose read models and directory are in a database of this file's own, which goes away and comes back.
let postgres: PostgresServer;
let server: Running;
let tokens: Tokens;
let id: string;
const deposit = opening(fact('candidature.deposee'));

beforeAll(async () => {
  postgres = await PostgresServer.start();
  server = await run({ env: { DATABASE_URL: postgres.url } });
  tokens = await parties(server);
  tokens = await named('Camille Martin');
  id = await lead(server, tokens, upTo('candidature.deposee'));
  expect((await note('avant')).status).toBe(201);
}, 30_000);
afterAll(async () => {
  await server.stop();
  await postgres.stop();
});

const list = () => server.call(tokens.charge, 'GET', '/api/dossiers?limit=200');
const ready = () => server.call(null, 'GET', '/health/ready');
const append = () => server.call(tokens.prestataire, 'POST', '/api/dossiers', deposit);
const history = async (of: string) => (await server.call(tokens.charge, 'GET', `/api/dossiers/${of}/facts`)).body.items;
/** The charge, under a name that the directory may know or not. */
const named = async (nom: string) => ({ ...tokens, charge: await server.token('charge-de-qualification', { nom }) });
const NOTE = { type: 'dossier.note-ajoutee', data: { texte: 'Relire la stratégie.' } };
const note = (key: string) =>
  server.call(tokens.charge, 'POST', `/api/dossiers/${id}/facts`, NOTE, { 'idempotency-key': key });

/** Who else may have asked the database meanwhile, and been told. */
const TOO = [
  'checkpoints cannot be cut, and will be tried again',
  'what is recorded cannot leave, and will be tried again',
  'the clock failed, and will try again',
  'the clock waits for its database',
];

const AWAY = [
  'the directory of persons is away, and will be tried again',
  'the read models failed and will be tried again',
];

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
    expect([status, body.revision, body.entries[1].actor.nom]).toEqual([200, 1, 'Camille Martin']);
    expect((await list()).body.items).toHaveLength(1);
    const { body: health } = await ready();
    expect([health.status, health.readModels.status, health.directory]).toEqual([
      'ok',
      'ok',
      { status: 'ok', durability: { adapter: 'postgresql', synchronous_commit: 'on', fsync: 'off' } },
    ]);
  });

  test('when the database goes away under load, facts are recorded, reading says when to come back, and it is ready for what it can', async () => {
    const stop = openMeanwhile();
    await postgres.pause();
    for (const path of ['/api/dossiers', `/api/dossiers/${id}/timeline`]) {
      const { status, body, headers } = await server.call(tokens.charge, 'GET', path);
      expect([status, body.type, headers.get('retry-after')]).toEqual([503, '/problems/vues-indisponibles', '2']);
    }
    const { status, body } = await ready();
    expect([status, body.status, body.journal.status, body.readModels, body.directory]).toEqual([
      200,
      'degraded',
      'ok',
      { status: 'unavailable', reason: 'ReadModelsUnavailable' },
      { status: 'unavailable', reason: 'DirectoryUnavailable' },
    ]);
    expect((await server.call(tokens.charge, 'GET', `/api/dossiers/${id}`)).status).toBe(200);
    expect((await server.call(null, 'GET', '/metrics')).status).toBe(200);
    expect((await append()).status).toBe(201);
    expect((await stop()).length).toBeGreaterThan(0);
    expect(new Set(server.alarms)).toEqual(new Set([...AWAY, ...server.alarms.filter((said) => TOO.includes(said))]));
  });

  test('meanwhile an unknown name is recorded without a commitment, an erasable fact gets 503, nothing is shown as erased', async () => {
    const stranger = await named('Dominique Petit');
    const receipt = fact('candidature.accuse-emis');
    const [{ body: opened }] = [await append()];
    const recorded = await propose(server, stranger, opened.id, receipt);
    expect([recorded.status, recorded.body.event.meta.actor]).toEqual([
      201,
      expect.not.objectContaining({ nom: expect.anything() }),
    ]);
    const refused = await note('pendant');
    expect([refused.status, refused.body.type, refused.headers.get('retry-after')]).toEqual([
      503,
      '/problems/annuaire-indisponible',
      '2',
    ]);
    // A repeated key cannot be compared with what lies there.
    expect((await note('avant')).body.type).toBe('/problems/annuaire-indisponible');
    await until(async () => (await history(id))[1].meta.actor.nom === 'indisponible');
    const [, noted] = await history(id);
    expect([noted.data, noted.meta.unavailable, noted.meta.erased]).toEqual([{}, true, undefined]);
  });

  test('once it is back, they catch up by themselves and are what a rebuild gives', async () => {
    const stop = openMeanwhile();
    await postgres.resume();
    await until(async () => (await list()).status === 200);
    await until(async () => (await ready()).status === 200);
    await stop();
    await until(async () => (await ready()).body.status === 'ok');
    const [, noted] = await history(id);
    expect([noted.data, noted.meta.actor.nom]).toEqual([NOTE.data, 'Camille Martin']);
    const again = await note('pendant');
    expect([again.status, again.body.event.data, again.body.event.meta.actor.nom]).toEqual([
      201,
      NOTE.data,
      'Camille Martin',
    ]);
    expect((await note('avant')).body.event.id).toBe(noted.id);
    await until(async () => (await list()).headers.get('x-position') === String(await server.product.journal.tip()));
    const live = await listed();
    const facts = await collect(server.product.journal.readAll(null, { prefixes: ['dossier-'] }));
    // Two notes and a receipt are no openings.
    expect(live.length).toBe(facts.length - 3);
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
    expect(new Set(server.alarms)).toEqual(new Set([...AWAY, ...server.alarms.filter((said) => TOO.includes(said))]));
  }, 30_000);
});
