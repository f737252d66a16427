import type { Kysely } from 'kysely';
import { withSignatures } from './cosignature.ts';
import type { NoteKey } from './note.ts';
import type { Tables } from './tables.ts';
import { grown, type Tile, type TileName, tails } from './tiles.ts';
import { leafHash } from './tree.ts';

/** What keeps a log does not answer, or holds what this build must not touch: proofs must wait. */
export class ProofUnavailable extends Error {
  override readonly name = 'ProofUnavailable';
}

/** Where a log is kept, in a data folder or in a database that several processes share. */
export type ProofDatabase = {
  /** Does `work` on the tables, which are made when they are absent. @throws ProofUnavailable */
  run<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/** A fact on its way into the tree. */
export type LoggedFact = { id: string; stream: string; revision: number; hash: string; position: bigint };

/** How far a log goes: its leaves, and the position of the last one's fact. */
export type Extent = { size: number; position: bigint | null };

/** Where a fact is in the tree, and in the journal. */
export type Entry = { leaf: number; id: string; stream: string; revision: number };

/** A checkpoint that was cut, and the position of the last fact that it covers. */
export type StoredCheckpoint = Extent & { note: string };

/** A signature over a bundle: id of the key, and Ed25519 in base64. */
export type Seal = { kid: string; signature: string };

/** The public half of a key and how long it signed; `until` is null for the current one. Instants are RFC 3339. */
export type StoredKey = { id: string; name: string; publicKey: Buffer; since: string; until: string | null };

/** The log was written to by another process since it was read: nothing was written. */
class LogMoved extends Error {
  override readonly name = 'LogMoved';
  constructor(size: number) {
    super(`The log does not have ${size} leaves any more, or not yet: another process writes to it.`);
  }
}

/** The only row of `log`. */
const LOG = 1;

/** Rows that one statement writes or looks for, at most. */
const ROWS = 500;

/**
 * The log as it is kept: tiles, entries, checkpoints and public keys. Whoever writes says how many leaves it found, and
 * writes nothing when another was faster: all derive the same tree from the same journal.
 */
export class ProofStore {
  /** Tiles in which growth goes on, as of `#size`: what was written last need not be read. */
  #begun = new Map<string, Buffer>();
  #size = -1;

  constructor(private readonly database: ProofDatabase) {}

  /** The origin of the log: what it was given first; `make` is asked for one when it has none. @throws ProofUnavailable */
  async origin(make: () => string): Promise<string> {
    return this.database.run(async (db) => {
      const known = await db.selectFrom('log').select('origin').executeTakeFirst();
      if (known) return known.origin;
      const first = { id: LOG, origin: make(), size: 0, position: null, wanted: null };
      await db
        .insertInto('log')
        .values(first)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      return (await db.selectFrom('log').select('origin').executeTakeFirstOrThrow()).origin;
    });
  }

  /** The origin of the log, null before it was given one. */
  async knownOrigin(): Promise<string | null> {
    const row = await this.database.run((db) => db.selectFrom('log').select('origin').executeTakeFirst());
    return row?.origin ?? null;
  }

  /**
   * Takes over origin, keys and checkpoints of a log that lay elsewhere, unless this one has an origin already: its tree
   * is derived from the journal here. Positions are not taken along, since those of another journal may differ.
   */
  async adopt(other: ProofStore): Promise<void> {
    const [there] = await other.database.run((db) => db.selectFrom('log').select('origin').execute());
    const here = await this.database.run((db) => db.selectFrom('log').select('origin').executeTakeFirst());
    if (!there || here) return;
    const keys = await other.database.run((db) => db.selectFrom('keys').selectAll().execute());
    const checkpoints = await other.database.run((db) => db.selectFrom('checkpoints').selectAll().execute());
    await this.database.run((whole) =>
      whole.transaction().execute(async (db) => {
        const log = { id: LOG, origin: there.origin, size: 0, position: null, wanted: null };
        const begun = await db
          .insertInto('log')
          .values(log)
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst();
        if (begun.numInsertedOrUpdatedRows !== 1n) return;
        for (const some of pieces(keys)) await db.insertInto('keys').values(some).execute();
        for (const some of pieces(checkpoints))
          await db
            .insertInto('checkpoints')
            .values(some.map((checkpoint) => ({ ...checkpoint, position: null })))
            .execute();
      }),
    );
  }

  /** How far the log goes. */
  async extent(): Promise<Extent & { wanted: bigint | null }> {
    const row = await this.database.run((db) =>
      db.selectFrom('log').select(['size', 'position', 'wanted']).executeTakeFirst(),
    );
    const { size = 0, position = null, wanted = null } = row ?? {};
    return { size, position: bigintOf(position), wanted: bigintOf(wanted) };
  }

  /** Asks whoever writes for a checkpoint that covers a position. */
  async want(position: bigint): Promise<void> {
    const { wanted } = await this.extent();
    if (wanted !== null && wanted >= position) return;
    await this.database.run((db) =>
      db
        .updateTable('log')
        .set({ wanted: String(position) })
        .execute(),
    );
  }

  /**
   * Adds facts, at least one, in order of their positions, to a log of `size` leaves: all of them, durably derivable, or
   * none. @throws LogMoved, ProofUnavailable
   */
  async append(size: number, facts: readonly LoggedFact[]): Promise<void> {
    const begun = this.#size === size ? this.#begun : await this.#load(size);
    const leaves = facts.map(({ hash }) => leafHash(Buffer.from(hash, 'hex')));
    const tiles = grown(size, leaves, (name) => begun.get(keyOf(name)) ?? Buffer.alloc(0));
    const entries = facts.map(({ id, stream, revision }, i) => ({ leaf: size + i, id, stream, revision }));
    const last = facts.at(-1) as LoggedFact;
    const now = size + facts.length;
    this.#size = -1;
    await this.database.run((whole) =>
      whole.transaction().execute(async (db) => {
        const moved = await db
          .updateTable('log')
          .set({ size: now, position: String(last.position) })
          .where('size', '=', size)
          .executeTakeFirst();
        if (moved.numUpdatedRows !== 1n) throw new LogMoved(size);
        for (const some of pieces(entries)) await db.insertInto('entries').values(some).execute();
        for (const some of pieces(tiles))
          await db
            .insertInto('tiles')
            .values(some)
            .onConflict((conflict) =>
              conflict.columns(['level', 'number']).doUpdateSet((set) => ({ hashes: set.ref('excluded.hashes') })),
            )
            .execute();
      }),
    );
    for (const { hashes, ...name } of tiles) begun.set(keyOf(name), hashes);
    const names = new Set(tails(now).map(keyOf));
    this.#begun = new Map([...begun].filter(([key]) => names.has(key)));
    this.#size = now;
  }

  /** Tiles by name; those that are not there are left out. */
  async tiles(names: readonly TileName[]): Promise<Tile[]> {
    const levels = new Map<number, number[]>();
    for (const { level, number } of names) levels.set(level, [...(levels.get(level) ?? []), number]);
    const found: Tile[] = [];
    for (const [level, numbers] of levels)
      for (const some of pieces(numbers))
        found.push(
          ...(await this.database.run((db) =>
            db.selectFrom('tiles').selectAll().where('level', '=', level).where('number', 'in', some).execute(),
          )),
        );
    return found;
  }

  /** Where facts are, by id; those that the log does not have yet are left out. */
  async entries(ids: readonly string[]): Promise<Map<string, Entry>> {
    const found = new Map<string, Entry>();
    for (const some of pieces(ids))
      for (const entry of await this.database.run((db) =>
        db.selectFrom('entries').selectAll().where('id', 'in', some).orderBy('leaf', 'desc').execute(),
      ))
        found.set(entry.id, entry);
    return found;
  }

  /** The entries of the leaves from one on, before another, in order. */
  async entriesFrom(from: number, to: number): Promise<Entry[]> {
    return this.database.run((db) =>
      db.selectFrom('entries').selectAll().where('leaf', '>=', from).where('leaf', '<', to).orderBy('leaf').execute(),
    );
  }

  /** The entry of a leaf. */
  async entryAt(leaf: number): Promise<Entry | null> {
    const found = await this.database.run((db) =>
      db.selectFrom('entries').selectAll().where('leaf', '=', leaf).executeTakeFirst(),
    );
    return found ?? null;
  }

  /** Keeps a checkpoint; of two of one size the later stays, since it has all signatures of the earlier. */
  async keepCheckpoint({ size, position, note }: StoredCheckpoint, at: Date): Promise<void> {
    const changing = { position: position === null ? null : String(position), note, cut_at: at.toISOString() };
    await this.database.run((db) =>
      db
        .insertInto('checkpoints')
        .values({ size, ...changing })
        .onConflict((conflict) => conflict.column('size').doUpdateSet(changing))
        .execute(),
    );
  }

  /** Adds the signature lines by these keys to the checkpoint of a size, where it does not have them yet. */
  async cosigned(size: number, lines: string, keys: readonly Pick<NoteKey, 'name' | 'id'>[]): Promise<void> {
    await this.database.run((whole) =>
      whole.transaction().execute(async (db) => {
        await db.updateTable('log').set({ id: LOG }).execute();
        const row = await db.selectFrom('checkpoints').select('note').where('size', '=', size).executeTakeFirst();
        if (!row) return;
        const note = withSignatures(row.note, lines, keys);
        if (note !== row.note) await db.updateTable('checkpoints').set({ note }).where('size', '=', size).execute();
      }),
    );
  }

  /** The checkpoint of the largest tree; null before the first. */
  async latestCheckpoint(): Promise<StoredCheckpoint | null> {
    const row = await this.database.run((db) =>
      db.selectFrom('checkpoints').selectAll().orderBy('size', 'desc').limit(1).executeTakeFirst(),
    );
    return row ? { size: row.size, position: bigintOf(row.position), note: row.note } : null;
  }

  /** Every checkpoint, the oldest first. */
  async *checkpoints(): AsyncGenerator<StoredCheckpoint> {
    let after = -1;
    for (;;) {
      const rows = await this.database.run((db) =>
        db.selectFrom('checkpoints').selectAll().where('size', '>', after).orderBy('size').limit(ROWS).execute(),
      );
      for (const { size, position, note } of rows) yield { size, position: bigintOf(position), note };
      const last = rows.at(-1);
      if (!last) return;
      after = last.size;
    }
  }

  /** Every key that ever signed, the current one first, then the latest. */
  async keys(): Promise<StoredKey[]> {
    const rows = await this.database.run((db) => db.selectFrom('keys').selectAll().execute());
    const keys = rows.map(({ public_key, ...key }) => ({ ...key, publicKey: Buffer.from(public_key, 'base64') }));
    const order = ({ since, until }: StoredKey) => `${until ?? 'zzzz'} ${since}`;
    return keys.sort((a, b) => (order(a) < order(b) ? 1 : -1));
  }

  /** Makes a key the current one in the place of another (null: the first). False when another was faster. */
  async succeed(previous: string | null, key: Omit<StoredKey, 'until'>): Promise<boolean> {
    const { id, name, publicKey, since } = key;
    return this.database.run((whole) =>
      whole.transaction().execute(async (db) => {
        // The row of the log is what processes that share a database queue for.
        await db.updateTable('log').set({ id: LOG }).execute();
        const current = await db.selectFrom('keys').select('id').where('until', 'is', null).executeTakeFirst();
        if ((current?.id ?? null) !== previous) return false;
        await db.updateTable('keys').set({ until: since }).where('until', 'is', null).execute();
        await db
          .insertInto('keys')
          .values({ id, name, public_key: publicKey.toString('base64'), since, until: null })
          .execute();
        return true;
      }),
    );
  }

  /** Asks whoever holds the current key to seal a text. */
  async askSeal(id: string, text: string): Promise<void> {
    await this.database.run((db) => db.insertInto('seals').values({ id, text, kid: null, signature: null }).execute());
  }

  /** What is asked to be sealed and is not yet. */
  async unsealed(): Promise<{ id: string; text: string }[]> {
    return this.database.run((db) =>
      db.selectFrom('seals').select(['id', 'text']).where('signature', 'is', null).limit(ROWS).execute(),
    );
  }

  /** Answers what was asked to be sealed. */
  async giveSeal(id: string, { kid, signature }: Seal): Promise<void> {
    await this.database.run((db) => db.updateTable('seals').set({ kid, signature }).where('id', '=', id).execute());
  }

  /** The seal that was asked for, null while there is none. */
  async sealOf(id: string): Promise<Seal | null> {
    const row = await this.database.run((db) =>
      db.selectFrom('seals').select(['kid', 'signature']).where('id', '=', id).executeTakeFirst(),
    );
    return row?.kid && row.signature ? { kid: row.kid, signature: row.signature } : null;
  }

  /** Forgets what was asked to be sealed. */
  async dropSeal(id: string): Promise<void> {
    await this.database.run((db) => db.deleteFrom('seals').where('id', '=', id).execute());
  }

  /** Forgets the leaves after the first `size`, the last of which is at this position. */
  async truncate(size: number, position: bigint | null): Promise<void> {
    this.#size = -1;
    await this.database.run((whole) =>
      whole.transaction().execute(async (db) => {
        const at = position === null ? null : String(position);
        // First, here and below: whoever appends at the same moment is waited for, so that what it wrote is seen.
        await db.updateTable('log').set({ size, position: at }).execute();
        await db.deleteFrom('entries').where('leaf', '>=', size).execute();
      }),
    );
  }

  /**
   * Closes the origin of the log and gives it another: what was signed under the old one is kept apart, and its tree is
   * derived from the journal again. The key goes on under the new name.
   */
  async reorigin(origin: string, keys: readonly Omit<StoredKey, 'until'>[], at: Date): Promise<void> {
    this.#size = -1;
    await this.database.run((whole) =>
      whole.transaction().execute(async (db) => {
        const { origin: old } = await db.selectFrom('log').select('origin').executeTakeFirstOrThrow();
        await db.updateTable('log').set({ origin, size: 0, position: null, wanted: null }).execute();
        for (const row of await db.selectFrom('checkpoints').selectAll().execute())
          await db
            .insertInto('closed')
            .values({ origin: old, size: row.size, note: row.note, cut_at: row.cut_at })
            .execute();
        for (const table of ['checkpoints', 'tiles', 'entries'] as const) await db.deleteFrom(table).execute();
        await db.updateTable('keys').set({ until: at.toISOString() }).where('until', 'is', null).execute();
        for (const { id, name, publicKey, since } of keys)
          await db
            .insertInto('keys')
            .values({ id, name, public_key: publicKey.toString('base64'), since, until: null })
            .execute();
      }),
    );
  }

  /** The checkpoints of origins that were closed, oldest first of each. */
  async closed(): Promise<{ origin: string; size: number; note: string }[]> {
    return this.database.run((db) =>
      db.selectFrom('closed').select(['origin', 'size', 'note']).orderBy('origin').orderBy('size').execute(),
    );
  }

  /** Forgets the tree, not the checkpoints nor the keys: it is derived from the journal again. */
  async clear(): Promise<void> {
    this.#size = -1;
    await this.database.run((whole) =>
      whole.transaction().execute(async (db) => {
        await db.updateTable('log').set({ size: 0, position: null }).execute();
        await db.deleteFrom('tiles').execute();
        await db.deleteFrom('entries').execute();
      }),
    );
  }

  close(): Promise<void> {
    return this.database.close();
  }

  async #load(size: number): Promise<Map<string, Buffer>> {
    const tiles = await this.tiles(tails(size));
    return new Map(tiles.map(({ hashes, ...name }) => [keyOf(name), hashes]));
  }
}

function keyOf({ level, number }: TileName): string {
  return `${level}/${number}`;
}

function bigintOf(text: string | null): bigint | null {
  return text === null ? null : BigInt(text);
}

function* pieces<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += ROWS) yield all.slice(from, from + ROWS);
}
