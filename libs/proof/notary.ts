import { setTimeout as delay } from 'node:timers/promises';
import type { Journal } from '@jalon/journal';
import { signCheckpoint } from './checkpoint.ts';
import { Feed } from './feed.ts';
import { KeyNotHeld, type Keys } from './keys.ts';
import { MerkleLog } from './merkle-log.ts';
import type { NoteSigner } from './note.ts';
import { assertCheckpoints } from './rebuild.ts';
import { Sealer } from './sealer.ts';
import { type ProofStore, ProofUnavailable, type StoredCheckpoint } from './store.ts';

/** What a notary is made of. */
export type NotaryParts = {
  store: ProofStore;
  journal: Pick<Journal, 'read' | 'readAll' | 'subscribe'>;
  keys: Keys;
  /** The origin of the log, which it has once and for all. */
  origin: () => Promise<string>;
  clock: () => Date;
  /** Whether other processes ask for checkpoints through the store. */
  shared: boolean;
  /** Told once of what goes wrong and is tried again, and again only after it had gone well. */
  onTrouble: (error: unknown) => void;
  /** Given each checkpoint once it is kept, and the last one when it begins to sign: witnesses are asked to cosign it. */
  onSigned?: (checkpoint: StoredCheckpoint) => void;
  pace?: Partial<Pace>;
};

/** How often a notary acts, in milliseconds. */
export type Pace = {
  /** So long after a fact was written a checkpoint covers it at the latest: less than the minute that is promised. */
  cutAfter: number;
  /** Checkpoints are at least so far apart. */
  apart: number;
  flushAfter: number;
  /** How often what other processes ask for is looked for. */
  look: number;
  /** Pause after something failed. */
  pause: number;
  /** How long whoever asks for a checkpoint waits for the log to reach a fact. */
  patience: number;
};

const PACE: Pace = { cutAfter: 45_000, apart: 1_000, flushAfter: 250, look: 200, pause: 1_000, patience: 5_000 };

/**
 * Keeps the log level with the journal, and cuts checkpoints: a while after something was written, when asked, at the end.
 * One process does so at a time; one that was replaced without knowing it writes nothing.
 */
export class Notary {
  readonly #feed: Feed;
  readonly #log: MerkleLog;
  readonly #pace: Pace;
  readonly #sealer: Sealer;
  #latest: StoredCheckpoint | null = null;
  #round = new AbortController();
  #rounds: Promise<void> = Promise.resolve();
  #rebuilding: Promise<void> = Promise.resolve();
  #cutTimer: NodeJS.Timeout | undefined;
  #cutting: Promise<unknown> = Promise.resolve();
  #next: Promise<StoredCheckpoint> | undefined;
  #lastCut = Number.NEGATIVE_INFINITY;
  #failing = false;

  constructor(private readonly parts: NotaryParts) {
    this.#pace = { ...PACE, ...parts.pace };
    const { store, journal } = parts;
    const { flushAfter, patience } = this.#pace;
    this.#feed = new Feed({ store, journal, flushAfter, patience, onGrown: () => this.#cutLater() });
    this.#log = new MerkleLog(store);
    this.#sealer = new Sealer(parts);
  }

  /** Whether this process is the one that follows the journal and signs, as far as it knows. */
  get isActive(): boolean {
    return this.#feed.isFollowing;
  }

  /**
   * Follows the journal and cuts checkpoints until `over` aborts, then once more over what is written by then. What fails
   * is tried again; when processes share the log, it ends as soon as the key turns out to be held by another.
   */
  async run(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      try {
        this.#rounds = this.#follow(over);
        await this.#rounds;
        await this.#rebuilding;
      } catch (error) {
        if (this.parts.shared && error instanceof KeyNotHeld) return;
        this.#trouble(error);
        await delay(this.#pace.pause, undefined, { signal: over }).catch(() => undefined);
      }
    }
  }

  /** A checkpoint that covers a position (null: any), cut now when none does. @throws ProofUnavailable, KeyNotHeld */
  async covering(position: bigint | null): Promise<StoredCheckpoint> {
    await this.#feed.reached(position);
    const latest = this.#latest;
    if (latest && (position === null || (latest.position !== null && latest.position >= position))) return latest;
    this.#next ??= this.#cutNext();
    return this.#next;
  }

  /** Replaces the key. A checkpoint that both sign says that the old one vouches for the new one. */
  async rotate(): Promise<NoteSigner> {
    const { keys, origin } = this.parts;
    const { previous, current } = await keys.rotate(await origin());
    await this.#cutting.catch(() => undefined);
    if (this.isActive) await this.#cut(previous ? [current, previous] : [current]);
    return current;
  }

  /**
   * Derives the tree from the journal again, after every checkpoint that was ever cut was found to hold.
   * @throws LogDiverged naming the first that does not, and leaving everything as it was
   */
  async rebuild(say: (facts: number) => void): Promise<void> {
    await assertCheckpoints(this.parts.journal, this.parts.store, say);
    let resume: () => void = () => undefined;
    this.#rebuilding = new Promise((resolve) => {
      resume = resolve;
    });
    try {
      this.#round.abort();
      await this.#rounds.catch(() => undefined);
      await this.parts.store.clear();
    } finally {
      resume();
    }
  }

  async #follow(over: AbortSignal): Promise<void> {
    const { store, shared, keys } = this.parts;
    const origin = await this.parts.origin();
    if (shared) await keys.signer(origin);
    this.#latest = await store.latestCheckpoint();
    if (this.#latest) this.parts.onSigned?.(this.#latest);
    const round = new AbortController();
    this.#round = round;
    const end = () => round.abort();
    over.addEventListener('abort', end);
    if (over.aborted) end();
    const looking = shared ? this.#lookOut(origin, round.signal) : undefined;
    const { size } = await store.extent();
    if (size > (this.#latest?.size ?? 0)) this.#cutLater();
    try {
      await this.#feed.follow(round.signal);
      if (over.aborted) await this.#conclude();
      else if (round.signal.reason instanceof KeyNotHeld) throw round.signal.reason;
    } finally {
      over.removeEventListener('abort', end);
      round.abort();
      clearTimeout(this.#cutTimer);
      this.#cutTimer = undefined;
      await looking;
    }
  }

  /** A fact that no checkpoint covers yet does not wait for ever. */
  #cutLater(): void {
    this.#cutTimer ??= setTimeout(() => {
      this.#cutTimer = undefined;
      this.#next ??= this.#cutNext();
      this.#next.catch((error) => {
        if (!this.isActive) return;
        this.#fail(error);
        this.#cutLater();
      });
    }, this.#pace.cutAfter);
  }

  /** The next checkpoint, not before the last one is a while ago; whoever asks meanwhile gets the same. */
  async #cutNext(): Promise<StoredCheckpoint> {
    await this.#cutting.catch(() => undefined);
    const wait = this.#lastCut + this.#pace.apart - performance.now();
    if (wait > 0) await delay(wait, undefined, { signal: this.#round.signal }).catch(() => undefined);
    this.#next = undefined;
    if (!this.isActive) throw new ProofUnavailable('This process does not sign any more.');
    const cut = this.#cutByKey();
    this.#cutting = cut;
    return cut;
  }

  async #cutByKey(): Promise<StoredCheckpoint> {
    const { keys, origin } = this.parts;
    const signer = await keys.signer(await origin());
    return this.#cut([signer]);
  }

  async #cut(signers: readonly NoteSigner[]): Promise<StoredCheckpoint> {
    this.#lastCut = performance.now();
    const { store, origin, clock } = this.parts;
    await this.#feed.flush();
    const { size, position } = await store.extent();
    const { size: covered, position: upTo } = this.#latest ?? {};
    if (this.#latest && covered === size && upTo === position && signers.length === 1) return this.#latest;
    const head = { origin: await origin(), size, root: await this.#log.root(size) };
    const checkpoint = { size, position, note: signCheckpoint(head, signers) };
    await store.keepCheckpoint(checkpoint, clock());
    this.#latest = checkpoint;
    this.parts.onSigned?.(checkpoint);
    clearTimeout(this.#cutTimer);
    this.#cutTimer = undefined;
    this.#failing = false;
    return checkpoint;
  }

  /** The last facts, and a checkpoint over them. */
  async #conclude(): Promise<void> {
    await this.#feed.conclude();
    await this.#cutting.catch(() => undefined);
    const { size } = await this.parts.store.extent();
    if (size > (this.#latest?.size ?? 0)) await this.#cutByKey();
  }

  /** What other processes ask for, and whether the key is still this one's, until `over` aborts. */
  async #lookOut(origin: string, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      try {
        await this.parts.keys.signer(origin);
        await this.#sealer.answer();
        const { wanted } = await this.parts.store.extent();
        if (this.#latest === null) await this.covering(null);
        const { received } = this.#feed;
        const asked = wanted !== null && received !== null && wanted > received ? received : wanted;
        if (asked !== null && (this.#latest?.position ?? -1n) < asked) await this.covering(asked);
      } catch (error) {
        this.#fail(error);
      }
      await delay(this.#pace.look, undefined, { signal: over }).catch(() => undefined);
    }
  }

  /** A key that another process holds ends the round; anything else is tried again. */
  #fail(error: unknown): void {
    if (this.parts.shared && error instanceof KeyNotHeld) this.#round.abort(error);
    else if (!this.#round.signal.aborted) this.#trouble(error);
  }

  #trouble(error: unknown): void {
    if (!this.#failing) this.parts.onTrouble(error);
    this.#failing = true;
  }
}
