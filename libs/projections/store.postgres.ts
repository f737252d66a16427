import { Connections, type PoolOptions } from '@jalon/journal';
import { Kysely, PostgresDialect, type PostgresPool, sql } from 'kysely';
import { assertTenure, beginTenure, condemn, prepareLayout, type Tenure } from './layout.postgres.ts';
import type { ReadModelStore } from './store.ts';
import { POSTGRES, type Tables } from './tables.ts';
import { ReadModelsUnavailable } from './unavailable.ts';

/** Read models that several processes share: one of them projects, all of them read. */
export type PostgresReadModels = ReadModelStore & {
  readonly url: string;
  /** Begins the tenure of a role, in the place of the one before it. */
  begin(role: string): Promise<Tenure>;
  /** The same, but its transactions fail with TenureOver once another tenure has begun. */
  during(tenure: Tenure): ReadModelStore;
};

/** On these channels processes tell each other that the read models changed, and which position is waited for. */
export const CHANGED = 'jalon_vues';
export const AWAITED = 'jalon_attendu';

const READING: PoolOptions = {
  name: 'jalon reads',
  max: 8,
  settings: { default_transaction_read_only: 'on', statement_timeout: '9000' },
  patienceMs: 10_000,
};

/**
 * Everything here can be derived again: after a crash of the server, losing the last transactions, each with its
 * checkpoint, costs no more than projecting these facts once more.
 */
const WRITING: PoolOptions = {
  name: 'jalon projects',
  max: 2,
  settings: {
    synchronous_commit: 'off',
    lock_timeout: '15000',
    // A process that stops in the middle of a transaction must not hold up the one that takes over from it.
    idle_in_transaction_session_timeout: '4000',
  },
  patienceMs: 30_000,
};

/**
 * Opens the read models in the schema `jalon` of a PostgreSQL database. It connects when there is something to ask, and
 * again after every failure: a database that is away is told by ReadModelsUnavailable from each call, until it answers.
 * What was condemned is renamed `jalon_ecartee` when it is prepared next, and `onSetAside` is told in a sentence.
 */
export function openPostgresReadModels(
  url: string,
  onSetAside: (sentence: string) => void = () => undefined,
): PostgresReadModels {
  const reader = kyselyOver(url, READING);
  const writer = kyselyOver(url, WRITING);
  const transact =
    (tenure?: Tenure): ReadModelStore['transact'] =>
    (work) =>
      writer.transaction().execute(async (db) => {
        if (tenure) await assertTenure(db, tenure);
        const done = await work(db);
        await sql`select pg_notify(${sql.lit(CHANGED)}, '')`.execute(db);
        return done;
      });
  const store: ReadModelStore = {
    reader,
    writer,
    dialect: POSTGRES,
    prepare: () => prepareLayout(writer, onSetAside),
    transact: transact(),
    condemn: () => condemn(writer),
    close: async () => {
      await Promise.all([reader.destroy(), writer.destroy()]);
    },
  };
  return {
    ...store,
    url,
    begin: (role) => beginTenure(writer, role),
    during: (tenure) => ({ ...store, transact: transact(tenure) }),
  };
}

/** Kysely over a pool of connections that come back by themselves. What it throws while they do not: ReadModelsUnavailable. */
export function kyselyOver(url: string, options: PoolOptions): Kysely<Tables> {
  const away = (cause: unknown) => new ReadModelsUnavailable(cause);
  // Cursors, the one thing of a pool that is missing, are not used.
  const pool = async () => new Connections(url, { ...options, away }) as unknown as PostgresPool;
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}
