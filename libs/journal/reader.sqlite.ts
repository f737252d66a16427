import { setImmediate } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { type StoredEvent, vouched } from './envelope.ts';
import { type JournalReader, JournalUnavailable, type StreamFilter, type StreamRange } from './journal.ts';

type Row = [position: number, data: string, meta: string, id: string, type: string, stream: string, revision: number];
type Rows = Database.Statement<(number | string)[], Row>;
type TailEvent = { event: StoredEvent; position: number; columns: unknown[]; previous: StoredEvent | null };
type Page = { events: StoredEvent[]; more: boolean };

/** A page ends at whichever comes first. */
const PAGE_EVENTS = 500;
const PAGE_CHARACTERS = 2_000_000;

/** How many positions one query looks at, for a filter that few of them pass: it runs on the caller's thread. */
const WINDOW = 5_000;

/** Orders after every text that starts with a prefix: the last code point, in UTF-8 as well. */
const LAST = '\u{10FFFF}';

/** The read side of journal.db: a connection of its own that cannot write, on the caller's thread. */
export class SqliteReader implements JournalReader {
  readonly #db: Database.Database;
  readonly #stream: Rows;
  readonly #last: Database.Statement<[], number | null>;
  readonly #id: Database.Statement<[string], number>;
  readonly #windows = new Map<number, Rows>();

  constructor(readonly file: string) {
    this.#db = new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 });
    this.#stream = this.#rows('stream = ? and revision >= ? and revision <= ? order by revision');
    this.#last = this.#db.prepare<[], number | null>('select max(position) from events').pluck();
    this.#id = this.#db.prepare<[string], number>('select 1 from events where id = ?').pluck();
  }

  /** Position of the last event, 0 when there is none. */
  last(): number {
    return this.#guard(() => this.#last.get() ?? 0);
  }

  async *read(stream: string, range: StreamRange = {}): AsyncGenerator<StoredEvent[]> {
    const { from = 0, to = Number.MAX_SAFE_INTEGER } = range;
    let next = from;
    let more = true;
    while (more) {
      const page = this.#page(this.#stream, stream, next, to);
      for (const { envelope, position } of page.events) {
        if (envelope.stream !== stream || envelope.revision !== next)
          throw this.#damaged(`position ${position} is not revision ${next} of ${stream}`);
        next += 1;
      }
      if (page.events.length > 0) yield page.events;
      more = page.more;
    }
  }

  /** The name of every stream, in order. */
  *streams(): Generator<string> {
    const next = this.#db.prepare<[string], string | null>('select min(stream) from events where stream > ?').pluck();
    for (
      let stream = this.#guard(() => next.get(''));
      stream != null;
      stream = this.#guard(() => next.get(stream ?? ''))
    )
      yield stream;
  }

  async tip(): Promise<bigint | null> {
    const last = this.last();
    return last === 0 ? null : BigInt(last);
  }

  async *readAll(after: bigint | null, filter?: StreamFilter): AsyncGenerator<StoredEvent[]> {
    yield* this.between(Number(after ?? 0n), this.last(), filter);
  }

  /** The events after the position `after`, up to and with `end`, in pages. */
  async *between(after: number, end: number, { prefixes }: StreamFilter = {}): AsyncGenerator<StoredEvent[]> {
    if (prefixes?.length === 0) return;
    const statement = this.#window(prefixes?.length ?? 0);
    const bounds = (prefixes ?? []).flatMap((prefix) => [prefix, prefix + LAST]);
    let cursor = after;
    while (cursor < end) {
      const until = Math.min(end, cursor + WINDOW);
      const { events, more } = this.#page(statement, cursor, until, ...bounds);
      const reached = more ? Number(events.at(-1)?.position) : until;
      if (prefixes === undefined && events.length !== reached - cursor)
        throw this.#damaged(
          `${reached - cursor - events.length} positions are missing between ${cursor} and ${reached}`,
        );
      if (events.length > 0) yield events;
      cursor = reached;
      // Reading is synchronous: a long catch-up lets the event loop breathe between two pages.
      if (cursor < end) await setImmediate();
    }
  }

  /**
   * The last `count` events, oldest first, each with the position it must have, what its columns say of it, and its
   * predecessor in its stream.
   */
  *tail(count: number): Generator<TailEvent> {
    const columnsAt = this.#db
      .prepare<[number], unknown[]>('select stream, revision, id, type from events where position = ?')
      .raw();
    let position = Math.max(0, this.last() - count);
    for (let more = true; more; ) {
      const page = this.#page(this.#window(0), position, Number.MAX_SAFE_INTEGER);
      for (const event of page.events) {
        const { stream, revision } = event.envelope;
        const [previous = null] = this.#page(this.#stream, stream, revision - 1, revision - 1).events;
        position += 1;
        yield { event, position, columns: columnsAt.get(Number(event.position)) ?? [], previous };
      }
      more = page.more;
    }
  }

  /** Whether an event of this id is stored. */
  holds(id: string): boolean {
    return this.#guard(() => this.#id.get(id) !== undefined);
  }

  /** One pragma's value. */
  pragma(name: string): unknown {
    return this.#db.pragma(name, { simple: true });
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #rows(condition: string): Rows {
    return this.#db
      .prepare<(number | string)[], Row>(
        `select position, data, meta, id, type, stream, revision from events where ${condition}`,
      )
      .raw();
  }

  /** By number of prefixes. The unary plus keeps SQLite from the index on streams: what is wanted is position order. */
  #window(prefixes: number): Rows {
    let rows = this.#windows.get(prefixes);
    if (rows === undefined) {
      const some = Array.from({ length: prefixes }, () => '(+stream >= ? and +stream < ?)').join(' or ');
      rows = this.#rows(`position > ? and position <= ? ${some && `and (${some})`} order by position`);
      this.#windows.set(prefixes, rows);
    }
    return rows;
  }

  #page(rows: Rows, ...parameters: (number | string)[]): Page {
    return this.#guard(() => {
      const events: StoredEvent[] = [];
      let characters = 0;
      for (const row of rows.iterate(...parameters)) {
        events.push(this.#stored(row));
        characters += row[1].length + row[2].length;
        if (events.length >= PAGE_EVENTS || characters >= PAGE_CHARACTERS) return { events, more: true };
      }
      return { events, more: false };
    });
  }

  #stored([position, data, meta, ...columns]: Row): StoredEvent {
    let event: StoredEvent;
    try {
      event = JSON.parse(meta);
      event.data = JSON.parse(data);
      event.position = BigInt(position);
    } catch (error) {
      throw this.#damaged(`position ${position} is not JSON`, error);
    }
    const { id, type, stream, revision } = event.envelope;
    if ([id, type, stream, revision].some((said, at) => said !== columns[at]))
      throw this.#damaged(`the columns of position ${position} are not those of its envelope`);
    return vouched(event);
  }

  #guard<Result>(read: () => Result): Result {
    try {
      return read();
    } catch (error) {
      if (error instanceof JournalUnavailable) throw error;
      if (!this.#db.open) throw new JournalUnavailable('The journal is closed.');
      throw this.#damaged((error as Error).message, error);
    }
  }

  #damaged(what: string, cause?: unknown): JournalUnavailable {
    return new JournalUnavailable(`${this.file} cannot be read: ${what}.`, { cause });
  }
}
