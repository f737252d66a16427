import { setImmediate } from 'node:timers/promises';
import type { Recorded, Registry } from './registry.ts';

/** Records what came of attempts, several in one transaction when they end at the same time. */
export class Recorder {
  #waiting: { recorded: Recorded; resolve: () => void; reject: (error: unknown) => void }[] = [];
  #running = false;

  constructor(private readonly registry: Registry) {}

  /** Resolves once it is on record. @throws DeliveriesUnavailable */
  record(recorded: Recorded): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ recorded, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      await setImmediate();
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.registry.record(batch.map(({ recorded }) => recorded));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }
}
