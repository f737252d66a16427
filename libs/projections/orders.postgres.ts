import { randomUUID } from 'node:crypto';
import { isMissing, rest } from '@jalon/journal';
import { sql } from 'kysely';
import { ORDERS, TenureOver } from './layout.postgres.ts';
import type { RebuildProgress } from './rebuild.ts';
import type { ReadModelStore } from './store.ts';
import { ReadModelsUnavailable } from './unavailable.ts';

/** On this channel a process tells whoever projects that there is an order. */
export const ORDERED = 'jalon_ordres';

/** How often whoever asked looks how far it is, and whoever projects says so. */
const WATCH_MS = 200;
const BEAT_MS = 400;

/** An order that nobody asked after for so long is nobody's any more. */
const FORGOTTEN_MS = 10_000;

/** How often whoever projects looks for orders that it was not told of, and after a failure. */
const LOOK_MS = { idle: 30_000, failed: 1_000 };

/** No process gave a sign that it projects: nothing was rebuilt. */
export class ProjectedNowhere extends Error {
  override readonly name = 'ProjectedNowhere';
  constructor() {
    super('No process that shares this database projects at present (JALON_ROLES=projector): nothing was rebuilt.');
  }
}

/** The process that projects could not rebuild, in its own words. The read models serve as before. */
export class RebuildFailed extends Error {
  override readonly name = 'RebuildFailed';
}

type Rebuild = (which: readonly string[], onProgress: (progress: RebuildProgress) => void) => Promise<void>;

type Order = {
  id: string;
  projections: string;
  state: 'asked' | 'done' | 'failed';
  beat: number;
  facts: number;
  position: string;
  error: string;
};

/** By the clock of the database, which all processes share, in milliseconds. */
const NOW = sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`;

/**
 * Rebuilds that one process asks for and the one that projects carries out, by way of their database. An order outlives
 * whoever began to carry it out: the next one that projects begins it again.
 */
export class RebuildOrders {
  #isCalled = false;
  #wake: () => void = () => undefined;

  constructor(
    private readonly store: Pick<ReadModelStore, 'writer'>,
    /** How long one who asked waits for a sign of life. */
    private readonly patienceMs: number,
    /** Told of what was not foreseen while orders are served; whoever asked is told by what `ask` throws. */
    private readonly onError: (error: unknown) => void,
  ) {}

  /**
   * Asks for a rebuild, and resolves once it is done.
   * @throws ProjectedNowhere, RebuildFailed, ReadModelsUnavailable; the reason of `stopping` when it aborts first
   */
  async ask(
    projections: readonly string[],
    onProgress: (progress: RebuildProgress) => void,
    stopping: AbortSignal,
  ): Promise<void> {
    const id = randomUUID();
    let placed = false;
    let seen = { beat: 0, facts: 0 };
    let deadline = performance.now() + this.patienceMs;
    try {
      for (;;) {
        stopping.throwIfAborted();
        try {
          if (!placed) await this.#place(id, projections);
          placed = true;
          const order = await this.#look(id);
          if (order.facts !== seen.facts)
            onProgress({ projections, facts: order.facts, position: BigInt(order.position) });
          if (order.state === 'done') return;
          if (order.state === 'failed') throw new RebuildFailed(order.error);
          if (order.beat !== seen.beat) deadline = performance.now() + this.patienceMs;
          seen = order;
          if (performance.now() > deadline) throw new ProjectedNowhere();
        } catch (error) {
          // Away for a moment, or not made yet by whoever is about to project.
          if (!(error instanceof ReadModelsUnavailable)) throw error;
          if (performance.now() > deadline) throw isMissing(error) ? new ProjectedNowhere() : error;
        }
        await rest(WATCH_MS, stopping);
      }
    } finally {
      if (placed) await this.#remove(id);
    }
  }

  /** Carries out what is asked for, one order after the other, until `over` aborts. */
  async serve(rebuild: Rebuild, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      try {
        this.#isCalled = false;
        const order = await this.#next();
        if (order) await this.#carryOut(order, rebuild, over);
        else await this.#rest(LOOK_MS.idle, over);
      } catch (error) {
        if (over.aborted) return;
        // Whoever cannot write any more leaves the order to whoever can.
        if (!(error instanceof ReadModelsUnavailable || error instanceof TenureOver)) this.onError(error);
        await this.#rest(LOOK_MS.failed, over);
      }
    }
  }

  /** There may be an order. */
  wake(): void {
    this.#isCalled = true;
    this.#wake();
  }

  async #carryOut({ id, projections }: Order, rebuild: Rebuild, over: AbortSignal): Promise<void> {
    let progress: RebuildProgress | undefined;
    const ended = new AbortController();
    const beating = this.#beat(id, () => progress, ended.signal);
    let outcome: Partial<Order> = { state: 'done' };
    try {
      await rebuild(JSON.parse(projections), (latest) => {
        progress = latest;
      });
    } catch (error) {
      if (over.aborted || error instanceof TenureOver || error instanceof ReadModelsUnavailable) throw error;
      outcome = { state: 'failed', error: (error as Error).message };
    } finally {
      ended.abort();
      await beating;
    }
    await this.#tell(id, { ...outcome, ...reached(progress) });
  }

  /** Gives a sign of life to all who wait, and to one of them how far it is. */
  async #beat(id: string, progress: () => RebuildProgress | undefined, ended: AbortSignal): Promise<void> {
    const { writer } = this.store;
    for (; !ended.aborted; await rest(BEAT_MS, ended))
      try {
        await writer.updateTable(ORDERS).set('beat', sql`beat + 1`).execute();
        const come = progress();
        if (come) await this.#tell(id, reached(come));
      } catch (error) {
        if (!(error instanceof ReadModelsUnavailable)) throw error;
      }
  }

  async #tell(id: string, news: Partial<Order>): Promise<void> {
    await this.store.writer.updateTable(ORDERS).set(news).where('id', '=', id).execute();
  }

  async #place(id: string, projections: readonly string[]): Promise<void> {
    const { writer } = this.store;
    const blank = { state: 'asked', beat: 0, facts: 0, position: '0', error: '' };
    const row = { id, projections: JSON.stringify(projections), ...blank, asked: NOW, awaited: NOW };
    await writer.insertInto(ORDERS).values(row).execute();
    await sql`select pg_notify(${sql.lit(ORDERED)}, '')`.execute(writer);
  }

  /** The order as it stands; somebody still waits for it. */
  async #look(id: string): Promise<Order> {
    const query = this.store.writer.updateTable(ORDERS).set({ awaited: NOW }).where('id', '=', id).returningAll();
    const order = await query.executeTakeFirst();
    if (!order) throw new RebuildFailed('The order is gone: the read models were set aside meanwhile.');
    return order as unknown as Order;
  }

  async #next(): Promise<Order | undefined> {
    const { writer } = this.store;
    await writer.deleteFrom(ORDERS).where('awaited', '<', sql<number>`${NOW} - ${FORGOTTEN_MS}`).execute();
    const asked = writer.selectFrom(ORDERS).selectAll().where('state', '=', 'asked').orderBy('asked').orderBy('id');
    return (await asked.limit(1).executeTakeFirst()) as Order | undefined;
  }

  /** What stays there when the database is away is taken away by the next to project. */
  async #remove(id: string): Promise<void> {
    try {
      await this.store.writer.deleteFrom(ORDERS).where('id', '=', id).execute();
    } catch (error) {
      if (!(error instanceof ReadModelsUnavailable)) throw error;
    }
  }

  /** Until there may be an order, or `over` aborts, and no longer than `ms`. */
  async #rest(ms: number, over: AbortSignal): Promise<void> {
    if (this.#isCalled) return;
    const waking = new AbortController();
    const wake = () => waking.abort();
    this.#wake = wake;
    over.addEventListener('abort', wake);
    if (!over.aborted) await rest(ms, waking.signal);
    over.removeEventListener('abort', wake);
  }
}

function reached(progress: RebuildProgress | undefined): Partial<Order> {
  return progress ? { facts: progress.facts, position: String(progress.position) } : {};
}
