import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportTo } from '../apps/cli/export.ts';
import { importFrom } from '../apps/cli/house.ts';
import { type EventStore, startEventStore } from './eventstore/server.ts';
import { until } from './eventually.ts';
import { Reader } from './leaving.ts';
import { lead, parties, propose, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { upTo, walkToJ3 } from './walk.ts';

const root = mkdtempSync(join(tmpdir(), 'jalon-events-'));
const silent = () => undefined;

let store: EventStore;
let foreign: EventStoreDBClient;
let server: Running;
let tokens: Tokens;

beforeAll(async () => {
  store = await startEventStore({ folder: join(root, 'eventstore') });
  foreign = EventStoreDBClient.connectionString(store.connectionString);
}, 60_000);
afterAll(async () => {
  await server.stop();
  await foreign.dispose();
  await store.stop();
  rmSync(root, { recursive: true, force: true });
});

/** What other applications write to the same database. */
const others = () =>
  foreign.appendToStream(
    'ailleurs',
    [1, 2, 3].map((i) => jsonEvent({ type: 'autre', data: { i } })),
  );

const nextOf = ({ headers }: Answer) => /^<([^>]+)>/.exec(headers.get('link') ?? '')?.[1] as string;

/** Everything from an address on. */
async function drain(at: Running, token: string, path: string) {
  const ids: string[] = [];
  for (let next = path; ; ) {
    const page = await at.call(token, 'GET', next);
    expect(page.status).toBe(200);
    ids.push(...page.body.map((event: { id: string }) => event.id));
    next = nextOf(page);
    if (page.body.length === 0) return { ids, next };
  }
}

describe('Over EventStoreDB', () => {
  let kept: { ids: string[]; next: string };

  test('cursors of before a move to it stay good: nothing is lost, what comes again has the same ids', async () => {
    const before = await run({ folder: join(root, 'old') });
    const theirs = await parties(before);
    await lead(before, theirs, walkToJ3());
    kept = await drain(before, theirs.charge, '/api/feed?limit=10');
    const unseen = await lead(before, theirs, upTo('j0.acceptee'));
    const all = (await drain(before, theirs.charge, '/api/feed')).ids;
    await before.stop('keep');

    await others();
    const file = join(root, 'journal.jsonl');
    const node = join(root, 'node');
    await exportTo(file, { folder: join(root, 'old') }, silent);
    await importFrom(file, { folder: node, eventStore: store.connectionString }, silent);
    // With it moves the key that seals cursors; without it they are refused, and a consumer begins again.
    cpSync(join(root, 'old', 'livraisons.db'), join(node, 'livraisons.db'));
    server = await run({ folder: node, env: { ESDB_URL: store.connectionString } });
    tokens = await parties(server);
    const step = walkToJ3()[7] as never;
    const added = (await propose(server, tokens, unseen, step)).body.event.id;
    const after = await drain(server, tokens.charge, kept.next);
    expect([...new Set([...kept.ids, ...after.ids])]).toEqual([...all, added]);
    // And from there on it is a cursor of this log: nothing comes again.
    expect((await drain(server, tokens.charge, after.next)).ids).toEqual([]);
  }, 60_000);

  test('the feed is the same whatever the size of its pages, and passes over what others write', async () => {
    const whole = await drain(server, tokens.charge, '/api/feed?limit=200');
    for (const limit of [1, 7]) {
      await others();
      expect((await drain(server, tokens.charge, `/api/feed?limit=${limit}`)).ids).toEqual(whole.ids);
    }
    const id = await lead(server, tokens, upTo('candidature.deposee'));
    await others();
    const more = await drain(server, tokens.charge, whole.next);
    expect(more.ids).toHaveLength(1);
    const { items } = (await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/facts`)).body;
    expect(more.ids).toEqual([items[0].id]);
  }, 60_000);

  test('a stream loses nothing when the database drops what it follows, or cuts every connection', async () => {
    const leaving = new AbortController();
    const reader = new Reader();
    const answer = await fetch(`${server.url}/api/events`, {
      headers: { authorization: `Bearer ${tokens.charge}` },
      signal: leaving.signal,
    });
    const reading = (async () => {
      for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>)
        reader.sink.write(Buffer.from(part).toString());
    })().catch(silent);
    const before = (await drain(server, tokens.charge, '/api/feed')).next;
    const walk = walkToJ3();
    let id = '';
    for (const [i, step] of walk.entries()) {
      if (i === 0) id = await lead(server, tokens, [step]);
      else await until(async () => (await propose(server, tokens, id, step)).status === 201);
      if (i % 9 === 4) store.hooks.dropSubscriptions(i % 2 ? 'too-slow' : 'unavailable');
      if (i % 9 === 8) store.hooks.cutConnections();
      if (i % 5 === 0) await others().catch(silent);
    }
    await until(async () => reader.events.length >= walk.length);
    expect(reader.ids).toEqual((await drain(server, tokens.charge, before)).ids);
    expect(reader.events.map(({ revision }) => revision)).toEqual(walk.map((_, i) => i));
    leaving.abort();
    await reading;
  }, 60_000);
});
