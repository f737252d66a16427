import { decodeJwt } from 'jose';
import { OidcClient, WebStorageStateStore } from 'oidc-client-ts';
import type { Session } from './session.ts';

/** How this server's tokens are had: the issuer, and what the console is to it. */
export type Login = { issuer: string; clientId: string; audience: string; rolesClaim: string };

const KEPT = 'jalon.connexion';

/** Authorization code with PKCE (RFC 7636), the token asked for this API alone (RFC 8707). */
function clientOf({ issuer, clientId, audience }: Login): OidcClient {
  return new OidcClient({
    authority: issuer,
    client_id: clientId,
    redirect_uri: `${location.origin}/retour`,
    response_type: 'code',
    scope: 'openid profile',
    resource: audience,
    stateStore: new WebStorageStateStore({ store: sessionStorage }),
  });
}

/** Leaves for the identity provider; `/retour` comes back to `wanted`. */
export async function leaveForLogin(login: Login, wanted: string): Promise<void> {
  sessionStorage.setItem(KEPT, JSON.stringify(login));
  const { url } = await clientOf(login).createSigninRequest({ state: wanted });
  location.assign(url);
}

/** The session that the identity provider's answer gives, and where one was going. @throws when the answer gives none */
export async function comeBack(address: string): Promise<{ session: Omit<Session, 'id'>; wanted: string }> {
  const kept = sessionStorage.getItem(KEPT);
  if (kept === null) throw new Error('Cette connexion n’a pas été demandée dans cet onglet : recommencez.');
  const login = JSON.parse(kept) as Login;
  const answer = await clientOf(login).processSigninResponse(address);
  sessionStorage.removeItem(KEPT);
  // The API verifies the token; here it only says whom to greet.
  const claims = decodeJwt<Record<string, unknown>>(answer.access_token);
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  const session = {
    token: answer.access_token,
    expiresAt: (claims.exp as number) * 1000,
    roles: [claimAt(claims, login.rolesClaim)].flat().filter((role): role is string => typeof role === 'string'),
    iss: String(claims.iss),
    sub: String(claims.sub),
    org: text(claims.org),
    nom: text(claims.name) ?? text(answer.profile.name),
  };
  return { session, wanted: text(answer.userState) ?? '/' };
}

/** A claim by its name, or else by the path that its dots make of it (`realm_access.roles`). */
function claimAt(claims: Record<string, unknown>, name: string): unknown {
  if (name in claims) return claims[name];
  return name
    .split('.')
    .reduce<unknown>((within, step) => (within as Record<string, unknown> | undefined)?.[step], claims);
}
