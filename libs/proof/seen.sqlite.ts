import { ensureStore, type SqliteStore } from '@jalon/journal';
import Database from 'better-sqlite3';

/** What a witness cosigned last of a log: `note` with its cosignature, `at` an instant (RFC 3339). */
export type Seen = { origin: string; size: number; root: Buffer; note: string; at: string };

/** Its name, and what a witness cosigned last of each log. `application_id` spells "JalW". */
const SEEN: SqliteStore = {
  file: 'temoin.db',
  applicationId: 0x4a616c57,
  schema: `
    create table self (id integer primary key check (id = 1), name text not null) strict;
    create table seen (
      origin text primary key,
      size integer not null,
      root blob not null,
      note text not null,
      at text not null
    ) strict;`,
};

/** What a witness remembers, durably; two processes on one folder see what the other wrote. */
export class SeenCheckpoints {
  readonly #db: Database.Database;

  /** @throws JournalRefused when something else lies in the folder */
  constructor(folder: string) {
    this.#db = new Database(ensureStore(folder, SEEN), { timeout: 5000 });
    this.#db.pragma('journal_mode = WAL');
    this.#db.pragma('synchronous = FULL');
  }

  /** The witness's name: the first that it was given. */
  named(first: string): string {
    this.#db.prepare('insert into self (id, name) values (1, ?) on conflict do nothing').run(first);
    return this.#db.prepare<[], { name: string }>('select name from self').get()?.name ?? first;
  }

  of(origin: string): Seen | undefined {
    return this.#db.prepare<[string], Seen>('select * from seen where origin = ?').get(origin);
  }

  all(): Seen[] {
    return this.#db.prepare<[], Seen>('select * from seen order by origin').all();
  }

  keep(seen: Seen): void {
    this.#db
      .prepare(
        `insert into seen (origin, size, root, note, at) values (@origin, @size, @root, @note, @at)
         on conflict (origin) do update set size = @size, root = @root, note = @note, at = @at`,
      )
      .run(seen);
  }

  /** Does what compares and keeps as one: nobody writes in between, and it is on disk when this returns. */
  atomically<T>(act: () => T): T {
    return this.#db.transaction(act).immediate();
  }

  close(): void {
    this.#db.close();
  }
}
