import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SignJWT, UnsecuredJWT } from 'jose';
import { DEMONSTRATION_ISSUER } from '../apps/api/tokens.ts';
import { faultsAt, lead, parties, refused, type Tokens } from './parties.ts';
import { sendRaw } from './raw.ts';
import { type Running, run } from './running.ts';
import { upTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
let id: string;
let now = new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  id = await lead(server, tokens, upTo('candidature.deposee'));
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const get = (path: string, token: string | null = tokens.charge) => server.call(token, 'GET', path);

describe('a token that is not valid: 401, and how to authenticate', () => {
  const claims = { iss: DEMONSTRATION_ISSUER, sub: 'x', roles: ['charge-de-qualification'] };
  const signed = (key: string) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('2h')
      .sign(new TextEncoder().encode(key));
  const [header = '', body = ''] = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0'.split('.');

  test.each<[string, () => string | null | Promise<string>]>([
    ['none', () => null],
    ['a word', () => 'sesame'],
    ['three parts that are no JWT', () => 'a.b.c'],
    ['one with its signature cut', () => tokens.charge.slice(0, -4)],
    ['one of which the payload was changed', () => tokens.charge.replace(/\.[^.]+\./, `.${body}.`)],
    ['one without signature', () => `${header}.${body}.`],
    ['one signed by another key', () => signed('an entirely different secret of 32 b')],
    ['one of algorithm none', () => new UnsecuredJWT(claims).setExpirationTime('2h').encode()],
  ])('%s', async (_name, token) => {
    const bearer = await token();
    for (const path of ['/api/dossiers', `/api/dossiers/${id}`]) {
      const answer = await refused(server, 'non-authentifie', () => get(path, bearer));
      expect(answer.headers.get('www-authenticate')).toBe(bearer ? 'Bearer error="invalid_token"' : 'Bearer');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  test.each(['Basic dTpw', 'Bearer', 'Bearer  ', 'Bearer a b', 'Bearer é'])(
    'an Authorization header that is « %s »',
    async (authorization) => {
      await refused(server, 'non-authentifie', () =>
        server.call(null, 'GET', '/api/dossiers', undefined, { authorization }),
      );
    },
  );

  test('one that expired, though it was accepted before', async () => {
    const token = await server.token('auditeur', { sub: 'expiring' });
    expect((await get(`/api/dossiers/${id}`, token)).status).toBe(200);
    now = new Date('2025-07-02T18:00:01Z');
    const answer = await refused(server, 'non-authentifie', () => get(`/api/dossiers/${id}`, token));
    expect(answer.body.detail).toMatch(/expiré/);
    now = new Date('2025-07-02T10:00:00Z');
  });

  test('a public page needs none, and is not refused for a wrong one', async () => {
    for (const path of ['/api/workflows', '/version', '/health/live', '/openapi.json'])
      expect((await get(path, 'sesame')).status).toBe(200);
  });
});

describe('a demonstration token', () => {
  test.each<[string, unknown, string]>([
    ['a role that does not exist', { role: 'ministre' }, '/role'],
    ["the clock's role", { role: 'horloge' }, '/role'],
    ['no role', {}, '/role'],
    ['several roles', { role: ['chef-de-bureau', 'directeur-general'] }, '/role'],
    ['a prestataire without an organisation', { role: 'prestataire' }, '/org'],
    ['a centre without an organisation', { role: 'centre-evaluation' }, '/org'],
    ['an unknown field', { role: 'auditeur', exp: 1 }, '/exp'],
    ['nothing', [], ''],
  ])('is not made for %s', async (_name, body, path) => {
    await refused(
      server,
      'proposition-invalide',
      () => server.call(null, 'POST', '/api/demo/token', body),
      faultsAt(path),
    );
  });

  test('says how long it lasts', async () => {
    const { status, body } = await server.call(null, 'POST', '/api/demo/token', { role: 'auditeur' });
    expect(status).toBe(200);
    expect(body).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 28_800 });
  });
});

describe('in demonstration only this machine is answered', () => {
  test.each(['jalon.example', 'evil.example:3000', '127.0.0.1.evil.example', 'localhost@evil.example', '192.168.1.4'])(
    'Host: %s is refused',
    async (host) => {
      for (const path of ['/api/demo/token', '/openapi.json', '/health/live', '/nowhere'])
        await refused(server, 'hote-inconnu', () => sendRaw(server.url, 'GET', path, { host }));
    },
  );

  test.each(['localhost', 'localhost:3000', '127.0.0.1', '[::1]:3000', 'LOCALHOST'])(
    'Host: %s is answered',
    async (host) => {
      expect((await sendRaw(server.url, 'GET', '/version', { host })).status).toBe(200);
    },
  );
});
