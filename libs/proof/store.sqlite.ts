import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureStore, type SqliteStore } from '@jalon/journal';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { type ProofDatabase, ProofUnavailable } from './store.ts';
import { IN_SQLITE, schemaFor, type Tables } from './tables.ts';

/** The log beside the journal. `application_id` spells "JalM", for Merkle. */
const PROOF: SqliteStore = { file: 'preuve.db', applicationId: 0x4a616c4d, schema: schemaFor(IN_SQLITE) };

/**
 * Opens the log of a data folder that this process has locked (file `preuve.db`), creating it when absent. Its tree can be
 * derived from the journal again; its origin, its checkpoints and the public keys cannot.
 * @throws JournalRefused when something else lies there
 */
export function openSqliteProof(folder: string): ProofDatabase {
  const connection = new Database(ensureStore(folder, PROOF), { timeout: 5000 });
  connection.pragma('journal_mode = WAL');
  // What a power loss undoes is derived again: the same leaves, and under the same key the very same checkpoints.
  connection.pragma('synchronous = NORMAL');
  connection.pragma('journal_size_limit = 67108864');
  connection.pragma('cache_size = -4096');
  return over(connection);
}

/** The log of a data folder, for who only reads it, also beside the process that writes there; null when it has none. */
export function readSqliteProof(folder: string): ProofDatabase | null {
  const file = join(folder, PROOF.file);
  if (!existsSync(file)) return null;
  return over(new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 }));
}

function over(connection: Database.Database): ProofDatabase {
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: connection }) });
  return {
    run: async (work) => {
      try {
        return await work(db);
      } catch (cause) {
        const { code, message } = cause as { code?: string; message: string };
        if (connection.open && !code?.startsWith('SQLITE_')) throw cause;
        throw new ProofUnavailable(`${connection.name} cannot be used: ${message}.`, { cause });
      }
    },
    close: async () => {
      connection.close();
    },
  };
}
