import { join } from 'node:path';
import { Connections, DatabaseUnavailable, ownersFile, type PoolOptions } from '@jalon/journal';
import Database from 'better-sqlite3';
import { Kysely, PostgresDialect, type PostgresPool, SqliteDialect, sql } from 'kysely';
import { STEPS, type Tables } from './tables.ts';

/** Webhooks and their deliveries cannot be kept here, and why; nothing was changed. */
export class DeliveriesRefused extends Error {
  override readonly name = 'DeliveriesRefused';
}

/** The database of the deliveries does not answer. Facts are safe, and leave later. */
export class DeliveriesUnavailable extends DatabaseUnavailable {
  override readonly name = 'DeliveriesUnavailable';
  constructor(cause: unknown) {
    super(cause, 'The database of the deliveries');
  }
}

/** Where webhooks and their deliveries are kept. It opens when it is first asked, and again after every failure. */
export type DeliveryStore = {
  /**
   * Does `work` in one transaction: all of it, or nothing. `durable` also waits for the disk where that is not done anyway.
   * @throws DeliveriesUnavailable, DeliveriesRefused
   */
  transact<T>(work: (db: Kysely<Tables>) => Promise<T>, durable?: 'durable'): Promise<T>;
  close(): Promise<void>;
};

const FILE = 'livraisons.db';

/** "JalD". */
const APPLICATION_ID = 0x4a616c44;

/**
 * Opens the deliveries of a data folder (SQLite, file `livraisons.db`), creating them when absent. A kill at any moment
 * loses nothing; a power loss may take back what was last delivered, which is then delivered again.
 * @throws DeliveriesRefused when the file is not ours, or damaged: it cannot be derived again
 */
export function openDeliveries(folder: string): DeliveryStore {
  const file = join(folder, FILE);
  let database: Database.Database;
  try {
    // It holds secrets: what is made is for its owner only, and so are the files that SQLite makes beside it.
    database = new Database(ownersFile(file), { timeout: 5000 });
    const empty = database.prepare('select count(*) from sqlite_schema').pluck().get() === 0;
    if (!empty && database.pragma('application_id', { simple: true }) !== APPLICATION_ID)
      throw new DeliveriesRefused(`${file} is not a file of Jalon's deliveries.`);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = NORMAL');
    database.pragma('secure_delete = on');
    database.pragma(`application_id = ${APPLICATION_ID}`);
  } catch (error) {
    if (error instanceof DeliveriesRefused) throw error;
    throw new DeliveriesRefused(`${file} cannot be opened: ${(error as Error).message}.`, { cause: error });
  }
  const kysely = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) });
  const ready = once(() => kysely.transaction().execute(migrate));
  let last: Promise<unknown> = Promise.resolve();
  const transact: DeliveryStore['transact'] = (work, durable) => {
    // One connection: a transaction begins when the one before it has ended, and so does what it waits for.
    const turn = last.then(async () => {
      await ready();
      if (!durable) return kysely.transaction().execute(work);
      database.pragma('synchronous = FULL');
      try {
        return await kysely.transaction().execute(work);
      } finally {
        database.pragma('synchronous = NORMAL');
      }
    });
    last = turn.catch(() => undefined);
    return turn;
  };
  const close = async () => {
    await last;
    database.close();
  };
  return { transact, close };
}

const SCHEMA = 'jalon_livraisons';
const PATIENCE_MS = 10_000;

/**
 * Opens the deliveries in the schema `jalon_livraisons` of a PostgreSQL database, apart from the read models, which are
 * thrown away when they are derived again.
 */
export function openPostgresDeliveries(url: string): DeliveryStore {
  const options: PoolOptions = {
    name: 'jalon delivers',
    max: 4,
    settings: { search_path: SCHEMA, idle_in_transaction_session_timeout: '4000', lock_timeout: '5000' },
    patienceMs: PATIENCE_MS,
    away: (cause) => new DeliveriesUnavailable(cause),
  };
  // Cursors, the one thing of a pool that is missing, are not used.
  const pool = async () => new Connections(url, options) as unknown as PostgresPool;
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  const ready = once(() =>
    kysely.transaction().execute(async (db) => {
      await sql`select pg_advisory_xact_lock(hashtextextended('jalon livraisons', 0))`.execute(db);
      const { rows } = await sql`select 1 from pg_namespace where nspname = ${SCHEMA}`.execute(db);
      if (rows.length === 0) await db.schema.createSchema(SCHEMA).execute();
      await migrate(db);
    }),
  );
  return {
    async transact(work) {
      await ready();
      return kysely.transaction().execute(work);
    },
    close: () => kysely.destroy(),
  };
}

/** Brings the tables to the layout of this build. @throws DeliveriesRefused when a newer build made them */
async function migrate(db: Kysely<Tables>): Promise<void> {
  await db.schema.createTable('layout').ifNotExists().addColumn('version', 'bigint').execute();
  const version = (await db.selectFrom('layout').select('version').executeTakeFirst())?.version ?? 0;
  if (version > STEPS.length)
    throw new DeliveriesRefused(
      `A newer build of Jalon keeps the deliveries (layout ${version}, this build knows ${STEPS.length}).`,
    );
  for (const step of STEPS.slice(version)) await step(db);
  if (version === 0) await db.insertInto('layout').values({ version: STEPS.length }).execute();
  else if (version < STEPS.length) await db.updateTable('layout').set({ version: STEPS.length }).execute();
}

/** Does it until it succeeded once. */
function once(act: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= act().catch((error: unknown) => {
      done = undefined;
      throw error;
    });
    return done;
  };
}
