import { mkdir } from 'node:fs/promises';
import {
  type Directory,
  type DirectoryReader,
  JournalRefused,
  openEventStoreJournal,
  openPostgresDirectory,
  openSqliteDirectory,
  openSqliteJournal,
  readSqliteDirectory,
  readSqliteJournal,
} from '@jalon/journal';
import { importFile } from '../api/import.ts';

/** Where a log lies: in a data folder or in EventStoreDB; and its directory of persons: in the folder, or in PostgreSQL. */
export type House = {
  folder: string;
  eventStore?: string;
  database?: string;
  /** Where the stores of the folder are read, when it may not be written in (see `readableHouse`). */
  copy?: string;
};

/** The folder in which the stores of a house are read. */
export function readIn({ folder, copy }: House): string {
  return copy ?? folder;
}

/**
 * Writes an exported file into an empty log; after an interruption, again to go on. The log is read back and compared.
 * @throws JournalRefused, ArchiveRefused, DirectoryTaken
 */
export async function importFrom(
  file: string,
  house: House,
  say: (line: string) => void,
  partial = false,
): Promise<string> {
  const opened = await openForWriting(house);
  try {
    return await importFile(file, opened, say, partial);
  } finally {
    await opened.close();
  }
}

/** Opens a log and its directory to read them; also beside the server that writes there. */
export async function openForReading(house: House) {
  const { eventStore } = house;
  const folder = readIn(house);
  if (eventStore === undefined) return housed(house, await readSqliteJournal(folder));
  const directory = await readSqliteDirectory(folder);
  return housed(house, { directory, journal: await openEventStoreJournal(eventStore) });
}

/** Opens a log and its directory to write there, which no server does at the time. */
export async function openForWriting(house: House) {
  const { folder, eventStore } = house;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (eventStore === undefined) return housed(house, await openSqliteJournal(folder));
  const directory = await openSqliteDirectory(folder);
  return housed(house, { directory, journal: await openEventStoreJournal(eventStore) });
}

type Opened<Log, Names> = { journal: Log; directory: Names; close(): Promise<void> };
type Closable = { close(): Promise<void> };

/** With a database the directory is there, and must not be in the folder any more. */
async function housed<Log extends Closable, Names extends DirectoryReader>(
  { folder, database }: House,
  { journal, directory }: { journal: Log; directory: Names },
): Promise<Opened<Log, Names | Directory>> {
  const open: Closable[] = [journal, directory];
  const close = async () => {
    for (const each of open) await each.close();
  };
  if (database === undefined) return { journal, directory, close };
  try {
    for await (const _ of directory.persons())
      throw new JournalRefused(
        `The names in ${folder} are not in the database yet: start the server once with this DATABASE_URL, or act without it.`,
      );
    const shared = await openPostgresDirectory(database);
    open.push(shared);
    return { journal, directory: shared, close };
  } catch (fault) {
    await close();
    throw fault;
  }
}
