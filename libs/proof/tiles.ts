import { HASH_BYTES, type Hash, nodeHash, peaks, type Range, rootOf } from './tree.ts';

/**
 * A tile: up to sixteen nodes beside each other, as their hashes one after the other. Level 0 holds leaves, level 1 the
 * nodes over sixteen leaves, level 2 over 256, and so on; only nodes over complete subtrees are held, so that a hash once
 * written never changes. The nodes in between are computed from them when they are needed.
 */
export type Tile = { level: number; number: number; hashes: Buffer };

/** Which tile, without what it holds. */
export type TileName = Omit<Tile, 'hashes'>;

/** Levels of the tree from one tile to the next. */
const HEIGHT = 4;
const WIDTH = 2 ** HEIGHT;

/** The tile in which growth goes on at a level, and how many hashes it holds so far, of a tree of `size` leaves. */
function tail(level: number, size: number): TileName & { held: number } {
  const nodes = Math.floor(size / WIDTH ** level);
  return { level, number: Math.floor(nodes / WIDTH), held: nodes % WIDTH };
}

/** The tiles that a tree of `size` leaves goes on in: one for each level that has one begun. */
export function tails(size: number): TileName[] {
  const names: TileName[] = [];
  for (let level = 0; WIDTH ** level <= size; level += 1) {
    const { number, held } = tail(level, size);
    if (held > 0) names.push({ level, number });
  }
  return names;
}

/**
 * The tiles that change when leaves are added to a tree of `size` leaves: about one for sixteen leaves, and one for each
 * level.
 * @param begun what the tiles named by `tails` hold
 */
export function grown(size: number, leaves: readonly Hash[], begun: (name: TileName) => Buffer): Tile[] {
  const tiles: Tile[] = [];
  let nodes = leaves;
  for (let level = 0; nodes.length > 0; level += 1) {
    let { number, held } = tail(level, size);
    const hashes = held > 0 ? [...hashesOf(begun({ level, number })).slice(0, held), ...nodes] : nodes;
    const above: Hash[] = [];
    for (let at = 0; at < hashes.length; at += WIDTH) {
      const some = hashes.slice(at, at + WIDTH);
      tiles.push({ level, number, hashes: Buffer.concat(some) });
      if (some.length === WIDTH) above.push(perfectRoot(some));
      number += 1;
    }
    nodes = above;
  }
  return tiles;
}

/** The tiles that the hashes of these ranges are computed from, each once. */
export function tilesUnder(ranges: readonly Range[]): TileName[] {
  const names = new Map<string, TileName>();
  for (const range of ranges)
    for (const peak of peaks(range)) {
      const { name } = place(peak);
      names.set(keyOf(name), name);
    }
  return [...names.values()];
}

/** Tiles at hand, from which hashes are computed. */
export class Tiles {
  readonly #tiles = new Map<string, Buffer>();

  constructor(tiles: readonly Tile[]) {
    for (const { hashes, ...name } of tiles) this.#tiles.set(keyOf(name), hashes);
  }

  /** The hash of the subtree over a range. @throws RangeError when a tile is missing, or too short */
  hash(range: Range): Hash {
    return rootOf(
      peaks(range).map((peak) => {
        const { name, from, to } = place(peak);
        const hashes = hashesOf(this.#tiles.get(keyOf(name)) ?? Buffer.alloc(0)).slice(from, to);
        if (hashes.length < to - from)
          throw new RangeError(`Tile ${name.number} of level ${name.level} does not hold what the tree says.`);
        return perfectRoot(hashes);
      }),
    );
  }
}

/** Where the hashes under a node are: in which tile, from which of its hashes to which. */
function place({ height, index }: { height: number; index: number }): { name: TileName; from: number; to: number } {
  const span = 2 ** (height % HEIGHT);
  const first = index * span;
  const number = Math.floor(first / WIDTH);
  const from = first - number * WIDTH;
  return { name: { level: Math.floor(height / HEIGHT), number }, from, to: from + span };
}

function keyOf({ level, number }: TileName): string {
  return `${level}/${number}`;
}

function hashesOf(tile: Buffer): Hash[] {
  const hashes: Hash[] = [];
  for (let at = 0; at < tile.length; at += HASH_BYTES) hashes.push(tile.subarray(at, at + HASH_BYTES));
  return hashes;
}

/** The root over a power of two of nodes. */
function perfectRoot(hashes: readonly Hash[]): Hash {
  let row = hashes;
  while (row.length > 1) {
    const above: Hash[] = [];
    for (let at = 0; at < row.length; at += 2) above.push(nodeHash(row[at] as Hash, row[at + 1] as Hash));
    row = above;
  }
  return row[0] as Hash;
}

/** A tree of which only the edge is held, a few hundred hashes: it can grow, and say its root. */
export class GrowingTree {
  #begun = new Map<string, Tile>();
  #size = 0;

  /** The tree of the first `size` leaves, of which these tiles hold the edge (`tails`). @throws RangeError when one does not */
  static at(size: number, tiles: readonly Tile[]): GrowingTree {
    const tree = new GrowingTree();
    const known = new Map(tiles.map((tile) => [keyOf(tile), tile]));
    for (const name of tails(size)) {
      const held = tail(name.level, size).held * HASH_BYTES;
      const hashes = known.get(keyOf(name))?.hashes ?? Buffer.alloc(0);
      if (hashes.length < held) throw new RangeError(`Tile ${name.number} of level ${name.level} is cut short.`);
      tree.#begun.set(keyOf(name), { ...name, hashes: hashes.subarray(0, held) });
    }
    tree.#size = size;
    return tree;
  }

  get size(): number {
    return this.#size;
  }

  /** Gives the tiles that the leaves change. */
  add(leaves: readonly Hash[]): Tile[] {
    const begun = (name: TileName) => this.#begun.get(keyOf(name))?.hashes ?? Buffer.alloc(0);
    const tiles = grown(this.#size, leaves, begun);
    for (const tile of tiles) this.#begun.set(keyOf(tile), tile);
    this.#size += leaves.length;
    const names = tails(this.#size).map(keyOf);
    this.#begun = new Map(names.map((name) => [name, this.#begun.get(name) as Tile]));
    return tiles;
  }

  root(): Hash {
    return new Tiles([...this.#begun.values()]).hash([0, this.#size]);
  }
}
