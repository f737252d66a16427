import { randomBytes, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  archiveOf,
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
import { Accesses, OPERATOR } from '../api/accesses.ts';
import { importFile } from '../api/import.ts';
import { nodeName } from '../api/node-name.ts';
import { SOFTWARE } from '../api/product.ts';
import { askServer } from './hold.ts';

/** Where a log lies: in a data folder or in EventStoreDB; and its directory of persons: in the folder, or in PostgreSQL. */
export type House = { folder: string; eventStore?: string; database?: string };

/**
 * Writes the whole log and the directory of persons into a file; also beside the server that runs on the folder. The file
 * appears under its name once it is whole.
 * @throws JournalRefused, JournalUnavailable
 */
export async function exportTo(file: string, house: House, say: (line: string) => void): Promise<string> {
  const { journal, directory, close } = await openForReading(house);
  try {
    const progress = (events: number) => say(`${events} faits`);
    const beside = `${file}.partiel`;
    const lines = archiveOf(journal, directory, progress);
    // Where it ends is settled by its first line: what the log is told of the export comes after.
    const first = await lines.next();
    await recordExport(file, house);
    const whole = Readable.from(preceded(first.value as string, lines));
    // One that was left unfinished may be open to others.
    await rm(beside, { force: true });
    await pipeline(whole, createWriteStream(beside, { mode: 0o600 }));
    await rename(beside, file);
    return `Exporté dans ${file}.`;
  } finally {
    await close();
  }
}

async function* preceded(first: string, others: AsyncGenerator<string>): AsyncGenerator<string> {
  yield first;
  yield* others;
}

/** Tells the log of accesses, by the server that runs on the folder when there is one, before anything leaves. */
async function recordExport(file: string, house: House): Promise<void> {
  const order = { command: 'exporting', file } as const;
  if ((await askServer(house.folder, order, () => undefined)) !== null) return;
  const { journal, directory, close } = await openForWriting(house);
  try {
    const entropy = { uuid: randomUUID, salt: () => randomBytes(16).toString('hex') };
    const clock = () => new Date();
    const node = nodeName(house.folder);
    const accesses = new Accesses({ journal, directory, clock, entropy, software: SOFTWARE, node });
    await accesses.record('acces.exporte', OPERATOR, { operation: 'jalon export', fichier: file });
  } finally {
    await close();
  }
}

/**
 * Writes an exported file into an empty log; after an interruption, again to go on. The log is read back and compared.
 * @throws JournalRefused, ArchiveRefused, DirectoryTaken
 */
export async function importFrom(file: string, house: House, say: (line: string) => void): Promise<string> {
  const opened = await openForWriting(house);
  try {
    return await importFile(file, opened, say);
  } finally {
    await opened.close();
  }
}

/** Opens a log and its directory to read them; also beside the server that writes there. */
export async function openForReading(house: House) {
  const { folder, eventStore } = house;
  if (eventStore === undefined) return housed(house, await readSqliteJournal(folder));
  const directory = await readSqliteDirectory(folder);
  return housed(house, { directory, journal: await openEventStoreJournal(eventStore) });
}

async function openForWriting(house: House) {
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
