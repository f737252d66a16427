import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** An OpenID Connect issuer of ours on loopback: discovery, keys, and tokens with whatever claims a test needs. */
export type Issuer = {
  url: string;
  audience: string;
  /** What a server is configured with to trust it. */
  env: Record<string, string>;
  token(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** Signs with another key from now on, and publishes the old one no more. */
  rotate(): Promise<void>;
  /** Whether it answers; it may be away for a while. */
  answers: boolean;
  stop(): Promise<void>;
};

const HOUR = 3600;

/** Starts an issuer whose tokens are valid for an hour from `now`. */
export async function startIssuer(now: () => Date): Promise<Issuer> {
  const audience = 'https://jalon.example';
  let made = 0;
  const makeKey = async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    made += 1;
    const kid = `k${made}`;
    return { privateKey, kid, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
  };
  let key = await makeKey();
  const server = createServer((request, response) => {
    if (!issuer.answers) return void response.destroy();
    const keys = [key.jwk];
    const found = request.url?.startsWith('/.well-known/') ? { issuer: url, jwks_uri: `${url}/keys` } : { keys };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(found));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const token: Issuer['token'] = (claims, header = {}) => {
    const issued = Math.floor(now().getTime() / 1000);
    return new SignJWT({ iss: url, aud: audience, iat: issued, exp: issued + HOUR, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: key.kid, ...header })
      .sign(key.privateKey);
  };
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  const rotate = async () => {
    key = await makeKey();
  };
  const env = { OIDC_ISSUER: url, OIDC_AUDIENCE: audience };
  const issuer: Issuer = { url, audience, env, token, rotate, answers: true, stop };
  return issuer;
}
