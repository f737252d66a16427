import Database from 'better-sqlite3';
import { saltedHash } from './canonical.ts';
import {
  type Asked,
  type Directory,
  type DirectoryReader,
  Disclosed,
  type ErasablePayload,
  type Opening,
  type Person,
} from './directory.ts';
import { JournalUnavailable } from './journal.ts';
import type { Writer } from './writer.sqlite.ts';

/** How many persons are remembered: more than act in one day. */
const REMEMBERED = 10_000;

/** The read side of personnes.db. */
export class SqliteDirectoryReader implements DirectoryReader {
  readonly #db: Database.Database;
  readonly #name: Database.Statement<string[], string>;
  readonly #opening: Database.Statement<string[], { name: string; salt: string }>;
  readonly #payload: Database.Statement<string[], [data: string, salt: string]>;

  constructor(readonly file: string) {
    this.#db = new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 });
    this.#name = this.#db
      .prepare<string[], string>('select name from persons where iss = ? and sub = ? and commitment = ?')
      .pluck();
    this.#opening = this.#db.prepare('select name, salt from persons where iss = ? and sub = ? and commitment = ?');
    this.#payload = this.#db.prepare<string[], [string, string]>('select data, salt from erasables where id = ?').raw();
  }

  async disclose(asked: Asked): Promise<Disclosed> {
    return this.#guard(() => {
      const names = asked.names.flatMap((each) => {
        const name = this.#name.get(each.iss, each.sub, each.commitment);
        return name === undefined ? [] : [{ ...each, name }];
      });
      return new Disclosed(
        asked,
        names,
        asked.payloads.flatMap((id) => this.#kept(id) ?? []),
        true,
      );
    });
  }

  async openings(names: Asked['names']): Promise<Opening[]> {
    return this.#guard(() => {
      const found = new Map<string, Opening>();
      for (const { iss, sub, commitment } of names) {
        const opening = found.has(commitment) ? undefined : this.#opening.get(iss, sub, commitment);
        if (opening) found.set(commitment, { commitment, ...opening });
      }
      return [...found.values()];
    });
  }

  async name(iss: string, sub: string, commitment: string): Promise<string | null> {
    return this.#guard(() => this.#name.get(iss, sub, commitment) ?? null);
  }

  async payload(id: string): Promise<ErasablePayload | null> {
    return this.#guard(() => this.#kept(id));
  }

  async *persons(): AsyncIterable<Person> {
    const all = 'select iss, sub, name, salt from persons order by iss, sub, name';
    yield* this.#guard(() => this.#db.prepare<[], Person>(all).all());
  }

  async *payloads(): AsyncIterable<ErasablePayload> {
    for (const id of this.ids()) {
      const payload = await this.payload(id);
      if (payload) yield payload;
    }
  }

  /** The ids of all payloads. */
  ids(): string[] {
    return this.#guard(() => this.#db.prepare<[], string>('select id from erasables order by id').pluck().all());
  }

  /** One pragma's value. */
  pragma(name: string): unknown {
    return this.#db.pragma(name, { simple: true });
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #kept(id: string): ErasablePayload | null {
    const row = this.#payload.get(id);
    return row === undefined ? null : { id, data: JSON.parse(row[0]), salt: row[1] };
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

  disclose(asked: Asked): Promise<Disclosed> {
    return this.reader.disclose(asked);
  }

  openings(names: Asked['names']): Promise<Opening[]> {
    return this.reader.openings(names);
  }

  name(iss: string, sub: string, commitment: string): Promise<string | null> {
    return this.reader.name(iss, sub, commitment);
  }

  async keep(payload: ErasablePayload): Promise<ErasablePayload> {
    const { id, data, salt } = payload;
    await this.writer.direct(['keep', id, JSON.stringify(data), salt]);
    return (await this.payload(id)) ?? payload;
  }

  payload(id: string): Promise<ErasablePayload | null> {
    return this.reader.payload(id);
  }

  persons(): AsyncIterable<Person> {
    return this.reader.persons();
  }

  payloads(): AsyncIterable<ErasablePayload> {
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

  async purge(): Promise<void> {
    await this.writer.direct(['purge']);
    this.#erasures += 1;
  }

  async durability(): Promise<Record<string, string | number>> {
    const { ended, settings } = this.writer;
    if (ended !== null) throw new JournalUnavailable(`The directory cannot be written: ${ended}.`);
    return { ...settings };
  }

  close(): Promise<void> {
    return this.closeFolder();
  }
}
