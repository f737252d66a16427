import { setTimeout as delay } from 'node:timers/promises';
import type { Catalogue } from '@jalon/flow';
import type { Journal, StoredEvent } from '@jalon/journal';
import { LiveGenerations, type ProjectionStatus } from './live.ts';
import type { Parked, Projection } from './projection.ts';
import { DOSSIERS, Readings } from './readings.ts';
import { Rebuild, type RebuildProgress } from './rebuild.ts';
import { isDamage, type ReadModelStore } from './store.ts';
import { Turns } from './turns.ts';
import { ReadModelsBehind, Waiters } from './waiters.ts';

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

/** How far a projection is behind the journal. `facts` is counted up to 1,000. */
export type ProjectionLag = { projection: string; position: bigint | null; facts: number };

const FILTER = { prefixes: [DOSSIERS] };

/** Events per transaction, at most. */
const BATCH = 5_000;

/** How long a fact that nobody waits for may be held back, so that one transaction serves several. */
const GATHER_MS = 100;

const RETRY_MS = { first: 100, longest: 5_000 };

/** How long somebody waits before the journal is asked whether anything is to come. */
const PROBE_MS = 20;

const COUNTED = 1_000;

/**
 * Feeds the read models from the journal: one checkpoint per projection, written in the same transaction as its rows, so
 * that a kill at any moment loses nothing and repeats nothing. One projector per database.
 */
export class Projector {
  readonly #readings: Readings;
  readonly #waiters = new Waiters();
  readonly #stopping = new AbortController();
  readonly #projecting = new Turns();
  readonly #building = new Turns();
  readonly #live: LiveGenerations;
  #prepared: Promise<void> | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #queue: StoredEvent[] = [];
  #received: bigint | null = null;
  /** Every dossier fact up to here was received, though it may be the position of another stream's event. */
  #known: bigint | null = null;
  #applied: bigint | null = null;
  #gathering: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #probing = false;
  #failure: unknown;

  constructor(private readonly parts: ProjectorParts) {
    this.#readings = new Readings(parts.catalogue, parts.journal);
    this.#live = new LiveGenerations(parts.store, parts.projections, this.#readings);
  }

  /**
   * Begins to follow the journal and returns at once; `caughtUp` tells when it has. Projections that are new or whose
   * version changed are built beside what is there, and `caughtUp` waits for them too.
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
    this.#waiters.dismiss(new ReadModelsBehind(this.#applied ?? 0n, this.#applied));
    await this.#running;
    await this.#projecting.idle();
    await this.#building.idle();
  }

  /**
   * Resolves as soon as every read model includes `position` (that of any event, dossier or not), flushing at once; with
   * null, as soon as every read model is built.
   * @throws ReadModelsBehind after `timeoutMs`; the reason of `signal` when it aborts first.
   */
  async caughtUp(position: bigint | null, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const wanted = position ?? -1n;
    if (this.#includes(wanted)) return;
    const waiting = this.#waiters.wait(wanted, timeoutMs, () => this.#applied, signal);
    if (this.#queue.length > 0) void this.#flush();
    void this.#probe();
    await waiting;
  }

  /** Position that every read model includes, null at the beginning or while one is still to be built. */
  get position(): bigint | null {
    if (this.#live.outdated.length > 0) return null;
    return this.#queue.length > 0 ? this.#applied : latest(this.#received, this.#known);
  }

  /** How each projection stands, and why nothing can be written at present (undefined when it can). */
  status(): { projections: ProjectionStatus[]; failure: unknown } {
    return { projections: this.#live.status, failure: this.#failure };
  }

  /** The dossiers that some projection could not follow. */
  parked(): Parked[] {
    return this.#live.parked;
  }

  /** How far each projection is behind the journal, counted in it now. */
  async lag(): Promise<ProjectionLag[]> {
    await this.#prepare();
    const lags: ProjectionLag[] = [];
    const counts = new Map<bigint | null, number>();
    for (const { projection, position } of this.status().projections) {
      const facts = counts.get(position) ?? (await this.#countAfter(position));
      counts.set(position, facts);
      lags.push({ projection, position, facts });
    }
    return lags;
  }

  /**
   * Derives read models again from the journal while the present ones keep serving, then replaces them. Parked dossiers
   * are tried again. Works without `start`, beside no other process that writes.
   * @throws RangeError for a name that is not a projection's.
   */
  async rebuild(which: readonly string[] | 'all', onProgress: (progress: RebuildProgress) => void): Promise<void> {
    const known = this.parts.projections.map(({ name }) => name);
    for (const name of which === 'all' ? [] : which)
      if (!known.includes(name)) throw new RangeError(`There is no projection ${name}: ${known.join(', ')}.`);
    await this.#prepare();
    await this.#build(
      this.parts.projections.filter(({ name }) => which === 'all' || which.includes(name)),
      onProgress,
    );
  }

  #prepare(): Promise<void> {
    this.#prepared ??= (async () => this.#live.prepare((await this.parts.journal.tip()) === null))();
    return this.#prepared;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    let pause = RETRY_MS.first;
    while (!signal.aborted) {
      try {
        for await (const page of this.parts.journal.subscribe(this.#received, FILTER, signal)) {
          pause = RETRY_MS.first;
          for (const event of page) this.#queue.push(event);
          this.#received = (page.at(-1) as StoredEvent).position;
          if (this.#waiters.size > 0 || this.#queue.length >= BATCH) await this.#flush();
          else this.#gathering ??= setTimeout(() => void this.#flush(), GATHER_MS);
        }
      } catch (error) {
        if (!signal.aborted) this.#report(error);
      }
      await rest(pause, signal);
      pause = Math.min(pause * 2, RETRY_MS.longest);
    }
  }

  /** Writes what was received, trying again until it is. */
  #flush(): Promise<void> {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#flushing ??= this.#projecting
      .take(() => this.#drain())
      .finally(() => {
        this.#flushing = undefined;
        if (this.#queue.length > 0 && this.#waiters.size > 0 && !this.#stopping.signal.aborted) void this.#flush();
      });
    return this.#flushing;
  }

  async #drain(): Promise<void> {
    const { signal } = this.#stopping;
    let pause = RETRY_MS.first;
    while (this.#queue.length > 0 && !signal.aborted) {
      const batch = this.#queue.length > BATCH ? this.#queue.slice(0, BATCH) : this.#queue.slice();
      try {
        const parked = await this.#live.apply(batch);
        this.#queue.splice(0, batch.length);
        this.#applied = (batch.at(-1) as StoredEvent).position;
        this.#failure = undefined;
        this.#release();
        for (const each of parked) this.parts.onParked(each);
      } catch (error) {
        this.#failure = error;
        this.#report(error);
        await rest(pause, signal);
        pause = Math.min(pause * 2, RETRY_MS.longest);
        await this.#live.open().catch((again: unknown) => this.#report(again));
      }
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
      this.#release();
    });
  }

  async #buildOutdated(): Promise<void> {
    const { signal } = this.#stopping;
    let pause = RETRY_MS.first;
    while (this.#live.outdated.length > 0 && !signal.aborted) {
      try {
        await this.#build(this.#live.outdated, () => undefined);
        this.#failure = undefined;
      } catch (error) {
        if (signal.aborted) return;
        this.#failure = error;
        this.#report(error);
        await rest(pause, signal);
        pause = Math.min(pause * 2, RETRY_MS.longest);
      }
    }
  }

  /** Finds out, while somebody waits, whether what lies before their position holds any dossier fact to come. */
  async #probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    const { signal } = this.#stopping;
    try {
      for (await rest(PROBE_MS, signal); this.#waiters.size > 0 && !signal.aborted; await rest(PROBE_MS, signal)) {
        const tip = await this.parts.journal.tip();
        if (tip === null || tip <= (this.#known ?? -1n)) continue;
        if ((await this.#countAfter(this.#received, 1)) > 0) continue;
        this.#known = tip;
        this.#release();
      }
    } catch (error) {
      if (!signal.aborted) this.#report(error);
    } finally {
      this.#probing = false;
    }
  }

  async #countAfter(position: bigint | null, enough = COUNTED): Promise<number> {
    const known = this.#queue.length === 0 && position === this.#applied ? this.#known : null;
    let facts = 0;
    for await (const page of this.parts.journal.readAll(latest(position, known), FILTER)) {
      facts += page.length;
      if (facts >= enough) return enough;
    }
    return facts;
  }

  #includes(position: bigint): boolean {
    if (this.#live.outdated.length > 0) return false;
    return position <= (this.position ?? -1n);
  }

  #release(): void {
    this.#waiters.release((position) => this.#includes(position));
  }

  #report(error: unknown): void {
    if (isDamage(error)) this.parts.store.condemn();
    this.parts.onError(error);
  }
}

/** The least of some checkpoints, null (the beginning) when one is. */
function earliest(checkpoints: readonly (bigint | null)[]): bigint | null {
  return checkpoints.reduce((least, each) =>
    least === null || each === null || each > least ? (each === null ? null : least) : each,
  );
}

function latest(one: bigint | null, other: bigint | null): bigint | null {
  return one === null || (other !== null && other > one) ? other : one;
}

/** A pause that ends early when `signal` aborts. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
