import { fromBase64 } from './note.ts';
import { HASH_BYTES, type Hash } from './tree.ts';

/** What a log asks of a witness: to cosign a checkpoint, which extends the last one that was cosigned, of size `old`. */
export type ConsistencyRequest = { old: number; proof: readonly Hash[]; note: string };

const MOST_HASHES = 63;

/** The body of `POST /add-checkpoint` (C2SP tlog-witness). */
export function writeConsistencyRequest({ old, proof, note }: ConsistencyRequest): string {
  return `old ${old}\n${proof.map((hash) => `${hash.toString('base64')}\n`).join('')}\n${note}`;
}

/** Reads what `writeConsistencyRequest` writes; null when it is something else. */
export function readConsistencyRequest(body: string): ConsistencyRequest | null {
  const end = body.indexOf('\n\n');
  const [first = '', ...lines] = body.slice(0, Math.max(end, 0)).split('\n');
  const old = Number(/^old (0|[1-9]\d{0,15})$/.exec(first)?.[1] ?? Number.NaN);
  const proof = lines.map(fromBase64);
  const isProof = proof.every((hash) => hash?.length === HASH_BYTES) && proof.length <= MOST_HASHES;
  if (!Number.isSafeInteger(old) || !isProof) return null;
  return { old, proof: proof as Hash[], note: body.slice(end + 2) };
}
