import { setTimeout as delay } from 'node:timers/promises';
import type { Journal, StoredEvent } from '@jalon/journal';
import type { Place } from './cursor.ts';
import { FILTER } from './declared.ts';
import type { Departure, Departures } from './departure.ts';
import { Ring } from './ring.ts';
import { Tail } from './tail.ts';

/** What a hub is made of. */
export type HubParts = {
  journal: Pick<Journal, 'readAll' | 'subscribe' | 'tip'>;
  departures: Departures;
  clock: () => Date;
  /** Told once when the journal cannot be followed, and again only after it could. */
  onError: (error: unknown) => void;
  /** Recent facts held, for those who lag a little or come back soon. */
  recent?: number;
  /** How long it goes on following when nobody listens, in milliseconds. */
  lingerMs?: number;
};

const RECENT = 1_024;
const LINGER_MS = 30_000;

/** Readings of the journal at one time, by those who catch up: the others wait for their turn. */
const READINGS = 4;

const PAUSE_MS = { first: 100, longest: 5_000 };

/** The process is stopping. */
export class HubClosed extends Error {
  override readonly name = 'HubClosed';
}

/**
 * One subscription to the journal, fanned out in memory: recent facts are held in a ring, and each listener has a place in
 * it of its own. Who falls out of the ring reads the journal until it is level again, so that nobody waits for anybody. It
 * follows the journal while somebody listens.
 */
export class Hub {
  readonly #ring: Ring;
  #reached: bigint | null = null;
  readonly #listeners = new Set<() => void>();
  #users = 0;
  #following: { stop: AbortController; done: Promise<void> } | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> = Promise.resolve();
  #lingering: NodeJS.Timeout | undefined;
  #closed = false;
  #reading = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly parts: HubParts) {
    this.#ring = new Ring(parts.recent ?? RECENT);
  }

  /**
   * A place in the log, to go on from: after `from` (null: before the first fact), or after all that was acknowledged by
   * now. What is recorded afterwards is found there, in order. Close it after use.
   * @throws JournalUnavailable, HubClosed
   */
  async open(from: Place | null | 'now', { parties }: { parties: boolean }): Promise<Tail> {
    if (this.#closed) throw new HubClosed('Nothing leaves any more.');
    this.#users += 1;
    clearTimeout(this.#lingering);
    try {
      await this.#start();
      return new Tail(
        {
          ...this.parts,
          ring: this.#ring,
          reading: (read) => this.#inTurn(read),
          isOver: () => this.#closed,
          onClose: () => this.#leave(),
        },
        from === 'now' ? await this.now() : from,
        { trusted: from === 'now', parties },
      );
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  /** Calls `arrived` whenever facts have come, until the function that comes back is called. */
  listen(arrived: () => void): () => void {
    this.#listeners.add(arrived);
    return () => this.#listeners.delete(arrived);
  }

  /** Resolves when the fact of this number, or a later one, has come, and when `signal` aborts. */
  arrival(number: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.next > number || this.#closed) return resolve();
      const done = () => {
        stop();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const stop = this.listen(done);
      if (signal.aborted) done();
      else signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Ends every listening; what is open finds nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#lingering);
    await this.#stop();
    this.#arrived();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Number that the next fact will have. */
  get next(): number {
    return this.#ring.next;
  }

  /** How many are called when facts come. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Waits for a turn to read the journal. */
  async #inTurn<T>(read: () => Promise<T>): Promise<T> {
    if (this.#reading >= READINGS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#reading += 1;
    try {
      return await read();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#reading -= 1;
    }
  }

  /** The place after all that was acknowledged by now. @throws JournalUnavailable */
  async now(): Promise<Place | null> {
    const last = this.#ring.last?.place;
    const tip = await this.parts.journal.tip();
    if (tip === null || last?.position === tip) return last ?? null;
    return { before: tip, position: tip, hash: '', recordedAt: this.parts.clock().getTime() };
  }

  #leave(): void {
    this.#users -= 1;
    if (this.#users > 0 || this.#closed) return;
    this.#lingering = setTimeout(() => void this.#stop(), this.parts.lingerMs ?? LINGER_MS).unref();
  }

  /** Begins to follow, from where the journal now ends. */
  #start(): Promise<void> {
    if (this.#following) return Promise.resolve();
    this.#starting ??= this.#begin().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async #begin(): Promise<void> {
    await this.#stopping;
    const tip = await this.parts.journal.tip();
    if (this.#closed) return;
    this.#ring.begin(tip);
    this.#reached = tip;
    const stop = new AbortController();
    this.#following = { stop, done: this.#follow(stop.signal) };
  }

  #stop(): Promise<void> {
    const following = this.#following;
    this.#following = undefined;
    following?.stop.abort();
    this.#stopping = this.#stopping.then(async () => {
      await following?.done;
      this.#ring.end();
      // Nobody takes note any more of what changes.
      this.parts.departures.forget();
    });
    return this.#stopping;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { journal, onError } = this.parts;
    let pause = PAUSE_MS.first;
    let failing = false;
    while (!signal.aborted) {
      try {
        for await (const page of journal.subscribe(this.#reached, FILTER, signal)) {
          if (signal.aborted) return;
          await this.#take(page);
          pause = PAUSE_MS.first;
          failing = false;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!failing) onError(error);
        failing = true;
        await delay(pause, undefined, { signal, ref: false }).catch(() => undefined);
        pause = Math.min(2 * pause, PAUSE_MS.longest);
      }
    }
  }

  async #take(page: readonly StoredEvent[]): Promise<void> {
    const made = await this.parts.departures.of(page, this.#reached, { parties: true, fresh: true });
    this.#ring.push(made);
    this.#reached = (made.at(-1) as Departure).position;
    this.#arrived();
  }

  #arrived(): void {
    for (const arrived of [...this.#listeners]) arrived();
  }
}
