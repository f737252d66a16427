import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** A private key, and the 32 bytes of its public half. */
export type KeyPair = { privateKey: KeyObject; publicKey: Buffer };

/** The key file cannot be used, and why, in a sentence for who runs the product. */
export class KeyFileRefused extends Error {
  override readonly name = 'KeyFileRefused';
}

/** Read and written by its owner only. */
const OWNER_ONLY = 0o600;

/**
 * The private key of a log on this machine: an Ed25519 key in PEM (PKCS #8, RFC 8410) that only its owner may read.
 * While a key is being replaced, the next one waits beside it, so that no crash leaves a log without its current key.
 */
export class KeyFile {
  readonly #next: string;

  constructor(readonly path: string) {
    this.#next = `${path}.suivante`;
  }

  /** The key, null when there is none. @throws KeyFileRefused */
  read(): KeyPair | null {
    return readKey(this.path);
  }

  /** The key that waits to replace it, null when none does. @throws KeyFileRefused */
  next(): KeyPair | null {
    return readKey(this.#next);
  }

  /** Makes a first key. @throws KeyFileRefused */
  create(): KeyPair {
    const pair = this.prepare();
    this.promote();
    return pair;
  }

  /** Makes the next key, which waits. @throws KeyFileRefused */
  prepare(): KeyPair {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      rmSync(this.#next, { force: true });
      const file = openSync(this.#next, 'wx', OWNER_ONLY);
      writeSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }) as string);
      fsyncSync(file);
      closeSync(file);
    } catch (cause) {
      throw new KeyFileRefused(`No key can be written to ${this.#next}: ${(cause as Error).message}.`, { cause });
    }
    return { privateKey, publicKey: rawOf(publicKey) };
  }

  /** Puts the next key in the place of the present one, which is gone. @throws KeyFileRefused */
  promote(): void {
    try {
      renameSync(this.#next, this.path);
      const folder = openSync(dirname(this.path), 'r');
      fsyncSync(folder);
      closeSync(folder);
    } catch (cause) {
      throw new KeyFileRefused(`${this.path} cannot be replaced: ${(cause as Error).message}.`, { cause });
    }
  }
}

function readKey(path: string): KeyPair | null {
  if (!existsSync(path)) return null;
  try {
    // Of others than the owner's group: secrets that an orchestrator mounts are often its group's.
    if ((statSync(path).mode & 0o007) !== 0)
      throw new KeyFileRefused(`${path} may be read by every user of this machine: chmod 600 it, and rotate the key.`);
    const privateKey = createPrivateKey(readFileSync(path));
    if (privateKey.asymmetricKeyType !== 'ed25519') throw new KeyFileRefused(`${path} holds no Ed25519 key.`);
    return { privateKey, publicKey: rawOf(createPublicKey(privateKey)) };
  } catch (cause) {
    if (cause instanceof KeyFileRefused) throw cause;
    throw new KeyFileRefused(`${path} cannot be read as a private key: ${(cause as Error).message}.`, { cause });
  }
}

function rawOf(publicKey: KeyObject): Buffer {
  return Buffer.from(publicKey.export({ format: 'jwk' }).x as string, 'base64url');
}
