import { createPublicKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { BUNDLE_CHECKS, type BundleReport, type NoteKey, readVerifierKey, verifyBundle } from '@jalon/proof';
import { catalogue } from '@jalon/workflows';
import { visible } from './visible.ts';

/** What is given is no bundle to verify, or no key; the message says what is. */
export class VerificationRefused extends Error {
  override readonly name = 'VerificationRefused';
}

/** What a verification says, for people or for machines, and whether everything holds. */
export type Verified = { ok: boolean; lines: string[]; report: object };

const MARKS = { ok: '✓', limited: '~', failed: '✗' } as const;

/**
 * Verifies a bundle with no network nor database.
 * @param keys each a verifier key (nom+id+base64), or a file: JWK or JWK set, PEM, verifier keys one a line
 * @param witnesses verifier keys of witnesses that must have cosigned the checkpoint
 * @throws VerificationRefused
 */
export function verifyFile(file: string, keys: readonly string[], witnesses: readonly string[] = []): Verified {
  const report = verifyBundle(readText(file), {
    keys: keys.flatMap(readKeys),
    witnesses: witnesses.map(readWitness),
    find: (name, version) => catalogue.find(name, version),
  });
  return { ok: report.ok, lines: linesOf(report), report };
}

function linesOf({ ok, trusted, dossier, facts, checks }: BundleReport): string[] {
  const lines = checks.map(({ check, outcome, says }) => `${MARKS[outcome]} ${BUNDLE_CHECKS[check]} : ${says}`);
  const head = dossier === null ? [] : [`Dossier ${dossier}, ${facts} faits.`];
  const end = !ok
    ? 'Ce fichier ne se vérifie pas : il a été changé, ou signé par une autre clé.'
    : trusted
      ? 'Ce fichier se vérifie.'
      : "Ce fichier se vérifie ; la confiance dans sa clé n'est pas établie.";
  return [...head, ...lines, end].map(visible);
}

/** Bytes as they are: what is not UTF-8 is replaced by nothing, nor is a byte order mark taken away. */
function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new VerificationRefused(`${file} ne peut être lu : ${(cause as Error).message}.`, { cause });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // A replacement character stands for what is no text: the seal tells.
    return bytes.toString('utf8');
  }
}

/** The 32 bytes of each key that is given. */
export function readKeys(given: string): Buffer[] {
  try {
    if (!existsSync(given)) return [readVerifierKey(given).publicKey];
    const text = readFileSync(given, 'utf8').trim();
    if (text.startsWith('{')) {
      const { keys = [JSON.parse(text)] } = JSON.parse(text) as { keys?: { x?: unknown }[] };
      return keys.map(({ x }) => bytesOf({ kty: 'OKP', crv: 'Ed25519', x: String(x) }));
    }
    if (text.startsWith('-----BEGIN')) return [bytesOf(createPublicKey(text).export({ format: 'jwk' }))];
    return text.split(/\s+/).map((line) => readVerifierKey(line).publicKey);
  } catch (cause) {
    throw new VerificationRefused(
      `« ${given} » n'est pas une clé publique : ni clé de vérification (nom+id+base64), ni fichier JWK, JWK set ou PEM d'une clé Ed25519.`,
      { cause },
    );
  }
}

function readWitness(given: string): NoteKey {
  try {
    return readVerifierKey(given, 'cosignature');
  } catch (cause) {
    throw new VerificationRefused(`« ${given} » n'est pas la clé d'un témoin (nom+id+base64, comme il la donne).`, {
      cause,
    });
  }
}

function bytesOf(jwk: { kty?: string; crv?: string; x?: string }): Buffer {
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  if (key.asymmetricKeyType !== 'ed25519') throw new RangeError('No Ed25519 key.');
  return Buffer.from(jwk.x as string, 'base64url');
}
