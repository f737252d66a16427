import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { startIssuer } from './issuer.ts';
import { opening, refused } from './parties.ts';
import { sendRaw } from './raw.ts';
import { type Running, run } from './running.ts';
import { fact } from './walk.ts';

const AUDIENCE = 'https://jalon.example';
let provider: ChildProcess;
let issuer: string;
let server: Running;
let keys: { privateKey: CryptoKey; publicKey: CryptoKey };
let now = new Date();

async function startProvider(port = 0): Promise<void> {
  provider = fork(fileURLToPath(new URL('./provider.mjs', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  });
  const jwk = { ...(await exportJWK(keys.privateKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
  provider.send({ keys: [jwk], audience: AUDIENCE, port });
  const [answer] = (await once(provider, 'message')) as [{ issuer: string }];
  issuer = answer.issuer;
}

async function stopProvider(): Promise<void> {
  const exit = once(provider, 'exit');
  provider.kill();
  await exit;
}

beforeAll(async () => {
  keys = await generateKeyPair('RS256', { extractable: true });
  await startProvider();
  server = await run({ now: () => now, env: { OIDC_ISSUER: issuer, OIDC_AUDIENCE: AUDIENCE, JALON_RATE: '0' } });
});
afterAll(async () => {
  await server.stop();
  await stopProvider();
  expect(server.alarms).toEqual([]);
});

/** A token that the provider makes for a client, as OAuth 2.0 says (client credentials, resource indicator). */
async function granted(client: string, resource = AUDIENCE): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client}:${encodeURIComponent('a secret of the test only')}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource }),
  });
  const body = (await response.json()) as { access_token: string };
  expect(response.status).toBe(200);
  return body.access_token;
}

const seconds = () => Math.floor(now.getTime() / 1000);

type Crafted = { key?: CryptoKey | Uint8Array; alg?: string; kid?: string; typ?: string };

/** A token made with the provider's own key, or another, with claims that the provider would not put in it. */
function crafted(
  claims: JWTPayload,
  { key = keys.privateKey as CryptoKey | Uint8Array, alg = 'RS256', kid = 'k1', ...header }: Crafted = {},
) {
  const whole = { iss: issuer, aud: AUDIENCE, sub: 'x', exp: seconds() + 60, roles: ['auditeur'], ...claims };
  return new SignJWT(whole).setProtectedHeader({ alg, kid, ...header }).sign(key);
}

const list = (token: string, of = server) => of.call(token, 'GET', '/api/dossiers');

describe('a token of the configured issuer', () => {
  test('is accepted: roles, organisation, name and subject are those of its claims', async () => {
    const charge = await granted('charge');
    const deposit = fact('candidature.deposee');
    const opened = await server.call(charge, 'POST', '/api/dossiers', opening(deposit));
    expect(opened.status).toBe(201);
    expect(opened.body.event.meta.actor).toEqual({
      iss: issuer,
      sub: 'charge',
      role: 'charge-de-qualification',
      nom: 'Tifenn Corre',
    });
    const prestataire = await granted('prestataire');
    const seen = await server.call(prestataire, 'GET', `/api/dossiers/${opened.body.id}`);
    expect(seen.status).toBe(200);
    expect((await server.call(prestataire, 'POST', '/api/dossiers', opening(deposit))).status).toBe(201);
  });

  test('crafted with its key and right claims, is accepted too: what follows is refused for what it says', async () => {
    expect((await list(await crafted({}))).status).toBe(200);
  });

  test.each<[string, () => Promise<string>]>([
    ['made for another service', () => granted('charge', 'https://autre.example')],
    ['for another audience', () => crafted({ aud: 'https://autre.example' })],
    ['for no audience', () => crafted({ aud: undefined as never })],
    ['of another issuer', () => crafted({ iss: 'https://autre.example' })],
    ['of the demonstration issuer', () => crafted({ iss: 'urn:jalon:demonstration' })],
    ['that has expired', () => crafted({ exp: seconds() - 10 })],
    ['that never expires', () => crafted({ exp: undefined as never })],
    ['that is not valid yet', () => crafted({ nbf: seconds() + 60 })],
    ['that was issued in the future', () => crafted({ iat: seconds() + 60 })],
    ['for ten years', () => crafted({ exp: seconds() + 10 * 365 * 86_400 })],
    ['beyond any date', () => crafted({ exp: 1e300 })],
    ['that ends another session', () => crafted({}, { typ: 'logout+jwt' })],
    ['that proves a key', () => crafted({}, { typ: 'dpop+jwt' })],
    ['that says who somebody is', () => crafted({ typ: 'ID' })],
    ['that is for renewing others', () => crafted({ typ: 'Refresh' })],
    ['bound to a key that the caller does not prove', () => crafted({ cnf: { jkt: 'x' } })],
    ['of an organisation whose name reads backwards', () => crafted({ org: 'Nuage\u202eeugaN' })],
    ['of an organisation that does not show', () => crafted({ org: '\u3164' })],
    ['of a name of two lines', () => crafted({ name: 'a\nb' })],
    ['of a subject that no store keeps', () => crafted({ sub: 'a\u0000' })],
    ['bound to a certificate', () => crafted({ cnf: { 'x5t#S256': 'x' } })],
    ['of nobody', () => crafted({ sub: undefined as never })],
    ['of a key with another id', () => crafted({}, { kid: 'k2' })],
    ['signed by another key', async () => crafted({}, { key: (await generateKeyPair('RS256')).privateKey })],
    [
      'signed by its public key as if it were a secret',
      async () => crafted({}, { key: new TextEncoder().encode(await exportSPKI(keys.publicKey)), alg: 'HS256' }),
    ],
    ['without a signature', async () => new UnsecuredJWT({ iss: issuer, aud: AUDIENCE, sub: 'x' }).encode()],
    ['that is none', async () => 'sesame'],
  ])('is refused when it is one %s', async (_, token) => {
    const bearer = await token();
    const answer = await refused(server, 'non-authentifie', () => list(bearer));
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  test('is refused once it has expired, though it was verified before', async () => {
    const token = await crafted({ exp: seconds() + 60 });
    expect((await list(token)).status).toBe(200);
    const before = now;
    // A clock may be ten seconds off.
    now = new Date(now.getTime() + 71_000);
    await refused(server, 'non-authentifie', () => list(token));
    now = before;
  });

  test('without a role it may see nothing', async () => {
    for (const roles of [undefined, [], 'ministre', ['horloge'], 7, { role: 'auditeur' }])
      await refused(server, 'interdit', async () => list(await crafted({ roles })));
  });

  test('is accepted ten seconds early or late, and whatever its type is called', async () => {
    const early = { nbf: seconds() + 9, iat: seconds() + 9 };
    for (const claims of [early, { exp: seconds() - 9 }, { typ: 'Bearer' }, { exp: seconds() + 86_000 }])
      expect((await list(await crafted(claims))).status).toBe(200);
    for (const typ of ['at+jwt', 'application/at+jwt', 'JWT'])
      expect((await list(await crafted({}, { typ }))).status).toBe(200);
  });

  test('the claim of roles may be within another, or have dots in its name', async () => {
    const path = {
      now: () => now,
      env: { OIDC_ISSUER: issuer, OIDC_AUDIENCE: AUDIENCE, OIDC_ROLES_CLAIM: 'resource_access.jalon.fr.roles' },
    };
    const other = await run(path);
    const roles = ['auditeur'];
    for (const claims of [
      { 'resource_access.jalon.fr.roles': roles },
      { resource_access: { 'jalon.fr': { roles } } },
      { resource_access: { jalon: { fr: { roles } } } },
      { 'resource_access.jalon': {}, resource_access: { 'jalon.fr': { roles } } },
    ])
      expect((await list(await crafted({ roles: [], ...claims }), other)).status).toBe(200);
    for (const claims of [{ resource_access: roles }, { resource_access: { jalon: null } }, { resource_access: 'x' }])
      expect((await list(await crafted(claims), other)).status).toBe(403);
    await other.stop();
  });

  test('the claim of roles may have another name', async () => {
    const env = { OIDC_ISSUER: issuer, OIDC_AUDIENCE: AUDIENCE, OIDC_ROLES_CLAIM: 'groups' };
    const other = await run({ now: () => now, env });
    expect((await list(await crafted({ roles: [], groups: ['auditeur'] }), other)).status).toBe(200);
    expect((await list(await crafted({}), other)).status).toBe(403);
    await other.stop();
  });
});

describe('with an issuer the server is no demonstration', () => {
  test('it makes no token, answers under any name, and keeps its measures for an administrateur', async () => {
    await refused(server, 'introuvable', () => server.call(null, 'POST', '/api/demo/token', { role: 'auditeur' }));
    for (const host of ['jalon.example', '[::1]:3000', '10.2.0.7:80'])
      expect((await sendRaw(server.url, 'GET', '/version', { host })).status).toBe(200);
    for (const host of ['a b', 'user@jalon.example', 'jalon.example/x'])
      await refused(server, 'requete-mal-formee', () => sendRaw(server.url, 'GET', '/version', { host }));
    expect((await server.call(null, 'GET', '/version')).body).toMatchObject({ demonstration: false });
    const metrics = (token: string | null) => server.call(token, 'GET', '/metrics');
    await refused(server, 'non-authentifie', () => metrics(null));
    await refused(server, 'interdit', async () => metrics(await crafted({})));
    const { status, text } = await metrics(await crafted({ roles: ['administrateur'] }));
    expect([status, text.includes('jalon_http_request_seconds_bucket')]).toEqual([200, true]);
  });
});

describe('too many requests', () => {
  test('of one caller are answered 429 with the time to wait; the others go on', async () => {
    const env = { OIDC_ISSUER: issuer, OIDC_AUDIENCE: AUDIENCE, JALON_RATE: '5' };
    const limited = await run({ now: () => now, env });
    const [one, two] = [await crafted({ sub: 'un' }), await crafted({ sub: 'deux' })];
    for (let request = 0; request < 5; request += 1) expect((await list(one, limited)).status).toBe(200);
    const answer = await refused(limited, 'trop-de-requetes', () => list(one, limited));
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    // Another token of the same caller does not help.
    await refused(limited, 'trop-de-requetes', async () => list(await crafted({ sub: 'un', jti: '2' }), limited));
    expect((await list(two, limited)).status).toBe(200);
    await limited.stop();
  });
});

describe('a key that the issuer withdraws', () => {
  const minutes = (count: number) => new Date(now.getTime() + count * 60_000);

  test('is believed for five minutes more at most, also for tokens that were verified before; an hour when it is away', async () => {
    const before = now;
    const rotating = await startIssuer(() => now);
    const guarded = await run({ now: () => now, env: { ...rotating.env, JALON_RATE: '0' } });
    const old = await rotating.token({ sub: 'x', roles: ['auditeur'] });
    expect((await list(old, guarded)).status).toBe(200);
    now = minutes(4);
    expect((await list(old, guarded)).status).toBe(200);
    rotating.answers = false;
    now = minutes(10);
    expect((await list(old, guarded)).status).toBe(200);
    rotating.answers = true;
    await rotating.rotate();
    now = minutes(1);
    await refused(guarded, 'non-authentifie', () => list(old, guarded));
    expect((await list(await rotating.token({ sub: 'x', roles: ['auditeur'] }), guarded)).status).toBe(200);

    const last = await rotating.token({ sub: 'x', roles: ['auditeur'], exp: seconds() + 20_000 });
    expect((await list(last, guarded)).status).toBe(200);
    rotating.answers = false;
    now = minutes(61);
    await refused(guarded, 'emetteur-injoignable', () => list(last, guarded), { requestId: expect.any(String) });
    await guarded.stop();
    await rotating.stop();
    now = before;
  });
});

describe('an issuer that does not answer', () => {
  test('503 and when to come back for a token not yet verified; the verified ones and public pages go on', async () => {
    const env = { OIDC_ISSUER: issuer, OIDC_AUDIENCE: AUDIENCE };
    const fresh = await run({ now: () => now, env });
    const [verified, unknown] = [await crafted({ sub: 'a' }), await crafted({ sub: 'b' })];
    expect((await list(verified, server)).status).toBe(200);
    await stopProvider();

    const answer = await refused(fresh, 'emetteur-injoignable', () => list(unknown, fresh), {
      requestId: expect.any(String),
    });
    expect(answer.headers.get('retry-after')).toBe('2');
    expect((await list(verified, server)).status).toBe(200);
    expect((await fresh.call(unknown, 'GET', '/api/workflows')).status).toBe(200);

    await startProvider(Number(new URL(issuer).port));
    expect((await list(unknown, fresh)).status).toBe(200);
    await fresh.stop();
  });
});
