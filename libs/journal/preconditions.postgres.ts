import pg from 'pg';
import { JournalRefused } from './journal.ts';
import { connection, isAway } from './pool.postgres.ts';

/** How long the database may take to say what it is. */
const PATIENCE_MS = 5_000;

/**
 * Looks at a database before anything is kept there. One that does not answer is not judged: it is waited for elsewhere.
 * @throws JournalRefused when texts would be lost in it (an encoding other than UTF-8), or sessions are not ours (a pooler
 * that hands them out by the transaction: locks, notifications and settings would be somebody else's)
 */
export async function assertDatabaseFits(url: string): Promise<void> {
  const sessions = [0, 1].map(() => new pg.Client({ ...connection(url, 'jalon starts'), query_timeout: PATIENCE_MS }));
  for (const session of sessions) session.on('error', () => undefined);
  try {
    for (const session of sessions) await session.connect();
    const [one, other] = await Promise.all(sessions.map(lookAt));
    const encoding = one?.encoding;
    if (encoding !== 'UTF8')
      throw new JournalRefused(
        `The database of DATABASE_URL is encoded in ${encoding}, and names need UTF-8: create another with « create database … encoding 'UTF8' template template0 ».`,
      );
    // Both are open at this moment: nobody but a pooler gives them one and the same session of the server.
    if (one?.pid === other?.pid)
      throw new JournalRefused(
        'DATABASE_URL leads to a pooler that shares sessions by the transaction: give the address of PostgreSQL itself, or of a pooler in session mode.',
      );
  } catch (error) {
    if (error instanceof JournalRefused || !isAway(error)) throw error;
  } finally {
    for (const session of sessions) await session.end().catch(() => undefined);
  }
}

async function lookAt(session: pg.Client): Promise<{ pid: number; encoding: string } | undefined> {
  const { rows } = await session.query<{ pid: number; encoding: string }>(
    "select pg_backend_pid() as pid, current_setting('server_encoding') as encoding",
  );
  return rows[0];
}
