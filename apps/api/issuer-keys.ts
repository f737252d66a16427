import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';

/** The issuer cannot be reached to check a token. */
export class IssuerUnreachable extends Error {
  override readonly name = 'IssuerUnreachable';
}

/** Asked for again after so long, in milliseconds: a key that the issuer withdrew is believed no longer. */
const FRESH_MS = 5 * 60_000;

/** Believed for so long at most while the issuer does not answer; beyond, nobody could say which it withdrew. */
const BELIEVED_MS = 60 * 60_000;

/** Between two questions to an issuer that does not answer. */
const PAUSE_MS = 30_000;

const PATIENCE_MS = 5000;

/** Public keys, and until when they need not be asked for again, in milliseconds of Unix time. */
export type Keys = { find: JWTVerifyGetKey; freshUntil: number };

/** The public keys of an OpenID Connect issuer, as its discovery document leads to them. */
export class IssuerKeys {
  #keys: (Keys & { at: number }) | undefined;
  #asking: Promise<void> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly issuer: string,
    private readonly clock: () => Date,
  ) {}

  /** The keys as of a few minutes ago at most, or longer while the issuer is away. @throws IssuerUnreachable */
  async current(): Promise<Keys> {
    const now = this.clock().getTime();
    const keys = this.#keys;
    if (keys && now < keys.freshUntil) return keys;
    const believed = keys && now - keys.at < BELIEVED_MS ? keys : undefined;
    if (believed && !this.#asking && Math.abs(now - this.#askedAt) < PAUSE_MS) return believed;
    this.#asking ??= this.#ask(now).finally(() => {
      this.#asking = undefined;
    });
    try {
      await this.#asking;
    } catch (fault) {
      if (!believed) throw fault;
    }
    return this.#keys as Keys;
  }

  async #ask(now: number): Promise<void> {
    this.#askedAt = now;
    try {
      const options = { cacheMaxAge: Number.POSITIVE_INFINITY, timeoutDuration: PATIENCE_MS };
      const find = createRemoteJWKSet(new URL(await jwksUri(this.issuer)), options);
      await find.reload();
      this.#keys = { find, at: now, freshUntil: now + FRESH_MS };
    } catch (cause) {
      throw new IssuerUnreachable("L'émetteur des jetons ne répond pas.", { cause });
    }
  }
}

async function jwksUri(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}.`);
  const { jwks_uri, issuer: named } = (await response.json()) as { jwks_uri?: string; issuer?: string };
  if (jwks_uri === undefined || named !== issuer) throw new Error(`${url} is not the document of ${issuer}.`);
  return jwks_uri;
}
