import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { archiveOf } from '@jalon/journal';
import { catalogue } from '@jalon/workflows';
import { type House, openForReading } from './house.ts';
import { recordReading } from './reading.ts';

/**
 * Writes the whole log and the directory of persons into a file; also beside the server that runs on the folder. The file
 * appears under its name once it is whole.
 * @param partial whether what does not hold is left out, and said, rather than refused
 * @throws JournalRefused, JournalUnavailable, ArchiveRefused
 */
export async function exportTo(
  file: string,
  house: House,
  say: (line: string) => void,
  partial = false,
): Promise<string> {
  const { journal, directory, close } = await openForReading(house);
  try {
    const beside = `${file}.partiel`;
    let missing = 0;
    const lines = archiveOf(journal, directory, {
      say: (events) => say(`${events} faits`),
      find: (name, version) => catalogue.find(name, version),
      partial,
      onMissing: ({ stream, revision, says }) => {
        missing += 1;
        say(`${stream} : rien depuis la révision ${revision}, qui ne tient pas (${says}).`);
      },
    });
    // Where it ends is settled by its first line: what the log is told of the export comes after.
    const first = await lines.next();
    const data = { operation: 'jalon export', fichier: file };
    await recordReading(house, { command: 'reading', type: 'acces.exporte', data }, say);
    const whole = Readable.from(preceded(first.value as string, lines));
    // One that was left unfinished may be open to others.
    await rm(beside, { force: true });
    await pipeline(whole, createWriteStream(beside, { mode: 0o600 }));
    await rename(beside, file);
    return missing === 0
      ? `Exporté dans ${file}.`
      : `Exporté dans ${file}, mais ${missing} flux n'y sont qu'en partie : le fichier le dit.`;
  } finally {
    await close();
  }
}

async function* preceded(first: string, others: AsyncGenerator<string>): AsyncGenerator<string> {
  yield first;
  yield* others;
}
