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
  token(claims: Record<string, unknown>): Promise<string>;
  stop(): Promise<void>;
};

const HOUR = 3600;

/** Starts an issuer whose tokens are valid for an hour from `now`. */
export async function startIssuer(now: () => Date): Promise<Issuer> {
  const audience = 'https://jalon.example';
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }];
  const server = createServer((request, response) => {
    const found = request.url?.startsWith('/.well-known/') ? { issuer: url, jwks_uri: `${url}/keys` } : { keys };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(found));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const token = (claims: Record<string, unknown>) => {
    const issued = Math.floor(now().getTime() / 1000);
    return new SignJWT({ iss: url, aud: audience, iat: issued, exp: issued + HOUR, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .sign(privateKey);
  };
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url, audience, env: { OIDC_ISSUER: url, OIDC_AUDIENCE: audience }, token, stop };
}
