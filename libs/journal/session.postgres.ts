import pg from 'pg';
import { rest } from './pauses.ts';
import { connection, DatabaseUnavailable, isAway, type Settings, settle } from './pool.postgres.ts';

/** How long a dedicated session may take to answer before it is taken for lost. */
const PATIENCE_MS = 2_500;

/** How long a server may take to say goodbye. */
const GOODBYE_MS = 1_000;

/** A session of its own: what lasts as long as a connection (a lock, a subscription) lasts as long as it. */
export class DedicatedSession {
  readonly #loss = new AbortController();

  private constructor(private readonly client: pg.Client) {
    client.on('error', (error) => this.#loss.abort(error));
    client.on('end', () => this.#loss.abort(new Error('The connection ended.')));
  }

  /** @throws DatabaseUnavailable */
  static async open(url: string, name: string, settings: Settings): Promise<DedicatedSession> {
    const client = new pg.Client({ ...connection(url, name), query_timeout: PATIENCE_MS });
    const session = new DedicatedSession(client);
    try {
      await client.connect();
      await settle(client, settings);
      return session;
    } catch (error) {
      await session.close();
      throw isAway(error) ? new DatabaseUnavailable(error) : error;
    }
  }

  /** Aborts as soon as the session is known to be lost. */
  get lost(): AbortSignal {
    return this.#loss.signal;
  }

  /** One statement at a time. @throws DatabaseUnavailable */
  async query<R extends pg.QueryResultRow>(text: string, values: string[] = []): Promise<R[]> {
    try {
      return (await this.client.query<R>(text, values)).rows;
    } catch (error) {
      if (!isAway(error)) throw error;
      this.#loss.abort(error);
      throw new DatabaseUnavailable(error);
    }
  }

  /** Hands over what other sessions notify. */
  hear(heard: (channel: string, payload: string) => void): void {
    this.client.on('notification', ({ channel, payload = '' }) => heard(channel, payload));
  }

  /** Asks for a sign of life every so often, until `until` aborts or none comes. */
  async beat(everyMs: number, until: AbortSignal): Promise<void> {
    for (await rest(everyMs, until); !until.aborted; await rest(everyMs, until))
      await this.query('select 1').catch((error: unknown) => this.#loss.abort(error));
  }

  /** Does not wait for a server that says nothing any more. */
  async close(): Promise<void> {
    const ended = new AbortController();
    const end = () => ended.abort();
    this.client.end().then(end, end);
    await rest(GOODBYE_MS, ended.signal);
  }
}

/** A signal that aborts as soon as one of these does; `release` once it is of no use any more. */
export function either(...signals: AbortSignal[]): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  for (const signal of signals) {
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  }
  const release = () => {
    for (const signal of signals) signal.removeEventListener('abort', abort);
    abort();
  };
  return { signal: controller.signal, release };
}
