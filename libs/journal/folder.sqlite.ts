import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
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

/** What the only writer of a folder holds. */
export const LOCK = 'lock.db';

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
  const file = join(folder, LOCK);
  let created = false;
  let lock: Database.Database | undefined;
  try {
    keepToOwner(folder);
    created = !existsSync(file);
    lock = new Database(ownersFile(file), { timeout: 0 });
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

/** For its owner only. */
const OWNER_ONLY = { folder: 0o700, file: 0o600 } as const;

/** Files of SQLite, and what it makes beside them. */
const DATABASE = /\.db(\.\w+)?(-(wal|shm|journal))?$/;

/** A folder that nobody else reads, created when absent; databases that an earlier build left open to others are closed. */
function keepToOwner(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: OWNER_ONLY.folder });
  const files = readdirSync(folder);
  // One that holds something already may be shared on purpose; what lies in it is not.
  if (files.length === 0) restrict(folder, OWNER_ONLY.folder);
  for (const file of files) if (DATABASE.test(file)) restrict(join(folder, file), OWNER_ONLY.file);
}

/** Takes what others may do from them, where the file system lets this process. */
function restrict(path: string, mode: number): void {
  if ((statSync(path).mode & 0o077) === 0) return;
  try {
    chmodSync(path, mode);
  } catch (fault) {
    // Not ours, or a file system without modes: who mounted it decided.
    if (!['EPERM', 'ENOTSUP', 'ENOSYS'].includes((fault as NodeJS.ErrnoException).code ?? '')) throw fault;
  }
}

/**
 * The path of a file that its owner alone reads, created empty when absent: a database, whose WAL takes its mode. One that
 * is there is not opened: closing it would free the locks that SQLite holds on it for this process.
 */
export function ownersFile(path: string): string {
  if (existsSync(path)) restrict(path, OWNER_ONLY.file);
  else closeSync(openSync(path, 'a', OWNER_ONLY.file));
  return path;
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
  const db = new Database(ownersFile(draft));
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
