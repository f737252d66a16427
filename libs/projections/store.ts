import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ownersFile } from '@jalon/journal';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { createBookkeeping } from './bookkeeping.ts';
import { type Dialect, SQLITE, type Tables } from './tables.ts';

/** Where the read models are kept. Readers never wait for a write transaction: they have connections of their own. */
export type ReadModelStore = {
  reader: Kysely<Tables>;
  /** For who writes, outside of its transactions. */
  writer: Kysely<Tables>;
  dialect: Dialect;
  /** Makes the database ready to be written to, whatever it holds by now. */
  prepare(): Promise<void>;
  /** All of what `work` writes, or nothing. */
  transact<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** Says that what is stored cannot be trusted: it will be set aside, and everything derived again. */
  condemn(): Promise<void>;
  close(): Promise<void>;
};

/** The file of the read models in a data folder. */
export const READ_MODELS = 'lectures.db';

/** "JalL". */
const APPLICATION_ID = 0x4a616c4c;

/** Layout of the bookkeeping tables. Projections have versions of their own. */
const LAYOUT = 1;

/** Statements kept prepared per connection: lists have a few dozen shapes, the rest is fixed. */
const PREPARED = 400;

/**
 * Opens the read models of a data folder (SQLite, file `lectures.db`), creating them when absent. Everything in them can
 * be derived again: a file that is damaged, foreign or of another layout is renamed `lectures.db.ecartee`, `onSetAside`
 * is told why in a sentence, and an empty one takes its place.
 */
export function openReadModels(folder: string, onSetAside: (sentence: string) => void): ReadModelStore {
  const file = join(folder, READ_MODELS);
  const condemned = `${file}.condamnee`;
  const fault = existsSync(condemned) ? 'it failed while it was in use' : faultOf(file);
  if (fault !== null) {
    for (const end of ['', '-wal', '-shm']) {
      rmSync(`${file}.ecartee${end}`, { force: true });
      if (existsSync(file + end)) renameSync(file + end, `${file}.ecartee${end}`);
    }
    rmSync(condemned, { force: true });
    onSetAside(`${file} was set aside as ${READ_MODELS}.ecartee (${fault}): the read models are being derived again.`);
  }

  const writer = new Database(ownersFile(file), { timeout: 5000 });
  writer.pragma('journal_mode = WAL');
  writer.pragma('synchronous = NORMAL');
  writer.pragma('wal_autocheckpoint = 2000');
  writer.pragma('journal_size_limit = 67108864');
  writer.pragma('cache_size = -8192');
  writer.exec(`begin; pragma application_id = ${APPLICATION_ID}; pragma user_version = ${LAYOUT}; commit`);
  const reader = new Database(file, { readonly: true, timeout: 5000 });
  reader.pragma('cache_size = -8192');
  // The only connection that writes; Kysely gives it to one transaction at a time.
  const writing = kyselyOver(writer);
  const transact: ReadModelStore['transact'] = (work) => writing.transaction().execute(work);
  return {
    reader: kyselyOver(reader),
    writer: writing,
    dialect: SQLITE,
    prepare: () =>
      transact(async (db) => {
        const there = await db.introspection.getTables();
        await createBookkeeping(
          db,
          SQLITE,
          there.map(({ name }) => name),
        );
      }),
    transact,
    condemn: async () => closeSync(openSync(condemned, 'w', 0o600)),
    // Not through Kysely, which closes only what it has used. The writer last: it empties the WAL.
    close: async () => {
      reader.close();
      writer.close();
    },
  };
}

function kyselyOver(connection: Database.Database): Kysely<Tables> {
  const prepared = new Map<string, Database.Statement<unknown[]>>();
  const prepare = (text: string): Database.Statement<unknown[]> => {
    let statement = prepared.get(text);
    if (!statement) {
      if (prepared.size >= PREPARED) prepared.clear();
      statement = connection.prepare<unknown[]>(text);
      prepared.set(text, statement);
    }
    return statement;
  };
  return new Kysely<Tables>({ dialect: new SqliteDialect({ database: { prepare, close: () => undefined } }) });
}

/** Why a file cannot serve, or null when it can (or is absent, or was created and nothing more). */
function faultOf(file: string): string | null {
  if (!existsSync(file)) return null;
  let connection: Database.Database | undefined;
  try {
    connection = new Database(file, { fileMustExist: true, timeout: 5000 });
    const tables = connection.prepare('select count(*) from sqlite_schema').pluck().get();
    if (tables === 0) return null;
    if (connection.pragma('application_id', { simple: true }) !== APPLICATION_ID) return 'Jalon did not write it';
    if (connection.pragma('user_version', { simple: true }) !== LAYOUT) return 'another build wrote it';
    const check = connection.pragma('quick_check(1)', { simple: true });
    return check === 'ok' ? null : String(check);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    // Somebody else's lock, rights or disk say nothing of what the file holds.
    if (code === 'SQLITE_NOTADB' || code?.startsWith('SQLITE_CORRUPT')) return message;
    throw error;
  } finally {
    connection?.close();
  }
}

/** Whether an error says that the stored read models are damaged: SQLite's codes, and PostgreSQL's for data and indexes. */
export function isDamage(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^(SQLITE_CORRUPT|SQLITE_NOTADB$|XX00[12]$)/.test(code);
}
