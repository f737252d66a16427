import { sign } from 'node:crypto';
import { isSignedBy, type NoteKey, type NoteSigner, readNote, signatureLine } from './note.ts';

/** That a witness saw a checkpoint at an instant, in seconds since 1970, and none before that it does not extend. */
export type Cosignature = { key: NoteKey; at: number };

const INSTANT_BYTES = 8;

/**
 * The signature line by which a witness vouches for a checkpoint (C2SP tlog-cosignature, Ed25519).
 * @param at seconds since 1970
 * @throws NoteRefused when it is no note
 */
export function cosign(note: string, { key, privateKey }: NoteSigner, at: number): string {
  const signature = sign(null, Buffer.from(cosigned(readNote(note).text, at)), privateKey);
  const instant = Buffer.alloc(INSTANT_BYTES);
  instant.writeBigUInt64BE(BigInt(at));
  return signatureLine(key, Buffer.concat([instant, signature]));
}

/** Those of `witnesses` that vouch for a checkpoint, and since when; a line that is not theirs says nothing. @throws NoteRefused */
export function cosignaturesOf(note: string, witnesses: readonly NoteKey[]): Cosignature[] {
  const { text, signatures } = readNote(note);
  return witnesses.flatMap((key) => {
    const instants = signatures
      .filter(({ name, id, signature }) => name === key.name && id === key.id && signature.length > INSTANT_BYTES)
      .filter(({ signature }) =>
        isSignedBy(cosigned(text, instantOf(signature)), signature.subarray(INSTANT_BYTES), key),
      )
      .map(({ signature }) => instantOf(signature));
    return instants.length === 0 ? [] : [{ key, at: Math.max(...instants) }];
  });
}

/** A note with those of the signature lines that are by these keys and that it does not have yet. @throws NoteRefused */
export function withSignatures(note: string, lines: string, keys: readonly Pick<NoteKey, 'name' | 'id'>[]): string {
  const { text, signatures: there } = readNote(note);
  const offered = readNote(`${text}\n${lines}`).signatures;
  const fresh = keys.flatMap(({ name, id }) => {
    const isBy = (one: { name: string; id: string }) => one.name === name && one.id === id;
    return there.some(isBy) ? [] : offered.filter(isBy).slice(0, 1);
  });
  return note + fresh.map(({ signature, ...key }) => signatureLine(key, signature)).join('');
}

function cosigned(text: string, at: number): string {
  return `cosignature/v1\ntime ${at}\n${text}`;
}

function instantOf(signature: Buffer): number {
  return Number(signature.readBigUInt64BE());
}
