import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { describeJournalContract } from './contract.ts';
import { type Journal, JournalUnavailable } from './journal.ts';
import { openSqliteJournal } from './open.sqlite.ts';
import { ReservableJournal } from './reserve.ts';
import { collect, idsOf, sampleFact } from './sample.ts';

let folder: string;
let underneath: Journal;
let journal: ReservableJournal;
const open = async () => {
  ({ journal: underneath } = await openSqliteJournal(folder));
  journal = new ReservableJournal(underneath);
  return journal;
};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jalon-reserve-'));
});
afterEach(async () => {
  await journal.close();
  rmSync(folder, { recursive: true, force: true });
});

describeJournalContract('A journal that can be reserved', async () => ({
  journal: await open(),
  reopen: async () => {
    await journal.close();
    return open();
  },
  dispose: async () => undefined,
}));

describe('A journal that is reserved', () => {
  beforeEach(open);

  test('takes no append but those it is reserved for, and all again afterwards', async () => {
    const [own, other] = [sampleFact('dossier-a'), sampleFact('dossier-b')];
    await journal.reserve('An import is under way.', async (reserved) => {
      await expect(journal.append('dossier-b', -1, [other])).rejects.toThrow(JournalUnavailable);
      await expect(journal.append('dossier-b', -1, [other])).rejects.toThrow('An import is under way.');
      await expect(journal.reserve('Twice.', async () => undefined)).rejects.toThrow(JournalUnavailable);
      await reserved.append('dossier-a', -1, [own]);
      expect(idsOf(await collect(journal.readAll(null)))).toEqual(idsOf([own]));
    });
    await journal.append('dossier-b', -1, [other]);
    await expect(
      journal.reserve('It fails.', async () => {
        throw new RangeError('It failed.');
      }),
    ).rejects.toThrow('It failed.');
    await journal.append('dossier-c', -1, [sampleFact('dossier-c')]);
  });

  test('lets what is under way finish first', async () => {
    const facts = Array.from({ length: 20 }, (_, i) => sampleFact(`dossier-${i}`));
    const appending = facts.map((fact) => journal.append(fact.envelope.stream, -1, [fact]));
    await journal.reserve('An import is under way.', async () => {
      expect(await collect(journal.readAll(null))).toHaveLength(20);
    });
    await Promise.all(appending);
  });
});
