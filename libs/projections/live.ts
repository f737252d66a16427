import type { StoredEvent } from '@jalon/journal';
import { Generation } from './generation.ts';
import { createGeneration, dropHalfBuilt, generations, NEVER_FED, type StoodOn } from './generations.ts';
import type { Parked, Projection } from './projection.ts';
import type { Readings } from './readings.ts';
import type { ReadModelStore } from './store.ts';

/** How a projection stands. */
export type ProjectionStatus = {
  projection: string;
  version: number;
  generation: number;
  position: bigint | null;
  parked: number;
  /** Whether it is new or of another version and still to be built: until then its read model must not be shown. */
  outdated: boolean;
};

/** The journal is not the one that a read model was made of, or not any more: it is made anew. */
export class ReadModelDiverged extends Error {
  override readonly name = 'ReadModelDiverged';
  constructor(projection: string, { stream, revision }: StoodOn) {
    super(
      `The read model ${projection} stood on fact ${revision} of ${stream}, which the journal does not hold any more: it is built anew.`,
    );
  }
}

/** The generations that readers see, and the projections that have none of their version yet. */
export class LiveGenerations {
  #generations: Generation[] = [];
  #outdated: Set<Projection>;

  constructor(
    private readonly store: ReadModelStore,
    private readonly projections: readonly Projection[],
    private readonly readings: Readings,
    private readonly onDiverged: (error: ReadModelDiverged) => void,
  ) {
    this.#outdated = new Set(projections);
  }

  /** Prepares the database, drops what was half built, and opens what is live. `empty` says that no fact was ever recorded. */
  async prepare(empty: boolean): Promise<void> {
    await this.store.prepare();
    await dropHalfBuilt(this.store);
    const known = new Set((await generations(this.store.writer)).map(({ projection }) => projection));
    for (const projection of this.projections)
      if (!known.has(projection.name)) {
        // Readers find empty tables at once. A journal that already holds much is built faster than it is followed.
        const version = empty ? projection.version : NEVER_FED;
        await createGeneration(this.store, projection, { live: true, version });
      }
    await this.open();
    await this.#distrust();
  }

  /**
   * A read model that stood on a fact which the journal does not hold any more (a file that was put back, another log) is
   * built anew, and not shown until then.
   * @throws JournalUnavailable
   */
  async #distrust(): Promise<void> {
    for (const generation of [...this.#generations]) {
      const { stoodOn } = generation.row;
      if (stoodOn === null || (await this.readings.holds(stoodOn))) continue;
      this.#generations = this.#generations.filter((other) => other !== generation);
      this.#outdated.add(generation.projection);
      this.onDiverged(new ReadModelDiverged(generation.projection.name, stoodOn));
    }
  }

  /** Opens the live generations as the database has them. */
  async open(): Promise<void> {
    const rows = (await generations(this.store.writer)).filter(({ live }) => live);
    const opened: Generation[] = [];
    const outdated = new Set<Projection>();
    for (const projection of this.projections) {
      const row = rows.find((each) => each.projection === projection.name);
      if (row?.version !== projection.version) outdated.add(projection);
      else opened.push(await Generation.open(this.store, projection, row, this.readings));
    }
    this.#generations = opened;
    this.#outdated = outdated;
  }

  /** Projections that are new or of another version, until `replace`. */
  get outdated(): Projection[] {
    return [...this.#outdated];
  }

  get checkpoints(): (bigint | null)[] {
    return this.#generations.map(({ checkpoint }) => checkpoint);
  }

  get parked(): Parked[] {
    return this.#generations.flatMap(({ parked }) => parked);
  }

  get status(): ProjectionStatus[] {
    return this.projections.map((projection) => {
      const { name, version } = projection;
      const live = this.#generations.find((generation) => generation.projection === projection);
      return {
        projection: name,
        version,
        generation: live?.row.generation ?? 0,
        position: live?.checkpoint ?? null,
        parked: live?.parked.length ?? 0,
        outdated: live === undefined,
      };
    });
  }

  /** Digests events into every live generation, in one transaction. Gives the dossiers that were parked. */
  async apply(events: readonly StoredEvent[]): Promise<Parked[]> {
    const { writer } = this.store;
    const arrivals = this.readings.arrivals(events);
    for (const generation of this.#generations) await generation.digest(arrivals, writer);
    const behind = this.#generations.filter(({ isBehind }) => isBehind);
    if (behind.length === 0) return [];
    await this.store.transact(async (db) => {
      for (const generation of behind) await generation.flush(db, 'checkpoint');
    });
    return behind.flatMap((generation) => generation.committed('checkpoint'));
  }

  /** Takes generations that have gone live in the place of earlier ones. */
  replace(rebuilt: readonly Generation[]): void {
    const projections = new Set(rebuilt.map(({ projection }) => projection));
    this.#generations = [...this.#generations.filter(({ projection }) => !projections.has(projection)), ...rebuilt];
    for (const projection of projections) this.#outdated.delete(projection);
  }
}
