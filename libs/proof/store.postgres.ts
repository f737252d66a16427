import { Connections, DatabaseUnavailable, isMissing } from '@jalon/journal';
import { Kysely, PostgresDialect, type PostgresPool, sql } from 'kysely';
import { type ProofDatabase, ProofUnavailable } from './store.ts';
import { IN_POSTGRES, schemaFor, type Tables } from './tables.ts';

/** A schema of its own: the read models' may be set aside and derived again, checkpoints and keys may not. */
const SCHEMA = 'jalon_preuve';

/**
 * Opens the log in the schema `jalon_preuve` of a PostgreSQL database that several processes share. It connects when there
 * is something to ask, and again after every failure: a database that is away is told by ProofUnavailable from each call,
 * until it answers.
 */
export function openPostgresProof(url: string): ProofDatabase {
  const connections = new Connections(url, {
    name: 'jalon proves',
    max: 4,
    settings: { search_path: SCHEMA, idle_in_transaction_session_timeout: '4000', lock_timeout: '5000' },
    patienceMs: 10_000,
    away: (cause) => new DatabaseUnavailable(cause, 'The database of the proofs'),
  });
  // Cursors, the one thing of a pool that is missing, are not used.
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections as unknown as PostgresPool }) });
  let made: Promise<void> | undefined;
  return {
    run: async (work) => {
      try {
        made ??= prepare(db);
        await made;
        return await work(db);
      } catch (cause) {
        if (!(cause instanceof DatabaseUnavailable)) throw cause;
        // Tables that went away are made again; so is what could not be prepared.
        if (isMissing(cause) || (await hasFailed(made))) made = undefined;
        throw new ProofUnavailable(cause.message, { cause });
      }
    },
    // Not through Kysely, which closes only what it has used.
    close: () => connections.end(),
  };
}

async function hasFailed(act: Promise<void> | undefined): Promise<boolean> {
  return act === undefined ? false : act.then(() => false).catch(() => true);
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
