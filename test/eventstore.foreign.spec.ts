import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Journal, NO_STREAM, openEventStoreJournal } from '@jalon/journal';
import { collect, idsOf, sampleChain } from '@jalon/journal/contract';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freshStream } from './appenders.ts';
import { type EventStore, startEventStore } from './eventstore/server.ts';
import type { Proposed } from './eventstore/store.ts';
import { until } from './eventually.ts';
import { buildProduct, ServerProcess } from './server-process.ts';

/** What another application writes. */
const foreign = (json: boolean, data: Uint8Array): Proposed => ({
  id: randomUUID(),
  type: 'panier.rempli',
  json,
  data,
  metadata: Buffer.from('{"par":"ailleurs"}'),
});

type Readiness = { journal: { status: string }; readModels: { projections?: { behind: number | null }[] } };

const SIXTEEN_MB = 16 * 1024 * 1024;
const COUNT = 100_000;

let folder: string;
let server: EventStore;

beforeAll(async () => {
  buildProduct();
  folder = mkdtempSync(join(tmpdir(), 'jalon-eventstore-'));
  server = await startEventStore({ folder });
  const binary = foreign(false, new Uint8Array(SIXTEEN_MB).fill(7));
  const text = Buffer.from(JSON.stringify({ article: 'x'.repeat(100) }));
  for (const stream of ['panier-1', 'dossier-d-ailleurs']) server.store.append(stream, 'any', [binary]);
  server.store.append(
    'panier-2',
    'any',
    Array.from({ length: COUNT }, () => foreign(true, text)),
  );
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

describe('In a store where most is another application’s', () => {
  test('reading the whole log, its tip and what follows costs our own events', async () => {
    const journal: Journal = await openEventStoreJournal(server.connectionString);
    const stream = freshStream();
    const facts = sampleChain(stream, 600);
    for (let i = 0; i < facts.length; i += 100)
      await journal.append(stream, i === 0 ? NO_STREAM : i - 1, facts.slice(i, i + 100));
    server.store.append('panier-2', 'any', [foreign(false, new Uint8Array(SIXTEEN_MB))]);

    let before = server.sent();
    const cost = () => {
      const sent = server.sent() - before;
      before = server.sent();
      return sent;
    };
    const read = await collect(journal.readAll(null));
    expect(idsOf(read)).toEqual(idsOf(facts));
    // The end of the log, the facts, the last of a page again, and what somebody else wrote into a stream named like ours.
    expect(cost()).toBeLessThanOrEqual(1 + 600 + 2 + 1);

    expect(await journal.tip()).toBe(read.at(-1)?.position);
    expect(cost()).toBeLessThanOrEqual(2);
    server.store.append('panier-2', 'any', [foreign(true, Buffer.from('{}'))]);
    expect(await journal.tip()).toBe(read.at(-1)?.position);
    expect(cost()).toBeLessThanOrEqual(2);

    const following = journal.subscribe(read.at(-2)?.position ?? null, {}, new AbortController().signal);
    for await (const page of following) {
      expect(idsOf(page)).toEqual(idsOf(read.slice(-1)));
      break;
    }
    expect(cost()).toBeLessThanOrEqual(3);
    await journal.close();
  });

  test('the product starts, projects and answers under the heap that it is shipped with', async () => {
    const product = await ServerProcess.start(join(folder, 'noeud'), {
      ESDB_URL: server.connectionString,
      NODE_OPTIONS: '--max-old-space-size=384 --max-semi-space-size=8',
    });
    const readiness = async () => (await (await fetch(`${product.url}/health/ready`)).json()) as Readiness;
    await until(async () => (await readiness()).readModels.projections?.every(({ behind }) => behind === 0) === true);
    expect((await readiness()).journal.status).toBe('ok');
    product.kill('SIGTERM');
    expect(await product.exit).toBe(0);
  }, 60_000);
});
