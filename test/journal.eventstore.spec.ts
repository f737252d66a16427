import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import {
  AppendTooLarge,
  envelopeHash,
  type Journal,
  JournalRefused,
  JournalUnavailable,
  NO_STREAM,
  openEventStoreJournal,
} from '@jalon/journal';
import { collect, describeJournalContract, idsOf, sampleChain, sampleFact } from '@jalon/journal/contract';
import { openReadModels, type Parked, PROJECTIONS, Projector } from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { freshStream } from './appenders.ts';
import { startCluster } from './eventstore/cluster.ts';
import { type EventStore, startEventStore } from './eventstore/server.ts';

/** An adapter on test over `url`; the streams of the contract are its own. */
async function journalAt(url: string, end: () => Promise<void>) {
  const open = () => openEventStoreJournal(url, { streams: ['essai'] });
  let journal = await open();
  return {
    journal,
    async reopen() {
      await journal.close();
      journal = await open();
      return journal;
    },
    async dispose() {
      await journal.close();
      await end();
    },
  };
}

describeJournalContract('The EventStoreDB journal, over the wire-level server,', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'jalon-eventstore-'));
  const server = await startEventStore({ folder });
  return journalAt(server.connectionString, async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
});

const { ESDB_URL } = process.env;
if (ESDB_URL)
  describeJournalContract('The EventStoreDB journal, over the real server of ESDB_URL,', () =>
    journalAt(ESDB_URL, async () => undefined),
  );

describe('The EventStoreDB journal, beside the contract,', () => {
  let folder: string;
  let server: EventStore;
  let journal: Journal;
  let client: EventStoreDBClient;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'jalon-eventstore-'));
    server = await startEventStore({ folder });
    journal = await openEventStoreJournal(server.connectionString);
    client = EventStoreDBClient.connectionString(server.connectionString);
  });
  afterEach(async () => {
    await journal.close();
    await client.dispose();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What another application, or an operator, does to the database. */
  const foreign = (stream: string, count = 1) =>
    client.appendToStream(
      stream,
      Array.from({ length: count }, () => jsonEvent({ type: 'ailleurs', data: {}, metadata: { hash: 'x' } })),
    );

  test('keeps facts as FORMAT.md says, so that any reader rebuilds the envelope', async () => {
    const stream = freshStream();
    const fact = sampleFact(stream, { envelope: { causationId: 'c-1', lookups: { 'dossier-x': null } } });
    await journal.append(stream, NO_STREAM, [{ ...fact, digest: 'd'.repeat(64) }]);
    for await (const { event } of client.readStream(stream)) {
      const { id, type, correlationId, causationId, stream: _, revision, ...members } = fact.envelope;
      expect(event).toMatchObject({ id, type, revision: BigInt(revision), isJson: true, data: fact.data });
      const beside = { hash: fact.hash, salt: fact.salt, digest: 'd'.repeat(64) };
      expect(event?.metadata).toEqual({
        ...members,
        ...beside,
        $correlationId: correlationId,
        $causationId: causationId,
      });
    }
    const [read] = await collect(journal.read(stream));
    expect(envelopeHash(read?.envelope ?? fact.envelope)).toBe(fact.hash);
  });

  test('passes over what is not its own: other streams, other events, system streams', async () => {
    const stream = freshStream();
    const facts = sampleChain(stream, 3);
    const live = journal.subscribe(null, {}, new AbortController().signal)[Symbol.asyncIterator]();
    expect(await journal.tip()).toBeNull();
    await foreign('panier-1', 700);
    expect(await journal.tip()).toBeNull();
    const { position } = await journal.append(stream, NO_STREAM, facts);
    await foreign('panier-1', 700);
    await foreign(freshStream());
    await client.setStreamMetadata('dossier-autre', { maxCount: 3 });
    expect(idsOf(await collect(journal.readAll(null)))).toEqual(idsOf(facts));
    expect(await journal.tip()).toBe(position);
    expect(await journal.tip()).toBe(position);
    expect(idsOf((await live.next()).value ?? [])).toEqual(idsOf(facts));
    await live.return?.();
  });

  test('lets read models say when they include a position, that of another stream of ours too', async () => {
    const store = openReadModels(folder, () => undefined);
    const parked: Parked[] = [];
    const trouble: unknown[] = [];
    const projector = new Projector({
      ...{ store, journal, catalogue, projections: PROJECTIONS },
      onParked: (each) => parked.push(each),
      onError: (error) => trouble.push(error),
    });
    await foreign('panier-1', 3);
    await projector.start();
    await projector.caughtUp(null, 5_000);
    // No workflow knows this dossier: read models set it aside, and go on.
    const stream = freshStream();
    const first = await journal.append(stream, NO_STREAM, sampleChain(stream, 1));
    await projector.caughtUp(first.position, 5_000);
    const access = await journal.append('acces-2026-11-n1', NO_STREAM, sampleChain('acces-2026-11-n1', 2));
    await foreign('panier-1', 3);
    await projector.caughtUp(access.position, 5_000);
    expect(projector.position).toBe(access.position);
    expect(parked.map(({ dossier }) => dossier)).toContain(stream.replace('dossier-', ''));
    await projector.stop();
    await store.close();
    expect(trouble).toEqual([]);
  });

  test('says so, rather than showing half a dossier, when a stream was truncated, deleted or written by others', async () => {
    const streams = Array.from({ length: 4 }, freshStream) as [string, string, string, string];
    for (const stream of streams) await journal.append(stream, NO_STREAM, sampleChain(stream, 3));
    const [truncated, mixed, begunAgain, buried] = streams;
    await client.setStreamMetadata(truncated, { truncateBefore: 1 });
    await foreign(mixed);
    await client.deleteStream(begunAgain);
    await expect(journal.append(begunAgain, NO_STREAM, sampleChain(begunAgain, 1))).rejects.toThrow(
      'took revision 3 for 0: it was deleted',
    );
    await client.tombstoneStream(buried);
    const expected = ['instead of revision 0 it has 1', 'instead of revision 3 it has no fact'];
    for (const [i, reason] of [...expected, 'instead of revision 0 it has 3', 'deleted for ever'].entries()) {
      const read = collect(journal.read(streams[i] as string));
      await expect(read).rejects.toThrow(JournalUnavailable);
      await expect(read).rejects.toThrow(reason);
    }
    await expect(journal.append(buried, NO_STREAM, sampleChain(buried, 1))).rejects.toThrow(JournalUnavailable);
  });

  test('refuses an append of more bytes than the server takes, and appends what is just within', async () => {
    const stream = freshStream();
    const sized = (characters: number) => sampleFact(stream, { data: { texte: 'x'.repeat(characters) } });
    const tooLarge = journal.append(stream, NO_STREAM, [sized(1_048_576)]);
    await expect(tooLarge).rejects.toThrow(AppendTooLarge);
    await expect(tooLarge).rejects.toMatchObject({ stream, limit: 1_048_576 });
    await journal.append(stream, NO_STREAM, [sized(1_047_000)]);
    const twenty = Array.from({ length: 20 }, () => freshStream());
    await Promise.all(
      twenty.map((name) =>
        journal.append(name, NO_STREAM, [sampleFact(name, { data: { texte: 'x'.repeat(500_000) } })]),
      ),
    );
    const sizes: number[] = [];
    for await (const page of journal.readAll(null)) sizes.push(page.length);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(21);
    expect(Math.max(...sizes)).toBeLessThan(8);
  });

  test('refuses ids that the server would give back otherwise, and streams that it would not find again', async () => {
    const stream = freshStream();
    const shouted = sampleFact(stream, { envelope: { id: '0D6A2F4E-3A1B-4C5D-8E9F-A0B1C2D3E4F5' } });
    await expect(journal.append(stream, NO_STREAM, [shouted])).rejects.toThrow(TypeError);
    for (const name of ['panier-1', '$ce-dossier', ''])
      await expect(journal.append(name, NO_STREAM, sampleChain(name, 1))).rejects.toThrow(TypeError);
    expect(await collect(journal.readAll(null))).toEqual([]);
  });

  test('says by what it is durable, and what a server that is not there means', async () => {
    expect(await journal.durability()).toMatchObject({ adapter: 'eventstoredb', version: expect.any(String) });
    const nowhere = await openEventStoreJournal('esdb://127.0.0.1:1?tls=false', { timeoutMs: 300 });
    await expect(nowhere.durability()).rejects.toThrow(JournalUnavailable);
    await expect(nowhere.tip()).rejects.toThrow(JournalUnavailable);
    const stream = freshStream();
    await expect(nowhere.append(stream, NO_STREAM, sampleChain(stream, 1))).rejects.toThrow(JournalUnavailable);
    await nowhere.close();
  });

  test.each(['kurrentdb', 'kurrent'])('speaks to KurrentDB under %s:// as under esdb://', async (scheme) => {
    const stream = freshStream();
    const under = await openEventStoreJournal(server.connectionString.replace(/^esdb/, scheme));
    await under.append(stream, NO_STREAM, sampleChain(stream, 2));
    expect(await collect(journal.read(stream))).toHaveLength(2);
    await under.close();
    await expect(openEventStoreJournal(`${scheme}://utilisateur:secret@hote:port`)).rejects.not.toThrow('secret');
  });

  test.each(['esdb+discover', 'kurrentdb+discover'])('finds the leader of a cluster under %s://', async (scheme) => {
    const cluster = await startCluster({ folder: join(folder, 'grappe') });
    cluster.lead(1);
    const stream = freshStream();
    const [{ endpoint }] = cluster.nodes as [(typeof cluster.nodes)[0]];
    const found = await openEventStoreJournal(`${scheme}://127.0.0.1:${endpoint.port}?tls=false`);
    await found.append(stream, NO_STREAM, sampleChain(stream, 2));
    expect(await collect(found.read(stream))).toHaveLength(2);
    await found.close();
    await cluster.stop();
  });

  test.each([
    'https://utilisateur:secret@hote:2113',
    'esdb://utilisateur:secret@hote:port',
    'esdb://utilisateur:secret@hote:2113?tsl=false',
    'esdb://utilisateur:secret@hote:2113?defaultDeadline=jamais',
    'esdb://utilisateur:secret@hote:2113?tlsCAFile=absent.pem',
  ])('refuses %s without repeating the password', async (url) => {
    const refused = openEventStoreJournal(url);
    await expect(refused).rejects.toThrow(JournalRefused);
    await expect(refused).rejects.not.toThrow('secret');
  });
});
