import type { Journal, StoredEvent } from '@jalon/journal';
import type { TreeHead } from './checkpoint.ts';
import { MerkleLog } from './merkle-log.ts';
import { type LoggedFact, type ProofStore, ProofUnavailable } from './store.ts';
import { type GrowingTree } from './tiles.ts';
import { leafHash } from './tree.ts';

/** What a feed is made of. */
export type FeedParts = {
  store: ProofStore;
  journal: Pick<Journal, 'read' | 'readAll' | 'subscribe'>;
  /** So long facts wait for others to be written together with, in milliseconds. */
  flushAfter: number;
  /** How long whoever waits for a fact waits, in milliseconds. */
  patience: number;
  /** Told whenever facts were added. */
  onGrown: () => void;
};

/** Facts that are written at once, at most: a few milliseconds. */
const FLUSH = 256;

/** The journal does not hold what the log has a leaf for: one of them was changed, or put back to an earlier state. */
export class LogDiverged extends Error {
  override readonly name = 'LogDiverged';
  /** @param size of the checkpoint that does not hold, if it is one; `held` when the journal has only so many facts */
  constructor(
    message: string,
    readonly size?: number,
    readonly held?: number,
  ) {
    super(message);
  }
}

/** What is kept of the tree is not what was signed, or not what it was derived from: it is derived from the journal again. */
export class TreeDamaged extends Error {
  override readonly name = 'TreeDamaged';
}

/** From where a feed goes on: a tree that is known to be that of the log so far, and what was signed of it last. */
export type Beginning = {
  tree: GrowingTree;
  /** Whether the tree was compared with what was signed, or derived from the journal leaf by leaf: it is not to blame then. */
  isSound: boolean;
  /** Nothing may be signed that does not extend it. */
  head: TreeHead | null;
};

/** Adds to the log what the journal holds, in global order, from where the log stopped. */
export class Feed {
  #waiting: LoggedFact[] = [];
  #size = 0;
  #beginning: Beginning | undefined;
  #received: bigint | null = null;
  #following = false;
  #flushing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #failed: (error: unknown) => void = () => undefined;
  readonly #awaiting = new Set<() => void>();

  constructor(private readonly parts: FeedParts) {}

  /** Whether it follows the journal now. */
  get isFollowing(): boolean {
    return this.#following;
  }

  /** Position of the last fact that is at hand. */
  get received(): bigint | null {
    return this.#received;
  }

  /** The tree over the facts that were written so far. @throws ProofUnavailable while the journal is not followed */
  get tree(): GrowingTree {
    if (!this.#beginning) throw new ProofUnavailable('The journal is not followed yet.');
    return this.#beginning.tree;
  }

  /** Ends what `follow` does, with this failure. */
  fail(error: unknown): void {
    this.#failed(error);
  }

  /**
   * Follows the journal until `over` aborts.
   * @throws what made it stop before: LogDiverged, TreeDamaged, or what may pass
   */
  async follow(beginning: Beginning, over: AbortSignal): Promise<void> {
    const { store, journal } = this.parts;
    const { size, position } = await store.extent();
    await this.#assertSame(size);
    this.#beginning = beginning;
    this.#waiting = [];
    this.#size = size;
    this.#received = position;
    const round = new AbortController();
    const end = () => round.abort();
    over.addEventListener('abort', end);
    if (over.aborted) end();
    let failure: { error: unknown } | undefined;
    this.#failed = (error) => {
      failure ??= { error };
      round.abort();
    };
    this.#following = true;
    this.#wake();
    try {
      for await (const page of journal.subscribe(position, {}, round.signal)) await this.#take(page);
      if (failure) throw failure.error;
    } finally {
      this.#following = false;
      over.removeEventListener('abort', end);
      clearTimeout(this.#timer);
      this.#timer = undefined;
      await this.#flushing.catch(() => undefined);
    }
  }

  /** Writes what the journal holds by now, once it is not followed any more. */
  async conclude(): Promise<void> {
    for await (const page of this.parts.journal.readAll(this.#received)) await this.#take(page);
    await this.flush();
  }

  /** Writes what waits. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // One after the other; the one before tells its own failure.
    this.#flushing = this.#flushing.catch(() => undefined).then(() => this.#write());
    return this.#flushing;
  }

  /** Until the log is followed and the facts up to a position (null: none) are at hand. @throws ProofUnavailable */
  async reached(position: bigint | null): Promise<void> {
    const late = AbortSignal.timeout(this.parts.patience);
    const isThere = () => position === null || (this.#received !== null && this.#received >= position);
    while (!this.#following || !isThere()) {
      if (late.aborted) throw new ProofUnavailable('The log has not reached this fact of the journal yet.');
      await new Promise<void>((resolve) => {
        const awake = () => {
          this.#awaiting.delete(awake);
          late.removeEventListener('abort', awake);
          resolve();
        };
        this.#awaiting.add(awake);
        late.addEventListener('abort', awake);
      });
    }
  }

  /** The last fact of the log is still where and what it was. @throws LogDiverged */
  async #assertSame(size: number): Promise<void> {
    if (size === 0) return;
    const { store, journal } = this.parts;
    const entry = await store.entryAt(size - 1);
    const leaf = await new MerkleLog(store).leaf(size - 1);
    if (!entry) throw new LogDiverged(`The log has no entry for the last of its ${size} leaves.`);
    for await (const [event] of journal.read(entry.stream, { from: entry.revision, to: entry.revision }))
      if (event && leaf.equals(leafHash(Buffer.from(event.hash, 'hex')))) return;
    throw new LogDiverged(
      `The journal does not hold fact ${entry.revision} of ${entry.stream} as the log of proofs has it: one of them was changed, or restored from an earlier back-up.`,
    );
  }

  async #take(page: readonly StoredEvent[]): Promise<void> {
    for (const { envelope, hash, position } of page) {
      const { id, stream, revision } = envelope;
      this.#waiting.push({ id, stream, revision, hash, position });
      this.#received = position;
    }
    this.#wake();
    if (this.#waiting.length >= FLUSH) await this.flush();
    else this.#timer ??= setTimeout(() => void this.flush().catch(this.#failed), this.parts.flushAfter);
  }

  async #write(): Promise<void> {
    const { tree, head, isSound } = this.#beginning as Beginning;
    while (this.#waiting.length > 0) {
      // Where the last signed tree ends, so does what is written at once: there the roots are compared.
      const most = head && this.#size < head.size ? Math.min(FLUSH, head.size - this.#size) : FLUSH;
      const some = this.#waiting.slice(0, most);
      await this.parts.store.append(this.#size, some);
      this.#waiting.splice(0, some.length);
      this.#size += some.length;
      tree.add(some.map(({ hash }) => leafHash(Buffer.from(hash, 'hex'))));
      if (head && this.#size === head.size && !tree.root().equals(head.root))
        throw isSound
          ? new LogDiverged(
              `The first ${head.size} facts of the journal do not have the root that was signed last: one of them was changed, added or removed.`,
              head.size,
            )
          : new TreeDamaged(`What was kept of the first ${head.size} leaves is not what was signed.`);
      this.parts.onGrown();
    }
  }

  #wake(): void {
    for (const awake of [...this.#awaiting]) awake();
  }
}
