import { PostgresDirectory } from './directory.postgres.ts';
import type { Directory } from './directory.ts';
import { JournalRefused } from './journal.ts';
import { DatabaseUnavailable } from './pool.postgres.ts';

/**
 * Opens the directory in the schema `jalon_personnes` of a PostgreSQL database (14 or later), which is made when absent and
 * which several processes share. A database that is away at the start is found when it is back; until then, and whenever
 * it is away later, `onTrouble` is told once.
 * @throws JournalRefused when the database is there and cannot serve
 */
export async function openPostgresDirectory(
  url: string,
  onTrouble: (error: unknown) => void = () => undefined,
): Promise<Directory> {
  const directory = new PostgresDirectory(url, onTrouble);
  try {
    await directory.start();
  } catch (error) {
    const { cause, message } = error as Error;
    if (cause instanceof DatabaseUnavailable) return directory;
    await directory.close();
    throw cause instanceof JournalRefused ? cause : new JournalRefused(message, { cause: error });
  }
  return directory;
}
