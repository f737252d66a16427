import Database from 'better-sqlite3';
import { saltedHash } from './canonical.ts';
import type { Directory, DirectoryReader, ErasablePayload, Person } from './directory.ts';
import { JournalUnavailable } from './journal.ts';
import type { Writer } from './writer.sqlite.ts';

/** How many persons are remembered: more than act in one day. */
const REMEMBERED = 10_000;

/** The read side of personnes.db. */
export class SqliteDirectoryReader implements DirectoryReader {
  readonly #db: Database.Database;
  readonly #name: Database.Statement<string[], string>;
  readonly #payload: Database.Statement<string[], [data: string, salt: string]>;

  constructor(readonly file: string) {
    this.#db = new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 });
    this.#name = this.#db
      .prepare<string[], string>('select name from persons where iss = ? and sub = ? and commitment = ?')
      .pluck();
    this.#payload = this.#db.prepare<string[], [string, string]>('select data, salt from erasables where id = ?').raw();
  }

  name(iss: string, sub: string, commitment: string): string | null {
    return this.#guard(() => this.#name.get(iss, sub, commitment) ?? null);
  }

  payload(id: string): ErasablePayload | null {
    const row = this.#guard(() => this.#payload.get(id));
    return row === undefined ? null : { id, data: JSON.parse(row[0]), salt: row[1] };
  }

  persons(): Iterable<Person> {
    return this.#guard(() =>
      this.#db.prepare<[], Person>('select iss, sub, name, salt from persons order by iss, sub, name').all(),
    );
  }

  *payloads(): Iterable<ErasablePayload> {
    const ids = this.#guard(() => this.#db.prepare<[], string>('select id from erasables order by id').pluck().all());
    for (const id of ids) {
      const payload = this.payload(id);
      if (payload) yield payload;
    }
  }

  /** One pragma's value. */
  pragma(name: string): unknown {
    return this.#db.pragma(name, { simple: true });
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #guard<Result>(read: () => Result): Result {
    try {
      return read();
    } catch (error) {
      if (!this.#db.open) throw new JournalUnavailable('The directory is closed.');
      throw new JournalUnavailable(`${this.file} cannot be read: ${(error as Error).message}.`, { cause: error });
    }
  }
}

/**
 * The directory in personnes.db. Writes go through the writer thread and are durable when they resolve; whoever acted
 * lately is remembered, so that committing to a known name costs no I/O.
 */
export class SqliteDirectory implements Directory {
  #erasures = 0;
  readonly #commitments = new Map<string, string>();

  constructor(
    private readonly reader: SqliteDirectoryReader,
    private readonly writer: Writer,
    private readonly closeFolder: () => Promise<void>,
  ) {}

  get erasures(): number {
    return this.#erasures;
  }

  async commit({ iss, sub, name, salt }: Person): Promise<string> {
    const key = JSON.stringify([iss, sub, name]);
    const known = this.#commitments.get(key);
    if (known !== undefined) return known;
    const commitment = String(await this.writer.direct(['person', iss, sub, name, salt, saltedHash(salt, name)]));
    if (this.#commitments.size >= REMEMBERED) this.#commitments.clear();
    this.#commitments.set(key, commitment);
    return commitment;
  }

  name(iss: string, sub: string, commitment: string): string | null {
    return this.reader.name(iss, sub, commitment);
  }

  async keep(payload: ErasablePayload): Promise<ErasablePayload> {
    const { id, data, salt } = payload;
    await this.writer.direct(['keep', id, JSON.stringify(data), salt]);
    return this.payload(id) ?? payload;
  }

  payload(id: string): ErasablePayload | null {
    return this.reader.payload(id);
  }

  persons(): Iterable<Person> {
    return this.reader.persons();
  }

  payloads(): Iterable<ErasablePayload> {
    return this.reader.payloads();
  }

  async drop(id: string): Promise<void> {
    await this.writer.direct(['drop', id]);
    this.#erasures += 1;
  }

  async forget(iss: string, sub: string): Promise<number> {
    // Before and after: a commit under way meanwhile must not bring the old commitment back.
    this.#commitments.clear();
    const forgotten = Number(await this.writer.direct(['forget', iss, sub]));
    this.#commitments.clear();
    this.#erasures += 1;
    return forgotten;
  }

  close(): Promise<void> {
    return this.closeFolder();
  }
}
