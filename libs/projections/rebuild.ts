import type { JournalReader } from '@jalon/journal';
import { Generation } from './generation.ts';
import { createGeneration, dropGeneration, type GenerationRow, goLive } from './generations.ts';
import type { Parked, Projection } from './projection.ts';
import { DOSSIERS, type Readings } from './readings.ts';
import type { ReadModelStore } from './store.ts';

/** How far a rebuild has come: facts read so far, and the position of the last of them. */
export type RebuildProgress = { projections: readonly string[]; facts: number; position: bigint };

/** From what read models are rebuilt, and who is told. */
export type RebuildParts = {
  store: ReadModelStore;
  journal: Pick<JournalReader, 'readAll'>;
  readings: Readings;
  onProgress: (progress: RebuildProgress) => void;
  signal: AbortSignal;
};

/** Rows per transaction: the live read models wait for no longer than these take. */
const SPILL = 8_000;

/** With no more than this left to read, the live read models may be held up until the new ones took their place. */
const NEARLY = 500;

/** New generations, level with the journal as of a moment ago. */
export class Rebuild {
  readonly #parked: Parked[] = [];
  #facts = 0;

  private constructor(
    private readonly parts: RebuildParts,
    readonly generations: readonly Generation[],
  ) {}

  /**
   * Builds new generations beside the live ones, in one reading of the journal, until they are nearly level with it.
   * What fails leaves nothing behind.
   */
  static async beside(parts: RebuildParts, projections: readonly Projection[]): Promise<Rebuild> {
    const { store, readings } = parts;
    const generations: Generation[] = [];
    const rebuild = new Rebuild(parts, generations);
    try {
      for (const projection of projections) {
        const row = await createGeneration(store, projection, { live: false, version: projection.version });
        generations.push(await Generation.open(store, projection, row, readings));
      }
      while ((await rebuild.#feed()) > NEARLY);
      await rebuild.#write('checkpoint');
      return rebuild;
    } catch (error) {
      await rebuild.drop();
      throw error;
    }
  }

  /**
   * Reads the rest and puts the new generations in the place of the live ones, in one transaction. Nothing may be
   * projected meanwhile. Gives the dossiers that are parked in them.
   */
  async takeOver(): Promise<Parked[]> {
    const { store } = this.parts;
    await this.#feed();
    const replaced = await store.transact(async (db) => {
      const rows: (GenerationRow | undefined)[] = [];
      for (const generation of this.generations) {
        await generation.flush(db, 'checkpoint');
        rows.push(await goLive(db, generation.row));
      }
      return rows;
    });
    for (const generation of this.generations) {
      generation.row.live = true;
      this.#parked.push(...generation.committed('checkpoint'));
    }
    for (const row of replaced) if (row) await dropGeneration(store, row);
    return this.#parked;
  }

  /** Gives up: the live generations were never touched. */
  async drop(): Promise<void> {
    for (const { row } of this.generations) if (!row.live) await dropGeneration(this.parts.store, row);
  }

  /** Digests what the journal holds beyond what is digested; gives how many facts that was. */
  async #feed(): Promise<number> {
    const { journal, store, onProgress, signal } = this.parts;
    const before = this.#facts;
    const after = this.generations[0]?.digested ?? null;
    for await (const page of journal.readAll(after, { prefixes: [DOSSIERS] })) {
      signal.throwIfAborted();
      const arrivals = this.parts.readings.arrivals(page);
      for (const generation of this.generations) await generation.digest(arrivals, store.writer);
      if (this.generations.some((generation) => generation.isFull(SPILL))) await this.#write('spill');
      this.#facts += page.length;
      const { position } = page.at(-1) as (typeof page)[number];
      onProgress({
        projections: this.generations.map(({ projection }) => projection.name),
        facts: this.#facts,
        position,
      });
    }
    return this.#facts - before;
  }

  async #write(flush: 'checkpoint' | 'spill'): Promise<void> {
    await this.parts.store.transact(async (db) => {
      for (const generation of this.generations) await generation.flush(db, flush);
    });
    for (const generation of this.generations) this.#parked.push(...generation.committed(flush));
  }
}
