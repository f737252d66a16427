import type { JournalReader, SqliteJournalReader } from '@jalon/journal';
import { DirectoryUnavailable } from '@jalon/journal';
import type { StreamSource } from '@jalon/proof';
import { type ArchiveLines, archiveSource } from './archive-lines.ts';
import { type House, openForReading } from './house.ts';

/** Where a journal to verify lies. */
export type Where = { house: House } | { archive: ArchiveLines };

/** A journal to verify, opened in this thread. */
export type OpenedSource = StreamSource & { close(): Promise<void> };

/** Opens a journal for reading, also beside the server that writes there. @throws JournalRefused */
export async function openSource(where: Where): Promise<OpenedSource> {
  if ('archive' in where) {
    const source = archiveSource(where.archive);
    return { ...source, close: async () => source.close() };
  }
  const { journal, directory, close } = await openForReading(where.house);
  return {
    read: (stream) => journal.read(stream),
    payload: (id) => askedOf(() => directory.payload(id), undefined),
    openings: (asked) => askedOf(() => directory.openings(asked), undefined),
    close,
  };
}

/** The names of all streams, and the position of the last fact as of now. */
export async function streamsOf(where: Where): Promise<{ streams: Iterable<string>; until: bigint; gapless: boolean }> {
  if ('archive' in where) {
    const { streams } = where.archive;
    return { streams: streams.keys(), until: 2n ** 63n, gapless: true };
  }
  const { journal, close } = await openForReading(where.house);
  try {
    const until = (await journal.tip()) ?? 0n;
    const gapless = where.house.eventStore === undefined;
    const streams = gapless ? [...(journal as SqliteJournalReader).streams()] : await namesIn(journal);
    return { streams, until, gapless };
  } finally {
    await close();
  }
}

/** EventStoreDB has no list of its streams: the log is read for their names. */
async function namesIn(journal: JournalReader): Promise<Iterable<string>> {
  const names = new Set<string>();
  for await (const page of journal.readAll(null)) for (const { envelope } of page) names.add(envelope.stream);
  return names;
}

/** A directory that is away hinders no verification of the log: what lies there is not looked at then. */
async function askedOf<T>(ask: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof DirectoryUnavailable) return otherwise;
    throw error;
  }
}
