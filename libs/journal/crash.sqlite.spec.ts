import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chainFault, type StoredEvent } from './envelope.ts';
import { DIRECTORY, ensureStore, JOURNAL, lockFolder } from './folder.sqlite.ts';
import { type JournalReader, JournalUnavailable, OutcomeUnknown } from './journal.ts';
import { openSqliteJournal } from './open.sqlite.ts';
import { Appender, temporaryFolder } from './sample.process.ts';
import { collect, idsOf, sampleChain } from './sample.ts';
import { Writer } from './writer.sqlite.ts';

describe('What the SQLite journal acknowledged outlives', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  test('kill -9 in the middle of appends, three times over', async () => {
    const acknowledged: string[] = [];
    for (let round = 1; round <= 3; round += 1) {
      const appender = new Appender(folder);
      await appender.until(({ stored }) => stored.length >= 300 * round);
      await appender.kill();
      acknowledged.push(...appender.stored);
    }
    const { journal } = await openSqliteJournal(folder);
    const stored = await wholeLog(journal);
    expect(idsOf(stored)).toEqual(expect.arrayContaining(acknowledged));
    await journal.append('dossier-suite', -1, sampleChain('dossier-suite', 1));
    await journal.close();
  }, 30_000);

  const onLinux = process.platform === 'linux' ? test : test.skip;
  onLinux(
    'a disk that takes no more: appends fail until there is room, then the same ones succeed',
    async () => {
      const appender = new Appender(folder, { size: 50_000, fileLimit: 6_000 });
      await appender.until(({ said }) => said.some((line) => line.startsWith('failed')));
      const before = appender.stored.length;
      appender.makeRoom();
      await appender.until(({ stored }) => stored.length >= before + 50);
      await appender.kill();
      expect(appender.said.find((line) => line.startsWith('failed'))).toMatch(/OutcomeUnknown: .*SQLITE_IOERR/);

      const { journal } = await openSqliteJournal(folder);
      expect(idsOf(await wholeLog(journal))).toEqual(expect.arrayContaining(appender.stored));
      await journal.close();
    },
    30_000,
  );

  test('the end of its writer thread: what was under way is unknown, what comes later unavailable', async () => {
    const lock = lockFolder(folder);
    const writer = await Writer.open({
      journal: ensureStore(folder, JOURNAL),
      directory: ensureStore(folder, DIRECTORY),
    });
    const append = (stream: string, data = '{}') =>
      writer.append([stream, -1, `id-${stream}`, 'j0.acceptee', data, '{}']);
    await append('a');
    // So much to write that the thread cannot be done with it when it ends.
    const underWay = append('b', ' '.repeat(64_000_000));
    const waiting = append('c');
    const outcomes = Promise.allSettled([underWay, waiting]);
    await writer.thread.terminate();
    expect(await outcomes).toMatchObject([
      { reason: expect.any(OutcomeUnknown) },
      { reason: expect.any(JournalUnavailable) },
    ]);
    await expect(append('d')).rejects.toThrow(JournalUnavailable);
    await writer.drain();
    await writer.close();
    lock.release();
  });
});

/** Every event, after checking that positions have no gap and every chain holds. */
async function wholeLog(journal: JournalReader): Promise<StoredEvent[]> {
  const events = await collect(journal.readAll(null));
  const heads = new Map<string, StoredEvent>();
  for (const [i, event] of events.entries()) {
    expect(event.position).toBe(BigInt(i + 1));
    expect(chainFault(event, heads.get(event.envelope.stream) ?? null)).toBeNull();
    heads.set(event.envelope.stream, event);
  }
  return events;
}
