import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  type Journal,
  JournalUnavailable,
  NO_STREAM,
  OutcomeUnknown,
  openEventStoreJournal,
  type StoredEvent,
} from '@jalon/journal';
import { collect, idsOf, sampleChain } from '@jalon/journal/contract';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Appenders, expectEachOnce, Follower, freshStream } from './appenders.ts';
import { startCluster } from './eventstore/cluster.ts';
import { type EventStore, startEventStore } from './eventstore/server.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);

/** How long the impatient journal of these tests tries. */
const IMPATIENT_MS = 400;

describe(`The EventStoreDB journal (seed ${seed}, again by JALON_SEED)`, () => {
  let folder: string;
  let server: EventStore;
  let journal: Journal;
  let impatient: Journal;
  let troubles: unknown[];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'jalon-eventstore-'));
    server = await startEventStore({ folder });
    troubles = [];
    const onTrouble = (error: unknown) => troubles.push(error);
    journal = await openEventStoreJournal(server.connectionString, { onTrouble, timeoutMs: 20_000 });
    impatient = await openEventStoreJournal(server.connectionString, { onTrouble, timeoutMs: IMPATIENT_MS });
  });
  afterEach(async () => {
    server.hooks.reset();
    await Promise.all([journal.close(), impatient.close()]);
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  describe('lets its caller notice nothing', () => {
    test.each(['before-storing', 'after-storing'] as const)('of connections cut three times %s', async (moment) => {
      const stream = freshStream();
      const facts = sampleChain(stream, 3);
      server.hooks.cutAppends(moment, 3);
      const appended = await journal.append(stream, NO_STREAM, facts);
      expect(troubles).toHaveLength(1);
      const stored = await collect(journal.readAll(null));
      expect(idsOf(stored)).toEqual(idsOf(facts));
      expect(appended).toEqual({ revision: 2, position: stored[2]?.position });
    });

    test.each(['not-ready', 'too-busy', 'timeout', 'unavailable', 'not-leader'] as const)(
      'of a server that answers "%s" twice, to appends and to reads',
      async (why) => {
        const stream = freshStream();
        server.hooks.refuseAppends({ why }, 2);
        await journal.append(stream, NO_STREAM, sampleChain(stream, 2));
        server.hooks.refuseReads({ why }, 2);
        expect(await collect(journal.read(stream))).toHaveLength(2);
        expect(troubles).toHaveLength(2);
      },
    );

    test('of connections cut while 16 appenders append and others read and follow', async () => {
      const follower = new Follower(journal);
      const appenders = new Appenders(journal);
      for (let cut = 0; cut < 10; cut += 1) {
        await appenders.more(60);
        const [{ position, envelope }] = appenders.stored.slice(-1) as [StoredEvent];
        const readings = Promise.all([collect(journal.readAll(position)), collect(journal.read(envelope.stream))]);
        server.hooks.cutConnections();
        expect((await readings)[1].length).toBeGreaterThan(envelope.revision);
      }
      const acknowledged = await appenders.stop();
      await follower.expect(acknowledged);
      await expectEachOnce(journal, acknowledged);
    }, 60_000);
  });

  describe('says what is true when a server does not come back in time', () => {
    test('nothing was written: it was never ready; once that is known, nobody waits for it', async () => {
      const streams = [freshStream(), freshStream()] as const;
      server.hooks.refuseAppends({ why: 'not-ready' });
      const append = (stream: string) => impatient.append(stream, NO_STREAM, sampleChain(stream, 1));
      await expect(append(streams[0])).rejects.toThrow(JournalUnavailable);
      server.hooks.refuseAppends({ why: 'not-ready' }, 1);
      await expect(append(streams[1])).rejects.toThrow(JournalUnavailable);
      await append(streams[1]);
      expect(await collect(impatient.readAll(null))).toHaveLength(1);
    });

    test('the outcome is unknown: the connection is cut again and again; the same append then tells', async () => {
      const stream = freshStream();
      const facts = sampleChain(stream, 2);
      server.hooks.cutAppends('after-storing', Number.POSITIVE_INFINITY);
      await expect(impatient.append(stream, NO_STREAM, facts)).rejects.toThrow(OutcomeUnknown);
      server.hooks.reset();
      expect(await impatient.append(stream, NO_STREAM, facts)).toMatchObject({ revision: 1 });
      expect(idsOf(await collect(impatient.readAll(null)))).toEqual(idsOf(facts));
    });

    test('the outcome is unknown: the answer comes after the own timer; the same append then tells', async () => {
      const stream = freshStream();
      const facts = sampleChain(stream, 2);
      server.hooks.delayAnswers(3 * IMPATIENT_MS);
      await expect(impatient.append(stream, NO_STREAM, facts)).rejects.toThrow(OutcomeUnknown);
      server.hooks.reset();
      expect(await impatient.append(stream, NO_STREAM, facts)).toMatchObject({ revision: 1 });
      expect(idsOf(await collect(impatient.readAll(null)))).toEqual(idsOf(facts));
    });

    test('nothing answers: appends are unknown, everything else unavailable, until it does', async () => {
      const stream = freshStream();
      const facts = sampleChain(stream, 2);
      server.hooks.freeze();
      await Promise.all([
        expect(impatient.append(stream, NO_STREAM, facts)).rejects.toThrow(OutcomeUnknown),
        expect(collect(impatient.read(stream))).rejects.toThrow(JournalUnavailable),
        expect(collect(impatient.readAll(null))).rejects.toThrow(JournalUnavailable),
        expect(impatient.tip()).rejects.toThrow(JournalUnavailable),
        expect(impatient.durability()).rejects.toThrow(JournalUnavailable),
      ]);
      server.hooks.thaw();
      const { position } = await impatient.append(stream, NO_STREAM, facts);
      expect(await impatient.tip()).toBe(position);
      expect(idsOf(await collect(impatient.readAll(null)))).toEqual(idsOf(facts));
    });

    test('access is refused: at once, and to subscriptions too, since trying again is of no use', async () => {
      const stream = freshStream();
      server.hooks.refuseAppends({ why: 'access-denied' });
      server.hooks.refuseReads({ why: 'access-denied' });
      const refused = 'the server refuses access';
      await expect(journal.append(stream, NO_STREAM, sampleChain(stream, 1))).rejects.toThrow(refused);
      await expect(collect(journal.read(stream))).rejects.toThrow(JournalUnavailable);
      const live = collect(journal.subscribe(null, {}, new AbortController().signal));
      await expect(live).rejects.toThrow(JournalUnavailable);
      expect(troubles).toEqual([]);
    });
  });

  describe('gives a subscriber every event once, in order,', () => {
    test('while the server drops it as too slow or unavailable, and connections are cut, at random', async () => {
      const random = randomFrom(seed);
      const follower = new Follower(journal);
      const appenders = new Appenders(journal);
      for (let fault = 0; fault < 25; fault += 1) {
        await appenders.more(1 + Math.floor(random() * 60));
        const kind = random();
        if (kind < 0.4) server.hooks.dropSubscriptions('too-slow');
        else if (kind < 0.7) server.hooks.dropSubscriptions('unavailable');
        else server.hooks.cutConnections();
      }
      await follower.expect(await appenders.stop());
    }, 60_000);

    test('when it cannot be resubscribed for a while', async () => {
      const follower = new Follower(journal);
      const appenders = new Appenders(journal, 2);
      await follower.until(20);
      server.hooks.refuseReads({ why: 'not-ready' }, 6);
      server.hooks.dropSubscriptions();
      await appenders.more(200);
      await follower.expect(await appenders.stop());
    }, 30_000);

    test('when it is so slow that its buffer fills, which it does not outgrow', async () => {
      const small = await openEventStoreJournal(server.connectionString, { held: 40 });
      const stream = freshStream();
      const facts = sampleChain(stream, 1_500);
      let largest = 0;
      const slow = new Follower(small, async (page) => {
        largest = Math.max(largest, page.length);
        for (let turn = 0; turn < 200; turn += 1) await setImmediate();
      });
      const stored = await journal.append(stream, NO_STREAM, facts.slice(0, 1));
      await slow.until(1);
      for (let i = 1; i < facts.length; i += 10) await journal.append(stream, i - 1, facts.slice(i, i + 10));
      await slow.expect(await collect(journal.readAll(null)));
      expect(stored.revision).toBe(0);
      expect(largest).toBeLessThanOrEqual(500);
      await small.close();
    }, 30_000);

    test('and ends at once when aborted, though the server does not answer', async () => {
      const abort = new AbortController();
      const stream = freshStream();
      await journal.append(stream, NO_STREAM, sampleChain(stream, 1));
      const live = journal.subscribe(null, {}, abort.signal)[Symbol.asyncIterator]();
      await live.next();
      server.hooks.freeze();
      server.hooks.dropSubscriptions();
      const next = live.next();
      const reading = collect(journal.subscribe(null, {}, abort.signal));
      abort.abort();
      expect(await next).toEqual({ done: true, value: undefined });
      expect(await reading).toEqual([]);
    });
  });

  test('lets an append under way finish when it is closed', async () => {
    const stream = freshStream();
    const facts = sampleChain(stream, 1);
    server.hooks.delayAnswers(300);
    const appended = impatient.append(stream, NO_STREAM, facts);
    await impatient.close();
    expect(await appended).toMatchObject({ revision: 0 });
    await expect(impatient.append(stream, NO_STREAM, facts)).rejects.toThrow(JournalUnavailable);
  });
});

describe('The EventStoreDB journal, before a cluster of three,', () => {
  test('follows its leader, wherever it is, and says so while there is none', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'jalon-eventstore-'));
    const cluster = await startCluster({ folder });
    const journal = await openEventStoreJournal(cluster.connectionString, { timeoutMs: 20_000 });
    const impatient = await openEventStoreJournal(cluster.connectionString, { timeoutMs: IMPATIENT_MS });
    try {
      const follower = new Follower(journal);
      const appenders = new Appenders(journal);
      await appenders.more(100);
      cluster.lead(1);
      await appenders.more(100);
      cluster.lead(2);
      await cluster.kill(0);
      await appenders.more(100);
      cluster.lead(null);
      const stream = freshStream();
      await expect(impatient.append(stream, NO_STREAM, sampleChain(stream, 1))).rejects.toThrow(JournalUnavailable);
      await expect(impatient.tip()).rejects.toThrow(JournalUnavailable);
      cluster.lead(1);
      await cluster.kill(2);
      await appenders.more(100);
      const acknowledged = await appenders.stop();
      await follower.expect(acknowledged);
      await expectEachOnce(journal, acknowledged);
    } finally {
      await Promise.all([journal.close(), impatient.close()]);
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);
});

/** Mulberry32: the same numbers for the same seed. */
function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
