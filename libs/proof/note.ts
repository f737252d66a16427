import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';

/** A public key under the name that its signatures carry (C2SP signed-note). */
export type NoteKey = {
  name: string;
  /** First four bytes of SHA-256(name ‖ 0x0A ‖ algorithm ‖ public key), in hex. */
  id: string;
  /** The 32 bytes of an Ed25519 public key (RFC 8032). */
  publicKey: Buffer;
};

/** A key that signs notes, with the public half by which its signatures are known. */
export type NoteSigner = { key: NoteKey; privateKey: KeyObject };

/** A signature line of a note; `signature` is the 64 bytes of Ed25519 for keys of ours. */
type NoteSignature = { name: string; id: string; signature: Buffer };

/** The text is no signed note, or none of the keys that are trusted signed it. */
export class NoteRefused extends Error {
  override readonly name = 'NoteRefused';
}

/** What signature lines begin with: an em dash and a space. */
const DASH = '\u2014 ';

/** The byte that says in ids and verifier keys what a key signs: the text of a note, or a cosignature over it. */
export const ALGORITHMS = { note: 0x01, cosignature: 0x04 } as const;

export type Algorithm = keyof typeof ALGORITHMS;

const MOST_SIGNATURES = 100;

/** A key under a name. @throws RangeError when it can be no name of a key, or these are no 32 bytes */
export function noteKey(name: string, publicKey: Buffer, algorithm: Algorithm = 'note'): NoteKey {
  if (!isKeyName(name)) throw new RangeError(`« ${name} » can be no name of a key: no space, no plus sign.`);
  if (publicKey.length !== 32) throw new RangeError('An Ed25519 public key has 32 bytes.');
  const named = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ALGORITHMS[algorithm]), publicKey]);
  return { name, id: hash('sha256', named, 'hex').slice(0, 8), publicKey };
}

/** Whether this can be the name of a key, and the origin of a log: one line without spaces nor plus signs. */
export function isKeyName(name: string): boolean {
  return name.length > 0 && name.length <= 255 && !/[\s+\p{Cc}\p{Z}]/u.test(name) && !/\p{Cs}/u.test(name);
}

/** A key as verifiers of notes write it: name, id and base64 of the key, joined by plus signs. */
export function verifierKey({ name, id, publicKey }: NoteKey, algorithm: Algorithm = 'note'): string {
  return `${name}+${id}+${Buffer.concat([Buffer.of(ALGORITHMS[algorithm]), publicKey]).toString('base64')}`;
}

/** Reads what `verifierKey` writes. @throws RangeError */
export function readVerifierKey(text: string, algorithm: Algorithm = 'note'): NoteKey {
  const [, name = '', id, base64 = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  const bytes = fromBase64(base64);
  if (bytes?.length !== 33 || bytes[0] !== ALGORITHMS[algorithm])
    throw new RangeError(`« ${text} » is no verifier key of Ed25519 for a ${algorithm}.`);
  const key = noteKey(name, bytes.subarray(1), algorithm);
  if (key.id !== id) throw new RangeError(`« ${text} » carries the id of another key.`);
  return key;
}

/** Signs a text that ends with a line end: the text, an empty line, a line for each signer. @throws RangeError */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  if (!isNoteText(text)) throw new RangeError('A note is one or more lines, each ended, without control characters.');
  const lines = signers.map(({ key, privateKey }) => signatureLine(key, sign(null, Buffer.from(text), privateKey)));
  return `${text}\n${lines.join('')}`;
}

/** The line of a note that carries a signature: an em dash, the key's name, base64 of its id and of the signature. */
export function signatureLine({ name, id }: Pick<NoteKey, 'name' | 'id'>, signature: Buffer): string {
  return `${DASH}${name} ${Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64')}\n`;
}

/**
 * The text of a note that at least one of `trusted` signed, and which of them did. Signatures by other keys say nothing.
 * @throws NoteRefused when there is none, when one of a trusted key is wrong, when it is no note
 */
export function openNote(note: string, trusted: readonly NoteKey[]): { text: string; by: NoteKey[] } {
  const { text, signatures } = readNote(note);
  const by = new Map<string, NoteKey>();
  for (const { name, id, signature } of signatures) {
    const key = trusted.find((one) => one.name === name && one.id === id);
    if (!key || by.has(id)) continue;
    if (!isSignedBy(text, signature, key)) throw new NoteRefused(`The signature by ${name} (${id}) is wrong.`);
    by.set(id, key);
  }
  if (by.size === 0) throw new NoteRefused('No key that is trusted signed the note.');
  return { text, by: [...by.values()] };
}

/** The text of a note and its signature lines, none of which is checked. @throws NoteRefused when it is no note */
export function readNote(note: string): { text: string; signatures: NoteSignature[] } {
  const end = note.lastIndexOf('\n\n');
  const text = note.slice(0, end + 1);
  const block = note.slice(end + 2);
  if (end < 0 || !isNoteText(text) || !block.endsWith('\n')) throw new NoteRefused('It is no signed note.');
  const lines = block.slice(0, -1).split('\n');
  if (lines.length > MOST_SIGNATURES) throw new NoteRefused('It has too many signatures.');
  return { text, signatures: lines.map(readSignature) };
}

/** Whether an Ed25519 signature over a text in UTF-8 is this key's. */
export function isSignedBy(text: string, signature: Buffer, { publicKey }: NoteKey): boolean {
  return signature.length === 64 && verify(null, Buffer.from(text), keyObject(publicKey), signature);
}

/** The bytes of a base64 text in the one form that encoding gives; null when it is another. */
export function fromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return text !== '' && bytes.toString('base64') === text ? bytes : null;
}

/** Public keys in the form that node takes them. */
export function keyObject(publicKey: Buffer): KeyObject {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' });
}

function readSignature(line: string): NoteSignature {
  const [, name = '', base64 = ''] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
  const content = fromBase64(base64);
  if (!isKeyName(name) || !content || content.length < 5) throw new NoteRefused('A signature line cannot be read.');
  return { name, id: content.toString('hex', 0, 4), signature: content.subarray(4) };
}

function isNoteText(text: string): boolean {
  return text.endsWith('\n') && !/(?!\n)\p{Cc}/u.test(text) && !/\p{Cs}/u.test(text);
}
