import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type EventStore, startEventStore } from './eventstore/server.ts';
import { until } from './eventually.ts';
import { PostgresServer } from './postgres.ts';
import { Receiver } from './receiver.ts';
import { type Running, run } from './running.ts';
import { fact } from './walk.ts';

const root = mkdtempSync(join(tmpdir(), 'jalon-webhooks-'));

let store: EventStore;
let postgres: PostgresServer;
let receiver: Receiver;
const nodes = new Map<string, Running>();

beforeAll(async () => {
  store = await startEventStore({ folder: join(root, 'eventstore') });
  postgres = await PostgresServer.start();
  receiver = await Receiver.open();
}, 60_000);
afterAll(async () => {
  for (const node of nodes.values()) await node.stop();
  await receiver.close();
  await store.stop();
  await postgres.stop();
  rmSync(root, { recursive: true, force: true });
}, 60_000);

/** A node over the log and the database that all of them share. */
async function node(name: string, roles: string): Promise<Running> {
  const env = {
    ESDB_URL: store.connectionString,
    DATABASE_URL: postgres.url,
    JALON_ROLES: roles,
    JALON_WEBHOOK_ALLOW: '127.0.0.0/8',
  };
  const running = await run({ folder: join(root, name), env });
  nodes.set(name, running);
  return running;
}

/** Opens a dossier with some facts; their ids. */
async function record(at: Running, count: number): Promise<string[]> {
  const token = await at.token('charge-de-qualification');
  const { role: _, ...first } = fact('candidature.deposee');
  const opened = await at.call(token, 'POST', '/api/dossiers', { workflow: 'secnumcloud', fact: first });
  expect(opened.status).toBe(201);
  const ids = [opened.body.event.id];
  const { role: __, ...target } = fact('dossier.cible-annoncee');
  while (ids.length < count) {
    const { body } = await at.call(token, 'POST', `/api/dossiers/${opened.body.id}/facts`, target);
    ids.push(body.event.id);
  }
  return ids;
}

const delivering = () => [...nodes].flatMap(([name, { product }]) => (product.leaving.isDelivering() ? [name] : []));

describe('Several nodes over one log and one database', () => {
  test('one delivers, whoever set the webhook up and recorded the facts; when it stops another goes on', async () => {
    const api = await node('api', 'api,projector');
    const one = await node('un', 'delivery');
    const token = await api.token('charge-de-qualification');
    const made = await api.call(token, 'POST', '/api/webhooks', { url: receiver.url });
    expect(made.status).toBe(201);
    const before = await record(api, 5);
    await until(async () => receiver.received.length === 5);
    const another = await node('deux', 'delivery');
    expect(delivering()).toEqual(['un']);

    receiver.answer = () => ({ status: 503 });
    const meanwhile = await record(api, 3);
    await until(async () => receiver.received.length > 5);
    await one.stop();
    nodes.delete('un');
    receiver.answer = () => ({ status: 204 });
    await until(async () => another.product.leaving.isDelivering());
    const after = await record(api, 2);
    await until(async () => [...meanwhile, ...after].every((id) => receiver.ids.includes(id)));
    const once = [...new Set(receiver.ids)];
    for (const ids of [before, meanwhile, after]) expect(once.filter((id) => ids.includes(id))).toEqual(ids);
    // What was delivered before is not again.
    expect(receiver.ids.filter((id) => before.includes(id))).toEqual(before);

    const path = `/api/webhooks/${made.body.id}`;
    await until(async () => (await api.call(token, 'GET', path)).body.health.delivered === 10);
    // Settings changed on a node that does not deliver reach the one that does.
    await api.call(token, 'PATCH', path, { types: ['j0.*'] });
    await until(async () => {
      const seen = receiver.received.length;
      await record(api, 1);
      return receiver.received.length === seen;
    });
    await api.call(token, 'POST', `${path}/replay`, { from: 'start' });
    await until(async () => (await api.call(token, 'GET', path)).body.health.pending === 0);
  }, 60_000);

  test('while the database is away facts are recorded, and leave once it is back', async () => {
    const api = nodes.get('api') as Running;
    const token = await api.token('charge-de-qualification');
    const mine = await Receiver.open();
    expect((await api.call(token, 'POST', '/api/webhooks', { url: mine.url })).status).toBe(201);
    const stream = new AbortController();
    const events = await fetch(`${api.url}/api/events`, {
      headers: { authorization: `Bearer ${token}` },
      signal: stream.signal,
    });
    await postgres.pause();
    const away = await api.call(token, 'GET', '/api/webhooks');
    expect([away.status, away.body.type, away.headers.get('retry-after')]).toEqual([
      503,
      '/problems/livraisons-indisponibles',
      '2',
    ]);
    // Streams need no database.
    const feed = await api.call(token, 'GET', '/api/feed?limit=1');
    expect([feed.status, feed.body.length]).toEqual([200, 1]);
    expect(events.status).toBe(200);
    await postgres.resume();
    await until(async () => (await api.call(token, 'GET', '/api/webhooks')).status === 200);
    const ids = await record(api, 3);
    await until(async () => ids.every((id) => mine.ids.includes(id)));
    expect([...new Set(mine.ids)]).toEqual(ids);
    stream.abort();
    await mine.close();
  }, 60_000);
});
