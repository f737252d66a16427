import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Journal, NO_STREAM, OutcomeUnknown, openEventStoreJournal } from '@jalon/journal';
import { collect, sampleChain, sampleFact } from '@jalon/journal/contract';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Appenders, appendUntilStored, expectEachOnce, Follower, freshStream } from './appenders.ts';
import { EventStoreProcess } from './eventstore/child.ts';

describe('What the EventStoreDB journal acknowledged outlives', () => {
  let folder: string;
  let server: EventStoreProcess;
  let journal: Journal;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'jalon-eventstore-'));
    server = await EventStoreProcess.start(folder);
    journal = await openEventStoreJournal(server.connectionString, { timeoutMs: 2_000 });
  });
  afterEach(async () => {
    await journal.close();
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  const restart = async () => {
    server = await EventStoreProcess.start(folder, server.port);
  };

  test('kill -9 of the server under 16 appenders, four times over', async () => {
    const follower = new Follower(journal);
    const appenders = new Appenders(journal);
    for (let round = 0; round < 4; round += 1) {
      await appenders.more(200);
      await server.kill();
      await restart();
    }
    await appenders.more(200);
    const acknowledged = await appenders.stop();
    await follower.expect(acknowledged);
    await expectEachOnce(journal, acknowledged);
  }, 120_000);

  test.each(['before-storing', 'after-storing'] as const)(
    'the death of the server %s the append that kills it: the same append, once it is back, is stored once',
    async (moment) => {
      const stream = freshStream();
      const [first] = [sampleFact(stream)];
      await appendUntilStored(journal, first);
      const next = sampleFact(stream, { previous: first });
      await server.tell('dieAtAppend', moment);
      const stored = appendUntilStored(journal, next);
      await server.ended;
      await restart();
      const { position } = await stored;
      expect(await collect(journal.read(stream))).toMatchObject([{ hash: first.hash }, { hash: next.hash, position }]);
    },
    60_000,
  );

  test('a server stopped in the middle: large appends are unknown, go on with it, and are stored once', async () => {
    const streams = Array.from({ length: 60 }, freshStream);
    const facts = streams.map((stream) => sampleFact(stream, { data: { texte: 'x'.repeat(100_000) } }));
    await appendUntilStored(journal, sampleFact(freshStream()));
    const hasty = await openEventStoreJournal(server.connectionString, { timeoutMs: 500 });
    server.pause();
    const outcomes = await Promise.allSettled(
      facts.map((fact, i) => hasty.append(streams[i] as string, NO_STREAM, [fact])),
    );
    server.resume();
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: expect.any(OutcomeUnknown) });
    const stored = await Promise.all(facts.map((fact) => appendUntilStored(hasty, fact)));
    expect(await collect(hasty.readAll(null))).toHaveLength(61);
    expect(new Set(stored.map(({ position }) => position)).size).toBe(60);
    await hasty.close();
  }, 60_000);

  // Jest fails a test during which a rejection is unhandled; the client's multiplexed appends leave one for each here.
  test('a server that is killed while it is stopped, with subscriptions open and appends queued', async () => {
    const follower = new Follower(journal);
    const stream = freshStream();
    const before = sampleChain(stream, 100);
    await journal.append(stream, NO_STREAM, before);
    await follower.until(100);
    server.pause();
    const facts = Array.from({ length: 60 }, () => sampleFact(freshStream(), { data: { texte: 'x'.repeat(100_000) } }));
    const stored = Promise.all(facts.map((fact) => appendUntilStored(journal, fact)));
    await server.kill();
    await restart();
    const acknowledged = await stored;
    acknowledged.push(...(await collect(journal.read(stream))));
    await follower.expect(acknowledged);
    await expectEachOnce(journal, acknowledged);
  }, 60_000);
});
