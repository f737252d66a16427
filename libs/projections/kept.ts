import { join } from 'node:path';
import { JournalRefused, ownersFile, type PoolOptions } from '@jalon/journal';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { kyselyOver } from './store.postgres.ts';
import { createTable, type Dialect, POSTGRES, SQLITE, type Table, type Tables } from './tables.ts';

/**
 * Where is kept what somebody asked for and what no fact says: it lies beside the read models, and not among them, since
 * nothing could derive it again.
 */
export type KeptStore = {
  /** Ready to be read and written. What resolved is durable. @throws ReadModelsUnavailable while the database is away */
  db(): Promise<Kysely<Tables>>;
  close(): Promise<void>;
};

const FILE = 'reglages.db';

/** "JalR". */
const APPLICATION_ID = 0x4a616c52;

const SCHEMA = 'jalon_reglages';

const CALENDAR_TOKENS: Table = {
  columns: {
    id: 'text',
    hash: 'text',
    iss: 'text',
    sub: 'text',
    roles: 'text',
    org: 'text?',
    label: 'text?',
    created_at: 'text',
  },
  key: ['id'],
  indexes: [['hash'], ['iss', 'sub']],
};

/** From each layout to the next: never changed once published, only added to. */
const STEPS: readonly ((db: Kysely<Tables>, dialect: Dialect) => Promise<void>)[] = [
  (db, dialect) => createTable(db, dialect, 'calendar_tokens', CALENDAR_TOKENS),
  // What was revoked is told apart from what never was one.
  (db) =>
    db.schema
      .alterTable('calendar_tokens')
      .addColumn('revoked', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute(),
];

/**
 * Opens the file `reglages.db` of a data folder, creating it when absent.
 * @throws JournalRefused when it is damaged, foreign or of a newer build: it is left as it is
 */
export async function openKept(folder: string): Promise<KeptStore> {
  const file = join(folder, FILE);
  let connection: Database.Database | undefined;
  try {
    connection = new Database(ownersFile(file), { timeout: 5000 });
    assertOurs(connection);
    connection.pragma('journal_mode = WAL');
    connection.pragma('synchronous = FULL');
    connection.pragma(`application_id = ${APPLICATION_ID}`);
    const { prepare } = connection;
    const dialect = new SqliteDialect({
      database: { prepare: prepare.bind(connection) as never, close: () => undefined },
    });
    const db = new Kysely<Tables>({ dialect });
    await db.transaction().execute(async (tx) => {
      const version = Number(connection?.pragma('user_version', { simple: true }));
      for (const step of STEPS.slice(version)) await step(tx, SQLITE);
      connection?.pragma(`user_version = ${STEPS.length}`);
    });
    return { db: async () => db, close: async () => void connection?.close() };
  } catch (cause) {
    connection?.close();
    if (cause instanceof JournalRefused) throw cause;
    throw new JournalRefused(`${file} cannot be opened: ${(cause as Error).message}.`, { cause });
  }
}

function assertOurs(connection: Database.Database): void {
  const pragma = (name: string) => Number(connection.pragma(name, { simple: true }));
  const tables = Number(connection.prepare('select count(*) from sqlite_schema').pluck().get());
  if (tables > 0 && pragma('application_id') !== APPLICATION_ID)
    throw new JournalRefused(`${connection.name} is a database that Jalon did not make.`);
  if (pragma('user_version') > STEPS.length)
    throw new JournalRefused(`A newer build of Jalon wrote ${connection.name}.`);
}

const WRITING: PoolOptions = {
  name: 'jalon settings',
  max: 2,
  settings: { search_path: SCHEMA, synchronous_commit: 'on', lock_timeout: '5000' },
  patienceMs: 10_000,
};

/**
 * The same in the schema `jalon_reglages` of a PostgreSQL database, which several processes share. It connects when there
 * is something to ask, and again after every failure.
 */
export function openPostgresKept(url: string): KeptStore {
  const db = kyselyOver(url, WRITING);
  let prepared: Promise<void> | undefined;
  const prepare = () => {
    prepared ??= preparePostgres(db).catch((error) => {
      prepared = undefined;
      throw error;
    });
    return prepared;
  };
  return {
    db: async () => {
      await prepare();
      return db;
    },
    close: () => db.destroy(),
  };
}

/** Brings the schema to the layout of this build, one process at a time. */
async function preparePostgres(db: Kysely<Tables>): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('jalon settings', 0))`.execute(tx);
    const { rows } = await sql<object>`select 1 from pg_namespace where nspname = ${SCHEMA}`.execute(tx);
    // The schema may have been made by an administrator, since not everybody may.
    if (rows.length === 0) await sql`create schema ${sql.ref(SCHEMA)}`.execute(tx);
    await sql`create table if not exists layout (version bigint not null)`.execute(tx);
    const layout = await tx.selectFrom('layout').select('version').executeTakeFirst();
    const version = Number(layout?.version ?? 0);
    if (version > STEPS.length) throw new TypeError(`A newer build of Jalon made the schema ${SCHEMA}.`);
    for (const step of STEPS.slice(version)) await step(tx, POSTGRES);
    if (layout) await tx.updateTable('layout').set({ version: STEPS.length }).execute();
    else await tx.insertInto('layout').values({ version: STEPS.length }).execute();
  });
}
