import { Line, type LineParts, Slots } from './line.ts';
import { Recorder } from './recorder.ts';
import type { WebhookRow } from './tables.ts';

/** What a dispatcher is made of. */
export type DispatcherParts = Omit<LineParts, 'recorder' | 'slots'>;

/** Requests under way to all receivers together. */
const REQUESTS = 64;

/** How often settings are looked at that another process may have changed, and old deliveries are forgotten. */
const LOOK_MS = 1_000;
const PURGE_MS = 3_600_000;

/** How long delivered messages stay in the log. */
const KEPT_MS = 30 * 24 * 3_600_000;

/**
 * Delivers to all webhooks that are active, each in a line of its own, so that none waits for another. One process at a
 * time does it: what it was doing when it was killed, the next one does again, with the same ids.
 */
export class Dispatcher {
  readonly #lines = new Map<string, { line: Line; version: number }>();
  readonly #parts: LineParts;
  #running = false;
  #wake: () => void = () => undefined;
  #failing = false;

  constructor(parts: DispatcherParts) {
    this.#parts = { ...parts, recorder: new Recorder(parts.registry), slots: new Slots(REQUESTS) };
  }

  /** Whether this process delivers. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** Delivers until `over` aborts; resolves when what was under way is on record. */
  async run(over: AbortSignal): Promise<void> {
    this.#running = true;
    const wake = () => this.#wake();
    over.addEventListener('abort', wake);
    let purged = Number.NEGATIVE_INFINITY;
    while (!over.aborted) {
      try {
        await this.#look();
        if (performance.now() - purged > PURGE_MS) {
          await this.#parts.registry.purge(this.#parts.clock().getTime() - KEPT_MS);
          purged = performance.now();
        }
        this.#failing = false;
      } catch (error) {
        if (!this.#failing) this.#parts.onError(error);
        this.#failing = true;
      }
      if (!over.aborted) await this.#rest();
    }
    over.removeEventListener('abort', wake);
    await Promise.all([...this.#lines.keys()].map((id) => this.#end(id)));
    this.#running = false;
  }

  /** Settings changed, or the clock was set: something may be due. */
  poke(): void {
    this.#wake();
    for (const { line } of this.#lines.values()) line.poke();
  }

  async #look(): Promise<void> {
    const active = new Map<string, WebhookRow>();
    for (const row of await this.#parts.registry.list()) if (row.state === 'active') active.set(row.id, row);
    // One that waits for its receiver holds up no other: it begins anew when it is over.
    for (const [id, { version }] of this.#lines)
      if (active.get(id)?.version !== version) void this.#end(id).then(() => this.#wake());
    for (const [id, row] of active)
      if (!this.#lines.has(id)) this.#lines.set(id, { line: new Line(this.#parts, row), version: row.version });
  }

  async #end(id: string): Promise<void> {
    const { line } = this.#lines.get(id) ?? {};
    await line?.stop();
    this.#lines.delete(id);
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
