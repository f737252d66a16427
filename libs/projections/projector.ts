import type { Catalogue } from '@jalon/flow';
import { type Journal, Pauses, type StoredEvent } from '@jalon/journal';
import { LiveGenerations, type ProjectionStatus } from './live.ts';
import { earliest, FILTER, Progress, type ProjectionLag, type ReadModelFeed } from './progress.ts';
import type { Parked, Projection } from './projection.ts';
import { Readings } from './readings.ts';
import { Rebuild, type RebuildProgress } from './rebuild.ts';
import { isDamage, type ReadModelStore } from './store.ts';
import { Turns } from './turns.ts';

/** What a projector is made of. */
export type ProjectorParts = {
  store: ReadModelStore;
  journal: Pick<Journal, 'read' | 'readAll' | 'subscribe' | 'tip'>;
  catalogue: Catalogue;
  projections: readonly Projection[];
  /** A dossier could not be followed any further in a projection. Called once, after it is on record. */
  onParked: (parked: Parked) => void;
  /** Something failed and will be tried again; never called for what a caller is told by an exception. */
  onError: (error: unknown) => void;
};

/** Events per transaction, at most; and events that are held, those of a transaction under way among them. */
const BATCH = 5_000;
const HELD = 2 * BATCH;

/** How long a fact may be held back that nobody waits for, or not yet, so that one transaction serves several. */
const GATHER_MS = 100;

/**
 * Feeds the read models from the journal: one checkpoint per projection, written in the same transaction as its rows, so
 * that a kill at any moment loses nothing and repeats nothing. One projector per database at a time.
 */
export class Projector implements ReadModelFeed {
  readonly #readings: Readings;
  readonly #progress: Progress;
  readonly #stopping = new AbortController();
  readonly #projecting = new Turns();
  readonly #building = new Turns();
  readonly #live: LiveGenerations;
  #prepared: Promise<void> | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #queue: StoredEvent[] = [];
  #received: bigint | null = null;
  #applied: bigint | null = null;
  #gathering: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  /** Lets the journal be read on, once fewer events are held. */
  #proceed: () => void = () => undefined;
  #failure: unknown;

  constructor(private readonly parts: ProjectorParts) {
    this.#readings = new Readings(parts.catalogue, parts.journal);
    this.#live = new LiveGenerations(parts.store, parts.projections, this.#readings, parts.onError);
    const reach = () => ({
      received: this.#received,
      applied: this.#applied,
      pending: this.#queue.length > 0,
      built: this.#live.outdated.length === 0,
    });
    this.#progress = new Progress(parts.journal, reach, this.#stopping.signal, (error) => this.#report(error));
  }

  /**
   * Begins to follow the journal and returns at once; `caughtUp` tells when it has. Projections that are new or whose
   * version changed are built beside what is there, and `caughtUp` waits for them too.
   * @throws JournalUnavailable, and what the store throws, when there is nothing to begin with yet: it may be tried again.
   */
  async start(): Promise<void> {
    await this.#prepare();
    const { checkpoints } = this.#live;
    // A generation that takes over later reads by itself all that was received before.
    this.#received = checkpoints.length === 0 ? await this.parts.journal.tip() : earliest(checkpoints);
    this.#applied = this.#received;
    this.#running = Promise.all([this.#buildOutdated(), this.#follow()]);
  }

  /** Stops following. What was not written yet is read again at the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#gathering);
    this.#progress.dismiss();
    await this.#running;
    await this.#projecting.idle();
    await this.#building.idle();
  }

  /** See ReadModelFeed. Flushes at once what somebody waits for. */
  async caughtUp(position: bigint | null, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const waiting = this.#progress.wait(position ?? -1n, timeoutMs, signal);
    if (this.#progress.isAwaited && this.#queue.length > 0) void this.#flush();
    await waiting;
  }

  /** Position that every read model includes, null at the beginning or while one is still to be built. */
  get position(): bigint | null {
    return this.#progress.position;
  }

  status(): { projections: ProjectionStatus[]; failure: unknown } {
    return { projections: this.#live.status, failure: this.#failure };
  }

  parked(): Parked[] {
    return this.#live.parked;
  }

  async lag(): Promise<ProjectionLag[]> {
    await this.#prepare();
    return this.#progress.lag(this.#live.status);
  }

  /** See ReadModelFeed. Works without `start`, beside no other process that writes. */
  async rebuild(which: readonly string[] | 'all', onProgress: (progress: RebuildProgress) => void): Promise<void> {
    const rebuilt = chosen(this.parts.projections, which);
    await this.#prepare();
    await this.#build(rebuilt, onProgress);
  }

  #prepare(): Promise<void> {
    this.#prepared ??= (async () => this.#live.prepare((await this.parts.journal.tip()) === null))().catch((error) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    const pauses = new Pauses(signal);
    while (!signal.aborted) {
      try {
        for await (const page of this.parts.journal.subscribe(this.#received, FILTER, signal)) {
          pauses.reset();
          for (const event of page) this.#queue.push(event);
          this.#received = (page.at(-1) as StoredEvent).position;
          this.#schedule();
          // The journal is read on while what was read of it is written.
          if (this.#queue.length >= HELD) await this.#room();
        }
      } catch (error) {
        if (!signal.aborted) this.#report(error);
      }
      await pauses.take();
    }
  }

  /** Has what was received written: now, or once some more has come. */
  #schedule(): void {
    if (this.#queue.length === 0 || this.#stopping.signal.aborted) return;
    if (this.#isDue) void this.#flush();
    else this.#gathering ??= setTimeout(() => void this.#flush(), GATHER_MS);
  }

  get #isDue(): boolean {
    return this.#queue.length >= BATCH || (this.#queue.length > 0 && this.#progress.isDue);
  }

  /** Resolves once fewer events are held, or nothing is written any more. */
  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#proceed = resolve;
    });
  }

  /** Writes what was received, trying again until it is. */
  #flush(): Promise<void> {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#flushing ??= this.#projecting
      .take(() => this.#drain())
      .finally(() => {
        this.#flushing = undefined;
        this.#proceed();
        this.#schedule();
      });
    return this.#flushing;
  }

  async #drain(): Promise<void> {
    const { signal } = this.#stopping;
    const pauses = new Pauses(signal);
    while (this.#queue.length > 0 && !signal.aborted) {
      const batch = this.#queue.length > BATCH ? this.#queue.slice(0, BATCH) : this.#queue.slice();
      try {
        const parked = await this.#live.apply(batch);
        this.#queue.splice(0, batch.length);
        this.#proceed();
        this.#applied = (batch.at(-1) as StoredEvent).position;
        this.#failure = undefined;
        this.#progress.release();
        for (const each of parked) this.parts.onParked(each);
      } catch (error) {
        this.#failure = error;
        this.#report(error);
        await pauses.take();
        await this.#live.open().catch((again: unknown) => this.#report(again));
      }
      // More may come: it is written with what is left.
      if (this.#failure === undefined && !this.#isDue) return;
    }
  }

  #build(projections: readonly Projection[], onProgress: (progress: RebuildProgress) => void): Promise<void> {
    const { store, journal, onParked } = this.parts;
    const parts = { store, journal, readings: this.#readings, onProgress, signal: this.#stopping.signal };
    return this.#building.take(async () => {
      const rebuild = await Rebuild.beside(parts, projections);
      try {
        await this.#projecting.take(async () => {
          const parked = await rebuild.takeOver();
          this.#live.replace(rebuild.generations);
          for (const each of parked) onParked(each);
        });
      } catch (error) {
        await rebuild.drop();
        throw error;
      }
      this.#progress.release();
    });
  }

  async #buildOutdated(): Promise<void> {
    const { signal } = this.#stopping;
    const pauses = new Pauses(signal);
    while (this.#live.outdated.length > 0 && !signal.aborted) {
      try {
        await this.#build(this.#live.outdated, () => undefined);
        this.#failure = undefined;
      } catch (error) {
        if (signal.aborted) return;
        this.#failure = error;
        this.#report(error);
        await pauses.take();
      }
    }
  }

  #report(error: unknown): void {
    const { store, onError } = this.parts;
    if (isDamage(error)) void store.condemn().catch(onError);
    onError(error);
  }
}

/** The projections of these names. @throws RangeError for a name that is none's. */
export function chosen(projections: readonly Projection[], which: readonly string[] | 'all'): Projection[] {
  const known = projections.map(({ name }) => name);
  for (const name of which === 'all' ? [] : which)
    if (!known.includes(name)) throw new RangeError(`There is no projection ${name}: ${known.join(', ')}.`);
  return projections.filter(({ name }) => which === 'all' || which.includes(name));
}
