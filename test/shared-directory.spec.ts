import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Scratch, scratchDatabase } from '@jalon/projections/contract';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type EventStore, startEventStore } from './eventstore/server.ts';
import { until } from './eventually.ts';
import { lead, parties, propose, type Tokens } from './parties.ts';
import { PostgresServer } from './postgres.ts';
import { type Running, run } from './running.ts';
import { fact, upTo, walkToJ3 } from './walk.ts';

const root = mkdtempSync(join(tmpdir(), 'jalon-shared-'));
const ISSUER = 'urn:jalon:demonstration';
let store: EventStore;
let postgres: PostgresServer;
let nodes: Scratch;
let alone: Scratch;

beforeAll(async () => {
  store = await startEventStore({ folder: join(root, 'eventstore') });
  postgres = await PostgresServer.start();
  nodes = await scratchDatabase(postgres.url);
  alone = await scratchDatabase(postgres.url);
}, 60_000);
afterAll(async () => {
  await store.stop();
  await postgres.stop();
  rmSync(root, { recursive: true, force: true });
});

const named = async (server: Running, nom: string): Promise<Tokens> => ({
  ...(await parties(server)),
  charge: await server.token('charge-de-qualification', { nom }),
});

const timeline = async (server: Running, id: string) => {
  const token = await server.token('charge-de-qualification');
  return (await server.call(token, 'GET', `/api/dossiers/${id}/timeline`)).text;
};

test('a name and a note recorded on one node show on the other, and what one erases shows on neither', async () => {
  const env = { ESDB_URL: store.connectionString, DATABASE_URL: nodes.url };
  const one = await run({ folder: join(root, 'one'), env });
  const two = await run({ folder: join(root, 'two'), env });
  try {
    const tokens = await named(one, 'Camille Martin');
    const id = await lead(one, tokens, upTo('j1.strategie-validee'));
    await propose(one, tokens, id, fact('dossier.note-ajoutee', { texte: 'Au coffre.' }));
    await until(async () => /Camille Martin.*Au coffre/s.test(await timeline(two, id)));
    // The same person on the other node has the same commitment, hence one row.
    expect((await propose(two, await named(two, 'Camille Martin'), id, fact('dossier.note-ajoutee'))).status).toBe(201);
    expect(await two.product.directory.forget(ISSUER, 'demo-charge-de-qualification')).toBe(1);
    for (const server of [one, two])
      await until(async () => {
        const text = await timeline(server, id);
        return !text.includes('Camille Martin') && text.includes('effacé');
      });
    expect(await timeline(one, id)).toContain('Au coffre');
    // The nodes' own folders have none of it.
    for (const folder of ['one', 'two'])
      for (const file of readdirSync(join(root, folder)).filter((name) => name.includes('.db')))
        expect(readFileSync(join(root, folder, file)).includes('Camille Martin')).toBe(false);
  } finally {
    await one.stop('keep');
    await two.stop('keep');
  }
}, 60_000);

test('what a folder’s own directory held moves to the database when there is one, and nothing of it stays', async () => {
  const folder = join(root, 'alone');
  let server = await run({ folder });
  const tokens = await named(server, 'Gwenn Le Bihan');
  const id = await lead(server, tokens, walkToJ3());
  await propose(server, tokens, id, fact('dossier.note-ajoutee', { texte: 'Sous scellés.' }));
  const before = await timeline(server, id);
  expect(before).toMatch(/Gwenn Le Bihan.*Sous scellés/s);
  await server.stop('keep');

  // Not while the database is away: everything would seem erased.
  await postgres.pause();
  await expect(run({ folder, env: { DATABASE_URL: alone.url } })).rejects.toThrow(/must move to the database/);
  await postgres.resume();
  server = await run({ folder, env: { DATABASE_URL: alone.url } });
  try {
    expect(await timeline(server, id)).toBe(before);
    for (const file of readdirSync(folder).filter((name) => name.includes('.db')))
      for (const text of ['Gwenn Le Bihan', 'Sous scellés'])
        expect([file, readFileSync(join(folder, file)).includes(text)]).toEqual([file, false]);
  } finally {
    await server.stop('keep');
  }
}, 60_000);
