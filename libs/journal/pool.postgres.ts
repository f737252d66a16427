import pg from 'pg';

/** A database does not answer, or not yet. */
export class DatabaseUnavailable extends Error {
  override readonly name: string = 'DatabaseUnavailable';
  constructor(cause: unknown, what = 'The database') {
    super(`${what} does not answer: ${reasonOf(cause)}`, { cause });
  }
}

/** An AggregateError (every address of a host refused) has no message of its own. */
function reasonOf(cause: unknown): string {
  const { message, code } = cause as { message?: string; code?: string };
  return message || code || String(cause);
}

/** Settings of a session, given to it when it begins. */
export type Settings = Readonly<Record<string, string>>;

export type PoolOptions = {
  /** What the sessions are called in pg_stat_activity. */
  name: string;
  max: number;
  settings: Settings;
  /** How long a statement may take before its connection is given up, in milliseconds. */
  patienceMs: number;
  /** What is thrown when the database is away; a bare DatabaseUnavailable when absent. */
  away?: (cause: unknown) => DatabaseUnavailable;
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
 * Connections that are opened when there is something to ask, and again after every failure. Statements stay prepared; a
 * connection that failed is never used again; and what says that the database is away is thrown as DatabaseUnavailable.
 */
export class Connections {
  readonly #pool: pg.Pool;
  readonly #names = new Map<string, string>();
  readonly #away: (cause: unknown) => DatabaseUnavailable;
  #named = 0;

  constructor(url: string, { name, max, settings, patienceMs, away }: PoolOptions) {
    this.#away = away ?? ((cause) => new DatabaseUnavailable(cause));
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

  /** @throws DatabaseUnavailable */
  async connect(): Promise<PooledSession> {
    try {
      return new PooledSession(await this.#pool.connect(), (text) => this.#nameOf(text), this.#away);
    } catch (error) {
      throw isAway(error) ? this.#away(error) : error;
    }
  }

  /** What `work` gives with a session of its own. @throws DatabaseUnavailable */
  async with<T>(work: (session: PooledSession) => Promise<T>): Promise<T> {
    const session = await this.connect();
    try {
      return await work(session);
    } finally {
      session.release();
    }
  }

  /** The same in one transaction, which is undone when `work` fails. @throws DatabaseUnavailable */
  transact<T>(work: (session: PooledSession) => Promise<T>): Promise<T> {
    return this.with(async (session) => {
      await session.query('begin');
      try {
        const done = await work(session);
        await session.query('commit');
        return done;
      } catch (error) {
        await session.query('rollback').catch(() => session.spoil());
        throw error;
      }
    });
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

/** A connection for as long as it is not released. */
export class PooledSession {
  #broken = false;

  constructor(
    private readonly client: pg.PoolClient,
    private readonly nameOf: (text: string) => string,
    private readonly away: (cause: unknown) => DatabaseUnavailable,
  ) {
    client.on('error', this.#breaks);
  }

  readonly #breaks = () => {
    this.#broken = true;
  };

  /** @throws DatabaseUnavailable */
  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<pg.QueryResult<Row>> {
    try {
      return await this.client.query<Row>(values.length === 0 ? text : { name: this.nameOf(text), text, values });
    } catch (error) {
      // A prepared statement whose table was replaced by one of another shape is forgotten with its connection.
      if (isAway(error) || (error as pg.DatabaseError).code === '0A000') this.#broken = true;
      throw isAway(error) ? this.away(error) : error;
    }
  }

  /** Gives the connection up: it is in a state that nobody else should meet. */
  spoil(): void {
    this.#broken = true;
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
  return error instanceof DatabaseUnavailable && (code === '42P01' || code === '3F000');
}
