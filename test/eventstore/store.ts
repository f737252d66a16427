// The log of the test server: one SQLite file, written with synchronous=FULL, so that an acknowledged append survives
// a SIGKILL as it does on a real server. Nothing here knows gRPC.
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { CommittedEvents, decide, type Expected } from './expected.ts';

/** An event as a client proposes it. */
export type Proposed = { id: string; type: string; json: boolean; data: Uint8Array; metadata: Uint8Array };

/** An event as the log holds it. `revision` is null for the mark of a tombstone; `created` is in ms since 1970. */
export type Recorded = Proposed & { stream: string; revision: number | null; position: number; created: number };

/** What became of an append. `revision` and `position` are those of its last event; null: nothing was there to write. */
export type Outcome =
  | { kind: 'success'; revision: number; position: number | null }
  | { kind: 'conflict'; actual: number }
  | { kind: 'deleted' };

/** What a reader may see of a stream: revisions from `first` to `last`, younger than `since`. */
export type Visible = { first: number; last: number; since: number };

/** The truncation that marks a stream as deleted: 2^63 - 1, as the real server writes it. */
const DELETED = '9223372036854775807';

type Row = Omit<Recorded, 'json'> & { json: number };

/** The log. */
export class Store {
  readonly #db: Database.Database;
  readonly #committed = new CommittedEvents();
  readonly #listeners = new Set<(events: readonly Recorded[]) => void>();
  readonly #statements: ReturnType<typeof prepare>;
  #open = true;

  /** Opens the log in `folder`, made when absent, and writes what a real server writes to its log when it starts. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#db = new Database(join(folder, 'eventstore.db'));
    this.#db.pragma('journal_mode = WAL');
    this.#db.pragma('synchronous = FULL');
    this.#db.exec(`CREATE TABLE IF NOT EXISTS events (
      position INTEGER PRIMARY KEY, next INTEGER NOT NULL, stream TEXT NOT NULL, revision INTEGER, id TEXT NOT NULL,
      type TEXT NOT NULL, json INTEGER NOT NULL, data BLOB NOT NULL, metadata BLOB NOT NULL, created INTEGER NOT NULL,
      UNIQUE (stream, revision))`);
    this.#db.exec('CREATE TABLE IF NOT EXISTS scavenged (position INTEGER PRIMARY KEY)');
    this.#statements = prepare(this.#db);
    this.#writeSystemEvents();
  }

  close(): void {
    this.#open = false;
    this.#db.close();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Calls `listener` after every commit, with its events in order; the answer ends that. */
  onCommit(listener: (events: readonly Recorded[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The position that the next event will get. */
  end(): number {
    return this.#statements.end.get() as number;
  }

  /** Whether a read may begin there: where a record begins, or did before a scavenge, or at the end. */
  isPlace(position: number): boolean {
    return position === this.end() || this.#statements.place.get(position, position) !== undefined;
  }

  /** Takes what readers do not see any more out of the log, but for the last event of a stream; returns how much. */
  scavenge(): number {
    const streams = this.#statements.withMetadata.all() as string[];
    const gone = streams.flatMap((stream) => {
      const last = this.tail(stream);
      const first =
        this.isTombstoned(stream) || this.isSoftDeleted(stream) ? last : (this.visible(stream)?.first ?? last);
      return this.#statements.hidden.all(stream, Math.min(first, last)) as number[];
    });
    this.#db.transaction(() => {
      for (const position of gone) {
        this.#statements.remove.run(position);
        this.#statements.leaveGap.run(position);
      }
    })();
    return gone.length;
  }

  /** The last metadata of a stream, empty when there are none. */
  metadata(stream: string): Record<string, unknown> {
    return JSON.parse(this.#rawMetadata(stream) || '{}');
  }

  /** The payload of the last event of a stream, null when there is none. */
  lastOf(stream: string): Record<string, unknown> | null {
    const row = this.#statements.last.get(stream) as { data: Buffer } | undefined;
    return row ? JSON.parse(row.data.toString('utf8')) : null;
  }

  /** Revision of the last event ever written to a stream, -1 when there is none. */
  tail(stream: string): number {
    return this.#statements.tail.get(stream) as number;
  }

  isTombstoned(stream: string): boolean {
    return this.#statements.tombstone.get(stream.startsWith('$$') ? stream.slice(2) : stream) !== undefined;
  }

  isSoftDeleted(stream: string): boolean {
    return !stream.startsWith('$$') && this.#rawMetadata(stream).includes(DELETED);
  }

  /** What a reader may see of a stream; null when he is told that there is no such stream. */
  visible(stream: string): Visible | null {
    const last = this.tail(stream);
    if (last < 0 || this.isSoftDeleted(stream)) return null;
    // A metadata stream shows its last event only.
    if (stream.startsWith('$$')) return { first: last, last, since: 0 };
    const raw = this.#rawMetadata(stream);
    const metadata = raw === '' ? {} : JSON.parse(raw);
    const count = metadata.$maxCount ?? Number.MAX_SAFE_INTEGER;
    const first = Math.max(0, metadata.$tb ?? 0, last - count + 1);
    return { first, last, since: metadata.$maxAge === undefined ? 0 : Date.now() - metadata.$maxAge * 1000 };
  }

  /** At most `limit` events of a stream in revision order, revisions from `from` to `to`, both inclusive. */
  readStream(stream: string, from: number, to: number, limit: number, backwards = false): Recorded[] {
    const statement = backwards ? this.#statements.streamBackwards : this.#statements.streamForwards;
    return (statement.all(stream, from, to, limit) as Row[]).map(recorded);
  }

  /** At most `limit` events of the whole log, deleted ones too: from `position` on, or before it when backwards. */
  readAll(position: number, limit: number, backwards = false): Recorded[] {
    const statement = backwards ? this.#statements.allBackwards : this.#statements.allForwards;
    return (statement.all(position, limit) as Row[]).map(recorded);
  }

  /** Appends all of `events` or none; durable when it returns. */
  append(stream: string, expected: Expected, events: readonly Proposed[]): Outcome {
    const decision = this.#decide(stream, expected, events);
    if (decision.kind !== 'append')
      return decision.kind === 'idempotent' ? this.#asBefore(stream, decision.revision) : decision;
    if (events.length === 0) return { kind: 'success', revision: this.tail(stream), position: this.end() };
    const original = stream.startsWith('$$') ? stream.slice(2) : stream;
    const hidden = this.isSoftDeleted(original);
    const before = this.tail(original);
    const tail = this.tail(stream);
    const written = this.#commit(() => {
      const written = events.map((event, i) => this.#write(stream, tail + 1 + i, event));
      // Writing to a soft-deleted stream, or its metadata, makes the stream visible again after what was deleted.
      if (hidden) written.push(this.#showAgain(original, before));
      return written;
    });
    const last = written[events.length - 1] as Recorded;
    return { kind: 'success', revision: last.revision as number, position: last.position };
  }

  /** Soft delete: hides what is there behind a truncation; the events stay in the log. */
  delete(stream: string, expected: Expected): Outcome {
    return this.#remove(stream, expected, () =>
      this.#write(`$$${stream}`, this.tail(`$$${stream}`) + 1, metadataEvent(`{"$tb":${DELETED}}`)),
    );
  }

  /** Tombstone: ends the stream for ever. */
  tombstone(stream: string, expected: Expected): Outcome {
    return this.#remove(stream, expected, () =>
      this.#write(stream, null, { ...metadataEvent(''), type: '$streamDeleted', json: false }),
    );
  }

  #remove(stream: string, expected: Expected, write: () => Recorded): Outcome {
    const decision = this.#decide(stream, expected, [{ id: randomUUID() }]);
    if (decision.kind === 'conflict' || decision.kind === 'deleted') return decision;
    if (this.tail(stream) < 0) return { kind: 'conflict', actual: -1 };
    const [mark] = this.#commit(() => [write()]) as [Recorded];
    return { kind: 'success', revision: this.tail(stream), position: mark.position };
  }

  #decide(stream: string, expected: Expected, events: readonly { id: string }[]) {
    return decide(
      {
        tail: this.tail(stream),
        tombstoned: this.isTombstoned(stream),
        softDeleted: this.isSoftDeleted(stream),
        hasMetadata: this.tail(`$$${stream}`) >= 0,
        idAt: (revision) => this.#statements.idAt.get(stream, revision) as string | undefined,
        committed: (id) => this.#committed.revisionIn(stream, id),
      },
      expected,
      events.map(({ id }) => id),
    );
  }

  /** Of what is hidden the server does not know any more where it lies. */
  #asBefore(stream: string, revision: number): Outcome {
    const visible = this.visible(stream);
    if (!visible || revision < visible.first) return { kind: 'success', revision, position: null };
    const [event] = this.readStream(stream, revision, revision, 1);
    return { kind: 'success', revision, position: event?.position ?? null };
  }

  #commit(write: () => Recorded[]): Recorded[] {
    const written = this.#db.transaction(write).immediate();
    for (const event of written) this.#committed.put(event);
    for (const listener of [...this.#listeners]) listener(written);
    return written;
  }

  #write(stream: string, revision: number | null, proposed: Proposed): Recorded {
    const position = this.end();
    const event = { ...proposed, stream, revision, position, created: Date.now() };
    // Positions are places in a file, so they grow by the size of what was written.
    const size = 100 + 2 * (stream.length + event.type.length) + event.data.length + event.metadata.length;
    this.#statements.insert.run({ ...event, json: Number(event.json), next: position + size });
    return event;
  }

  #showAgain(stream: string, deletedUpTo: number): Recorded {
    const metadata = JSON.parse(this.#rawMetadata(stream) || '{}');
    const shown = JSON.stringify({ ...metadata, $tb: deletedUpTo + 1 });
    return this.#write(`$$${stream}`, this.tail(`$$${stream}`) + 1, metadataEvent(shown));
  }

  #rawMetadata(stream: string): string {
    const row = this.#statements.last.get(`$$${stream}`) as { data: Buffer; json: number } | undefined;
    return row?.json ? row.data.toString('utf8') : '';
  }

  #writeSystemEvents(): void {
    const write = (stream: string, type: string, data: object) =>
      this.append(stream, 'any', [{ ...metadataEvent(JSON.stringify(data)), type }]);
    if (this.readAll(0, 1).length === 0) write('$$$scavenges', '$metadata', { $maxCount: 50 });
    if (this.tail('$user-admin') < 0)
      for (const [login, name] of [
        ['admin', 'Event Store Administrator'],
        ['ops', 'Event Store Operations'],
      ] as const)
        write(`$user-${login}`, '$UserCreated', { loginName: login, fullName: name, groups: ['$admins'] });
    write('$epoch-information', '$EpochInformation', { epochId: randomUUID() });
  }
}

function metadataEvent(json: string): Proposed {
  return { id: randomUUID(), type: '$metadata', json: true, data: Buffer.from(json), metadata: Buffer.alloc(0) };
}

function recorded(row: Row): Recorded {
  return { ...row, json: row.json === 1 };
}

function prepare(db: Database.Database) {
  const COLUMNS = 'position, stream, revision, id, type, json, data, metadata, created';
  const events = (where: string) => db.prepare(`SELECT ${COLUMNS} FROM events WHERE ${where}`);
  return {
    insert: db.prepare(`INSERT INTO events (next, ${COLUMNS})
      VALUES (@next, @position, @stream, @revision, @id, @type, @json, @data, @metadata, @created)`),
    tail: db.prepare('SELECT coalesce(max(revision), -1) FROM events WHERE stream = ?').pluck(),
    end: db.prepare('SELECT coalesce((SELECT next FROM events ORDER BY position DESC LIMIT 1), 0)').pluck(),
    tombstone: db.prepare('SELECT 1 FROM events WHERE stream = ? AND revision IS NULL').pluck(),
    last: db.prepare('SELECT data, json FROM events WHERE stream = ? ORDER BY revision DESC LIMIT 1'),
    idAt: db.prepare('SELECT id FROM events WHERE stream = ? AND revision = ?').pluck(),
    streamForwards: events('stream = ? AND revision >= ? AND revision <= ? ORDER BY revision LIMIT ?'),
    streamBackwards: events('stream = ? AND revision >= ? AND revision <= ? ORDER BY revision DESC LIMIT ?'),
    allForwards: events('position >= ? ORDER BY position LIMIT ?'),
    place: db.prepare('SELECT 1 FROM events WHERE position = ? UNION SELECT 1 FROM scavenged WHERE position = ?'),
    withMetadata: db
      .prepare(
        "SELECT DISTINCT substr(stream, 3) FROM events WHERE stream LIKE '$$%' AND substr(stream, 3) NOT LIKE '$%'",
      )
      .pluck(),
    hidden: db.prepare('SELECT position FROM events WHERE stream = ? AND revision < ?').pluck(),
    remove: db.prepare('DELETE FROM events WHERE position = ?'),
    leaveGap: db.prepare('INSERT INTO scavenged (position) VALUES (?)'),
    allBackwards: events('position < ? ORDER BY position DESC LIMIT ?'),
  };
}
