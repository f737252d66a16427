import { saltedHash, sha256 } from './canonical.ts';
import {
  type Asked,
  type Directory,
  DirectoryUnavailable,
  Disclosed,
  type ErasablePayload,
  type Opening,
  type Person,
} from './directory.ts';
import { prepareDirectory, SCHEMA } from './directory-layout.postgres.ts';
import { listen } from './listen.postgres.ts';
import { rest } from './pauses.ts';
import { Connections, DatabaseUnavailable, type PooledSession } from './pool.postgres.ts';

/** How many persons are remembered before all are asked for anew: more than act in one day. */
const REMEMBERED = 10_000;

/** On this channel processes tell each other that something was erased. */
const ERASED = 'jalon_effacements';

/** How often each process asks whether something was erased: what is told on the channel can be lost. */
const ASK_MS = 1_000;

/**
 * For how long the last answer to that question is trusted. Nothing that was remembered is shown after it: hence for this
 * long at most after an erasure anywhere, whatever is lost or cut off.
 */
const TRUSTED_MS = 3_000;

/** Once it is known to be away, for how long nobody waits to hear so again. */
const SPARED_MS = 500;

/** What was never acknowledged may be lost in a crash of the server, what was may not, whatever is configured there. */
const SETTINGS = {
  search_path: SCHEMA,
  synchronous_commit: 'on',
  statement_timeout: '2000',
  lock_timeout: '2000',
  idle_in_transaction_session_timeout: '4000',
};

/** How long writing a table anew may take. */
const PURGE_MS = 600_000;

/** Payloads read at once when moving house: each has at most 256 KiB. */
const PAGE = 100;

/** Rivals for one row, one of whom is erased meanwhile: asked again so many times. */
const ATTEMPTS = 8;

type Remembered = { iss: string; sub: string; name: string };

/**
 * The directory in PostgreSQL, shared by all nodes. Who acted lately is remembered, so that committing to a known name and
 * showing it cost no I/O, until something is erased anywhere.
 */
export class PostgresDirectory implements Directory {
  readonly #pool: Connections;
  readonly #stopping = new AbortController();
  readonly #commitments = new Map<string, string>();
  /** By commitment. */
  readonly #names = new Map<string, Remembered>();
  #watching: Promise<unknown> = Promise.resolve();
  #prepared: Promise<void> | undefined;
  #erasures = 0;
  /** The database's own count, and since when it is known to this process. */
  #count: { number: number; since: number } | null = null;
  #confirmedAt = Number.NEGATIVE_INFINITY;
  #sparedUntil = Number.NEGATIVE_INFINITY;
  #isWell = true;
  #wake: () => void = () => undefined;
  #closed: Promise<void> | undefined;

  /** `onTrouble` is told once when the database cannot be asked, and again only after it could. */
  constructor(
    private readonly url: string,
    private readonly onTrouble: (error: unknown) => void,
  ) {
    this.#pool = new Connections(url, { name: 'jalon persons', max: 4, settings: SETTINGS, patienceMs: 2_500 });
  }

  /**
   * Makes the tables that are missing, once in the life of a process: were they to vanish later, everything would seem
   * erased. Then begins to watch for erasures. @throws JournalRefused, DirectoryUnavailable
   */
  async start(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      await this.#ask(async (session) => this.#observe(await countOf(session), performance.now()));
    } finally {
      const heard = (channel: string | null, payload: string) => {
        if (channel !== null && /^\d{1,15}$/.test(payload)) this.#observe(Number(payload), performance.now());
        this.#wake();
      };
      this.#watching = Promise.all([listen(this.url, [ERASED], heard, signal), this.#watch(signal)]);
    }
  }

  get erasures(): number | null {
    return performance.now() - this.#confirmedAt <= TRUSTED_MS ? this.#erasures : null;
  }

  async disclose(asked: Asked): Promise<Disclosed> {
    const trusted = this.erasures !== null;
    const known: (Remembered & { commitment: string })[] = [];
    const unknown = new Set<string>();
    for (const { iss, sub, commitment } of asked.names) {
      const each = trusted ? this.#names.get(commitment) : undefined;
      if (each?.iss === iss && each.sub === sub) known.push({ ...each, commitment });
      else unknown.add(commitment);
    }
    if (unknown.size === 0 && asked.payloads.length === 0) return new Disclosed(asked, known, [], true);
    const before = this.#erasures;
    try {
      const [names, payloads] = await Promise.all([
        unknown.size === 0 ? [] : this.#ask((session) => namesOf(session, [...unknown])),
        asked.payloads.length === 0 ? [] : this.#ask((session) => payloadsOf(session, asked.payloads)),
      ]);
      // What was read before an erasure is not remembered after it.
      if (before === this.#erasures)
        for (const { commitment, iss, sub, name } of names) remember(this.#names, commitment, { iss, sub, name });
      return new Disclosed(asked, [...known, ...names], payloads, true);
    } catch (error) {
      if (!(error instanceof DirectoryUnavailable) || this.#stopping.signal.aborted) throw error;
      return new Disclosed(asked, known, [], false);
    }
  }

  async openings(names: Asked['names']): Promise<Opening[]> {
    if (names.length === 0) return [];
    const rows = await this.#ask((session) =>
      namesOf(session, [...new Set(names.map(({ commitment }) => commitment))]),
    );
    const asked = (one: Remembered & { commitment: string }) =>
      names.some(({ iss, sub, commitment }) => iss === one.iss && sub === one.sub && commitment === one.commitment);
    return rows.filter(asked).map(({ commitment, name, salt }) => ({ commitment, name, salt }));
  }

  async name(iss: string, sub: string, commitment: string): Promise<string | null> {
    const rows = await this.#ask((session) => namesOf(session, [commitment]));
    return rows.find((row) => row.iss === iss && row.sub === sub)?.name ?? null;
  }

  async payload(id: string): Promise<ErasablePayload | null> {
    return (await this.#ask((session) => payloadsOf(session, [id])))[0] ?? null;
  }

  async commit(person: Person): Promise<string> {
    const { iss, sub, name } = person;
    const key = JSON.stringify([iss, sub, name]);
    const known = this.#commitments.get(key);
    if (known !== undefined) return known;
    const before = this.#erasures;
    const commitment = await this.#ask((session) => committed(session, person));
    // A commit under way during an erasure must not bring the old commitment back.
    if (before === this.#erasures) {
      remember(this.#commitments, key, commitment);
      remember(this.#names, commitment, { iss, sub, name });
    }
    return commitment;
  }

  keep({ id, data, salt }: ErasablePayload): Promise<ErasablePayload> {
    return this.#ask(async (session) => {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
        const insert = 'insert into erasables values ($1, $2, $3) on conflict do nothing';
        await session.query(insert, [id, JSON.stringify(data), salt]);
        const [kept] = await payloadsOf(session, [id]);
        if (kept) return kept;
      }
      throw new DirectoryUnavailable(`The payload of ${id} is destroyed again and again.`);
    });
  }

  async drop(id: string): Promise<void> {
    await this.#erase('delete from erasables where id = $1', id);
  }

  forget(iss: string, sub: string): Promise<number> {
    return this.#erase('delete from persons where person = $1', personKey(iss, sub));
  }

  async *persons(): AsyncIterable<Person> {
    const all = `select iss, sub, name, salt from persons
                 order by iss collate "C", sub collate "C", name collate "C"`;
    const { rows } = await this.#ask((session) => session.query<Person>(all));
    for (const { iss, sub, name, salt } of rows)
      yield { iss: readable(iss), sub: readable(sub), name: readable(name), salt };
  }

  async *payloads(): AsyncIterable<ErasablePayload> {
    const ids = 'select id from erasables order by id collate "C"';
    const { rows } = await this.#ask((session) => session.query<{ id: string }>(ids));
    for (let at = 0; at < rows.length; at += PAGE) {
      const page = rows.slice(at, at + PAGE).map(({ id }) => id);
      const payloads = await this.#ask((session) => payloadsOf(session, page));
      yield* payloads.sort((a, b) => page.indexOf(a.id) - page.indexOf(b.id));
    }
  }

  /**
   * Dead rows leave the tables' files. The write-ahead log keeps their bytes until its segments are used again, and so do
   * its archive, standby servers and back-ups, which nobody can reach from here.
   */
  async purge(): Promise<void> {
    await this.#ask(async () => undefined);
    const settings = { search_path: SCHEMA, lock_timeout: '10000' };
    const alone = new Connections(this.url, { name: 'jalon purges', max: 1, settings, patienceMs: PURGE_MS });
    try {
      await alone.with(async (session) => {
        for (const table of ['persons', 'erasables']) await session.query(`vacuum (full) ${table}`);
      });
    } catch (error) {
      throw new DirectoryUnavailable(`The tables could not be written anew: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      await alone.end();
    }
  }

  async durability(): Promise<Record<string, string | number>> {
    const read = `select current_setting('synchronous_commit') as synchronous_commit, current_setting('fsync') as fsync`;
    const { rows } = await this.#ask((session) => session.query<Record<string, string>>(read));
    return { adapter: 'postgresql', ...rows[0] };
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#stopping.abort();
      this.#wake();
      await this.#watching;
      await this.#pool.end();
    })();
    return this.#closed;
  }

  async #erase(deletion: string, key: string): Promise<number> {
    this.#forgetAll();
    const statement = `
      with gone as (${deletion} returning 1),
           counted as (update erasures set number = number + 1 returning number)
      select (select count(*) from gone) as gone, pg_notify('${ERASED}', number::text) from counted`;
    const { rows } = await this.#ask((session) => session.query<{ gone: number }>(statement, [key]));
    this.#forgetAll();
    return rows[0]?.gone ?? 0;
  }

  #forgetAll(): void {
    this.#erasures += 1;
    this.#commitments.clear();
    this.#names.clear();
  }

  /** Asks how often something was erased, over and over, and at once when the channel says so or was silent. */
  async #watch(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      const waking = new AbortController();
      this.#wake = () => waking.abort();
      const asked = performance.now();
      try {
        this.#observe(await this.#ask(countOf), asked);
        if (this.#count && asked >= this.#count.since) this.#confirmedAt = asked;
      } catch {
        // Told by #ask; what is remembered is not shown any more once it is no longer trusted.
      }
      await rest(ASK_MS, waking.signal);
    }
  }

  /** The database's count, as it stood at `asked` or later. A count that is lower comes from a back-up: it counts too. */
  #observe(number: number, asked: number): void {
    const isOld = this.#count !== null && asked < this.#count.since;
    if (isOld || this.#count?.number === number) return;
    this.#count = { number, since: performance.now() };
    this.#forgetAll();
  }

  /** @throws DirectoryUnavailable whatever the database's reason, which is told once; JournalRefused */
  async #ask<T>(work: (session: PooledSession) => Promise<T>): Promise<T> {
    if (this.#stopping.signal.aborted) throw new DirectoryUnavailable('The directory is closed.');
    if (performance.now() < this.#sparedUntil) throw new DirectoryUnavailable('The directory did not answer just now.');
    try {
      this.#prepared ??= prepareDirectory(this.#pool);
      await this.#prepared.catch((error: unknown) => {
        this.#prepared = undefined;
        throw error;
      });
      const done = await this.#pool.with(work);
      this.#isWell = true;
      return done;
    } catch (error) {
      if (error instanceof TypeError || error instanceof RangeError || error instanceof DirectoryUnavailable)
        throw error;
      if (error instanceof DatabaseUnavailable) this.#sparedUntil = performance.now() + SPARED_MS;
      if (this.#isWell && !this.#stopping.signal.aborted) this.onTrouble(error);
      this.#isWell = false;
      throw new DirectoryUnavailable(`The directory of persons cannot be asked: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

function remember<T>(all: Map<string, T>, key: string, value: T): void {
  if (all.size >= REMEMBERED) all.clear();
  all.set(key, value);
}

async function countOf(session: PooledSession): Promise<number> {
  return (await session.query<{ number: number }>('select number from erasures')).rows[0]?.number ?? 0;
}

/** One row and one salt for all who commit to the same name at the same time. */
async function committed(session: PooledSession, { iss, sub, name, salt }: Person): Promise<string> {
  const key = sha256(JSON.stringify([iss, sub, name]));
  const row = [key, personKey(iss, sub), storable(iss), storable(sub), storable(name), salt, saltedHash(salt, name)];
  const insert = 'insert into persons values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning commitment';
  const select = 'select commitment from persons where key = $1';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const [made] = (await session.query<{ commitment: string }>(insert, row)).rows;
    const [found] = made ? [made] : (await session.query<{ commitment: string }>(select, [key])).rows;
    if (found) return found.commitment;
  }
  throw new DirectoryUnavailable('A name is erased again and again while it is being committed to.');
}

async function namesOf(session: PooledSession, commitments: string[]) {
  const select = 'select iss, sub, name, salt, commitment from persons where commitment = any($1)';
  const { rows } = await session.query<Remembered & { salt: string; commitment: string }>(select, [commitments]);
  return rows.map(({ iss, sub, name, salt, commitment }) => ({
    iss: readable(iss),
    sub: readable(sub),
    name: readable(name),
    salt,
    commitment,
  }));
}

async function payloadsOf(session: PooledSession, ids: string[]): Promise<ErasablePayload[]> {
  const select = 'select id, data, salt from erasables where id = any($1)';
  const { rows } = await session.query<{ id: string; data: string; salt: string }>(select, [ids]);
  return rows.map(({ id, data, salt }) => ({ id, data: JSON.parse(data), salt }));
}

function personKey(iss: string, sub: string): string {
  return sha256(JSON.stringify([iss, sub]));
}

/** PostgreSQL's texts hold every character but U+0000, which a token may well have. */
function storable(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\0', '\\0');
}

function readable(text: string): string {
  return text.replaceAll(/\\(.)/gs, (_, character: string) => (character === '0' ? '\0' : character));
}
