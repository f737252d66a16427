import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { archiveOf, type Missing, restore } from './archive.ts';
import { dataHash, type StoredEvent, seal } from './envelope.ts';
import { type Journal, JournalUnavailable } from './journal.ts';
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
const given = (texts: readonly string[]) =>
  async function* (): AsyncGenerator<string> {
    yield* texts;
  };
/** The journal, until so many more events are in it. */
const failingAfter = ({ journal }: Site, events: number): Journal => {
  let left = events;
  const append: Journal['append'] = async (...args) => {
    if (left === 0) throw new JournalUnavailable('The disk is gone.');
    left -= 1;
    return journal.append(...args);
  };
  return { append, readAll: journal.readAll.bind(journal) } as Journal;
};

const names = async ({ directory }: Site): Promise<unknown[]> => {
  const all: unknown[] = [];
  for await (const person of directory.persons()) all.push(person);
  return all;
};
const expectNothing = async () => expect([await events(to), await names(to)]).toEqual([[], []]);

describe('moving house', () => {
  test('every stream, the order, ids, dates, hashes and the directory are the same on the other side', async () => {
    const moved = await restore(given(await lines(from)), to.journal, to.directory);
    expect(moved).toEqual({ events: 22, persons: 1, payloads: 1 });
    expect(await events(to)).toEqual(await events(from));
    expect(await lines(to)).toEqual(await lines(from));
  });

  test('an interrupted import goes on, and a whole one again changes nothing', async () => {
    const archive = given(await lines(from));
    for (const more of [9, 0, 1])
      await expect(restore(archive, failingAfter(to, more), to.directory)).rejects.toThrow('The disk is gone.');
    expect(await events(to)).toEqual((await events(from)).slice(0, 10));
    await restore(archive, to.journal, to.directory);
    await restore(archive, failingAfter(to, 0), to.directory);
    expect(await events(to)).toEqual(await events(from));
  });

  test('says how many events hold, then how many are there', async () => {
    const chain = sampleChain('dossier-long', 2_500);
    await from.journal.append('dossier-long', -1, chain);
    const said: [string, number][] = [];
    await restore(given(await lines(from)), to.journal, to.directory, {
      say: (...each) => said.push(each),
    });
    expect(said).toEqual(['checked', 'there'].flatMap((what) => [1_000, 2_000].map((events) => [what, events])));
  });

  test('an event that was changed in the file is refused by name, and nothing is written', async () => {
    const archive = await lines(from);
    const changed = archive.map((line) =>
      line.includes('"dossier-b"') && line.includes('"revision":3') ? line.replace('"rang":3', '"rang":4') : line,
    );
    await expect(restore(given(changed), to.journal, to.directory)).rejects.toThrow(
      'Event 3 of dossier-b does not hold: the payload does not have the recorded hash.',
    );
    await expectNothing();
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
    await expectNothing();
  });

  describe('a log of which an event does not hold', () => {
    /** Revision 3 of dossier-b does not have its hash, whatever store says so. */
    const damaged = (change: (event: StoredEvent) => StoredEvent | null) =>
      ({
        tip: () => from.journal.tip(),
        async *readAll(...asked: Parameters<Journal['readAll']>) {
          for await (const page of from.journal.readAll(...asked))
            yield page.flatMap((event) =>
              event.envelope.stream === 'dossier-b' && event.envelope.revision === 3 ? (change(event) ?? []) : event,
            );
        },
      }) as Partial<Journal> as Journal;
    const written = async (journal: Journal, partial: boolean) => {
      const all: string[] = [];
      const missing: Missing[] = [];
      const onMissing = (each: Missing) => missing.push(each);
      for await (const line of archiveOf(journal, from.directory, { partial, onMissing })) all.push(line.trimEnd());
      return { all, missing };
    };

    test.each<[string, (event: StoredEvent) => StoredEvent | null, number]>([
      ['is changed', (event) => ({ ...event, hash: 'a'.repeat(64) }), 3],
      ['is gone', () => null, 4],
      [
        'has a predecessor of another hash',
        (event) => ({ ...event, envelope: { ...event.envelope, previousHash: 'b'.repeat(64) } }),
        3,
      ],
      ['has another payload', (event) => ({ ...event, data: { rang: 7 } }), 3],
    ])(
      'that %s is not exported; what holds is, and says so, and is taken where it is wanted',
      async (_, change, at) => {
        const journal = damaged(change);
        await expect(written(journal, false)).rejects.toThrow(
          new RegExp(`^Event ${at} of dossier-b does not hold: .*« jalon export --partial » writes all that holds\\.$`),
        );
        const { all, missing } = await written(journal, true);
        expect(missing).toEqual([{ stream: 'dossier-b', revision: at, says: expect.any(String) }]);
        expect(JSON.parse(all.at(-1) as string).end.missing).toEqual(missing);
        await expect(restore(given(all), to.journal, to.directory)).rejects.toThrow(
          `1 streams end early, dossier-b before revision ${at}`,
        );
        await expectNothing();
        await restore(given(all), to.journal, to.directory, { partial: true });
        const kept = (await events(from)).filter(
          ({ envelope: { stream, revision } }) => stream !== 'dossier-b' || revision < 3,
        );
        expect((await events(to)).map(({ hash }) => hash)).toEqual(kept.map(({ hash }) => hash));
      },
    );
  });

  test('an archive that the log holds already, and more, is left as it is, and what was erased since stays away', async () => {
    const archive = given(await lines(from));
    await restore(archive, to.journal, to.directory);
    await to.journal.append('dossier-z', -1, [sampleFact('dossier-z')]);
    await to.directory.forget('i', 's');
    const before = await lines(to);
    expect(await restore(archive, to.journal, to.directory)).toEqual({ events: 0, persons: 0, payloads: 0 });
    expect(await lines(to)).toEqual(before);
  });

  test('into a log that holds anything else, before or within, nothing is written', async () => {
    const archive = given(await lines(from));
    await to.journal.append('dossier-z', -1, [sampleFact('dossier-z')]);
    await expect(restore(archive, to.journal, to.directory)).rejects.toThrow(
      /^The log is not empty: it holds revision 0 of dossier-z, .* Nothing was written\.$/,
    );
    expect(await events(to)).toHaveLength(1);
    expect(await names(to)).toEqual([]);
  });

  test('what another process writes meanwhile is found when the log is read back', async () => {
    const archive = given(await lines(from));
    const stranger = sampleFact('dossier-z');
    const { journal } = to;
    const append: Journal['append'] = async (stream, expected, given) => {
      if (stream === 'dossier-c') await journal.append('dossier-z', -1, [stranger]);
      return journal.append(stream, expected, given);
    };
    const shared = { append, readAll: journal.readAll.bind(journal) } as Journal;
    await expect(restore(archive, shared, to.directory)).rejects.toThrow(/another process writes to it/);
  });
});
