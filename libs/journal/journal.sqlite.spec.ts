import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { describeJournalContract } from './contract.ts';
import type { NewEvent } from './envelope.ts';
import { EventIdTaken, type Journal, NO_STREAM, RevisionConflict } from './journal.ts';
import { openSqliteJournal } from './open.sqlite.ts';
import { temporaryFolder } from './sample.process.ts';
import { collect, idsOf, sampleChain, sampleFact } from './sample.ts';

describeJournalContract('The SQLite journal', async () => {
  const { folder, remove } = temporaryFolder();
  let { journal } = await openSqliteJournal(folder);
  return {
    journal,
    async reopen() {
      await journal.close();
      ({ journal } = await openSqliteJournal(folder));
      return journal;
    },
    async dispose() {
      await journal.close();
      remove();
    },
  };
});

describe('The SQLite journal, beside the contract,', () => {
  let folder: string;
  let remove: () => void;
  let journal: Journal;
  beforeEach(async () => {
    ({ folder, remove } = temporaryFolder());
    ({ journal } = await openSqliteJournal(folder));
  });
  afterEach(async () => {
    await journal.close();
    remove();
  });

  test('says by what it is durable, as its write connection reads it back', async () => {
    expect(await journal.durability()).toMatchObject({ adapter: 'sqlite', journal_mode: 'wal', synchronous: 2 });
  });

  test('says that nothing can be recorded while another program has locked the file, and leaves no trace of having asked', async () => {
    await journal.append('dossier-a', NO_STREAM, sampleChain('dossier-a', 1));
    const other = new Database(join(folder, 'journal.db'));
    const found = other.prepare('select * from events').all();
    other.exec('begin immediate');
    await expect(journal.durability()).rejects.toThrow(/^Nothing can be recorded: .*locked/);
    other.exec('commit');
    expect(await journal.durability()).toMatchObject({ requests: 1, batches: 1 });
    expect(other.prepare('select * from events').all()).toEqual(found);
    expect(other.pragma('user_version', { simple: true })).toBe(1);
    other.close();
  });

  test('numbers positions from 1 without a gap, whatever was refused in between', async () => {
    const [a, b] = [sampleChain('dossier-a', 3), sampleChain('dossier-b', 3)];
    await journal.append('dossier-a', NO_STREAM, a);
    await Promise.allSettled([
      journal.append('dossier-a', NO_STREAM, sampleChain('dossier-a', 2)),
      journal.append('dossier-b', NO_STREAM, [...b.slice(0, 2), taking(a[0], b[1])]),
      journal.append('dossier-b', NO_STREAM, b),
    ]);
    const all = await collect(journal.readAll(null));
    expect(all.map(({ position }) => position)).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
    expect(idsOf(all)).toEqual(idsOf([...a, ...b]));
  });

  test('brings the appends of one moment to the disk together, with two commits for 200 of them', async () => {
    const streams = Array.from({ length: 200 }, (_, i) => `dossier-${i}`);
    await Promise.all(streams.map((stream) => journal.append(stream, NO_STREAM, sampleChain(stream, 1))));
    const { requests, batches } = await journal.durability();
    expect(requests).toBe(200);
    expect(batches).toBe(2);
  });

  test('refuses an id that is stored elsewhere, or twice in one append, and takes no other append down with it', async () => {
    const [stored] = sampleChain('dossier-a', 1) as [NewEvent];
    await journal.append('dossier-a', NO_STREAM, [stored]);
    const [first] = sampleChain('dossier-c', 1) as [NewEvent];
    const good = ['dossier-1', 'dossier-2', 'dossier-3', 'dossier-4'].map((stream) => sampleChain(stream, 2));
    const goodAppends = good.map((facts) => () => journal.append(facts[0]?.envelope.stream ?? '', NO_STREAM, facts));
    const outcomes = await Promise.allSettled([
      goodAppends[0]?.(),
      goodAppends[1]?.(),
      journal.append('dossier-b', NO_STREAM, [sampleFact('dossier-b', { envelope: { id: stored.envelope.id } })]),
      goodAppends[2]?.(),
      journal.append('dossier-a', 0, [taking(stored, stored)]),
      journal.append('dossier-c', NO_STREAM, [first, taking(first, first)]),
      goodAppends[3]?.(),
    ]);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.map(({ reason }) => [reason.constructor, reason.id])).toEqual([
      [EventIdTaken, stored.envelope.id],
      [EventIdTaken, stored.envelope.id],
      [EventIdTaken, first.envelope.id],
    ]);
    expect(idsOf(await collect(journal.readAll(null))).sort()).toEqual(idsOf([stored, ...good.flat()]).sort());
  });

  test('takes the beginning or the end of a stored append for a retry too, as EventStoreDB does', async () => {
    const facts = sampleChain('dossier-a', 3);
    await journal.append('dossier-a', NO_STREAM, facts);
    expect(await journal.append('dossier-a', NO_STREAM, facts.slice(0, 2))).toEqual({ revision: 1, position: 2n });
    expect(await journal.append('dossier-a', 0, facts.slice(1))).toEqual({ revision: 2, position: 3n });
    await expect(journal.append('dossier-a', 3, sampleChain('dossier-a', 1, facts[2]).map(shifted))).rejects.toThrow(
      RevisionConflict,
    );
  });

  test('reads a long stream with large payloads in several pages, none of them huge', async () => {
    const data = { texte: 'x'.repeat(100_000) };
    const facts: NewEvent[] = [];
    for (let i = 0; i < 60; i += 1) facts.push(sampleFact('dossier-a', { data, previous: facts.at(-1) ?? null }));
    await journal.append('dossier-a', NO_STREAM, facts);
    for (const pages of [journal.read('dossier-a'), journal.readAll(null)]) {
      const sizes: number[] = [];
      for await (const page of pages) sizes.push(page.length);
      expect(sizes.reduce((sum, size) => sum + size)).toBe(60);
      expect(Math.max(...sizes)).toBeLessThan(30);
    }
  });

  test('finds the few events that pass a filter among many others, in order', async () => {
    const many = sampleChain('dossier-a', 12_000);
    const few: NewEvent[] = [];
    for (let i = 0; i < many.length; i += 500) {
      await journal.append('dossier-a', i - 1, many.slice(i, i + 500));
      if (i % 4000 !== 0) continue;
      few.push(sampleFact('rappels-2026-03', { previous: few.at(-1) ?? null }));
      await journal.append('rappels-2026-03', few.length - 2, few.slice(-1));
    }
    expect(idsOf(await collect(journal.readAll(null, { prefixes: ['rappels-'] })))).toEqual(idsOf(few));
    expect(await collect(journal.readAll(null, { prefixes: ['dossier-', 'rappels-'] }))).toHaveLength(12_003);
  });

  test('ends a reading of the whole log at what was there when it began', async () => {
    await journal.append('dossier-a', NO_STREAM, sampleChain('dossier-a', 600));
    const pages = journal.readAll(null)[Symbol.asyncIterator]();
    let read = (await pages.next()).value?.length ?? 0;
    await journal.append('dossier-b', NO_STREAM, sampleChain('dossier-b', 5));
    for (let page = await pages.next(); !page.done; page = await pages.next()) read += page.value.length;
    expect(read).toBe(600);
  });

  test('holds nothing in its WAL once closed, and can be read by any SQLite', async () => {
    await journal.append('dossier-a', NO_STREAM, sampleChain('dossier-a', 3));
    await journal.close();
    expect(statSync(join(folder, 'journal.db-wal'), { throwIfNoEntry: false })).toBeUndefined();
    const db = new Database(join(folder, 'journal.db'), { readonly: true });
    expect(db.prepare('select count(*) from events').pluck().get()).toBe(3);
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    db.close();
  });
});

/** `fact`'s id on the successor of `previous`. */
function taking(fact: NewEvent | undefined, previous: NewEvent | undefined): NewEvent {
  const stream = previous?.envelope.stream ?? '';
  return sampleFact(stream, { previous: previous ?? null, envelope: { id: fact?.envelope.id ?? '' } });
}

/** The same fact one revision further, where nothing precedes it. */
function shifted(fact: NewEvent): NewEvent {
  return { ...fact, envelope: { ...fact.envelope, revision: fact.envelope.revision + 1 } };
}
