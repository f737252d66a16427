import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  archiveOf,
  openEventStoreJournal,
  openSqliteDirectory,
  openSqliteJournal,
  readSqliteJournal,
  restore,
} from '@jalon/journal';

/** Where a log lies: in a data folder, or in EventStoreDB with the directory of persons in the folder. */
export type House = { folder: string; eventStore?: string };

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
    await pipeline(Readable.from(archiveOf(journal, directory, progress)), createWriteStream(beside, { mode: 0o600 }));
    await rename(beside, file);
    return `Exporté dans ${file}.`;
  } finally {
    await close();
  }
}

/**
 * Writes an exported file into an empty log; after an interruption, again to go on. The log is read back and compared.
 * @throws JournalRefused, ArchiveRefused, RevisionConflict
 */
export async function importFrom(file: string, house: House, say: (line: string) => void): Promise<string> {
  const { journal, directory, close } = await openForWriting(house);
  try {
    const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
    const moved = await restore(lines, journal, directory, (events) => say(`${events} faits`));
    return `${moved.events} faits, ${moved.persons} personnes et ${moved.payloads} contenus effaçables importés, relus et comparés.`;
  } finally {
    await close();
  }
}

/** Opens a log and its directory to read them; also beside the server that writes there. */
export async function openForReading({ folder, eventStore }: House) {
  if (eventStore !== undefined) return openForWriting({ folder, eventStore });
  const { journal, directory } = await readSqliteJournal(folder);
  const close = async () => {
    await journal.close();
    await directory.close();
  };
  return { journal, directory, close };
}

async function openForWriting({ folder, eventStore }: House) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (eventStore === undefined) {
    const { journal, directory } = await openSqliteJournal(folder);
    return { journal, directory, close: () => journal.close() };
  }
  const directory = await openSqliteDirectory(folder);
  const journal = await openEventStoreJournal(eventStore);
  const close = async () => {
    await journal.close();
    await directory.close();
  };
  return { journal, directory, close };
}
