import type { KeyFile, KeyPair } from './key-file.ts';
import { type NoteKey, type NoteSigner, noteKey } from './note.ts';
import type { ProofStore, StoredKey } from './store.ts';

/** A public key as an element of a JWK set (RFC 7517, RFC 8037). `kid` is the id that signature lines carry. */
export type Jwk = {
  kty: 'OKP';
  crv: 'Ed25519';
  x: string;
  kid: string;
  alg: 'EdDSA';
  use: 'sig';
  /** Name under which it signs: the origin of the log. */
  name: string;
  /** From when, and until when it was the current key (RFC 3339); the current one has no end. */
  since: string;
  until?: string;
};

/** Signing has to wait: this process does not hold the private half of the current key. */
export class KeyNotHeld extends Error {
  override readonly name = 'KeyNotHeld';
}

/** The keys of a log: the private half of the current one in a file of this machine, the public halves with the log. */
export class Keys {
  readonly #made: (id: string) => void;
  /** The id of the log's first key, once it is made here. */
  readonly firstMade: Promise<string>;

  constructor(
    private readonly store: ProofStore,
    private readonly file: KeyFile,
    private readonly clock: () => Date,
  ) {
    let made: (id: string) => void = () => undefined;
    this.firstMade = new Promise((resolve) => {
      made = resolve;
    });
    this.#made = made;
  }

  /**
   * What signs now. A log without any key gets its first one here, made when the file is absent.
   * @throws KeyNotHeld when the file holds another key than the log's current one, or none; KeyFileRefused
   */
  async signer(origin: string): Promise<NoteSigner> {
    const [current] = await this.store.keys();
    if (!current) {
      const first = this.file.read() ?? this.#create(origin);
      if (await this.#publish(null, origin, first)) return signerOf(origin, first);
      return this.signer(origin);
    }
    const held = this.#held(current);
    if (!held)
      throw new KeyNotHeld(
        `${this.file.path} does not hold the log's current key (${current.id}): put it back, or replace it with « jalon keys rotate ».`,
      );
    return signerOf(origin, held);
  }

  /**
   * Replaces the current key by a new one, whose private half takes the place of the old one in the file.
   * @throws KeyFileRefused when it cannot be written; KeyNotHeld when another process replaced it meanwhile
   */
  async rotate(origin: string): Promise<{ previous: NoteSigner | null; current: NoteSigner }> {
    const [before] = await this.store.keys();
    const held = before ? this.#held(before) : null;
    const next = this.file.prepare();
    if (!(await this.#publish(before?.id ?? null, origin, next)))
      throw new KeyNotHeld('Another process replaced the key at the same moment.');
    this.file.promote();
    return { previous: held && signerOf(origin, held), current: signerOf(origin, next) };
  }

  /** The current key under another origin: the same bytes, and another id. @throws KeyNotHeld */
  async renamed(origin: string): Promise<Omit<StoredKey, 'until'>> {
    const [current] = await this.store.keys();
    const held = current && this.#held(current);
    if (!held) throw new KeyNotHeld(`${this.file.path} does not hold the log's current key.`);
    return { ...noteKey(origin, held.publicKey), since: this.clock().toISOString() };
  }

  /** Every key that ever signed, the current one first. */
  async published(): Promise<StoredKey[]> {
    return this.store.keys();
  }

  #create(origin: string): KeyPair {
    const first = this.file.create();
    this.#made(noteKey(origin, first.publicKey).id);
    return first;
  }

  /** The private half of a key, when the file has it; a replacement that a crash interrupted is finished. */
  #held({ publicKey }: StoredKey): KeyPair | null {
    const waiting = this.file.next();
    if (waiting?.publicKey.equals(publicKey)) this.file.promote();
    const held = this.file.read();
    return held?.publicKey.equals(publicKey) ? held : null;
  }

  #publish(previous: string | null, origin: string, { publicKey }: KeyPair): Promise<boolean> {
    const key = noteKey(origin, publicKey);
    return this.store.succeed(previous, { ...key, since: this.clock().toISOString() });
  }
}

/** A stored key as signatures are checked with. */
export function noteKeyOf({ name, id, publicKey }: StoredKey): NoteKey {
  return { name, id, publicKey };
}

/** A public key as it is published. */
export function jwkOf({ id, name, publicKey, since, until }: StoredKey): Jwk {
  return {
    kty: 'OKP',
    crv: 'Ed25519',
    x: publicKey.toString('base64url'),
    kid: id,
    alg: 'EdDSA',
    use: 'sig',
    name,
    since,
    ...(until === null ? {} : { until }),
  };
}

function signerOf(origin: string, { privateKey, publicKey }: KeyPair): NoteSigner {
  return { key: noteKey(origin, publicKey), privateKey };
}
