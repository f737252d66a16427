import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { type ProofDatabase, ProofUnavailable } from './store.ts';
import { IN_POSTGRES, schemaFor, type Tables } from './tables.ts';

/** A schema of its own: the read models' may be set aside and derived again, checkpoints and keys may not. */
const SCHEMA = 'jalon_preuve';

/** How long a connection may take to open, and a statement to be answered, in milliseconds. */
const CONNECT_MS = 3_000;
const PATIENCE_MS = 10_000;

const INT8 = 20;

/** Whole numbers of 64 bits as numbers: sizes stay below 2^53, positions are kept as texts. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: never) =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
};

/**
 * Opens the log in a PostgreSQL database that several processes share. It connects when there is something to ask, and
 * again after every failure: a database that is away is told by ProofUnavailable from each call, until it answers.
 */
export function openPostgresProof(url: string): ProofDatabase {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'jalon proof',
    max: 4,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: PATIENCE_MS,
    keepAlive: true,
    types,
    onConnect: async (session) => {
      await session.query(`set search_path = ${SCHEMA}`);
      await session.query("set idle_in_transaction_session_timeout = '4s'");
    },
  });
  // A connection that breaks while nobody uses it is replaced when it is needed.
  pool.on('error', () => undefined);
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  let made: Promise<void> | undefined;

  const ready = async () => {
    made ??= prepare(db);
    try {
      await made;
      return db;
    } catch (cause) {
      made = undefined;
      throw asUnavailable(cause);
    }
  };
  return {
    ready,
    run: async (work) => {
      await ready();
      try {
        return await work(db);
      } catch (cause) {
        if (isMissing(cause)) made = undefined;
        throw isAway(cause) ? asUnavailable(cause) : cause;
      }
    },
    // Not through Kysely, which closes only what it has used.
    close: () => pool.end(),
  };
}

/** Creates the tables when they are absent, one process at a time. */
async function prepare(db: Kysely<Tables>): Promise<void> {
  if (await isMade(db)) return;
  await db.transaction().execute(async (locked) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('jalon preuve', 0))`.execute(locked);
    if (await isMade(locked)) return;
    await sql`create schema if not exists ${sql.id(SCHEMA)}`.execute(locked);
    for (const statement of schemaFor(IN_POSTGRES).split(';'))
      if (statement.trim() !== '') await sql.raw(statement).execute(locked);
  });
}

async function isMade(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<object>`
    select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${SCHEMA} and c.relname = 'keys'`.execute(db);
  return rows.length > 0;
}

/**
 * SQLSTATEs that tell of the state of the server, or of who administers it, and not of what was asked: connection lost
 * (08), credentials (28), no such database, schema or table yet (3D, 3F, 42P01), resources (53), shutting down or a
 * cancelled statement (57), an operating system in trouble (58), a server that only reads, a lock or a session given up.
 */
const AWAY = /^(08|28|3D|3F|53|57|58)|^(42P01|25006|25P03|55P03|40P01)$/;

function isAway(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return AWAY.test(error.code ?? '');
  // What the server did not say comes from the way to it; our own errors have names of their own.
  return error instanceof Error && error.name === 'Error';
}

function isMissing(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === '42P01' || error.code === '3F000');
}

function asUnavailable(cause: unknown): ProofUnavailable {
  const { message, code } = cause as { message?: string; code?: string };
  return new ProofUnavailable(`The database of the proofs does not answer: ${message || code || String(cause)}`, {
    cause,
  });
}
