import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { saltedHash } from './canonical.ts';
import type { Directory } from './directory.ts';
import { JournalUnavailable } from './journal.ts';
import { openSqliteDirectory, openSqliteJournal, readSqliteJournal } from './open.sqlite.ts';
import { temporaryFolder } from './sample.process.ts';

describe('The directory of persons in SQLite', () => {
  const iss = 'https://connexion.example';
  const person = { iss, sub: 'a-17', name: 'Camille Étienne', salt: '01'.repeat(16) };
  const note = { id: 'note-1', data: { texte: 'À rappeler : jamais par écrit.' }, salt: '02'.repeat(16) };
  let folder: string;
  let remove: () => void;
  let directory: Directory;
  beforeEach(async () => {
    ({ folder, remove } = temporaryFolder());
    ({ directory } = await openSqliteJournal(folder));
  });
  afterEach(async () => {
    await directory.close();
    remove();
  });
  const reopen = async () => {
    await directory.close();
    ({ directory } = await openSqliteJournal(folder));
  };

  test('commits to a name by the salt of its first row, whatever salt comes later', async () => {
    const commitment = await directory.commit(person);
    expect(commitment).toBe(saltedHash(person.salt, person.name));
    expect(await directory.commit({ ...person, salt: '03'.repeat(16) })).toBe(commitment);
    await reopen();
    expect(await directory.commit({ ...person, salt: '04'.repeat(16) })).toBe(commitment);
    expect(directory.name(iss, person.sub, commitment)).toBe(person.name);
  });

  test('gives rivals for one new person the same commitment', async () => {
    const salts = Array.from({ length: 10 }, (_, i) => String(i).repeat(32));
    const commitments = await Promise.all(salts.map((salt) => directory.commit({ ...person, salt })));
    expect(new Set(commitments).size).toBe(1);
  });

  test('has one row for each name of a person, and finds a name only for its person', async () => {
    const before = await directory.commit(person);
    const after = await directory.commit({ ...person, name: 'Camille Moreau', salt: '05'.repeat(16) });
    expect(directory.name(iss, person.sub, before)).toBe('Camille Étienne');
    expect(directory.name(iss, person.sub, after)).toBe('Camille Moreau');
    expect(directory.name(iss, 'b-18', before)).toBeNull();
    expect(directory.name('https://autre.example', person.sub, before)).toBeNull();
  });

  test('knows a person again without asking the disk', async () => {
    const commitment = await directory.commit(person);
    await directory.close();
    expect(await directory.commit(person)).toBe(commitment);
    await expect(directory.commit({ ...person, sub: 'b-18' })).rejects.toThrow(JournalUnavailable);
  });

  test('keeps the payload of an erasable fact, and gives back what was kept first under its id', async () => {
    expect(directory.payload(note.id)).toBeNull();
    expect(await directory.keep(note)).toEqual(note);
    expect(await directory.keep({ ...note, salt: '06'.repeat(16) })).toEqual(note);
    await reopen();
    expect(directory.payload(note.id)).toEqual(note);
    await directory.drop(note.id);
    expect(directory.payload(note.id)).toBeNull();
    expect(await directory.keep({ ...note, salt: '06'.repeat(16) })).toEqual({ ...note, salt: '06'.repeat(16) });
  });

  test('leaves no byte of what was erased, not even in its WAL', async () => {
    await directory.commit({ ...person, sub: 'b-18', name: 'Dominique Petit', salt: '07'.repeat(16) });
    const commitment = await directory.commit(person);
    await directory.keep(note);
    expect(bytesOf(folder)).toContain('Camille');
    expect(bytesOf(folder)).toContain('jamais par');

    await directory.drop(note.id);
    expect(await directory.forget(iss, person.sub)).toBe(1);
    expect(directory.name(iss, person.sub, commitment)).toBeNull();
    expect(bytesOf(folder)).not.toContain('Camille');
    expect(bytesOf(folder)).not.toContain('jamais par');
    expect(bytesOf(folder)).toContain('Dominique');
  });

  test('makes a new commitment for a forgotten person who acts again', async () => {
    const before = await directory.commit(person);
    await directory.forget(iss, person.sub);
    const after = await directory.commit({ ...person, salt: '08'.repeat(16) });
    expect(after).not.toBe(before);
    expect(directory.name(iss, person.sub, after)).toBe(person.name);
  });

  test('is read beside the process that writes it, and shows what was erased as erased', async () => {
    const commitment = await directory.commit(person);
    const beside = await readSqliteJournal(folder);
    expect(beside.directory.name(iss, person.sub, commitment)).toBe(person.name);
    await directory.forget(iss, person.sub);
    expect(beside.directory.name(iss, person.sub, commitment)).toBeNull();
    await beside.journal.close();
    await beside.directory.close();
  });

  test('stands alone when the log lies in another store', async () => {
    const { folder: other, remove: removeOther } = temporaryFolder();
    const alone = await openSqliteDirectory(other);
    const commitment = await alone.commit(person);
    expect(alone.name(iss, person.sub, commitment)).toBe(person.name);
    await alone.close();
    expect(existsSync(join(other, 'journal.db'))).toBe(false);
    removeOther();
  });

  test('is unavailable once closed', async () => {
    await directory.close();
    expect(() => directory.name(iss, 'a', 'b')).toThrow(JournalUnavailable);
    expect(() => directory.payload('a')).toThrow(JournalUnavailable);
    await expect(directory.keep(note)).rejects.toThrow(JournalUnavailable);
    await expect(directory.drop('a')).rejects.toThrow(JournalUnavailable);
  });
});

/** Everything that the directory's files hold, its WAL with them. */
function bytesOf(folder: string): string {
  const files = readdirSync(folder).filter((file) => file.startsWith('personnes.db'));
  return files.map((file) => readFileSync(join(folder, file), 'utf8')).join();
}
