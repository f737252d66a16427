import { read } from './client.eventstore.ts';
import type { Connection } from './connection.eventstore.ts';
import type { StoredEvent } from './envelope.ts';
import { TooLate } from './errors.eventstore.ts';
import { toFact, weightOf } from './event.eventstore.ts';

/** How much a live subscription holds for its consumer before it lets go. */
export type Held = { events: number; bytes: number };

/**
 * One subscription of the client, drained at once into a bounded buffer: the server drops a consumer that makes it wait.
 * It never resumes: when it fails, or its buffer is full, what follows is read from the log again.
 */
export class Live {
  #facts: StoredEvent[] = [];
  #bytes = 0;
  #full = false;
  #failure: unknown;
  #wake: (() => void) | undefined;
  readonly #stop: () => void;

  /** Follows what lies after `after` in the streams whose names start with one of `prefixes`, until `signal` aborts. */
  constructor(
    connection: Connection,
    after: bigint | null,
    prefixes: readonly string[],
    held: Held,
    private readonly signal: AbortSignal,
  ) {
    const subscription = read(connection.client, { prefixes, follow: after ?? 'start' });
    const fail = (failure: unknown) => {
      this.#failure ??= failure;
      this.#wake?.();
    };
    const unconfirmed = setTimeout(() => fail(new TooLate(connection.timeoutMs)), connection.timeoutMs);
    const confirmed = () => clearTimeout(unconfirmed);
    const aborted = () => this.#wake?.();
    signal.addEventListener('abort', aborted);
    this.#stop = () => {
      confirmed();
      signal.removeEventListener('abort', aborted);
      subscription.cancel();
    };
    const drain = async () => {
      for await (const said of subscription) {
        confirmed();
        if (this.#full || this.#failure !== undefined) return;
        const fact = said.kind === 'event' ? toFact(said.event) : null;
        if (said.kind !== 'event' || fact === null) continue;
        this.#facts.push(fact);
        this.#bytes += weightOf(said.event);
        if (this.#facts.length >= held.events || this.#bytes >= held.bytes) {
          this.#full = true;
          this.#stop();
        }
        this.#wake?.();
      }
      fail(new Error('The subscription ended.'));
    };
    drain().catch(fail);
  }

  /**
   * What arrived since the last call, or arrives next; null when the buffer was full and what follows must be read, and
   * when the signal aborted.
   * @throws what ended the subscription
   */
  async next(): Promise<StoredEvent[] | null> {
    while (this.#facts.length === 0) {
      if (this.signal.aborted || this.#full) return null;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const facts = this.#facts;
    this.#facts = [];
    this.#bytes = 0;
    return facts;
  }

  /** Ends the subscription; what was not taken is dropped. */
  stop(): void {
    this.#full = true;
    this.#stop();
  }
}
