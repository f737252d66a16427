import { DatabaseUnavailable, DedicatedSession, either, Pauses, rest } from '@jalon/journal';
import type { Tenure } from './layout.postgres.ts';

/** What a lease is held in: a database that is prepared whenever a tenure begins. */
export type LeaseParts = {
  database: { readonly url: string; prepare(): Promise<void>; begin(role: string): Promise<Tenure> };
  /** What is held, `projecteur` for instance: each role is held by one process at a time. */
  role: string;
  /** Told once when it fails, and again only after it had recovered. */
  onError: (error: unknown) => void;
};

/** What went well for so long had recovered. */
const WELL_MS = 10_000;

/** How often one that waits asks for the lock. */
const SEEK_MS = 500;

/** How often the holder gives a sign of life. */
const BEAT_MS = 1_000;

/**
 * The server ends the session of a holder that gives no sign of life for so long (stopped, cut off), and the lock is free:
 * longer than a beat and the patience with its answer, so that a holder knows before another can begin.
 */
const SETTINGS = { idle_session_timeout: '4000', tcp_keepalives_idle: '1', tcp_keepalives_interval: '1' };

/**
 * Work that one process does at a time, of all those that share a database: an advisory lock on a session of its own. When
 * the holder is killed, its lock falls with its connection, and another takes it within half a second.
 */
export class Lease {
  #isHeld = false;

  constructor(private readonly parts: LeaseParts) {}

  /** Whether this process holds it, as far as it knows. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /**
   * Waits for the lease and runs `work` while it is held, again and again until `stopping` aborts; reconnects by itself.
   * `work` must end soon after its signal aborts; when it ends before, the lease is given up, and sought again a while later.
   */
  async hold(work: (tenure: Tenure, over: AbortSignal) => Promise<void>, stopping: AbortSignal): Promise<void> {
    const pauses = new Pauses(stopping, { first: 100, longest: 1_000 });
    let failing = false;
    while (!stopping.aborted) {
      const began = performance.now();
      try {
        await this.#once(stopping, work);
        failing = false;
      } catch (error) {
        if (performance.now() - began > WELL_MS) failing = false;
        if (!failing && !stopping.aborted) this.parts.onError(error);
        failing = true;
      }
      if (!failing) pauses.reset();
      await pauses.take();
    }
  }

  async #once(stopping: AbortSignal, work: (tenure: Tenure, over: AbortSignal) => Promise<void>): Promise<void> {
    const { database, role } = this.parts;
    const session = await DedicatedSession.open(database.url, `jalon ${role}`, SETTINGS);
    const over = either(stopping, session.lost);
    try {
      const lock = 'select pg_try_advisory_lock(hashtextextended($1, 0)) as mine';
      while (!(await session.query<{ mine: boolean }>(lock, [`jalon ${role}`]))[0]?.mine) {
        await rest(SEEK_MS, over.signal);
        if (over.signal.aborted) return;
      }
      this.#isHeld = true;
      const beating = session.beat(BEAT_MS, over.signal);
      await database.prepare();
      await work(await database.begin(role), over.signal);
      over.release();
      await beating;
      if (session.lost.aborted && !stopping.aborted) throw new DatabaseUnavailable(session.lost.reason);
    } finally {
      this.#isHeld = false;
      over.release();
      await session.close();
    }
  }
}
