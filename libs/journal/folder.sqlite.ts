import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { JournalRefused } from './journal.ts';

/** One of the files of a data folder: how it is recognised and what it is created with. */
export type Store = { file: string; applicationId: number; schema: string };

/** What `user_version` says of both files: the layout of the tables, not the format of the envelope. */
const LAYOUT = 1;

/** The log. `application_id` spells "JalJ". */
export const JOURNAL: Store = {
  file: 'journal.db',
  applicationId: 0x4a616c4a,
  schema: `
    create table events (
      position integer primary key,
      stream text not null,
      revision integer not null,
      id text not null unique,
      type text not null,
      data text not null,
      meta text not null,
      unique (stream, revision)
    ) strict;`,
};

/** Names and erasable payloads. `application_id` spells "JalP". */
export const DIRECTORY: Store = {
  file: 'personnes.db',
  applicationId: 0x4a616c50,
  schema: `
    create table persons (
      iss text not null,
      sub text not null,
      name text not null,
      salt text not null,
      commitment text not null,
      primary key (iss, sub, name)
    ) strict, without rowid;
    create table erasables (
      id text primary key,
      data text not null,
      salt text not null
    ) strict, without rowid;`,
};

/** The right to write in a folder. */
export type Lock = {
  release(): void;
  /** Releases a folder that was refused, leaving it as it was found. */
  withdraw(): void;
};

/**
 * Makes this process the only writer of a folder, created when absent, until it gives up the lock or dies: the lock is
 * SQLite's own, which the system frees, never a file that outlives its author.
 * @throws JournalRefused when another process, or another opening in this one, holds it.
 */
export function lockFolder(folder: string): Lock {
  const file = join(folder, 'lock.db');
  let created = false;
  let lock: Database.Database | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    created = !existsSync(file);
    lock = new Database(file, { timeout: 0 });
    lock.pragma('journal_mode = MEMORY'); // Nothing is ever written in it.
    lock.exec('begin exclusive');
  } catch (error) {
    lock?.close();
    const { code, message } = error as { code?: string; message: string };
    if (code === 'SQLITE_BUSY')
      throw new JournalRefused(
        `Another Jalon process is already writing in ${resolve(folder)}: stop it or choose another JALON_DATA.`,
      );
    throw new JournalRefused(`${resolve(folder)} cannot be used as a data folder: ${message}.`, { cause: error });
  }
  const held = lock;
  return {
    release: () => held.close(),
    withdraw: () => {
      if (created) rmSync(file);
      held.close();
    },
  };
}

/**
 * The path of a store of a locked folder, created when absent. An existing file is only looked at, through its header:
 * opening a foreign one would already leave traces beside it.
 * @throws JournalRefused when something else lies there.
 */
export function ensureStore(folder: string, store: Store): string {
  const file = join(folder, store.file);
  if (existsSync(file)) checkHeader(file, store);
  else if (existsSync(`${file}-wal`))
    throw new JournalRefused(`${file} is missing but ${file}-wal is there: put the file back or restore a backup.`);
  else create(file, store);
  return file;
}

/** Created under another name, then renamed: a kill in between leaves no half-made store. */
function create(file: string, store: Store): void {
  const draft = `${file}.new`;
  rmSync(draft, { force: true });
  const db = new Database(draft);
  db.pragma('synchronous = FULL');
  db.exec(`begin; ${store.schema}
    pragma application_id = ${store.applicationId};
    pragma user_version = ${LAYOUT};
    commit;`);
  db.close();
  renameSync(draft, file);
  const folder = openSync(join(file, '..'), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

/** See https://www.sqlite.org/fileformat.html, "The Database Header". */
function checkHeader(file: string, store: Store): void {
  const header = Buffer.alloc(100);
  const descriptor = openSync(file, 'r');
  try {
    const read = readSync(descriptor, header, 0, header.length, 0);
    if (read < header.length || header.toString('latin1', 0, 16) !== 'SQLite format 3\0')
      throw new JournalRefused(`${file} is not an SQLite file: restore a backup or choose another JALON_DATA.`);
  } finally {
    closeSync(descriptor);
  }
  checkIdentity(file, store, header.readUInt32BE(68), header.readUInt32BE(60));
  // With a WAL the file may rightly be shorter than the log says; SQLite itself then finds what is missing.
  const pageSize = header.readUInt16BE(16) === 1 ? 65536 : header.readUInt16BE(16);
  if (!existsSync(`${file}-wal`) && statSync(file).size < pageSize * header.readUInt32BE(28))
    throw new JournalRefused(`${file} is truncated: restore a backup.`);
}

/** @throws JournalRefused when the identifying pragmas are not those of `store`. */
export function checkIdentity(file: string, store: Store, applicationId: number, layout: number): void {
  if (applicationId !== store.applicationId)
    throw new JournalRefused(
      `${file} was not written by Jalon (application_id ${applicationId}): choose another JALON_DATA.`,
    );
  if (layout !== LAYOUT)
    throw new JournalRefused(
      `${file} has layout ${layout}, this build knows layout ${LAYOUT}: use the build that wrote it.`,
    );
}
