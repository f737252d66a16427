// Appends and deletes, one after the other, one at a turn of the event loop: what was committed can thus leave for the
// subscribers before the next one, as it does on a server with threads.
import { setImmediate } from 'node:timers/promises';
import type { Expected } from './expected.ts';
import type { Faults, Refused } from './faults.ts';
import type { Endpoint } from './refusals.ts';
import type { Outcome, Proposed, Store } from './store.ts';

/** What is to be written. */
export type Write =
  | { kind: 'append'; stream: string; expected: Expected; events: readonly Proposed[] }
  | { kind: 'delete' | 'tombstone'; stream: string; expected: Expected };

/** The answer to a write; `lost`: there is none, and the connection is gone. */
export type Answer = Outcome | { kind: 'refused'; refused: Refused } | { kind: 'lost' };

/** The writing half of a node. */
export class Writer {
  #turn: Promise<unknown> = Promise.resolve();

  /** `leaderElsewhere`: who leads, when it is not this node. */
  constructor(
    readonly store: Store,
    readonly faults: Faults,
    readonly leaderElsewhere: () => { leader?: Endpoint } | null,
  ) {}

  /** Writes when its turn comes. `requiresLeader`: the client wants no follower to pass it on. */
  async write(write: Write, requiresLeader: boolean): Promise<Answer> {
    const stored = this.#turn.then(() => this.#store(write, requiresLeader));
    const next = () => setImmediate();
    this.#turn = stored.then(next, next);
    const answer = await stored;
    await this.faults.beforeAnswer();
    return answer;
  }

  async #store(write: Write, requiresLeader: boolean): Promise<Answer> {
    await this.faults.whileFrozen();
    if (this.faults.isEnded) return { kind: 'lost' };
    const refused = this.faults.refusedAppend() ?? this.#notLeader(requiresLeader);
    if (refused) return { kind: 'refused', refused };
    if (this.faults.cutAt('before-storing')) return { kind: 'lost' };
    const outcome =
      write.kind === 'append'
        ? this.store.append(write.stream, write.expected, write.events)
        : this.store[write.kind](write.stream, write.expected);
    return this.faults.cutAt('after-storing') ? { kind: 'lost' } : outcome;
  }

  /** A follower passes writes on to its leader, unless the client said that it wants the leader itself. */
  #notLeader(requiresLeader: boolean): Refused | null {
    const elsewhere = this.leaderElsewhere();
    if (!elsewhere || (elsewhere.leader && !requiresLeader)) return null;
    return { why: 'not-leader', ...elsewhere };
  }
}
