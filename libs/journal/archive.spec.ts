import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { archiveOf, restore } from './archive.ts';
import { dataHash, type StoredEvent, seal } from './envelope.ts';
import { openSqliteJournal } from './open.sqlite.ts';
import { sampleChain, sampleFact } from './sample.ts';

type Site = Awaited<ReturnType<typeof openSqliteJournal>> & { folder: string };

let from: Site;
let to: Site;
const open = async (): Promise<Site> => {
  const folder = mkdtempSync(join(tmpdir(), 'jalon-archive-'));
  return { folder, ...(await openSqliteJournal(folder)) };
};

beforeEach(async () => {
  [from, to] = [await open(), await open()];
  const chains = ['dossier-a', 'dossier-b', 'acces-2026-03-n1'].map((stream) => sampleChain(stream, 7));
  for (let i = 0; i < 7; i += 1)
    for (const chain of chains) {
      const event = chain[i];
      if (event) await from.journal.append(event.envelope.stream, i - 1, [event]);
    }
  await from.directory.commit({ iss: 'i', sub: 's', name: 'Camille Martin', salt: 'ab'.repeat(16) });
  const salt = 'cd'.repeat(16);
  const note = sampleFact('dossier-c', { envelope: { type: 'dossier.note-ajoutee' } });
  await from.directory.keep({ id: note.envelope.id, data: { texte: 'À revoir.' }, salt });
  const sealed = seal({ ...note.envelope, dataHash: dataHash(salt, { texte: 'À revoir.' }) }, { data: {} });
  await from.journal.append('dossier-c', -1, [sealed]);
});
afterEach(async () => {
  for (const { journal, folder } of [from, to]) {
    await journal.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

const lines = async ({ journal, directory }: Site): Promise<string[]> => {
  const all: string[] = [];
  for await (const line of archiveOf(journal, directory)) all.push(line.trimEnd());
  return all;
};
const events = async ({ journal }: Site): Promise<StoredEvent[]> => {
  const all: StoredEvent[] = [];
  for await (const page of journal.readAll(null)) all.push(...page);
  return all;
};
async function* given(texts: readonly string[]): AsyncGenerator<string> {
  yield* texts;
}

describe('moving house', () => {
  test('every stream, the order, ids, dates, hashes and the directory are the same on the other side', async () => {
    const moved = await restore(given(await lines(from)), to.journal, to.directory);
    expect(moved).toEqual({ events: 22, persons: 1, payloads: 1 });
    expect(await events(to)).toEqual(await events(from));
    expect(await lines(to)).toEqual(await lines(from));
  });

  test('an interrupted import goes on, and a whole one again changes nothing', async () => {
    const archive = await lines(from);
    await expect(restore(given(archive.slice(0, 12)), to.journal, to.directory)).rejects.toThrow(/cut short/);
    expect((await events(to)).length).toBeGreaterThan(0);
    await restore(given(archive), to.journal, to.directory);
    await restore(given(archive), to.journal, to.directory);
    expect(await events(to)).toEqual(await events(from));
  });

  test('an event that was changed in the file is refused by name, and nothing after it is written', async () => {
    const archive = await lines(from);
    const changed = archive.map((line) =>
      line.includes('"dossier-b"') && line.includes('"revision":3') ? line.replace('"rang":3', '"rang":4') : line,
    );
    await expect(restore(given(changed), to.journal, to.directory)).rejects.toThrow(
      'Event 3 of dossier-b does not hold: the payload does not have the recorded hash.',
    );
    expect((await events(to)).filter(({ envelope }) => envelope.stream === 'dossier-b')).toHaveLength(3);
  });

  test('an event that was left out, one that was added at the end, and another file are refused', async () => {
    const archive = await lines(from);
    const [last] = archive.filter((line) => line.includes('"dossier-c"'));
    await expect(restore(given(archive.filter((line) => line !== last)), to.journal, to.directory)).rejects.toThrow(
      /cut short or was changed/,
    );
    await expect(restore(given([...archive, archive[1] as string]), to.journal, to.directory)).rejects.toThrow(
      /follows/,
    );
    await expect(restore(given(['{"a":1}']), to.journal, to.directory)).rejects.toThrow(/no archive/);
    await expect(restore(given(['PK']), to.journal, to.directory)).rejects.toThrow(/not JSON/);
  });

  test('a log that holds something else already is said to, at the latest when it is read back', async () => {
    await to.journal.append('dossier-z', -1, [sampleFact('dossier-z')]);
    await expect(restore(given(await lines(from)), to.journal, to.directory)).rejects.toThrow(/was not empty/);
  });
});
