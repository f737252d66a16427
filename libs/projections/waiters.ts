/** The read models do not yet include a position that was waited for. */
export class ReadModelsBehind extends Error {
  override readonly name = 'ReadModelsBehind';
  constructor(
    readonly position: bigint,
    readonly reached: bigint | null,
  ) {
    super(`The read models are at ${reached ?? 'the beginning'}, not yet at ${position}.`);
  }
}

type Waiter = { position: bigint; settle: (error?: unknown) => void };

/** Those who wait for a position. */
export class Waiters {
  readonly #waiting = new Set<Waiter>();

  get size(): number {
    return this.#waiting.size;
  }

  /** @throws ReadModelsBehind after `timeoutMs`; the reason of `signal` when it aborts first. */
  wait(position: bigint, timeoutMs: number, reached: () => bigint | null, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown) => {
        if (!this.#waiting.delete(waiter)) return;
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        if (error === undefined) resolve();
        else reject(error);
      };
      const waiter: Waiter = { position, settle };
      const aborted = () => settle(signal?.reason);
      const timer = setTimeout(() => settle(new ReadModelsBehind(position, reached())), timeoutMs);
      this.#waiting.add(waiter);
      signal?.addEventListener('abort', aborted, { once: true });
      if (signal?.aborted) aborted();
    });
  }

  /** Whether somebody waits for no more than this position. */
  anyUpTo(position: bigint): boolean {
    for (const waiter of this.#waiting) if (waiter.position <= position) return true;
    return false;
  }

  /** Lets those go whose position is included. */
  release(includes: (position: bigint) => boolean): void {
    for (const waiter of [...this.#waiting]) if (includes(waiter.position)) waiter.settle();
  }

  /** Turns everybody away. */
  dismiss(error: Error): void {
    for (const waiter of [...this.#waiting]) waiter.settle(error);
  }
}
