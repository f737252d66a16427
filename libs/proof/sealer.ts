import { randomUUID, sign } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { KeyNotHeld, type Keys } from './keys.ts';
import { type ProofStore, ProofUnavailable, type Seal } from './store.ts';

/** What a sealer is made of. */
export type SealerParts = {
  store: ProofStore;
  keys: Keys;
  origin: () => Promise<string>;
  /** Whether another process may be the one that holds the key. */
  shared: boolean;
  /** @throws ProofUnavailable while nothing may be sealed: the log does not extend what was signed last */
  assertExtends: () => void;
};

/** How every text that is sealed begins: whoever asks for a seal cannot have a checkpoint signed instead. */
const BEGINNING = '{"bundle":';

/** How often a seal that another process is asked for is looked for, and how long, in milliseconds. */
const LOOK_MS = 100;
const PATIENCE_MS = 6_000;

/** Seals bundles with the log's current key, or has the process that holds it do so. */
export class Sealer {
  constructor(private readonly parts: SealerParts) {}

  /** @throws ProofUnavailable, KeyNotHeld */
  async seal(text: string): Promise<Seal> {
    try {
      return await this.#sign(text);
    } catch (error) {
      if (!this.parts.shared || !(error instanceof KeyNotHeld)) throw error;
      return this.#ask(text);
    }
  }

  /** Seals what other processes ask for. @throws ProofUnavailable, KeyNotHeld */
  async answer(): Promise<void> {
    for (const { id, text } of await this.parts.store.unsealed())
      if (text.startsWith(BEGINNING)) await this.parts.store.giveSeal(id, await this.#sign(text));
      else await this.parts.store.dropSeal(id);
  }

  async #sign(text: string): Promise<Seal> {
    const { keys, origin, assertExtends } = this.parts;
    assertExtends();
    const { key, privateKey } = await keys.signer(await origin());
    return { kid: key.id, signature: sign(null, Buffer.from(text), privateKey).toString('base64') };
  }

  async #ask(text: string): Promise<Seal> {
    const { store } = this.parts;
    const id = randomUUID();
    await store.askSeal(id, text);
    try {
      for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
        await delay(LOOK_MS);
        const seal = await store.sealOf(id);
        if (seal) return seal;
      }
      throw new ProofUnavailable('No process that holds the current key seals now.');
    } finally {
      await store.dropSeal(id);
    }
  }
}
