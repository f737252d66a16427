import type { ProofStore } from './store.ts';
import { Tiles, tilesUnder } from './tiles.ts';
import { consistencyRanges, EMPTY_ROOT, type Hash, inclusionRanges, type Range } from './tree.ts';

/**
 * The tree over all facts, in global order, as RFC 9162 defines it. Each question reads the tiles that it needs, which
 * grow in number with the logarithm of the size.
 */
export class MerkleLog {
  constructor(private readonly store: Pick<ProofStore, 'tiles'>) {}

  /** The root of the first `size` leaves. */
  async root(size: number): Promise<Hash> {
    const [root] = size === 0 ? [EMPTY_ROOT] : await this.#hashes([[0, size]]);
    return root as Hash;
  }

  /** The hash of one leaf. */
  async leaf(leaf: number): Promise<Hash> {
    const [hash] = await this.#hashes([[leaf, leaf + 1]]);
    return hash as Hash;
  }

  /** For each of these leaves, the proof that it is among the first `size`. */
  async inclusion(leaves: readonly number[], size: number): Promise<Hash[][]> {
    const wanted = leaves.map((leaf) => inclusionRanges(leaf, size));
    const hashes = await this.#hashes(wanted.flat());
    let at = 0;
    return wanted.map(({ length }) => {
      at += length;
      return hashes.slice(at - length, at);
    });
  }

  /** The proof that the first `second` leaves begin with the first `first`, which are at least one. */
  consistency(first: number, second: number): Promise<Hash[]> {
    return this.#hashes(consistencyRanges(first, second));
  }

  /** One reading for all of them: neighbours share most of their tiles. */
  async #hashes(ranges: readonly Range[]): Promise<Hash[]> {
    const tiles = new Tiles(await this.store.tiles(tilesUnder(ranges)));
    return ranges.map((range) => tiles.hash(range));
  }
}
