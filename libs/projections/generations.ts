import type { StoredEvent } from '@jalon/journal';
import type { Kysely } from 'kysely';
import { GENERATIONS, PARKED } from './bookkeeping.ts';
import type { Parked, Projection } from './projection.ts';
import type { ReadModelStore } from './store.ts';
import { createTable, type Row, type Tables } from './tables.ts';

/**
 * A generation of a projection: its tables, suffixed by its number, and how far they go. Readers see the live one through
 * views that bear the names of the tables; to replace it is to point the views elsewhere, in one transaction.
 */
export type GenerationRow = {
  projection: string;
  generation: number;
  version: number;
  checkpoint: bigint | null;
  /** The fact at the checkpoint; null before the first. */
  stoodOn: StoodOn | null;
  live: boolean;
  tables: string[];
};

/** A fact as a checkpoint remembers it: a journal that was put back, or changed, holds another in its place. */
export type StoodOn = { position: bigint; stream: string; revision: number; hash: string };

/** What a checkpoint remembers of a fact. */
export function standOn({ position, hash, envelope: { stream, revision } }: StoredEvent): StoodOn {
  return { position, stream, revision, hash };
}

/**
 * A checkpoint as its column holds it: the position, which may exceed what a number can say, then the fact that lies there;
 * none is an empty text.
 */
export function checkpointText(stoodOn: StoodOn | null): string {
  return stoodOn === null ? '' : `${stoodOn.position} ${stoodOn.hash} ${stoodOn.revision} ${stoodOn.stream}`;
}

function readCheckpointText(text: string): StoodOn | null {
  if (text === '') return null;
  const [position = '', hash = '', revision = '-1', ...stream] = text.split(' ');
  return { position: BigInt(position), hash, revision: Number(revision), stream: stream.join(' ') };
}

/** Drops what a killed process left half-built. */
export async function dropHalfBuilt(store: ReadModelStore): Promise<void> {
  for (const row of await generations(store.writer)) if (!row.live) await dropGeneration(store, row);
}

/** Every generation on record. */
export async function generations(db: Kysely<Tables>): Promise<GenerationRow[]> {
  const rows = await db.selectFrom(GENERATIONS).selectAll().orderBy('projection').orderBy('generation').execute();
  return rows.map(generationOf);
}

/** A generation as its row says. */
export function generationOf(row: Row): GenerationRow {
  const stoodOn = readCheckpointText(String(row.checkpoint));
  return {
    projection: String(row.projection),
    generation: Number(row.generation),
    version: Number(row.version),
    checkpoint: stoodOn?.position ?? null,
    stoodOn,
    live: Number(row.live) === 1,
    tables: JSON.parse(String(row.tables)),
  };
}

/** The version of a generation that was never fed: whatever the projection's is, it has to be built. */
export const NEVER_FED = 0;

/** Creates the empty tables of a new generation; live at once when there is none that it could replace. */
export async function createGeneration(
  store: ReadModelStore,
  projection: Projection,
  { live, version }: { live: boolean; version: number },
): Promise<GenerationRow> {
  return store.transact(async (db) => {
    const earlier = (await generations(db)).filter((row) => row.projection === projection.name);
    const row: GenerationRow = {
      projection: projection.name,
      generation: Math.max(0, ...earlier.map(({ generation }) => generation)) + 1,
      version,
      checkpoint: null,
      stoodOn: null,
      live,
      tables: Object.keys(projection.tables),
    };
    for (const [name, table] of Object.entries(projection.tables))
      await createTable(db, store.dialect, physicalName(name, row), table);
    if (live) await pointViews(db, row);
    await db
      .insertInto(GENERATIONS)
      .values({
        projection: row.projection,
        generation: row.generation,
        version,
        checkpoint: checkpointText(null),
        live: live ? 1 : 0,
        tables: JSON.stringify(row.tables),
      })
      .execute();
    return row;
  });
}

/**
 * Puts a generation in the place of the live one, within a transaction: whoever reads sees one or the other, whole.
 * Gives the one that it replaced.
 */
export async function goLive(db: Kysely<Tables>, row: GenerationRow): Promise<GenerationRow | undefined> {
  const replaced = (await generations(db)).find((other) => other.projection === row.projection && other.live);
  for (const name of replaced?.tables ?? []) await db.schema.dropView(name).execute();
  await pointViews(db, row);
  const setLive = (generation: number, live: number) =>
    db
      .updateTable(GENERATIONS)
      .set({ live })
      .where('projection', '=', row.projection)
      .where('generation', '=', generation)
      .execute();
  if (replaced) await setLive(replaced.generation, 0);
  await setLive(row.generation, 1);
  return replaced;
}

/** Drops a generation that is not live. */
export async function dropGeneration(store: ReadModelStore, row: GenerationRow): Promise<void> {
  await store.transact(async (db) => {
    for (const name of row.tables) await db.schema.dropTable(physicalName(name, row)).ifExists().execute();
    for (const table of [PARKED, GENERATIONS])
      await db
        .deleteFrom(table)
        .where('projection', '=', row.projection)
        .where('generation', '=', row.generation)
        .execute();
  });
}

/** The name under which a generation keeps a table. */
export function physicalName(table: string, { generation }: Pick<GenerationRow, 'generation'>): string {
  return `${table}_g${generation}`;
}

/** The dossiers parked in a generation. */
export async function parkedIn(db: Kysely<Tables>, row: GenerationRow): Promise<Parked[]> {
  const rows = await db
    .selectFrom(PARKED)
    .selectAll()
    .where('projection', '=', row.projection)
    .where('generation', '=', row.generation)
    .execute();
  return rows.map(({ dossier, revision, position, error }) => ({
    projection: row.projection,
    dossier: String(dossier),
    revision: Number(revision),
    position: BigInt(position as string),
    error: String(error),
  }));
}

/** Parks a dossier in a generation. */
export async function recordParked(db: Kysely<Tables>, { generation }: GenerationRow, parked: Parked): Promise<void> {
  await db
    .insertInto(PARKED)
    .values({ ...parked, generation, position: String(parked.position) })
    .execute();
}

async function pointViews(db: Kysely<Tables>, row: GenerationRow): Promise<void> {
  for (const name of row.tables)
    await db.schema
      .createView(name)
      .as(db.selectFrom(physicalName(name, row)).selectAll())
      .execute();
}
