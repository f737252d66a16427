import { once } from 'node:events';
import { DatabaseUnavailable, isMissing, listen, rest } from '@jalon/journal';
import { Follower } from './follower.ts';
import { ProjectedElsewhere } from './generation.ts';
import { type Tenure, TenureOver } from './layout.postgres.ts';
import { Lease } from './lease.ts';
import type { ProjectionStatus } from './live.ts';
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
};

/** How long one who projects hurries for a position that another process waits for. */
const HURRY_MS = 5_000;

/** How long an order to rebuild waits for this process to be the one that projects. */
const TURN_MS = 5_000;

/**
 * Read models that several processes share in one database. Each follows how far they go; one of them at a time projects,
 * and when it dies another takes over. While the database is away nothing is lost: they go on from their checkpoint.
 */
export class SharedReadModels implements ReadModelFeed {
  readonly #follower: Follower;
  readonly #lease: Lease;
  readonly #stopping = new AbortController();
  #projector: Projector | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: SharedParts) {
    this.#follower = new Follower(parts);
    this.#lease = new Lease({ database: parts.store, role: 'projector', onError: (error) => this.#report(error) });
  }

  /** Begins to follow, and to project when it is this process's turn; returns at once, whether the database is there or not. */
  start(): void {
    const { store, projecting } = this.parts;
    const { signal } = this.#stopping;
    this.#follower.start();
    const hears = (channel: string | null, payload: string) => this.#hear(channel, payload);
    this.#running = Promise.all([
      listen(store.url, [CHANGED, AWAITED], hears, signal),
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
        // Turned away by one that stopped projecting: whoever projects now gets there.
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

  async rebuild(which: readonly string[] | 'all', onProgress: (progress: RebuildProgress) => void): Promise<void> {
    const names = chosen(this.parts.projections, which).map(({ name }) => name);
    const deadline = performance.now() + TURN_MS;
    while (this.parts.projecting && !this.#projector && performance.now() < deadline)
      await rest(50, this.#stopping.signal);
    if (!this.#projector) throw new ProjectedElsewhere(names.join(', '));
    await this.#projector.rebuild(which, onProgress);
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
    try {
      await projector.start();
      this.#projector = projector;
      if (!resigning.signal.aborted) await once(resigning.signal, 'abort');
    } finally {
      this.#projector = undefined;
      this.#follower.refresh();
      await projector.stop();
    }
  }

  #hear(channel: string | null, payload: string): void {
    if (channel !== AWAITED) {
      // One who projects knows better.
      if (!this.#projector) this.#follower.refresh();
    } else if (this.#projector && /^\d{1,20}$/.test(payload))
      // In vain when it is no position of the journal's yet: whoever waits is told so where it waits.
      void this.#projector.caughtUp(BigInt(payload), HURRY_MS).catch(() => undefined);
  }

  /** That the database is away is told once, by the follower. */
  #report(error: unknown): void {
    if (!(error instanceof DatabaseUnavailable) || isMissing(error)) this.parts.onError(error);
  }
}
