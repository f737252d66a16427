import type { Caller } from '@jalon/engine';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RateExceeded } from './rate.ts';

/** How many at once, and how many of one caller may wait for their turn. */
export type GateBounds = { perCaller: number; inAll: number; waiting: number };

/** How soon to come back when too many wait, in seconds. */
const COME_BACK = 5;

type Waiting = { key: string; enter: () => void };

/**
 * Bounds the work that reads whole histories. Who finds the gate full waits, in order; who waits for another of their
 * own requests holds up nobody else.
 */
export class Gate {
  readonly #inside = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #all = 0;

  constructor(private readonly bounds: GateBounds) {}

  /**
   * Enters when it is the caller's turn; gives what to call, once or more often, when the work is over.
   * @throws RateExceeded at once when too many requests of the caller wait; the reason of `signal` when it aborts first
   */
  async enter({ iss, sub }: Pick<Caller, 'iss' | 'sub'>, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const key = JSON.stringify([iss, sub]);
    if (!this.#hasRoom(key)) await this.#turn(key, signal);
    else this.#count(key, 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#count(key, -1);
      this.#admit();
    };
  }

  #turn(key: string, signal: AbortSignal): Promise<void> {
    let own = 0;
    for (const one of this.#waiting) if (one.key === key) own += 1;
    if (own >= this.bounds.waiting) throw new RateExceeded(COME_BACK);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
      };
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const waiting = { key, enter };
      this.#waiting.add(waiting);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #admit(): void {
    for (const waiting of this.#waiting) {
      if (this.#all >= this.bounds.inAll) return;
      if (!this.#hasRoom(waiting.key)) continue;
      this.#waiting.delete(waiting);
      // Counted before they go on, so that nobody who comes meanwhile takes the place.
      this.#count(waiting.key, 1);
      waiting.enter();
    }
  }

  #hasRoom(key: string): boolean {
    return this.#all < this.bounds.inAll && (this.#inside.get(key) ?? 0) < this.bounds.perCaller;
  }

  #count(key: string, by: 1 | -1): void {
    const inside = (this.#inside.get(key) ?? 0) + by;
    if (inside > 0) this.#inside.set(key, inside);
    else this.#inside.delete(key);
    this.#all += by;
  }
}

/** A person opens a few pages at once; whoever sends fifty requests has them all answered, two by two. */
const READINGS: GateBounds = { perCaller: 2, inAll: 16, waiting: 100 };

/** Has requests for routes that read whole histories wait for their turn, until they are answered or nobody waits. */
export function boundReadings(fastify: FastifyInstance): void {
  const gate = new Gate(READINGS);
  fastify.addHook('preHandler', async (request, reply) => {
    if (!request.caller || !readsAHistory(request)) return;
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    if (reply.raw.destroyed) gone.abort();
    try {
      const leave = await gate.enter(request.caller, gone.signal);
      if (gone.signal.aborted) leave();
      else gone.signal.addEventListener('abort', leave, { once: true });
    } catch (fault) {
      if (!gone.signal.aborted) throw fault;
    }
    // Nobody is there to be answered.
    if (gone.signal.aborted) reply.hijack();
  });
}

function readsAHistory({ routeOptions: { config }, query }: FastifyRequest): boolean {
  if (config.reads !== 'log') return config.reads === 'history';
  return ((query as { after?: string }).after ?? 'start') === 'start';
}
