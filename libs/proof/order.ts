import { createHash } from 'node:crypto';
import type { StoredEvent } from '@jalon/journal';

/** Position, instant of recording, hash, and digest of id and place of a fact. */
const BYTES = 56;
const AT = { position: 0, recordedAt: 8, hash: 16, place: 48 } as const;

/** What the order over all facts is made of, gathered stream by stream: `BYTES` for each fact. */
export class FactsMet {
  #bytes = Buffer.alloc(1024 * BYTES);
  count = 0;

  add({ position, hash, envelope: { id, stream, revision, recordedAt } }: StoredEvent): void {
    if ((this.count + 1) * BYTES > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    const at = this.count * BYTES;
    this.#bytes.writeBigUInt64BE(position, at + AT.position);
    // An instant that is none is as old as can be: it is found where the envelope is checked.
    this.#bytes.writeDoubleBE(Date.parse(recordedAt) || 0, at + AT.recordedAt);
    this.#bytes.write(hash, at + AT.hash, 32, 'hex');
    placeOf({ id, stream, revision }).copy(this.#bytes, at + AT.place);
    this.count += 1;
  }

  bytes(): Uint8Array {
    // A copy of its own: it may be handed over to another thread.
    return Uint8Array.from(this.#bytes.subarray(0, this.count * BYTES));
  }
}

/** Which fact is meant, in eight bytes. */
export function placeOf({ id, stream, revision }: { id: string; stream: string; revision: number }): Buffer {
  return createHash('sha256').update(`${id} ${revision} ${stream}`).digest().subarray(0, 8);
}

/** All facts in the order of their positions. */
export class FactsInOrder {
  readonly #all: Buffer;
  readonly #order: Uint32Array;

  /** @param pieces what was gathered of each, by `FactsMet.bytes` */
  constructor(
    pieces: readonly Uint8Array[],
    readonly count: number,
  ) {
    this.#all = Buffer.concat(pieces);
    this.#order = new Uint32Array(count);
    const positions = new BigUint64Array(count);
    let last = 0n;
    for (let i = 0; i < count; i += 1) {
      this.#order[i] = i;
      const position = this.#all.readBigUInt64BE(i * BYTES + AT.position);
      positions[i] = position;
      if (position > last) last = position;
    }
    // Positions without a gap are ranks: nothing needs sorting then.
    if (last === BigInt(count) && new Set(positions).size === count)
      for (let i = 0; i < count; i += 1) this.#order[Number(positions[i]) - 1] = i;
    else
      this.#order.sort((a, b) => {
        const [one, other] = [positions[a] as bigint, positions[b] as bigint];
        return one < other ? -1 : one > other ? 1 : 0;
      });
  }

  position(rank: number): bigint {
    return this.#all.readBigUInt64BE(this.#at(rank) + AT.position);
  }

  /** When it was recorded, in milliseconds of Unix time. */
  recordedAt(rank: number): number {
    return this.#all.readDoubleBE(this.#at(rank) + AT.recordedAt);
  }

  hash(rank: number): Buffer {
    const at = this.#at(rank) + AT.hash;
    return this.#all.subarray(at, at + 32);
  }

  /** See `placeOf`. */
  place(rank: number): Buffer {
    const at = this.#at(rank) + AT.place;
    return this.#all.subarray(at, at + 8);
  }

  #at(rank: number): number {
    return (this.#order[rank] as number) * BYTES;
  }
}
