import { isMissing, type Journal, Pauses } from '@jalon/journal';
import { sql } from 'kysely';
import { type GenerationRow, generations, parkedIn } from './generations.ts';
import type { ProjectionStatus } from './live.ts';
import { earliest, Progress, type ProjectionLag, type ReadModelFeed } from './progress.ts';
import type { Parked, Projection } from './projection.ts';
import { AWAITED, type PostgresReadModels } from './store.postgres.ts';
import { ReadModelsUnavailable } from './unavailable.ts';

/** What a follower is made of. */
export type FollowerParts = {
  store: PostgresReadModels;
  journal: Pick<Journal, 'readAll' | 'tip'>;
  projections: readonly Projection[];
  /** Told once when the read models cannot be followed, and again only after they could. */
  onError: (error: unknown) => void;
};

/** How often the checkpoints are read when nobody tells that they moved. */
const POLL_MS = { awaited: 100, idle: 1_000 };

/** Knows how far the read models go that another process feeds, from the checkpoints which it stores. */
export class Follower implements Omit<ReadModelFeed, 'rebuild'> {
  readonly #progress: Progress;
  readonly #stopping = new AbortController();
  #live = new Map<string, GenerationRow>();
  #parked: Parked[] = [];
  #failure: unknown;
  #running: Promise<void> = Promise.resolve();
  #stale = false;
  #wake: () => void = () => undefined;
  /** Waited for, and the process that projects was not told yet. */
  #untold: bigint | null = null;

  constructor(private readonly parts: FollowerParts) {
    const reach = () => {
      const built = this.status().projections.every(({ outdated }) => !outdated);
      const checkpoint = built ? earliest(this.status().projections.map(({ position }) => position)) : null;
      return { received: checkpoint, applied: checkpoint, pending: false, built };
    };
    this.#progress = new Progress(parts.journal, reach, this.#stopping.signal, parts.onError);
  }

  /** Begins to follow, and returns at once. */
  start(): void {
    this.#running = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#progress.dismiss();
    this.#wake();
    await this.#running;
  }

  /** This process projects from now on: those who wait are turned away, to wait there. */
  yield(): void {
    this.#progress.dismiss();
  }

  /** The checkpoints may have moved. */
  refresh(): void {
    this.#stale = true;
    this.#wake();
  }

  async caughtUp(position: bigint | null, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const wanted = position ?? -1n;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#progress.includes(wanted)) return;
    const waiting = this.#progress.wait(wanted, timeoutMs, signal);
    if (wanted > (this.#untold ?? -1n)) this.#untold = wanted;
    this.refresh();
    await waiting;
  }

  status(): { projections: ProjectionStatus[]; failure: unknown } {
    const projections = this.parts.projections.map(({ name, version }) => {
      const live = this.#live.get(name);
      return {
        projection: name,
        version,
        generation: live?.generation ?? 0,
        position: live?.checkpoint ?? null,
        parked: this.#parked.filter(({ projection }) => projection === name).length,
        outdated: live?.version !== version,
      };
    });
    return { projections, failure: this.#failure };
  }

  parked(): Parked[] {
    return this.#parked;
  }

  async lag(): Promise<ProjectionLag[]> {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#progress.lag(this.status().projections);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    const pauses = new Pauses(signal, { first: 100, longest: 2_000 });
    while (!signal.aborted) {
      try {
        await this.#read();
        this.#failure = undefined;
        pauses.reset();
        this.#progress.release();
        await this.#rest();
      } catch (error) {
        const away = error instanceof ReadModelsUnavailable ? error : new ReadModelsUnavailable(error);
        if (this.#failure === undefined && !signal.aborted) this.parts.onError(away);
        this.#failure = away;
        this.#progress.dismiss(away);
        await pauses.take();
      }
    }
  }

  async #read(): Promise<void> {
    const { reader } = this.parts.store;
    this.#stale = false;
    const live = new Map<string, GenerationRow>();
    const parked: Parked[] = [];
    for (const row of await this.#generations()) {
      if (!row.live) continue;
      live.set(row.projection, row);
      parked.push(...(await parkedIn(reader, row)));
    }
    this.#live = live;
    this.#parked = parked;
    const wanted = this.#untold;
    this.#untold = null;
    // The one who projects holds back what nobody waits for.
    if (wanted !== null && !this.#progress.includes(wanted))
      await sql`select pg_notify(${sql.lit(AWAITED)}, ${String(wanted)})`.execute(reader);
  }

  /** None while no process that projects has ever been there to make the tables. */
  async #generations(): Promise<GenerationRow[]> {
    try {
      return await generations(this.parts.store.reader);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** Until something may have changed. */
  async #rest(): Promise<void> {
    if (this.#stale) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#progress.isAwaited ? POLL_MS.awaited : POLL_MS.idle);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
