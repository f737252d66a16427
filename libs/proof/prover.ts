import { setTimeout as delay } from 'node:timers/promises';
import type { Journal } from '@jalon/journal';
import { readCheckpoint } from './checkpoint.ts';
import { MerkleLog } from './merkle-log.ts';
import type { Notary } from './notary.ts';
import { type Entry, type ProofStore, ProofUnavailable, type StoredCheckpoint, type StoredKey } from './store.ts';
import { type Hash, isConsistent, leafHash, rootByInclusion } from './tree.ts';

/** What a prover is made of. */
export type ProverParts = {
  store: ProofStore;
  journal: Pick<Journal, 'tip'>;
  notary: Notary;
  /** Gives a checkpoint with the cosignatures of the witnesses that are at hand. */
  cosigned?: (checkpoint: StoredCheckpoint) => Promise<StoredCheckpoint>;
  /** Whether another process may be the one that signs. */
  shared: boolean;
  /** How long it waits for a checkpoint that another process is asked for, in milliseconds. */
  patience?: number;
};

/** That a fact is in the tree of a checkpoint (RFC 9162, 2.1.3): where, and the hashes that lead to the root. */
export type Inclusion = { leaf: number; hashes: readonly Hash[] };

/** How often a checkpoint that another process is asked for is looked for. */
const LOOK_MS = 100;

/** Gives proofs over what the log holds, and has a checkpoint cut where none covers what is asked for. */
export class Prover {
  readonly #log: MerkleLog;

  constructor(private readonly parts: ProverParts) {
    this.#log = new MerkleLog(parts.store);
  }

  /** The latest checkpoint; the first one is cut when it is asked for. @throws ProofUnavailable, KeyNotHeld */
  async latest(): Promise<StoredCheckpoint> {
    return (await this.parts.store.latestCheckpoint()) ?? (await this.#covering(null));
  }

  /** Every public key that ever signed, the current one first. @throws ProofUnavailable */
  async keys(): Promise<StoredKey[]> {
    const keys = await this.parts.store.keys();
    if (keys.length > 0) return keys;
    await this.latest();
    return this.parts.store.keys();
  }

  /** Where a fact is; null when no fact of this id was recorded. @throws ProofUnavailable */
  async find(id: string): Promise<Entry | null> {
    const known = (await this.parts.store.entries([id])).get(id);
    if (known) return known;
    const tip = await this.parts.journal.tip();
    const { position } = await this.parts.store.extent();
    if (tip === null) return null;
    if (position === null || position < tip) await this.#covering(tip);
    // It may have been recorded, or come into the log, since the first look.
    return (await this.parts.store.entries([id])).get(id) ?? null;
  }

  /** That this entry, of the fact with this hash, is in the tree, under the latest checkpoint that covers it. @throws ProofUnavailable, KeyNotHeld */
  async inclusion({ leaf }: Entry, hash: string): Promise<Inclusion & { checkpoint: StoredCheckpoint }> {
    let checkpoint = await this.latest();
    if (checkpoint.size <= leaf) checkpoint = await this.#covering((await this.parts.store.extent()).position);
    const [hashes] = await this.#log.inclusion([leaf], checkpoint.size);
    this.#assertProves([{ leaf, hashes: hashes as Hash[] }], [hash], checkpoint);
    return { leaf, hashes: hashes as Hash[], checkpoint: await this.#cosigned(checkpoint) };
  }

  /**
   * That these facts are in the tree, all under one checkpoint.
   * @throws ProofUnavailable, KeyNotHeld
   */
  async inclusions(
    facts: readonly { id: string; position: bigint; hash: string }[],
  ): Promise<{ proofs: Inclusion[]; checkpoint: StoredCheckpoint }> {
    let last = -1n;
    for (const { position } of facts) if (position > last) last = position;
    let checkpoint = await this.latest();
    if ((checkpoint.position ?? -1n) < last) checkpoint = await this.#covering(last);
    const entries = await this.parts.store.entries(facts.map(({ id }) => id));
    const leaves = facts.map(({ id }) => entries.get(id)?.leaf ?? Number.NaN);
    if (leaves.some((leaf) => !(leaf < checkpoint.size)))
      throw new ProofUnavailable('The log does not hold every fact that it should.');
    const hashes = await this.#log.inclusion(leaves, checkpoint.size);
    const proofs = leaves.map((leaf, i) => ({ leaf, hashes: hashes[i] as Hash[] }));
    this.#assertProves(
      proofs,
      facts.map(({ hash }) => hash),
      checkpoint,
    );
    return { proofs, checkpoint: await this.#cosigned(checkpoint) };
  }

  /**
   * That a tree of `to` leaves begins with that of `from` leaves (1 ≤ from ≤ to), both being the beginning of the latest
   * that was signed. @throws ProofUnavailable
   */
  async consistency(from: number, to: number): Promise<Hash[]> {
    const proof = await this.#log.consistency(from, to);
    const signed = readCheckpoint((await this.latest()).note);
    const [first, second] = [
      { size: from, root: await this.#log.root(from) },
      { size: to, root: await this.#log.root(to) },
    ];
    const holds =
      isConsistent(first, second, proof) &&
      (to > signed.size || isConsistent(second, signed, await this.#log.consistency(to, signed.size)));
    if (!holds) throw this.#unsound(`the proof from ${from} to ${to} leaves does not lead to the root that was signed`);
    return proof;
  }

  /** Nothing leaves that whoever holds the checkpoint would find wrong. @throws ProofUnavailable */
  #assertProves(proofs: readonly Inclusion[], factHashes: readonly string[], { note }: StoredCheckpoint): void {
    const { size, root } = readCheckpoint(note);
    for (const [i, { leaf, hashes }] of proofs.entries())
      if (!rootByInclusion(leaf, size, leafOfFact(factHashes[i] as string), hashes)?.equals(root))
        throw this.#unsound(`leaf ${leaf} is not what was signed`);
  }

  /** The tree is derived from the journal again; should the journal be what was changed, that is found then. */
  #unsound(why: string): ProofUnavailable {
    this.parts.notary.suspect(`A proof does not hold: ${why}.`);
    return new ProofUnavailable(`A proof does not hold, and the tree is derived again: ${why}.`);
  }

  async #cosigned(checkpoint: StoredCheckpoint): Promise<StoredCheckpoint> {
    return (await this.parts.cosigned?.(checkpoint)) ?? checkpoint;
  }

  /** A checkpoint over a position, by whichever process signs. */
  async #covering(position: bigint | null): Promise<StoredCheckpoint> {
    const { store, notary, shared, patience = 6_000 } = this.parts;
    if (!shared || notary.isActive) return notary.covering(position);
    const deadline = performance.now() + patience;
    for (;;) {
      const latest = await store.latestCheckpoint();
      if (latest && (position === null || (latest.position ?? -1n) >= position)) return latest;
      if (performance.now() > deadline)
        throw new ProofUnavailable(
          'No process signs now: it takes one with the role signer that holds the current key.',
        );
      if (position !== null) await store.want(position);
      await delay(LOOK_MS);
    }
  }
}

/** The leaf of the fact with this hash, in hex: what an inclusion proof starts from. */
export function leafOfFact(factHash: string): Hash {
  return leafHash(Buffer.from(factHash, 'hex'));
}
