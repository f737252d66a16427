import { once } from 'node:events';
import { DatabaseUnavailable, isMissing, listen } from '@jalon/journal';
import { Follower } from './follower.ts';
import { type Tenure, TenureOver } from './layout.postgres.ts';
import { Lease } from './lease.ts';
import type { ProjectionStatus } from './live.ts';
import { ORDERED, RebuildOrders } from './orders.postgres.ts';
import type { ProjectionLag, ReadModelFeed } from './progress.ts';
import type { Parked } from './projection.ts';
import { chosen, Projector, type ProjectorParts } from './projector.ts';
import type { RebuildProgress } from './rebuild.ts';
import { AWAITED, CHANGED, type PostgresReadModels } from './store.postgres.ts';
import { isDamage } from './store.ts';
import { ReadModelsBehind } from './waiters.ts';

/** What a process has of read models that several share. */
export type SharedParts = Omit<ProjectorParts, 'store'> & {
  store: PostgresReadModels;
  /** Whether this process projects when it is its turn. */
  projecting: boolean;
  /** How long an order to rebuild waits for a sign of life from whoever projects, in milliseconds; ten seconds when absent. */
  patienceMs?: number;
};

/** How long one who projects hurries for a position that another process waits for. */
const HURRY_MS = 5_000;

/** Longer than it takes another process to take over. */
const PATIENCE_MS = 10_000;

/**
 * Read models that several processes share in one database. Each follows how far they go; one of them at a time projects,
 * and when it dies another takes over. While the database is away nothing is lost: they go on from their checkpoint.
 */
export class SharedReadModels implements ReadModelFeed {
  readonly #follower: Follower;
  readonly #lease: Lease;
  readonly #orders: RebuildOrders;
  readonly #stopping = new AbortController();
  #projector: Projector | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: SharedParts) {
    this.#follower = new Follower(parts);
    const onError = (error: unknown) => this.#report(error);
    this.#lease = new Lease({ database: parts.store, role: 'projector', onError });
    this.#orders = new RebuildOrders(parts.store, parts.patienceMs ?? PATIENCE_MS, onError);
  }

  /** Begins to follow, and to project when it is this process's turn; returns at once, whether the database is there or not. */
  start(): void {
    const { store, projecting } = this.parts;
    const { signal } = this.#stopping;
    this.#follower.start();
    const hears = (channel: string | null, payload: string) => this.#hear(channel, payload);
    this.#running = Promise.all([
      listen(store.url, [CHANGED, AWAITED, ORDERED], hears, signal),
      projecting ? this.#lease.hold((tenure, over) => this.#project(tenure, over), signal) : undefined,
    ]);
  }

  /** Stops; another process may project from then on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#follower.stop();
    await this.#running;
  }

  /** Whether this process is the one that projects. */
  get isProjecting(): boolean {
    return this.#projector !== undefined;
  }

  async caughtUp(position: bigint | null, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const feed = this.#feed;
      try {
        return await feed.caughtUp(position, Math.max(0, deadline - performance.now()), signal);
      } catch (error) {
        const over = this.#stopping.signal.aborted || performance.now() >= deadline;
        // Turned away as another feed took over: that one gets there.
        if (over || !(error instanceof ReadModelsBehind) || feed === this.#feed) throw error;
      }
    }
  }

  status(): { projections: ProjectionStatus[]; failure: unknown } {
    return this.#feed.status();
  }

  parked(): Parked[] {
    return this.#feed.parked();
  }

  async lag(): Promise<ProjectionLag[]> {
    return this.#feed.lag();
  }

  /** See ReadModelFeed. Carried out by the process that projects, whichever it is. */
  async rebuild(which: readonly string[] | 'all', onProgress: (progress: RebuildProgress) => void): Promise<void> {
    const names = chosen(this.parts.projections, which).map(({ name }) => name);
    if (this.#projector) await this.#projector.rebuild(names, onProgress);
    else await this.#orders.ask(names, onProgress, this.#stopping.signal);
  }

  get #feed(): Omit<ReadModelFeed, 'rebuild'> {
    return this.#projector ?? this.#follower;
  }

  /** Projects until `over` aborts, or another tenure turns out to have begun. */
  async #project(tenure: Tenure, over: AbortSignal): Promise<void> {
    const resigning = new AbortController();
    const resign = () => resigning.abort();
    if (over.aborted) resign();
    over.addEventListener('abort', resign, { once: true });
    const projector = new Projector({
      ...this.parts,
      store: this.parts.store.during(tenure),
      onError: (error) => {
        // What is gone or damaged is made again as the next tenure begins, by this process or by another.
        if (error instanceof TenureOver || isMissing(error) || isDamage(error)) resign();
        this.#report(error);
      },
    });
    let serving: Promise<void> | undefined;
    try {
      await projector.start();
      this.#projector = projector;
      this.#follower.yield();
      serving = this.#orders.serve((names, onProgress) => projector.rebuild(names, onProgress), resigning.signal);
      if (!resigning.signal.aborted) await once(resigning.signal, 'abort');
    } finally {
      this.#projector = undefined;
      this.#follower.refresh();
      await projector.stop();
      await serving;
    }
  }

  #hear(channel: string | null, payload: string): void {
    if (channel === ORDERED || channel === null) this.#orders.wake();
    if (channel === CHANGED || channel === null) {
      // One who projects knows better.
      if (!this.#projector) this.#follower.refresh();
    } else if (channel === AWAITED && this.#projector && /^\d{1,20}$/.test(payload))
      // In vain when it is no position of the journal's yet: whoever waits is told so where it waits.
      void this.#projector.caughtUp(BigInt(payload), HURRY_MS).catch(() => undefined);
  }

  /** That the database is away is told once, by the follower. */
  #report(error: unknown): void {
    if (!(error instanceof DatabaseUnavailable) || isMissing(error)) this.parts.onError(error);
  }
}
