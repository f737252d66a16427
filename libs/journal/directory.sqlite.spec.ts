import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { describeDirectory } from './directory.contract.ts';
import { openSqliteDirectory, openSqliteJournal, readSqliteJournal } from './open.sqlite.ts';
import { temporaryFolder } from './sample.process.ts';

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
    open: async () => (await openSqliteJournal(folder)).directory,
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
