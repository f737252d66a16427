import { hash } from 'node:crypto';

/** A hash of the tree: the 32 bytes of a SHA-256. */
export type Hash = Buffer;

/** Leaves from one, inclusive, to another, exclusive. */
export type Range = readonly [from: number, to: number];

/** Bytes of a hash. */
export const HASH_BYTES = 32;

/** The root of a tree without leaves (RFC 9162, 2.1.1). */
export const EMPTY_ROOT: Hash = sha256(Buffer.alloc(0));

const leaf = Buffer.alloc(1 + HASH_BYTES, 0x00);
const node = Buffer.alloc(1 + 2 * HASH_BYTES, 0x01);

/** The leaf of an entry: H(0x00 ‖ entry) (RFC 9162, 2.1.1). An entry of ours is the 32 bytes of a fact's hash. */
export function leafHash(entry: Uint8Array): Hash {
  if (entry.length !== HASH_BYTES) return sha256(Buffer.concat([leaf.subarray(0, 1), entry]));
  leaf.set(entry, 1);
  return sha256(leaf);
}

/** The node over two others: H(0x01 ‖ left ‖ right) (RFC 9162, 2.1.1). */
export function nodeHash(left: Hash, right: Hash): Hash {
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return sha256(node);
}

/** The subtrees whose hashes prove that a leaf is in a tree, the leaf's sibling first (RFC 9162, 2.1.3.1). */
export function inclusionRanges(index: number, size: number): Range[] {
  const ranges: Range[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + split(to - from);
    if (index < middle) {
      ranges.push([middle, to]);
      to = middle;
    } else {
      ranges.push([from, middle]);
      from = middle;
    }
  }
  return ranges.reverse();
}

/** The subtrees whose hashes prove that a tree extends its first `first` leaves, at least one (RFC 9162, 2.1.4.1). */
export function consistencyRanges(first: number, second: number): Range[] {
  const ranges: Range[] = [];
  let [from, to] = [0, second];
  while (first !== to) {
    const middle = from + split(to - from);
    if (first <= middle) {
      ranges.push([middle, to]);
      to = middle;
    } else {
      ranges.push([from, middle]);
      from = middle;
    }
  }
  // The verifier knows the root of the old tree: it need not be told when that is a node of the new one.
  if (from > 0) ranges.push([from, to]);
  return ranges.reverse();
}

/** The complete subtrees that make up a range of leaves, left to right: 2^height leaves from index · 2^height on. */
export function peaks([from, to]: Range): { height: number; index: number }[] {
  const found: { height: number; index: number }[] = [];
  for (let at = from; at < to; ) {
    let [height, span] = [0, 1];
    while (at % (2 * span) === 0 && at + 2 * span <= to) {
      height += 1;
      span *= 2;
    }
    found.push({ height, index: at / span });
    at += span;
  }
  return found;
}

/** The root over the hashes of peaks, left to right. */
export function rootOf(hashes: readonly Hash[]): Hash {
  const last = hashes.at(-1);
  return last === undefined
    ? EMPTY_ROOT
    : hashes.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last);
}

/**
 * The root that an inclusion proof leads to (RFC 9162, 2.1.3.2); null when it is no proof for this place: whoever checks
 * compares it with a root that is known.
 */
export function rootByInclusion(index: number, size: number, leaf: Hash, proof: readonly Hash[]): Hash | null {
  if (!isSize(index) || !isSize(size) || index >= size) return null;
  let [place, last, root] = [index, size - 1, leaf];
  for (const hash of proof) {
    if (last === 0) return null;
    if (place % 2 === 1 || place === last) {
      root = nodeHash(hash, root);
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else root = nodeHash(root, hash);
    [place, last] = [half(place), half(last)];
  }
  return last === 0 ? root : null;
}

/** Whether a tree of `second` leaves begins with the tree of `first` leaves (RFC 9162, 2.1.4.2). */
export function isConsistent(
  first: { size: number; root: Hash },
  second: { size: number; root: Hash },
  proof: readonly Hash[],
): boolean {
  if (!isSize(first.size) || !isSize(second.size) || first.size < 1 || first.size > second.size) return false;
  if (first.size === second.size) return proof.length === 0 && first.root.equals(second.root);
  const [start, ...others] = Number.isInteger(Math.log2(first.size)) ? [first.root, ...proof] : proof;
  if (start === undefined || others.length === 0) return false;
  let [place, last] = [first.size - 1, second.size - 1];
  while (place % 2 === 1) [place, last] = [half(place), half(last)];
  let [old, now] = [start, start];
  for (const hash of others) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      old = nodeHash(hash, old);
      now = nodeHash(hash, now);
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else now = nodeHash(now, hash);
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && old.equals(first.root) && now.equals(second.root);
}

/** The largest power of two that is less than `leaves`, which are at least two. */
function split(leaves: number): number {
  let power = 1;
  while (power * 2 < leaves) power *= 2;
  return power;
}

const half = (number: number) => Math.floor(number / 2);

const isSize = (number: number) => Number.isSafeInteger(number) && number >= 0;

function sha256(bytes: Uint8Array): Hash {
  return hash('sha256', bytes, 'buffer');
}
