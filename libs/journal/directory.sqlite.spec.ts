import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { describeDirectory } from './directory.contract.ts';
import { openSqliteDirectory, openSqliteJournal, readSqliteJournal } from './open.sqlite.ts';
import { temporaryFolder } from './sample.process.ts';
import { sampleFact } from './sample.ts';

describe('In SQLite,', () => {
  const iss = 'https://connexion.example';
  const person = { iss, sub: 'a-17', name: 'Camille Étienne', salt: '01'.repeat(16) };
  const note = { id: 'note-1', data: { texte: 'À rappeler : jamais par écrit.' }, salt: '02'.repeat(16) };
  let folder: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  describeDirectory(() => ({
    open: () => openSqliteDirectory(folder),
    clear: async () => undefined,
  }));

  test('no byte of what was erased is left, not even in the WAL', async () => {
    const { directory } = await openSqliteJournal(folder);
    await directory.commit({ ...person, sub: 'b-18', name: 'Dominique Petit', salt: '07'.repeat(16) });
    const commitment = await directory.commit(person);
    await directory.keep(note);
    expect(bytesOf(folder)).toContain('Camille');
    expect(bytesOf(folder)).toContain('jamais par');

    await directory.drop(note.id);
    expect(await directory.forget(iss, person.sub)).toBe(1);
    expect(await directory.name(iss, person.sub, commitment)).toBeNull();
    expect(bytesOf(folder)).not.toContain('Camille');
    expect(bytesOf(folder)).not.toContain('jamais par');
    expect(bytesOf(folder)).toContain('Dominique');
    await directory.close();
  });

  test('no byte of what was erased is left after a purge, whatever pages were split and merged since', async () => {
    const { directory } = await openSqliteJournal(folder);
    // Always the same sequence: it leaves something behind, in the gaps of pages that were split.
    let state = 1;
    const drawn = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const kept: string[] = [];
    const erased: string[] = [];
    for (let i = 0; i < 4_000; i += 1) {
      const id = `${drawn(1e9)}-${i}`;
      kept.push(id);
      const acts: Promise<unknown>[] = [
        directory.keep({ id, data: { texte: `Secret ${id} ${'x'.repeat(drawn(300))}` }, salt: '03'.repeat(16) }),
      ];
      if (drawn(100) < 55 && kept.length > 100) {
        const [gone] = kept.splice(drawn(kept.length), 1) as [string];
        erased.push(gone);
        acts.push(directory.drop(gone));
      }
      if (i % 25 === 0) await Promise.all(acts);
    }
    const left = () => {
      const bytes = bytesOf(folder);
      return erased.filter((id) => bytes.includes(`Secret ${id} `));
    };
    const before = left();
    await directory.purge();
    expect([before.length > 0, left()]).toEqual([true, []]);
    expect(bytesOf(folder)).toContain(`Secret ${kept[0]} `);
    expect(await directory.durability()).toMatchObject({ secure_delete: 1, synchronous: 2 });
    await directory.close();
  }, 60_000);

  test('a payload that was kept for a fact which was never appended is gone when the folder is opened again', async () => {
    const first = await openSqliteJournal(folder);
    const fact = sampleFact('dossier-a', { envelope: { type: 'dossier.note-ajoutee' } });
    const { salt: _, ...noted } = fact;
    await first.directory.keep({ ...note, id: fact.envelope.id });
    await first.journal.append('dossier-a', -1, [{ ...noted, data: {} }]);
    await first.directory.keep({ ...note, id: 'note-2', data: { texte: 'Perdu en route.' } });
    await first.journal.close();
    expect(bytesOf(folder)).toContain('Perdu en route');
    const again = await openSqliteJournal(folder);
    expect(await again.directory.payload('note-2')).toBeNull();
    expect(await again.directory.payload(fact.envelope.id)).not.toBeNull();
    expect(bytesOf(folder)).not.toContain('Perdu en route');
    await again.journal.close();
  });

  test('the directory is read beside the process that writes it, and shows what was erased as erased', async () => {
    const { directory } = await openSqliteJournal(folder);
    const commitment = await directory.commit(person);
    const beside = await readSqliteJournal(folder);
    expect(await beside.directory.name(iss, person.sub, commitment)).toBe(person.name);
    await directory.forget(iss, person.sub);
    expect(await beside.directory.name(iss, person.sub, commitment)).toBeNull();
    await beside.journal.close();
    await beside.directory.close();
    await directory.close();
  });

  test('the directory stands alone when the log lies in another store', async () => {
    const alone = await openSqliteDirectory(folder);
    const commitment = await alone.commit(person);
    expect(await alone.name(iss, person.sub, commitment)).toBe(person.name);
    await alone.close();
    expect(existsSync(join(folder, 'journal.db'))).toBe(false);
  });
});

/** Everything that the directory's files hold, its WAL with them. */
function bytesOf(folder: string): string {
  const files = readdirSync(folder).filter((file) => file.startsWith('personnes.db'));
  return files.map((file) => readFileSync(join(folder, file), 'utf8')).join();
}
