import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { ReadModelsUnavailable } from './unavailable.ts';

/** Settings of a session, given to it when it begins. */
export type Settings = Readonly<Record<string, string>>;

export type PoolOptions = {
  /** What the sessions are called in pg_stat_activity. */
  name: string;
  max: number;
  settings: Settings;
  /** How long a statement may take before its connection is given up, in milliseconds. */
  patienceMs: number;
};

/** How long a connection may take to open. */
const CONNECT_MS = 3_000;

/** Sessions are renewed, so that the statements which they hold prepared do not pile up for ever. */
const LIFETIME_S = 3_600;

/** Texts held prepared: lists have a few dozen shapes, the rest is fixed. */
const PREPARED = 400;

const INT8 = 20;

/** Whole numbers of 64 bits as numbers: what we keep in them is checked to be safe when it is written. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: never) =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
};

/** What every connection to the database has in common. */
export function connection(url: string, name: string): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    types,
  };
}

/** Gives a session its settings, and ours for names and texts. */
export async function settle(session: pg.ClientBase, settings: Settings): Promise<void> {
  const all = Object.entries({ search_path: 'jalon', standard_conforming_strings: 'on', ...settings });
  const set = all.map((_, i) => `set_config($${2 * i + 1}, $${2 * i + 2}, false)`).join(', ');
  await session.query(`select ${set}`, all.flat());
}

/**
 * Connections for Kysely. Statements stay prepared; a connection that failed is never used again; and what says that the
 * database is away is thrown as ReadModelsUnavailable.
 */
export class Connections implements PostgresPool {
  readonly #pool: pg.Pool;
  readonly #names = new Map<string, string>();
  #named = 0;

  constructor(url: string, { name, max, settings, patienceMs }: PoolOptions) {
    this.#pool = new pg.Pool({
      ...connection(url, name),
      max,
      query_timeout: patienceMs,
      maxLifetimeSeconds: LIFETIME_S,
      onConnect: (session) => settle(session, settings),
    });
    // A connection that breaks while nobody uses it is replaced when it is needed.
    this.#pool.on('error', () => undefined);
  }

  async connect(): Promise<PostgresPoolClient> {
    try {
      // Cursors, the other thing that Kysely may ask for, are not used.
      return new Session(await this.#pool.connect(), (text) => this.#nameOf(text)) as unknown as PostgresPoolClient;
    } catch (error) {
      throw isAway(error) ? new ReadModelsUnavailable(error) : error;
    }
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }

  #nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) {
      if (this.#names.size >= PREPARED) this.#names.clear();
      this.#named += 1;
      name = `jalon_${this.#named}`;
      this.#names.set(text, name);
    }
    return name;
  }
}

class Session {
  #broken = false;

  constructor(
    private readonly client: pg.PoolClient,
    private readonly nameOf: (text: string) => string,
  ) {
    client.on('error', this.#breaks);
  }

  readonly #breaks = () => {
    this.#broken = true;
  };

  async query(text: string, values: unknown[]): Promise<pg.QueryResult> {
    try {
      return await this.client.query(values.length === 0 ? text : { name: this.nameOf(text), text, values });
    } catch (error) {
      // A prepared statement whose table was replaced by one of another shape is forgotten with its connection.
      if (isAway(error) || (error as pg.DatabaseError).code === '0A000') this.#broken = true;
      throw isAway(error) ? new ReadModelsUnavailable(error) : error;
    }
  }

  release(destroy = false): void {
    this.client.off('error', this.#breaks);
    this.client.release(destroy || this.#broken);
  }
}

/**
 * SQLSTATEs that tell of the state of the server, or of who administers it, and not of what was asked: connection lost
 * (08), wrong credentials (28), no such database (3D) or schema (3F) or table yet, resources (53), shutting down or a
 * cancelled statement (57), an operating system in trouble (58), a lock not got in time, a server that only reads, a
 * transaction that was idle for too long.
 */
const AWAY = /^(08|28|3D|3F|53|57|58)|^(42P01|55P03|25006|25P03)$/;

/** Whether an error says that the database is away: what the server did not say comes from the way to it. */
export function isAway(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return AWAY.test(error.code ?? '');
  return !(error instanceof TypeError || error instanceof RangeError);
}

/** Whether an error says that a table, or the schema, is not there. */
export function isMissing(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as { code?: string };
  return error instanceof ReadModelsUnavailable && (code === '42P01' || code === '3F000');
}
