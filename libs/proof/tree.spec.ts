import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { grown, type TileName, Tiles, tails, tilesUnder } from './tiles.ts';
import {
  consistencyRanges,
  EMPTY_ROOT,
  type Hash,
  inclusionRanges,
  isConsistent,
  leafHash,
  nodeHash,
  type Range,
  rootByInclusion,
} from './tree.ts';

/** The eight entries of Certificate Transparency's test vectors, with the roots of the first n of them. */
const ENTRIES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

const INCLUSION: [index: number, size: number, proof: string[]][] = [
  [0, 1, []],
  [
    0,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    5,
    8,
    [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
  [
    1,
    5,
    [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
];

const CONSISTENCY: [first: number, second: number, proof: string[]][] = [
  [1, 1, []],
  [
    1,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    6,
    8,
    [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [
    2,
    5,
    [
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
];

/** A tree in memory, kept as it is kept in a database: in tiles, grown a few leaves at a time. */
class Grown {
  readonly tiles = new Map<string, { name: TileName; hashes: Buffer }>();
  size = 0;
  /** The most tiles that one addition wrote. */
  written = 0;

  add(leaves: readonly Hash[]): void {
    const begun = new Set(tails(this.size).map(key));
    const changed = grown(this.size, leaves, (name) => {
      expect(begun).toContain(key(name));
      return this.tiles.get(key(name))!.hashes;
    });
    for (const { hashes, ...name } of changed) this.tiles.set(key(name), { name, hashes });
    this.size += leaves.length;
    this.written = Math.max(this.written, changed.length);
  }

  hash(...ranges: Range[]): Hash[] {
    const names = tilesUnder(ranges);
    const tiles = new Tiles(names.map((name) => ({ ...name, hashes: this.tiles.get(key(name))!.hashes })));
    return ranges.map((range) => tiles.hash(range));
  }

  root(size = this.size): Hash {
    return this.hash([0, size])[0]!;
  }
}

const key = ({ level, number }: TileName) => `${level}/${number}`;
const bytes = (hex: string) => Buffer.from(hex, 'hex');
const leaves = ENTRIES.map((entry) => leafHash(bytes(entry)));
const hex = (hashes: readonly Hash[]) => hashes.map((hash) => hash.toString('hex'));

/** The definitions of RFC 9162, word for word. */
const naive = {
  root: (some: readonly Hash[]): Hash => {
    if (some.length === 0) return EMPTY_ROOT;
    if (some.length === 1) return some[0]!;
    const k = 2 ** Math.ceil(Math.log2(some.length) - 1);
    return nodeHash(naive.root(some.slice(0, k)), naive.root(some.slice(k)));
  },
  inclusion: (m: number, some: readonly Hash[]): Hash[] => {
    if (some.length === 1) return [];
    const k = 2 ** Math.ceil(Math.log2(some.length) - 1);
    return m < k
      ? [...naive.inclusion(m, some.slice(0, k)), naive.root(some.slice(k))]
      : [...naive.inclusion(m - k, some.slice(k)), naive.root(some.slice(0, k))];
  },
  consistency: (m: number, some: readonly Hash[], whole = true): Hash[] => {
    if (m === some.length) return whole ? [] : [naive.root(some)];
    const k = 2 ** Math.ceil(Math.log2(some.length) - 1);
    return m <= k
      ? [...naive.consistency(m, some.slice(0, k), whole), naive.root(some.slice(k))]
      : [...naive.consistency(m - k, some.slice(k), false), naive.root(some.slice(0, k))];
  },
};

describe('the published vectors of RFC 6962 and 9162', () => {
  const tree = new Grown();
  tree.add(leaves);

  test.each(ROOTS.map((root, size) => [size, root] as const))('root of %d leaves', (size, root) => {
    expect(size === 0 ? EMPTY_ROOT.toString('hex') : tree.root(size).toString('hex')).toBe(root);
  });

  test.each(INCLUSION)('inclusion of leaf %d among %d', (index, size, proof) => {
    expect(hex(tree.hash(...inclusionRanges(index, size)))).toEqual(proof);
    expect(rootByInclusion(index, size, leaves[index]!, proof.map(bytes))?.toString('hex')).toBe(ROOTS[size]);
  });

  test.each(CONSISTENCY)('consistency of %d leaves with %d', (first, second, proof) => {
    expect(hex(tree.hash(...consistencyRanges(first, second)))).toEqual(proof);
    const at = (size: number) => ({ size, root: bytes(ROOTS[size]!) });
    expect(isConsistent(at(first), at(second), proof.map(bytes))).toBe(true);
  });
});

describe('a tree kept in tiles', () => {
  const SEED = Number(process.env.JALON_SEED ?? Date.now() % 1_000_000);
  const runs = process.env.JALON_TEST === 'long' ? 2_000 : 60;
  const entry = (n: number) => leafHash(Buffer.alloc(32, `entry ${n}`));
  const many = Array.from({ length: 700 }, (_, n) => entry(n));

  test(`gives the roots and proofs of the naive one, however it grew (seed ${SEED})`, () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 90 }), { minLength: 1, maxLength: 7 }), fc.nat(), fc.nat(), (steps, a, b) => {
        const tree = new Grown();
        for (const step of steps) tree.add(many.slice(tree.size, tree.size + step));
        fc.pre(tree.size > 0);
        const size = 1 + (a % tree.size);
        const some = many.slice(0, size);
        expect(tree.root(size)).toEqual(naive.root(some));

        const index = b % size;
        const inclusion = tree.hash(...inclusionRanges(index, size));
        expect(inclusion).toEqual(naive.inclusion(index, some));
        expect(rootByInclusion(index, size, some[index]!, inclusion)).toEqual(tree.root(size));

        const first = index + 1;
        const consistency = tree.hash(...consistencyRanges(first, size));
        expect(consistency).toEqual(naive.consistency(first, some));
        const old = { size: first, root: tree.root(first) };
        expect(isConsistent(old, { size, root: tree.root(size) }, consistency)).toBe(true);
      }),
      { seed: SEED, numRuns: runs },
    );
  });

  test(`no proof holds for another place, size, leaf or root, nor with a hash changed, added, left out or moved (seed ${SEED})`, () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), fc.nat(), (size, a, b, c) => {
        const tree = new Grown();
        tree.add(many.slice(0, size));
        const index = a % size;
        const root = tree.root();
        const proof = tree.hash(...inclusionRanges(index, size));
        const leads = (i: number, n: number, leaf: Hash, hashes: readonly Hash[]) =>
          rootByInclusion(i, n, leaf, hashes)?.equals(root) ?? false;
        const other = b % size;
        if (other !== index) expect(leads(other, size, many[index]!, proof)).toBe(false);
        expect(leads(index, size, many[(index + 1) % size]!, proof)).toBe(false);
        for (const wrong of broken(proof, b, c)) expect(leads(index, size, many[index]!, wrong)).toBe(false);

        const first = 1 + (a % (size - 1));
        const consistency = tree.hash(...consistencyRanges(first, size));
        const [old, now] = [
          { size: first, root: tree.root(first) },
          { size, root },
        ];
        for (const wrong of broken(consistency, b, c)) expect(isConsistent(old, now, wrong)).toBe(false);
        expect(isConsistent({ ...old, root: many[0]! }, now, consistency)).toBe(first === 1);
        expect(isConsistent(old, { ...now, root: EMPTY_ROOT }, consistency)).toBe(false);
        expect(isConsistent(now, old, consistency)).toBe(false);
      }),
      { seed: SEED, numRuns: runs },
    );
  });

  test('a proof in a tree of a million leaves reads a few dozen tiles, and adding one leaf writes one for each level', () => {
    const size = 1_000_003;
    for (const index of [0, 17, 524_288, 999_999, 1_000_002]) {
      expect(tilesUnder(inclusionRanges(index, size)).length).toBeLessThan(30);
      expect(tilesUnder(consistencyRanges(index + 1, size)).length).toBeLessThan(30);
    }
    expect(tails(size).length).toBeLessThanOrEqual(5);
    const tree = new Grown();
    for (let n = 0; n < 300; n += 1) tree.add([many[n]!]);
    expect(tree.written).toBe(3);
  });

  test('sizes and places that are none have no proof', () => {
    expect(rootByInclusion(0, 0, many[0]!, [])).toBeNull();
    expect(rootByInclusion(-1, 4, many[0]!, [])).toBeNull();
    expect(rootByInclusion(1.5, 4, many[0]!, [])).toBeNull();
    const empty = { size: 0, root: EMPTY_ROOT };
    expect(isConsistent(empty, empty, [])).toBe(false);
  });
});

/** A proof with one thing wrong in it, in every way. */
function broken(proof: readonly Hash[], a: number, b: number): Hash[][] {
  const added = [
    [...proof, EMPTY_ROOT],
    [EMPTY_ROOT, ...proof],
  ];
  if (proof.length === 0) return added;
  const at = a % proof.length;
  const changed = Buffer.from(proof[at]!);
  changed[b % 32]! ^= 1 << (a % 8);
  const left = proof.filter((_, i) => i !== at);
  const moved = proof.length > 1 ? [[...proof.slice(1), proof[0]!]] : [];
  return [...added, proof.map((hash, i) => (i === at ? changed : hash)), left, ...moved];
}
