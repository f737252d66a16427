import { setTimeout as delay } from 'node:timers/promises';
import type { Journal } from '@jalon/journal';
import { readCheckpoint, signCheckpoint, type TreeHead } from './checkpoint.ts';
import { type Beginning, Feed, LogDiverged, TreeDamaged } from './feed.ts';
import type { HeadFile } from './head-file.ts';
import { KeyNotHeld, type Keys } from './keys.ts';
import { MerkleLog } from './merkle-log.ts';
import type { NoteSigner } from './note.ts';
import { assertCheckpoints } from './rebuild.ts';
import { Sealer } from './sealer.ts';
import { type ProofStore, ProofUnavailable, type StoredCheckpoint } from './store.ts';
import { GrowingTree, tails } from './tiles.ts';
import { EMPTY_ROOT, leafHash } from './tree.ts';

/** What a notary is made of. */
export type NotaryParts = {
  store: ProofStore;
  journal: Pick<Journal, 'read' | 'readAll' | 'subscribe' | 'tip'>;
  keys: Keys;
  /** The last head that this process signed, outside the store. */
  head: HeadFile;
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
  /** The same after the log was found to have diverged. */
  pauseDiverged: number;
  /** How long whoever asks for a checkpoint waits for the log to reach a fact. */
  patience: number;
};

const PACE: Pace = {
  cutAfter: 45_000,
  apart: 1_000,
  flushAfter: 250,
  look: 200,
  pause: 1_000,
  pauseDiverged: 60_000,
  patience: 5_000,
};

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
  #diverged: LogDiverged | null = null;
  #mended = new AbortController();
  #level = false;

  constructor(private readonly parts: NotaryParts) {
    this.#pace = { ...PACE, ...parts.pace };
    const { store, journal } = parts;
    const { flushAfter, patience } = this.#pace;
    this.#feed = new Feed({ store, journal, flushAfter, patience, onGrown: () => this.#cutLater() });
    this.#log = new MerkleLog(store);
    this.#sealer = new Sealer({ ...parts, assertExtends: () => this.assertExtends() });
  }

  /** Whether this process is the one that follows the journal and signs, as far as it knows. */
  get isActive(): boolean {
    return this.#feed.isFollowing;
  }

  /** Why nothing is signed nor sealed: the log does not extend what was signed last. Null when it does. */
  get diverged(): LogDiverged | null {
    return this.#diverged;
  }

  /** Whether the log was found to extend what was signed last, as far as the journal went when this process began. */
  get isLevel(): boolean {
    return this.#level;
  }

  /** What is kept of the tree gave a proof that does not hold: it is derived from the journal again. */
  suspect(reason: string): void {
    this.#feed.fail(new TreeDamaged(reason));
  }

  /**
   * Follows the journal and cuts checkpoints until `over` aborts, then once more over what is written by then. What fails
   * is tried again; when processes share the log, it ends as soon as the key turns out to be held by another.
   */
  async run(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      try {
        await this.#rebuilding;
        this.#rounds = this.#follow(over);
        await this.#rounds;
        await this.#rebuilding;
      } catch (error) {
        if (this.parts.shared && error instanceof KeyNotHeld) return;
        if (error instanceof LogDiverged) {
          this.#diverged = error;
          this.#level = false;
        }
        this.#trouble(error);
        if (error instanceof TreeDamaged) await this.parts.store.clear().catch(() => undefined);
        // What diverged stays so until somebody mends it: to look again costs as much as to read the whole log.
        const pause = this.#diverged ? this.#pace.pauseDiverged : this.#pace.pause;
        await delay(pause, undefined, { signal: AbortSignal.any([over, this.#mended.signal]) }).catch(() => undefined);
      }
    }
  }

  /** A checkpoint that covers a position (null: any), cut now when none does. @throws ProofUnavailable, KeyNotHeld */
  async covering(position: bigint | null): Promise<StoredCheckpoint> {
    this.assertExtends();
    await this.#feed.reached(position);
    const latest = this.#latest;
    if (latest && (position === null || (latest.position !== null && latest.position >= position))) return latest;
    this.#next ??= this.#cutNext();
    return this.#next;
  }

  /** @throws ProofUnavailable while the log does not extend what was signed last: nothing may be signed nor sealed */
  assertExtends(): void {
    if (this.#diverged)
      throw new ProofUnavailable(`Nothing is signed nor sealed: ${this.#diverged.message} « jalon mend » tells more.`, {
        cause: this.#diverged,
      });
  }

  /**
   * Closes the origin of a log that does not extend what was signed last, and begins another: nothing is signed under the
   * old one any more, and its checkpoints are kept as they are.
   * @param record told of both heads before anything changes; durable when it resolves
   * @throws RangeError when the log extends what was signed: there is nothing to mend
   */
  async reorigin(
    origin: string,
    record: (closed: TreeHead, now: Omit<TreeHead, 'origin'>) => Promise<void>,
  ): Promise<void> {
    const { store, keys, head, journal } = this.parts;
    const closed = await this.#head(await this.parts.origin());
    if (!this.#diverged || !closed)
      throw new RangeError('The log extends what was signed last: there is nothing to mend.');
    let resume: () => void = () => undefined;
    this.#rebuilding = new Promise((resolve) => {
      resume = resolve;
    });
    try {
      this.#round.abort();
      await this.#rounds.catch(() => undefined);
      const tree = new GrowingTree();
      for await (const page of journal.readAll(null))
        tree.add(page.map(({ hash }) => leafHash(Buffer.from(hash, 'hex'))));
      await record(closed, { size: tree.size, root: tree.size === 0 ? EMPTY_ROOT : tree.root() });
      await store.reorigin(origin, [await keys.renamed(origin)], this.parts.clock());
      head.write({ origin, size: 0, root: EMPTY_ROOT });
      this.#latest = null;
      this.#diverged = null;
      this.#failing = false;
    } finally {
      resume();
      this.#mended.abort();
      this.#mended = new AbortController();
    }
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
    const beginning = await this.#beginning(origin);
    if (this.#latest) this.parts.onSigned?.(this.#latest);
    const round = new AbortController();
    this.#round = round;
    const end = () => round.abort();
    over.addEventListener('abort', end);
    if (over.aborted) end();
    const looking = shared ? this.#lookOut(origin, round.signal) : undefined;
    try {
      const caughtUp = this.#assertReaches(beginning, round.signal);
      await this.#feed.follow(beginning, round.signal);
      await caughtUp;
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

  /** What was signed last: as this process remembers, or as the store does when another signed since. @throws LogDiverged */
  async #head(origin: string): Promise<TreeHead | null> {
    const own = this.parts.head.read();
    const latest = await this.parts.store.latestCheckpoint();
    const kept = latest && readCheckpoint(latest.note);
    if (own && own.origin !== origin)
      throw new LogDiverged(
        `The log is ${origin} now, and what was signed last was ${own.origin}: the store is another.`,
      );
    if (own && kept && own.size === kept.size && !own.root.equals(kept.root))
      throw new LogDiverged(`Two trees of ${own.size} leaves were signed.`, own.size);
    return !own || (kept && kept.size > own.size) ? kept : own;
  }

  /**
   * The tree to go on from: what is kept of it up to what was signed last, compared with that. Leaves that nobody signed
   * yet are derived from the journal again, and so is all of it when it is not what was signed.
   */
  async #beginning(origin: string): Promise<Beginning> {
    const { store } = this.parts;
    const head = await this.#head(origin);
    const { size: kept } = await store.extent();
    if (!head || head.size === 0 || kept === 0) {
      if (kept > 0) await store.clear();
      return { tree: new GrowingTree(), isSound: true, head };
    }
    const size = Math.min(kept, head.size);
    try {
      const tree = GrowingTree.at(size, await store.tiles(tails(size)));
      const isSound = size === head.size;
      if (isSound && !tree.root().equals(head.root))
        throw new RangeError('Its root is not the one that was signed last.');
      if (size < kept) await store.truncate(size, await this.#positionOf(size - 1));
      return { tree, isSound, head };
    } catch (damaged) {
      if (!(damaged instanceof RangeError)) throw damaged;
      this.parts.onTrouble(new TreeDamaged(`The tree is derived from the journal again: ${damaged.message}`));
      await store.clear();
      return { tree: new GrowingTree(), isSound: true, head };
    }
  }

  /** Where the fact of a leaf lies in the journal. @throws LogDiverged when it is not there any more */
  async #positionOf(leaf: number): Promise<bigint> {
    const { store, journal } = this.parts;
    const entry = await store.entryAt(leaf);
    if (!entry) throw new RangeError(`There is no entry of leaf ${leaf}.`);
    for await (const [event] of journal.read(entry.stream, { from: entry.revision, to: entry.revision }))
      if (event) return event.position;
    throw new LogDiverged(
      `The journal does not hold fact ${entry.revision} of ${entry.stream} any more, which was signed: it was restored from an earlier back-up.`,
    );
  }

  /** What was signed is there, once the journal was read as far as it goes now; a shorter one went back. */
  async #assertReaches({ head }: Beginning, over: AbortSignal): Promise<void> {
    if (!head) this.#level = true;
    try {
      const tip = await this.parts.journal.tip();
      await this.#feed.reached(tip);
      await this.#feed.flush();
      if (over.aborted) return;
      const { size } = this.#feed.tree;
      if (head && size < head.size) {
        this.#feed.fail(
          new LogDiverged(`What was signed covers ${head.size} facts, and the journal holds ${size}.`, head.size, size),
        );
        return;
      }
      this.#diverged = null;
      this.#level = true;
      // What a process left uncovered that died, or what was imported, is old by now: it does not wait like a new fact.
      if (tip !== null && (this.#latest?.position ?? -1n) < tip) this.#cutLater(this.#pace.apart);
    } catch (error) {
      // What makes the round stop is told there; a journal that is slow to read is looked at when something is signed.
      if (!(error instanceof ProofUnavailable)) this.#feed.fail(error);
    }
  }

  /** A fact that no checkpoint covers yet does not wait for ever. */
  #cutLater(after = this.#pace.cutAfter): void {
    if (after < this.#pace.cutAfter) {
      clearTimeout(this.#cutTimer);
      this.#cutTimer = undefined;
    }
    this.#cutTimer ??= setTimeout(() => {
      this.#cutTimer = undefined;
      this.#next ??= this.#cutNext();
      this.#next.catch((error) => {
        if (!this.isActive) return;
        this.#fail(error);
        this.#cutLater();
      });
    }, after);
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
    const head = await this.#nextHead(await origin(), size);
    this.parts.head.write(head);
    const checkpoint = { size, position, note: signCheckpoint(head, signers) };
    await store.keepCheckpoint(checkpoint, clock());
    this.#latest = checkpoint;
    this.parts.onSigned?.(checkpoint);
    clearTimeout(this.#cutTimer);
    this.#cutTimer = undefined;
    this.#failing = false;
    return checkpoint;
  }

  /**
   * The head to sign, by the tree that grew from what was signed last, and by what is kept of it.
   * @throws LogDiverged, TreeDamaged
   */
  async #nextHead(origin: string, size: number): Promise<TreeHead> {
    const { tree } = this.#feed;
    const root = tree.size === 0 ? EMPTY_ROOT : tree.root();
    if (tree.size !== size || !(await this.#rootKept(size)).equals(root)) {
      const damaged = new TreeDamaged(`What is kept of the tree of ${size} leaves does not have its root.`);
      this.#feed.fail(damaged);
      throw damaged;
    }
    const last = await this.#head(origin);
    if (last && (size < last.size || (size === last.size && !root.equals(last.root)))) {
      const diverged = new LogDiverged(
        `What was signed last covers ${last.size} facts, which the journal does not extend.`,
        last.size,
        size,
      );
      this.#feed.fail(diverged);
      throw diverged;
    }
    return { origin, size, root };
  }

  /** The root by what is kept; a tile that is missing is as good as a wrong one. */
  async #rootKept(size: number): Promise<Buffer> {
    try {
      return await this.#log.root(size);
    } catch (missing) {
      if (!(missing instanceof RangeError)) throw missing;
      return Buffer.alloc(0);
    }
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
