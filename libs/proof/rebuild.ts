import type { Journal } from '@jalon/journal';
import { readCheckpoint, type TreeHead } from './checkpoint.ts';
import { LogDiverged } from './feed.ts';
import type { ProofStore } from './store.ts';
import { GrowingTree } from './tiles.ts';
import { type Hash, leafHash } from './tree.ts';

/** Under which root the first leaves of a log were signed. */
export type SignedHead = Pick<TreeHead, 'size' | 'root'>;

/** Compares checkpoints with a tree that grows leaf by leaf, each as soon as the tree has its size. */
export class CheckpointsAhead {
  readonly #tree = new GrowingTree();
  #waiting: Hash[] = [];
  #next: SignedHead | undefined;
  /** Checkpoints that were found to hold. */
  holding = 0;

  private constructor(private readonly checkpoints: AsyncIterator<SignedHead>) {}

  /** @param checkpoints by size, the smallest first */
  static async over(checkpoints: AsyncIterable<SignedHead>): Promise<CheckpointsAhead> {
    const ahead = new CheckpointsAhead(checkpoints[Symbol.asyncIterator]());
    await ahead.#advance();
    await ahead.#compare();
    return ahead;
  }

  /** Whether no checkpoint is left to compare. */
  get isDone(): boolean {
    return this.#next === undefined;
  }

  /** Adds the next fact of the global order. @throws LogDiverged naming the first checkpoint that does not hold */
  async add(factHash: string): Promise<void> {
    this.#waiting.push(leafHash(Buffer.from(factHash, 'hex')));
    await this.#compare();
    if (this.#waiting.length >= 256) this.#grow();
  }

  /** There are no more facts. @throws LogDiverged when a checkpoint covers more */
  async end(): Promise<void> {
    this.#grow();
    if (this.#next)
      throw new LogDiverged(
        `A checkpoint covers ${this.#next.size} facts, and the journal holds ${this.#tree.size} of them.`,
        this.#next.size,
        this.#tree.size,
      );
  }

  async #compare(): Promise<void> {
    while (this.#next && this.#next.size === this.#tree.size + this.#waiting.length) {
      this.#grow();
      const { size, root } = this.#next;
      if (!root.equals(this.#tree.root()))
        throw new LogDiverged(
          `The first ${size} facts of the journal do not have the root that their checkpoint says: one of them was changed, added or removed.`,
          size,
        );
      this.holding += 1;
      await this.#advance();
    }
  }

  async #advance(): Promise<void> {
    const { value, done } = await this.checkpoints.next();
    this.#next = done ? undefined : value;
  }

  #grow(): void {
    this.#tree.add(this.#waiting);
    this.#waiting = [];
  }
}

/**
 * Compares every checkpoint that was ever cut with the journal, read once from its beginning.
 * @throws LogDiverged naming the first that does not hold
 */
export async function assertCheckpoints(
  journal: Pick<Journal, 'readAll'>,
  store: Pick<ProofStore, 'checkpoints'>,
  say: (facts: number) => void = () => undefined,
): Promise<void> {
  const ahead = await CheckpointsAhead.over(headsOf(store));
  let facts = 0;
  for await (const page of journal.readAll(null)) {
    for (const { hash } of page) await ahead.add(hash);
    facts += page.length;
    say(facts);
  }
  await ahead.end();
}

async function* headsOf(store: Pick<ProofStore, 'checkpoints'>): AsyncGenerator<SignedHead> {
  for await (const { note } of store.checkpoints()) yield readCheckpoint(note);
}
