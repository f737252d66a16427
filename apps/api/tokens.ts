import { randomBytes } from 'node:crypto';
import type { Caller } from '@jalon/engine';
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Config } from './config.ts';

/** The token is missing, expired, not for us, or not signed by the issuer. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
}

/** The issuer cannot be reached to check a token. */
export class IssuerUnreachable extends Error {
  override readonly name = 'IssuerUnreachable';
}

/** The issuer of demonstration tokens. */
export const DEMONSTRATION_ISSUER = 'urn:jalon:demonstration';
const DEMONSTRATION_HOURS = 8;

// Asymmetric signatures only: with a shared secret whoever can check a token could make one.
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

// The clock's own actor: no token ever carries its role.
const NEVER_IN_A_TOKEN = 'horloge';

type Verify = (token: string) => Promise<JWTPayload>;

/** Who calls, and when the token expires, in milliseconds of Unix time. */
export type Verified = { caller: Caller; until: number };

/** Verifies tokens, and makes them in demonstration mode. A verified token is remembered until it expires. */
export class Tokens {
  readonly #verified = new LRUCache<string, Verified>({ max: 10_000 });
  readonly #verify: Verify;
  readonly #secret = randomBytes(32);

  constructor(
    private readonly config: Config,
    private readonly clock: () => Date,
  ) {
    this.#verify = config.OIDC_ISSUER === undefined ? this.#demonstration() : this.#openIdConnect(config.OIDC_ISSUER);
  }

  /** Who a token says is calling, when it was verified before and has not expired since. */
  known(token: string): Verified | undefined {
    const known = this.#verified.get(token);
    return known && known.until > this.clock().getTime() ? known : undefined;
  }

  /**
   * Who a token says is calling, and when it expires, in milliseconds of Unix time.
   * @throws TokenRefused, IssuerUnreachable
   */
  async verified(token: string): Promise<Verified> {
    const known = this.known(token);
    if (known) return known;
    const claims = await this.#claims(token);
    const verified = { caller: this.#callerOf(claims), until: (claims.exp as number) * 1000 };
    this.#verified.set(token, verified);
    return verified;
  }

  /** A demonstration token for a role. */
  async demonstrationToken(role: string, sub: string, nom?: string, org?: string) {
    const claims = { [this.config.OIDC_ROLES_CLAIM]: [role], ...(nom ? { name: nom } : {}), ...(org ? { org } : {}) };
    const issued = Math.floor(this.clock().getTime() / 1000);
    const access_token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(DEMONSTRATION_ISSUER)
      .setSubject(sub)
      .setIssuedAt(issued)
      .setExpirationTime(issued + DEMONSTRATION_HOURS * 3600)
      .sign(this.#secret);
    return { access_token, token_type: 'Bearer', expires_in: DEMONSTRATION_HOURS * 3600 };
  }

  async #claims(token: string): Promise<JWTPayload> {
    try {
      return await this.#verify(token);
    } catch (fault) {
      if (fault instanceof errors.JWTExpired) throw new TokenRefused('Le jeton a expiré : demandez-en un nouveau.');
      // jose's bare JOSEError: the key set was answered with something else than 200 and JSON.
      const answered = fault instanceof errors.JOSEError && fault.code !== errors.JOSEError.code;
      if (!answered || fault instanceof errors.JWKSTimeout)
        throw new IssuerUnreachable("L'émetteur des jetons ne répond pas.", { cause: fault });
      throw new TokenRefused("Le jeton n'est pas valable ici.");
    }
  }

  #callerOf(claims: JWTPayload): Caller {
    const { iss, sub, org, name } = claims;
    if (typeof iss !== 'string' || typeof sub !== 'string' || sub === '')
      throw new TokenRefused('Le jeton ne dit pas qui appelle (iss, sub).');
    const claimed = claims[this.config.OIDC_ROLES_CLAIM];
    const roles = (Array.isArray(claimed) ? claimed : [claimed]).filter(
      (role): role is string => typeof role === 'string' && role !== NEVER_IN_A_TOKEN,
    );
    return {
      iss,
      sub,
      roles,
      ...(typeof org === 'string' && org !== '' ? { org } : {}),
      ...(typeof name === 'string' && name !== '' ? { name } : {}),
    };
  }

  #demonstration(): Verify {
    return async (token) => {
      const options = { issuer: DEMONSTRATION_ISSUER, algorithms: ['HS256'], currentDate: this.clock() };
      return (await jwtVerify(token, this.#secret, { ...options, requiredClaims: ['exp', 'sub'] })).payload;
    };
  }

  #openIdConnect(issuer: string): Verify {
    let keys: ReturnType<typeof createRemoteJWKSet> | undefined;
    return async (token) => {
      keys ??= createRemoteJWKSet(new URL(await jwksUri(issuer)));
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience: this.config.OIDC_AUDIENCE as string,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: 5,
        currentDate: this.clock(),
      });
      return payload;
    };
  }
}

async function jwksUri(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new IssuerUnreachable(`${url} answers ${response.status}.`);
  const { jwks_uri, issuer: named } = (await response.json()) as { jwks_uri?: string; issuer?: string };
  if (jwks_uri === undefined || named !== issuer)
    throw new IssuerUnreachable(`${url} is not the document of ${issuer}.`);
  return jwks_uri;
}
