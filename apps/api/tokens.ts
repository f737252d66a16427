import { randomBytes } from 'node:crypto';
import type { Caller } from '@jalon/engine';
import { unseenIn } from '@jalon/flow';
import { errors, type JWTPayload, type JWTVerifyResult, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Config } from './config.ts';
import { IssuerKeys, IssuerUnreachable } from './issuer-keys.ts';

/** The token is missing, expired, not for us, or not signed by the issuer. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  constructor(
    message: string,
    /** What the log of accesses keeps of it beside. */
    readonly about: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

/** The issuer of demonstration tokens. */
export const DEMONSTRATION_ISSUER = 'urn:jalon:demonstration';
const DEMONSTRATION_HOURS = 8;

// Asymmetric signatures only: with a shared secret whoever can check a token could make one.
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

// The clock's own actor: no token ever carries its role.
const NEVER_IN_A_TOKEN = 'horloge';

/** How far two clocks may be apart, in seconds (FAPI 2.0 Security Profile, section 5.3.2.1). */
const SKEW = 10;

/** No token lives longer, in seconds: what is stolen is of no use tomorrow. */
const LONGEST = 24 * 3600;

/** OpenID Connect Core, section 2: a subject has at most so many characters; nor has a name of anything more here. */
const LONGEST_CLAIM = 255;

// RFC 8725, section 3.11: what the same issuer signs for another purpose is no access token (RFC 9068, section 2.1).
const ACCESS_TOKEN = /^(application\/)?(at\+)?jwt$/i;
const OTHER_PURPOSES = new Set(['id', 'refresh', 'offline', 'logout']);

/** `again`: when its signature is to be checked anew, in milliseconds of Unix time. */
type Checked = { payload: JWTPayload; again: number };
type Verify = (token: string) => Promise<Checked>;

/** Who calls, and when the token expires, in milliseconds of Unix time. */
export type Verified = { caller: Caller; until: number };

/** Verifies tokens, and makes them in demonstration mode. A verified token is remembered until it expires. */
export class Tokens {
  readonly #verified = new LRUCache<string, Verified & { again: number }>({ max: 10_000 });
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
    const known = this.#verified.get(token);
    const now = this.clock().getTime();
    if (known && known.until > now && known.again > now) return known;
    try {
      const { payload, again } = await this.#checked(token);
      const verified = { caller: this.#callerOf(payload), until: (payload.exp as number) * 1000, again };
      this.#verified.set(token, verified);
      return verified;
    } catch (fault) {
      if (fault instanceof TokenRefused) this.#verified.delete(token);
      throw fault;
    }
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

  async #checked(token: string): Promise<Checked> {
    try {
      return await this.#verify(token);
    } catch (fault) {
      if (fault instanceof TokenRefused || fault instanceof IssuerUnreachable) throw fault;
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
    for (const [claim, text] of Object.entries({ sub, org, name })) {
      const fault = typeof text === 'string' && text !== '' ? unseenIn(text, { lines: false }) : undefined;
      if (fault !== undefined) throw new TokenRefused(`Le jeton ne peut être lu (${claim}). ${fault}`);
      if (typeof text === 'string' && text.length > LONGEST_CLAIM)
        throw new TokenRefused(`Le jeton ne peut être lu (${claim}) : au plus ${LONGEST_CLAIM} caractères.`);
    }
    const claimed = claimAt(claims, this.config.OIDC_ROLES_CLAIM);
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
      const verified = await jwtVerify(token, this.#secret, { ...options, requiredClaims: ['exp', 'sub'] });
      return { payload: this.#accessToken(verified), again: Number.POSITIVE_INFINITY };
    };
  }

  #openIdConnect(issuer: string): Verify {
    const keys = new IssuerKeys(issuer, this.clock);
    return async (token) => {
      const { find, freshUntil } = await keys.current();
      const verified = await jwtVerify(token, find, {
        issuer,
        audience: this.config.OIDC_AUDIENCE as string,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: SKEW,
        currentDate: this.clock(),
      });
      return { payload: this.#accessToken(verified), again: freshUntil };
    };
  }

  /** What a verified JWT claims, when it is a token for this API and for whoever bears it. @throws TokenRefused */
  #accessToken({
    protectedHeader: { typ },
    payload,
  }: Pick<JWTVerifyResult, 'protectedHeader' | 'payload'>): JWTPayload {
    const now = this.clock().getTime() / 1000;
    const { exp, iat, cnf } = payload;
    const purpose = String(payload.typ ?? 'bearer').toLowerCase();
    if ((typ !== undefined && !ACCESS_TOKEN.test(String(typ))) || OTHER_PURPOSES.has(purpose))
      throw new TokenRefused("Ce jeton n'est pas un jeton d'accès.");
    // Nothing here proves that the caller holds that key (RFC 7800, RFC 8705, RFC 9449).
    if (cnf !== undefined)
      throw new TokenRefused('Ce jeton est lié à une clé que la requête ne prouve pas : demandez un jeton au porteur.');
    if ((exp as number) > now + LONGEST + SKEW)
      throw new TokenRefused('Ce jeton vaut pour plus de vingt-quatre heures : demandez-en un plus court.');
    if (typeof iat === 'number' && iat > now + SKEW) throw new TokenRefused("Ce jeton n'est pas encore valable.");
    return payload;
  }
}

/**
 * A claim by its name, or by a path of names (`realm_access.roles`); a name that holds dots itself comes first, since
 * claims may be named as addresses are (`https://exemple.fr/roles`).
 */
function claimAt(claims: unknown, path: string): unknown {
  if (typeof claims !== 'object' || claims === null) return undefined;
  if (Object.hasOwn(claims, path)) return (claims as Record<string, unknown>)[path];
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    const name = path.slice(0, dot);
    if (!Object.hasOwn(claims, name)) continue;
    const found = claimAt((claims as Record<string, unknown>)[name], path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}
