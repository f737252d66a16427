import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { CursorRefused } from './cursor.ts';
import type { DeliveryStore } from './store.ts';

/** What a cursor goes on with: the pages of a list, or the log. */
export type CursorKind = 'page' | 'place';

const VERSION = 2;
const NONCE = 12;
const TAG = 16;
const KEY = 'curseurs';

/**
 * Cursors as they leave: sealed with a key of the store, so that they tell nothing of the facts that they name (AES-256-GCM).
 * The nonce comes from the text, so that the same place always has the same cursor, or is drawn anew where even that would
 * tell that something happened meanwhile. Without this key, as after an import into an empty folder, none can be opened.
 */
export class CursorSeal {
  #keys: { sealing: Buffer; nonces: Buffer } | undefined;
  #loading: Promise<void> | undefined;

  constructor(private readonly store: Pick<DeliveryStore, 'transact'>) {}

  /** The key is there from then on; made when there is none yet. @throws DeliveriesUnavailable, DeliveriesRefused */
  ready(): Promise<void> {
    if (this.#keys) return Promise.resolve();
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** The sealed text, once `ready`. `fresh`: another each time. */
  seal(kind: CursorKind, text: string, fresh?: 'fresh'): string {
    const { sealing, nonces } = this.#ready();
    const nonce = fresh ? randomBytes(NONCE) : createHmac('sha256', nonces).update(`${kind}\0${text}`).digest();
    const iv = nonce.subarray(0, NONCE);
    const cipher = createCipheriv('aes-256-gcm', sealing, iv).setAAD(boundTo(kind));
    const sealed = [cipher.update(text, 'utf8'), cipher.final()];
    return Buffer.concat([Buffer.of(VERSION), iv, ...sealed, cipher.getAuthTag()]).toString('base64url');
  }

  /** What was sealed, once `ready`. @throws CursorRefused for what this store did not seal, or did for something else */
  open(kind: CursorKind, cursor: string): string {
    const { sealing } = this.#ready();
    const bytes = Buffer.from(cursor, 'base64url');
    if (bytes.length < 1 + NONCE + TAG || bytes[0] !== VERSION || bytes.toString('base64url') !== cursor)
      throw new CursorRefused('This is no cursor.');
    const iv = bytes.subarray(1, 1 + NONCE);
    const decipher = createDecipheriv('aes-256-gcm', sealing, iv, { authTagLength: TAG });
    decipher.setAAD(boundTo(kind)).setAuthTag(bytes.subarray(-TAG));
    try {
      return decipher.update(bytes.subarray(1 + NONCE, -TAG), undefined, 'utf8') + decipher.final('utf8');
    } catch (cause) {
      throw new CursorRefused('This cursor was not given here.', { cause });
    }
  }

  #ready() {
    if (!this.#keys) throw new Error('Cursors are sealed once their key is there.');
    return this.#keys;
  }

  async #load(): Promise<void> {
    const drawn = randomBytes(32).toString('hex');
    const secret = await this.store.transact(async (db) => {
      await db
        .insertInto('secrets')
        .values({ name: KEY, secret: drawn })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute();
      return (await db.selectFrom('secrets').select('secret').where('name', '=', KEY).executeTakeFirstOrThrow()).secret;
    }, 'durable');
    const derived = (use: string) =>
      Buffer.from(hkdfSync('sha256', Buffer.from(secret, 'hex'), '', `jalon ${use}`, 32));
    this.#keys = { sealing: derived('cursors'), nonces: derived('nonces of cursors') };
  }
}

function boundTo(kind: CursorKind): Buffer {
  return Buffer.from(`jalon ${VERSION} ${kind}`);
}
