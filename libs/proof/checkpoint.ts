import { fromBase64, type NoteKey, NoteRefused, type NoteSigner, openNote, readNote, signNote } from './note.ts';
import { HASH_BYTES, type Hash } from './tree.ts';

/** What a checkpoint says: of which log, how many leaves it has, and under which root. */
export type TreeHead = { origin: string; size: number; root: Hash };

/** A checkpoint (C2SP tlog-checkpoint): a signed note of three lines, the origin, the size in decimal, the root in base64. */
export function signCheckpoint({ origin, size, root }: TreeHead, signers: readonly NoteSigner[]): string {
  return signNote(`${origin}\n${size}\n${root.toString('base64')}\n`, signers);
}

/** What a checkpoint says, signed by at least one of `trusted`. @throws NoteRefused when it is not, or no checkpoint */
export function openCheckpoint(note: string, trusted: readonly NoteKey[]): TreeHead & { by: NoteKey[] } {
  const { text, by } = openNote(note, trusted);
  return { ...treeHead(text), by };
}

/** What a checkpoint says, whoever signed it. @throws NoteRefused when it is none */
export function readCheckpoint(note: string): TreeHead {
  return treeHead(readNote(note).text);
}

/** Lines after the third are another log's own: they are signed, and mean nothing here. */
function treeHead(text: string): TreeHead {
  const [origin, size = '', base64 = '', ...others] = text.split('\n');
  const root = fromBase64(base64);
  if (!origin || !/^(0|[1-9]\d{0,15})$/.test(size) || root?.length !== HASH_BYTES || others.at(-1) !== '')
    throw new NoteRefused('The note is no checkpoint of a log.');
  if (!Number.isSafeInteger(Number(size))) throw new NoteRefused('The size is beyond what is counted here.');
  return { origin, size: Number(size), root };
}
