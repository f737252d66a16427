import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyBundle } from '@jalon/proof';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { catalogue } from '../workflows/index.ts';
import { bundleOf, namedParties } from './bundles.ts';
import { type EventStore, startEventStore } from './eventstore/server.ts';
import { lead, propose } from './parties.ts';
import { PostgresServer } from './postgres.ts';
import { type Running, run } from './running.ts';
import { fact, wayTo } from './walk.ts';

const root = mkdtempSync(join(tmpdir(), 'jalon-nodes-'));
const now = () => new Date('2025-07-02T10:00:00Z');
const find = (name: string, version: number) => catalogue.find(name, version);

let store: EventStore;
let postgres: PostgresServer;
const nodes: Running[] = [];

/** A node over the shared stores; its key file is its own, unless one is named. */
async function node(name: string, env: Record<string, string> = {}): Promise<Running> {
  const shared = { ESDB_URL: store.connectionString, DATABASE_URL: postgres.url };
  const started = await run({ folder: join(root, name), now, env: { ...shared, ...env } });
  nodes.push(started);
  return started;
}

async function stop(one: Running): Promise<void> {
  nodes.splice(nodes.indexOf(one), 1);
  await one.stop('keep');
  expect(one.alarms).toEqual([]);
}

beforeAll(async () => {
  store = await startEventStore({ folder: join(root, 'eventstore') });
  postgres = await PostgresServer.start();
}, 60_000);
afterAll(async () => {
  for (const one of [...nodes]) await stop(one);
  await store.stop();
  await postgres.stop();
  rmSync(root, { recursive: true, force: true });
});

const latest = async (one: Running) => (await one.call(null, 'GET', '/api/checkpoints/latest')).text;

test('one node signs; every node gives proofs and bundles, sealed by the one that holds the key', async () => {
  const first = await node('a');
  const tokens = await namedParties(first);
  const id = await lead(first, tokens, wayTo('j1.centre-attendu'));
  const before = await latest(first);
  const second = await node('b');
  expect(await latest(second)).toBe(before);
  const others = await namedParties(second);
  const added = await propose(second, others, id, fact('dossier.cible-annoncee'));
  const inclusion = await second.call(others.charge, 'GET', `/api/proofs/inclusion?event=${added.body.event.id}`);
  expect([inclusion.status, inclusion.body.treeSize]).toEqual([200, inclusion.body.leafIndex + 1]);
  const report = verifyBundle(await bundleOf(second, others.auditeur, id), { find });
  expect(report.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  expect((await second.call(null, 'GET', '/api/keys')).text).toBe((await first.call(null, 'GET', '/api/keys')).text);

  // Without the one that holds the key, what is signed already is served, and nothing new is signed.
  await stop(first);
  const signed = await latest(second);
  const late = await propose(second, others, id, fact('dossier.cible-annoncee'));
  const path = `/api/proofs/inclusion?event=${late.body.event.id}`;
  const refused = await second.call(others.charge, 'GET', path);
  expect([refused.status, refused.body.type, refused.headers.get('retry-after')]).toEqual([
    503,
    '/problems/preuve-indisponible',
    expect.any(String),
  ]);
  expect(await latest(second)).toBe(signed);

  // Another that holds it, by the same key file, takes over by itself.
  const third = await node('c', { JALON_KEY_FILE: join(root, 'a', 'cle.pem') });
  const there = await third.call(await third.token('auditeur'), 'GET', path);
  expect(there.status).toBe(200);
  expect((await second.call(others.charge, 'GET', path)).body.checkpoint).toBe(there.body.checkpoint);
}, 60_000);
