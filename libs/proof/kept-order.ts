import { openCheckpoint, readCheckpoint, type TreeHead } from './checkpoint.ts';
import { LogDiverged } from './feed.ts';
import { noteKeyOf } from './keys.ts';
import { type FactsInOrder, placeOf } from './order.ts';
import { CheckpointsAhead, type SignedHead } from './rebuild.ts';
import type { ProofStore } from './store.ts';
import { GrowingTree } from './tiles.ts';
import { leafHash } from './tree.ts';

/** A head that was signed; `position` is that of its last fact, null where none was kept. */
type KeptHead = SignedHead & { position?: bigint | null };

/** What is kept elsewhere of the order of a journal's facts: what was signed, and the tree that proofs are made from. */
export type KeptOrder = {
  /** The smallest first. */
  heads: readonly KeptHead[];
  /** The tree as it is kept; null when there is none. */
  tree: (Pick<ProofStore, 'tiles' | 'entriesFrom'> & { size: number; position: bigint | null }) | null;
  /** Whether somebody signs: then every fact must be covered soon after it was recorded. */
  isSigned: boolean;
};

/** Nothing is kept: an exported file vouches for its own order only. */
export const NOTHING_KEPT: KeptOrder = { heads: [], tree: null, isSigned: false };

/** Where what is kept is read. */
export type KeptWhere = {
  store: ProofStore | null;
  /** The last head that was signed, beside the key. */
  head: TreeHead | null;
  /** Whether a private key lies there. */
  isKeyed: boolean;
  /** Public keys that are known from elsewhere; where there are none, those of the store are believed. */
  trusted: readonly Buffer[];
};

/** Reads what is kept of a log's order, before its journal is: what it covers is in the journal then. */
export async function readKeptOrder({ store, head, isKeyed, trusted }: KeptWhere): Promise<[KeptOrder, string[]]> {
  const faults: string[] = [];
  const heads: KeptHead[] = head ? [head] : [];
  if (!store) return [{ heads, tree: null, isSigned: isKeyed || head !== null }, faults];
  const stored = await store.keys();
  const known = stored.map(noteKeyOf);
  const own = known.filter(({ publicKey }) => trusted.length === 0 || trusted.some((key) => key.equals(publicKey)));
  const origin = await store.knownOrigin();
  if (head && origin !== null && head.origin !== origin)
    faults.push(`la dernière tête signée est celle du journal ${head.origin}, et preuve.db dit ${origin}`);
  for await (const { size, note, position } of store.checkpoints()) {
    const says = `le point de contrôle de ${size} faits`;
    try {
      const kept = openCheckpoint(note, own);
      if (kept.origin !== origin) faults.push(`${says} est celui du journal ${kept.origin}, et non de ${origin}`);
      if (kept.size !== size) faults.push(`${says} en couvre ${kept.size}`);
      heads.push({ ...kept, position });
    } catch {
      faults.push(`${says} n'est signé d'aucune clé reconnue`);
      heads.push(...readable(note));
    }
  }
  heads.sort((a, b) => a.size - b.size);
  const { size, position } = await store.extent();
  const tree = {
    size,
    position,
    tiles: (...asked: Parameters<ProofStore['tiles']>) => store.tiles(...asked),
    entriesFrom: (...asked: Parameters<ProofStore['entriesFrom']>) => store.entriesFrom(...asked),
  };
  return [{ heads, tree, isSigned: isKeyed || stored.length > 0 || heads.length > 0 }, faults];
}

function readable(note: string): SignedHead[] {
  try {
    return [readCheckpoint(note)];
  } catch {
    return [];
  }
}

/** What was found of the order over all facts. */
export type OrderReport = {
  /** What is wrong with it, a sentence each. */
  faults: string[];
  /** Heads that hold, and the size of the largest of them: how many facts it vouches for. */
  holding: number;
  covered: number;
  /** Facts that no head covers yet, and that are young enough for that. */
  waiting: number;
};

/** A fact may wait so long for a checkpoint: twice the minute that is promised. */
const MAY_WAIT_MS = 120_000;

/** Leaves that are looked at at once. */
const SOME = 4_096;

/** Compares what is kept of the order of facts with the facts. */
export async function checkOrder(facts: FactsInOrder, kept: KeptOrder, now: Date): Promise<OrderReport> {
  const faults: string[] = [];
  const { heads, tree } = kept;
  const ahead = await CheckpointsAhead.over(each(heads));
  try {
    for (let at = 0; at < facts.count && !ahead.isDone; at += 1) await ahead.add(facts.hash(at).toString('hex'));
    await ahead.end();
  } catch (diverged) {
    if (!(diverged instanceof LogDiverged)) throw diverged;
    faults.push(saysOf(diverged));
  }
  for (const { size, position } of [...heads, ...(tree ? [tree] : [])])
    if (position !== undefined && position !== null && size > 0 && size <= facts.count)
      if (facts.position(size - 1) !== position)
        faults.push(`le fait ${size} n'est pas à la position ${position} que preuve.db lui donne`);
  const covered = heads[ahead.holding - 1]?.size ?? 0;
  const { old, young } = uncovered(facts, covered, now);
  if (kept.isSigned && old > 0 && faults.length === 0)
    faults.push(
      covered === 0
        ? `${old} faits inscrits depuis plus de deux minutes, et aucun point de contrôle : rien de ce qui fut signé n'est resté`
        : `${old} faits inscrits depuis plus de deux minutes ne sont couverts par aucun point de contrôle`,
    );
  if (tree && faults.length === 0) faults.push(...(await checkTree(facts, tree)));
  return { faults, holding: ahead.holding, covered, waiting: kept.isSigned ? young : 0 };
}

/** Facts that no head covers: those that should be by now, and those that need not yet. */
function uncovered(facts: FactsInOrder, covered: number, now: Date): { old: number; young: number } {
  let last = 0;
  for (let at = covered; at < facts.count; at += 1) last = Math.max(last, facts.recordedAt(at));
  const since = Math.min(now.getTime(), last) - MAY_WAIT_MS;
  let old = 0;
  for (let at = covered; at < facts.count; at += 1) if (facts.recordedAt(at) < since) old += 1;
  return { old, young: facts.count - covered - old };
}

/** The first thing that is wrong with the kept tree: proofs are made from it. */
async function checkTree(facts: FactsInOrder, tree: NonNullable<KeptOrder['tree']>): Promise<string[]> {
  if (tree.size > facts.count) return [`preuve.db compte ${tree.size} faits, et le journal n'en a que ${facts.count}`];
  const again = 'le serveur refait cet arbre à son démarrage, et « jalon rebuild preuve » aussi';
  const growing = new GrowingTree();
  for (let from = 0; from < tree.size; from += SOME) {
    const to = Math.min(from + SOME, tree.size);
    const leaves = Array.from({ length: to - from }, (_, i) => leafHash(facts.hash(from + i)));
    const expected = growing.add(leaves);
    const kept = new Map((await tree.tiles(expected)).map((tile) => [`${tile.level}/${tile.number}`, tile.hashes]));
    // It may have grown since.
    for (const { level, number, hashes } of expected)
      if (!kept.get(`${level}/${number}`)?.subarray(0, hashes.length).equals(hashes))
        return [`la tuile ${number} du niveau ${level} de preuve.db n'est pas celle du journal : ${again}`];
    const entries = await tree.entriesFrom(from, to);
    for (let at = from; at < to; at += 1) {
      const entry = entries[at - from];
      if (entry?.leaf !== at || !placeOf(entry).equals(facts.place(at)))
        return [`preuve.db place à la feuille ${at} un autre fait que le journal : ${again}`];
    }
  }
  return [];
}

function saysOf({ size, held }: LogDiverged): string {
  return held === undefined
    ? `les ${size} premiers faits n'ont pas la racine que dit leur point de contrôle : l'un d'eux a été changé, ajouté ou ôté`
    : `un point de contrôle couvre ${size} faits, et le journal n'en a que ${held}`;
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
