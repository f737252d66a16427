// What can be made to go wrong, at run time. A real server does each of these things on a bad day; none of them is
// something that it never does (it never delivers an event twice on one subscription, for instance).
import { setTimeout } from 'node:timers/promises';
import type { Endpoint } from './refusals.ts';

/** Why calls are refused. `not-leader` names the node to ask instead; without one nobody leads. */
export type Refused =
  | { why: 'not-ready' | 'too-busy' | 'unavailable' | 'access-denied' | 'unauthenticated' | 'timeout' }
  | { why: 'not-leader'; leader?: Endpoint };

/** At which moment of an append the connection is cut, or the process killed. */
export type Moment = 'before-storing' | 'after-storing';

/** The hooks of a running server. Each holds until it is changed; those with `times` end by themselves. */
export class Faults {
  #delayMs = 0;
  #appends: { refused: Refused; times: number } | null = null;
  #reads: { refused: Refused; times: number } | null = null;
  #cut: { moment: Moment; times: number } | null = null;
  #ended = false;
  #frozen: { thawed: Promise<void>; thaw: () => void } | null = null;

  /** `cutConnections` resets every connection; `dropSubscriptions` ends the running ones with an error. */
  constructor(
    readonly cutConnections: () => void,
    readonly dropSubscriptions: (why?: 'too-slow' | 'unavailable') => void,
    /** How the server ends when it is told to die at a moment of an append. */
    readonly die: () => void,
  ) {}

  /** Refuses the next appends and deletes (all of them, without `times`); null ends it. */
  refuseAppends(refused: Refused | null, times = Number.POSITIVE_INFINITY): void {
    this.#appends = refused && { refused, times };
  }

  /** Refuses the next reads and subscriptions; null ends it. */
  refuseReads(refused: Refused | null, times = Number.POSITIVE_INFINITY): void {
    this.#reads = refused && { refused, times };
  }

  /** Holds the answer to each append back for so many milliseconds, after it was stored. */
  delayAnswers(ms: number): void {
    this.#delayMs = ms;
  }

  /** Cuts every connection instead of answering the next appends, before or after they were stored. */
  cutAppends(moment: Moment | null, times = 1): void {
    this.#cut = moment && { moment, times };
  }

  /** The server ends, without an answer, at this moment of the next append. */
  dieAtAppend(moment: Moment): void {
    this.#cut = { moment, times: Number.NaN };
  }

  /** Accepts connections and calls, and neither stores nor answers anything until `thaw`. Pings are still answered. */
  freeze(): void {
    if (this.#frozen) return;
    let thaw = () => {};
    const thawed = new Promise<void>((resolve) => {
      thaw = resolve;
    });
    this.#frozen = { thawed, thaw };
  }

  /** Goes on with everything that was held, in order. */
  thaw(): void {
    this.#frozen?.thaw();
    this.#frozen = null;
  }

  /** Everything as if nothing had been asked. */
  reset(): void {
    this.#delayMs = 0;
    this.#appends = null;
    this.#reads = null;
    this.#cut = null;
    this.thaw();
  }

  // What the services ask.

  /** Nothing is stored or answered any more, not even what was held: the server is gone. */
  end(): void {
    this.#ended = true;
    this.reset();
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  async whileFrozen(): Promise<void> {
    while (this.#frozen) await this.#frozen.thawed;
  }

  async beforeAnswer(): Promise<void> {
    if (this.#delayMs > 0) await setTimeout(this.#delayMs, undefined, { ref: false });
    await this.whileFrozen();
  }

  refusedAppend(): Refused | null {
    return take(this.#appends);
  }

  refusedRead(): Refused | null {
    return take(this.#reads);
  }

  /** Whether the connection is gone instead of going on with an append. */
  cutAt(moment: Moment): boolean {
    if (this.#cut?.moment !== moment || this.#cut.times <= 0) return false;
    if (Number.isNaN(this.#cut.times)) this.die();
    else {
      this.#cut.times -= 1;
      this.cutConnections();
    }
    return true;
  }
}

function take(planned: { refused: Refused; times: number } | null): Refused | null {
  if (!planned || planned.times <= 0) return null;
  planned.times -= 1;
  return planned.refused;
}
