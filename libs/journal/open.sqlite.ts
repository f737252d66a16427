import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteDirectory, SqliteDirectoryReader } from './directory.sqlite.ts';
import type { Directory, DirectoryReader } from './directory.ts';
import { chainFault } from './envelope.ts';
import { checkIdentity, DIRECTORY, ensureStore, JOURNAL, lockFolder, type Store } from './folder.sqlite.ts';
import { SqliteJournal } from './journal.sqlite.ts';
import { type Journal, type JournalReader, JournalRefused, JournalUnavailable } from './journal.ts';
import { SqliteReader } from './reader.sqlite.ts';
import { Writer, type WriterFiles } from './writer.sqlite.ts';

/** How many of the last events are checked at opening, each against its predecessor: the whole log is for `verify`. */
const CHECKED_TAIL = 200;

/**
 * Opens the journal and the directory of a data folder, for this process alone, creating what is absent. Closing either
 * closes both: what was accepted finishes, the WALs are emptied, the lock is freed.
 * @throws JournalRefused when the folder is in use, foreign or damaged: nothing in its files was changed then.
 */
export async function openSqliteJournal(folder: string): Promise<{ journal: Journal; directory: Directory }> {
  return ownedFolder(folder, async (using) => {
    const log = using(opened(ensureStore(folder, JOURNAL), (file) => new SqliteReader(file)));
    checkTail(log);
    const names = using(opened(ensureStore(folder, DIRECTORY), (file) => new SqliteDirectoryReader(file)));
    const writer = await startWriter({ journal: log.file, directory: names.file });
    await dropUnrecorded(log, names, writer);
    return {
      writer,
      give: (close) => ({
        journal: new SqliteJournal(log, writer, close),
        directory: new SqliteDirectory(names, writer, close),
      }),
    };
  });
}

/**
 * Opens the directory alone, for a log that lies in another store; the same lock, the same refusals.
 * @throws JournalRefused
 */
export async function openSqliteDirectory(folder: string): Promise<Directory> {
  return ownedFolder(folder, async (using) => {
    const names = using(opened(ensureStore(folder, DIRECTORY), (file) => new SqliteDirectoryReader(file)));
    const writer = await startWriter({ journal: null, directory: names.file });
    return { writer, give: (close) => new SqliteDirectory(names, writer, close) };
  });
}

/** A journal in a folder, for those who only read it: it also knows its streams by their names. */
export type SqliteJournalReader = JournalReader & { streams(): Iterable<string> };

/**
 * Opens a data folder for reading only, also beside the process that writes in it: no lock, no writer, no check of the
 * log, since checking is what its callers do.
 * @throws JournalRefused when there is no journal of ours in it.
 */
export async function readSqliteJournal(
  folder: string,
): Promise<{ journal: SqliteJournalReader; directory: DirectoryReader }> {
  const journal = identified(join(folder, JOURNAL.file), JOURNAL, (file) => new SqliteReader(file));
  try {
    return { journal, directory: await readSqliteDirectory(folder) };
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/**
 * Opens the directory of a folder for reading only, also beside the process that writes in it.
 * @throws JournalRefused when there is none of ours in it
 */
export async function readSqliteDirectory(folder: string): Promise<DirectoryReader> {
  return identified(join(folder, DIRECTORY.file), DIRECTORY, (file) => new SqliteDirectoryReader(file));
}

/** A reader on `file`, or a refusal that names it. */
function opened<Reader>(file: string, open: (file: string) => Reader): Reader {
  try {
    return open(file);
  } catch (error) {
    throw refusal(`${file} cannot be opened`, error);
  }
}

type IdentifiedReader = { pragma(name: string): unknown; close(): Promise<void> };

function identified<Reader extends IdentifiedReader>(
  file: string,
  store: Store,
  open: (file: string) => Reader,
): Reader {
  if (!existsSync(file)) throw new JournalRefused(`${file} does not exist: there is nothing to read.`);
  const reader = opened(file, open);
  try {
    checkIdentity(file, store, Number(reader.pragma('application_id')), Number(reader.pragma('user_version')));
    return reader;
  } catch (error) {
    void reader.close();
    throw error;
  }
}

/** @throws JournalRefused when one of the last events is not what its place, its row, its predecessor or its hash says. */
function checkTail(log: SqliteReader): void {
  try {
    for (const { event, position, columns, previous } of log.tail(CHECKED_TAIL)) {
      const { stream, revision, id, type } = event.envelope;
      const fault =
        event.position !== BigInt(position)
          ? 'a position is missing before it'
          : columns.join() !== [stream, revision, id, type].join()
            ? 'its columns are not those of its envelope'
            : (event.fault ?? chainFault(event, previous));
      if (fault !== null) throw new Error(`position ${event.position}, revision ${revision} of ${stream}: ${fault}`);
    }
  } catch (error) {
    throw refusal(`${log.file} is damaged`, error);
  }
}

async function startWriter(files: WriterFiles): Promise<Writer> {
  try {
    return await Writer.open(files);
  } catch (error) {
    throw refusal(`${files.journal ?? files.directory} cannot be written`, error);
  }
}

/**
 * Payloads that no fact refers to: kept for one that was never appended, since the process died or the disk failed in
 * between. Nobody could erase them, for want of a fact to name. A retry keeps them anew.
 */
async function dropUnrecorded(log: SqliteReader, names: SqliteDirectoryReader, writer: Writer): Promise<void> {
  const unrecorded = names.ids().filter((id) => !log.holds(id));
  if (unrecorded.length === 0) return;
  await Promise.all(unrecorded.map((id) => writer.direct(['drop', id])));
  await writer.direct(['purge']);
}

/** What the reader says of a file names it already. */
function refusal(what: string, error: unknown): JournalRefused {
  const { message } = error as Error;
  const line = error instanceof JournalUnavailable ? message : `${what}: ${message}.`;
  return new JournalRefused(`${line} Restore a backup or choose another JALON_DATA.`, { cause: error });
}

type Closable = { close(): Promise<void> };
type Use = <Reader extends Closable>(reader: Reader) => Reader;
type Given<Result> = { writer: Writer; give: (close: () => Promise<void>) => Result };

/**
 * What `open` gives of a folder that is locked until it is closed. Closing does its work once, however often it is
 * asked: what was accepted, the readers, the WALs, and last the lock.
 */
async function ownedFolder<Result>(folder: string, open: (using: Use) => Promise<Given<Result>>): Promise<Result> {
  const lock = lockFolder(folder);
  const readers: Closable[] = [];
  const closeReaders = () => Promise.all(readers.map((reader) => reader.close()));
  let closed: Promise<void> | undefined;
  try {
    const { writer, give } = await open((reader) => {
      readers.push(reader);
      return reader;
    });
    return give(() => {
      closed ??= writer
        .drain()
        .then(closeReaders)
        .then(() => writer.close())
        .finally(() => lock.release());
      return closed;
    });
  } catch (error) {
    await closeReaders();
    lock.withdraw();
    throw error;
  }
}
