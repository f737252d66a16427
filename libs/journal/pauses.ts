import { setTimeout as delay } from 'node:timers/promises';

/** Pauses between attempts that fail, each twice as long as the one before. */
export class Pauses {
  #next: number;

  constructor(
    private readonly signal: AbortSignal,
    private readonly ms: { first: number; longest: number } = { first: 100, longest: 5_000 },
  ) {
    this.#next = ms.first;
  }

  /** An attempt succeeded: the next pause is the first again. */
  reset(): void {
    this.#next = this.ms.first;
  }

  /** Ends early when the signal aborts. */
  async take(): Promise<void> {
    const pause = this.#next;
    this.#next = Math.min(pause * 2, this.ms.longest);
    await rest(pause, this.signal);
  }
}

/** A pause that ends early when `signal` aborts. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
