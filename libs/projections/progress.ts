import { type Journal, rest } from '@jalon/journal';
import type { ProjectionStatus } from './live.ts';
import type { Parked } from './projection.ts';
import { DOSSIERS } from './readings.ts';
import type { RebuildProgress } from './rebuild.ts';
import { ReadModelsBehind, Waiters } from './waiters.ts';

/** How far a projection is behind the journal. `facts` is counted up to 1,000. */
export type ProjectionLag = { projection: string; position: bigint | null; facts: number };

/** What is asked of whoever keeps the read models level with the journal, in this process or in another. */
export interface ReadModelFeed {
  /**
   * Resolves as soon as every read model includes `position` (that of any event, dossier or not); with null, as soon as
   * every read model is built.
   * @throws ReadModelsBehind after `timeoutMs`; ReadModelsUnavailable while their database is away; the reason of `signal`
   * when it aborts first.
   */
  caughtUp(position: bigint | null, timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** How each projection stands, and why they cannot go on at present (undefined when they can). */
  status(): { projections: ProjectionStatus[]; failure: unknown };
  /** The dossiers that some projection could not follow. */
  parked(): Parked[];
  /** How far each projection is behind the journal, counted in it now. */
  lag(): Promise<ProjectionLag[]>;
  /**
   * Derives read models again from the journal while the present ones keep serving, then replaces them. Parked dossiers
   * are tried again.
   * @throws RangeError for a name that is not a projection's. When another process projects, and is asked to: RebuildFailed
   * with its reason, ProjectedNowhere when there is none.
   */
  rebuild(which: readonly string[] | 'all', onProgress: (progress: RebuildProgress) => void): Promise<void>;
}

/** How far the facts have come that whoever feeds, or follows, the read models knows of. */
export type Reach = {
  /** Every dossier fact up to here was received. */
  received: bigint | null;
  /** Every read model includes the facts up to here. */
  applied: bigint | null;
  /** Whether some that were received are not applied yet. */
  pending: boolean;
  /** Whether every read model is there, in its present version. */
  built: boolean;
};

/** Only the facts of dossiers are projected. */
export const FILTER = { prefixes: [DOSSIERS] };

/**
 * How long somebody waits before the journal is asked whether anything is to come; twice as long each time that something
 * is, since it tells of itself when it has come.
 */
const PROBE_MS = { first: 20, longest: 1_000 };

const COUNTED = 1_000;

/** How far the read models are in the journal, for those who wait and for those who count. */
export class Progress {
  readonly #waiters = new Waiters();
  /** Every dossier fact up to here was received, though it may be the position of another stream's event. */
  #known: bigint | null = null;
  #probing = false;

  constructor(
    private readonly journal: Pick<Journal, 'readAll' | 'tip'>,
    private readonly reach: () => Reach,
    private readonly signal: AbortSignal,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Position that every read model includes, null at the beginning or while one is still to be built. */
  get position(): bigint | null {
    const { received, applied, pending, built } = this.reach();
    if (!built) return null;
    return pending ? applied : latest(received, this.#known);
  }

  /** Whether somebody waits. */
  get isAwaited(): boolean {
    return this.#waiters.size > 0;
  }

  /** Whether somebody waits for no more than what was received. */
  get isDue(): boolean {
    const { received } = this.reach();
    return received !== null && this.#waiters.anyUpTo(received);
  }

  /** Whether every read model is built and includes `position`. */
  includes(position: bigint): boolean {
    return this.reach().built && position <= (this.position ?? -1n);
  }

  /** Waits until `includes`. @throws ReadModelsBehind after `timeoutMs`; the reason of `signal` when it aborts first. */
  async wait(position: bigint, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.includes(position)) return;
    const waiting = this.#waiters.wait(position, timeoutMs, () => this.reach().applied, signal);
    void this.#probe();
    await waiting;
  }

  /** Lets those go whose position is included by now. */
  release(): void {
    this.#waiters.release((position) => this.includes(position));
  }

  /** Turns everybody away. */
  dismiss(error?: Error): void {
    const { applied } = this.reach();
    this.#waiters.dismiss(error ?? new ReadModelsBehind(applied ?? 0n, applied));
  }

  /** How far each projection is behind the journal, counted in it now. */
  async lag(projections: readonly ProjectionStatus[]): Promise<ProjectionLag[]> {
    const lags: ProjectionLag[] = [];
    const counts = new Map<bigint | null, number>();
    for (const { projection, position } of projections) {
      const facts = counts.get(position) ?? (await this.#countAfter(position));
      counts.set(position, facts);
      lags.push({ projection, position, facts });
    }
    return lags;
  }

  /** Finds out, while somebody waits, whether what lies before their position holds any dossier fact to come. */
  async #probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    const { signal } = this;
    let before = this.reach().received;
    let pause: number = PROBE_MS.first;
    try {
      for (await rest(pause, signal); this.isAwaited && !signal.aborted; await rest(pause, signal)) {
        const { received, pending, built } = this.reach();
        const isBusy = !built || pending || received !== before;
        if (received !== before) pause = PROBE_MS.first;
        before = received;
        // As long as more is received, or written, what is still to come need not be asked for.
        if (isBusy) continue;
        const tip = await this.journal.tip();
        if (tip === null || tip <= (this.#known ?? -1n)) continue;
        if ((await this.#countAfter(this.reach().received, 1)) > 0) {
          pause = Math.min(2 * pause, PROBE_MS.longest);
          continue;
        }
        this.#known = tip;
        this.release();
      }
    } catch (error) {
      if (!signal.aborted) this.onError(error);
    } finally {
      this.#probing = false;
    }
  }

  async #countAfter(position: bigint | null, enough = COUNTED): Promise<number> {
    const { applied, pending } = this.reach();
    const known = !pending && position === applied ? this.#known : null;
    let facts = 0;
    for await (const page of this.journal.readAll(latest(position, known), FILTER)) {
      facts += page.length;
      if (facts >= enough) return enough;
    }
    return facts;
  }
}

/** The least of some checkpoints, null (the beginning) when one is. */
export function earliest(checkpoints: readonly (bigint | null)[]): bigint | null {
  return checkpoints.reduce((least, each) =>
    least === null || each === null || each > least ? (each === null ? null : least) : each,
  );
}

function latest(one: bigint | null, other: bigint | null): bigint | null {
  return one === null || (other !== null && other > one) ? other : one;
}
