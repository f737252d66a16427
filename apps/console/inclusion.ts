import { sha256 } from '@noble/hashes/sha2.js';
import type { HistoryItem } from './reading.ts';

/** What this browser verifies by itself of a dossier; the rest takes the bundle and the command line. */

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const fromBase64 = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const toBase64 = (of: Uint8Array) => btoa(String.fromCharCode(...of));
const hashed = (...parts: Uint8Array[]) => {
  const hash = sha256.create();
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** How many facts in a row name the digest of the one before; the first that does not, by its revision. */
export function chainOf(history: readonly HistoryItem[]): { links: number; broken: number | null } {
  let links = 0;
  let before: string | null = null;
  for (const item of history) {
    // A withheld fact shows its own digest alone: the next one must still name it.
    const previous = 'withheld' in item ? before : item.meta.previousHash;
    if (previous !== before) return { links, broken: item.revision };
    if (before !== null && !('withheld' in item)) links += 1;
    before = 'withheld' in item ? item.hash : item.meta.hash;
  }
  return { links, broken: null };
}

/** A signed note (C2SP): where the tree comes from, its size and root, and who signed what. */
export type Note = {
  origin: string;
  size: number;
  /** Base64. */
  root: string;
  signed: string;
  signatures: { name: string; key: string; signature: Uint8Array<ArrayBuffer> }[];
};

export function noteOf(text: string): Note {
  const [signed = '', lines = ''] = text.split('\n\n');
  const [origin = '', size = '', root = ''] = signed.split('\n');
  const signatures = lines.split('\n').flatMap((line) => {
    const [, name, encoded] = /^— (\S+) (\S+)$/.exec(line) ?? [];
    if (!name || !encoded) return [];
    const all = fromBase64(encoded);
    const key = [...all.slice(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return [{ name, key, signature: all.slice(4) }];
  });
  return { origin, size: Number(size), root, signed: `${signed}\n`, signatures };
}

/** The root that an entry leads to by its path (RFC 9162, section 2.1.3.2), in base64; null when the path cannot be right. */
export function rootOf(entry: string, leafIndex: number, treeSize: number, path: readonly string[]): string | null {
  if (leafIndex >= treeSize) return null;
  let [fn, sn] = [leafIndex, treeSize - 1];
  let root = hashed(new Uint8Array([0]), bytes(entry));
  for (const hex of path) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      root = hashed(new Uint8Array([1]), bytes(hex), root);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else root = hashed(new Uint8Array([1]), root, bytes(hex));
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? toBase64(root) : null;
}

/** Whether one of these keys signed a note; null when this browser does not know Ed25519. */
export async function isSigned(note: Note, keys: readonly JsonWebKey[]): Promise<boolean | null> {
  for (const jwk of keys) {
    const found = note.signatures.find(({ key }) => key === (jwk as { kid?: string }).kid);
    if (!found) continue;
    try {
      const { kty, crv, x } = jwk as { kty: string; crv: string; x: string };
      const key = await crypto.subtle.importKey('jwk', { kty, crv, x }, 'Ed25519', false, ['verify']);
      if (await crypto.subtle.verify('Ed25519', key, found.signature, new TextEncoder().encode(note.signed)))
        return true;
    } catch {
      return null;
    }
  }
  return false;
}
