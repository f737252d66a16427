import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BODY_LIMIT } from '../apps/api/server.ts';
import { faultsAt, lead, opening, parties, refused, type Tokens } from './parties.ts';
import { sendRaw } from './raw.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, upTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
let id: string;
const now = new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  id = await lead(server, tokens, upTo('candidature.deposee'));
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const { role: _, ...receipt } = fact('candidature.accuse-emis');
const send = (body: unknown, headers: Record<string, string> = {}, path = `/api/dossiers/${id}/facts`) =>
  server.call(tokens.charge, 'POST', path, body, headers);
const get = (path: string, token: string | null = tokens.charge) => server.call(token, 'GET', path);

describe('a header that cannot be read: 400', () => {
  test.each(['7', 'w/"0"', '*, "0"', '"0" "1"', '"0", 1', ',', '"-1"', '"01"', '""', '"zéro"', `"${'9'.repeat(16)}"`])(
    'If-Match: %s',
    async (ifMatch) => {
      await refused(server, 'requete-mal-formee', () => send(receipt, { 'if-match': ifMatch }));
    },
  );

  test.each(['', 'a b', 'clé', 'x'.repeat(256)])('Idempotency-Key: « %s »', async (key) => {
    await refused(server, 'requete-mal-formee', () => send(receipt, { 'idempotency-key': key }));
    await refused(server, 'requete-mal-formee', () =>
      send(opening(fact('candidature.deposee')), { 'idempotency-key': key }, '/api/dossiers'),
    );
  });
});

describe('a revision that is no longer the last: 412', () => {
  // A weak tag is never the same as a strong one (RFC 9110, section 13.1.1).
  test.each(['"1"', '"28"', '"999999999999999"', 'W/"0"', '"1", W/"0",', '"3","7"'])(
    'If-Match: %s',
    async (ifMatch) => {
      await refused(server, 'revision-depassee', () => send(receipt, { 'if-match': ifMatch }), { revision: 0 });
    },
  );
});

describe('a condition that the dossier meets', () => {
  test.each(['"0"', '*', '"7", "0"', ',W/"0" , "0"'])(
    'If-Match: %s goes on to what is refused next',
    async (ifMatch) => {
      const unexpected = { type: 'candidature.refusee', data: { motifs: ['Hors champ.'] } };
      expect((await send(unexpected, { 'if-match': ifMatch })).status).toBe(409);
    },
  );
});

describe('a body too large: 413', () => {
  const large = JSON.stringify({ ...receipt, data: { reference: 'x'.repeat(BODY_LIMIT) } });

  test('announced by its length', async () => {
    await refused(server, 'trop-volumineux', () => send(large));
    await refused(server, 'trop-volumineux', () => server.call(null, 'POST', '/api/demo/token', large));
  });

  test('in chunks, of which the length is not announced', async () => {
    await refused(server, 'trop-volumineux', () =>
      sendRaw(
        server.url,
        'POST',
        `/api/dossiers/${id}/facts`,
        {
          authorization: `Bearer ${tokens.charge}`,
          'content-type': 'application/json',
          'transfer-encoding': 'chunked',
        },
        large,
      ),
    );
  });

  test('of exactly the limit, it is read', async () => {
    const frame = JSON.stringify({ ...receipt, data: { reference: '' } });
    const exact = frame.replace('""', `"${'x'.repeat(BODY_LIMIT - frame.length)}"`);
    expect(exact).toHaveLength(BODY_LIMIT);
    await refused(server, 'proposition-invalide', () => send(exact), faultsAt('/data/reference'));
  });
});

describe('a body that is not JSON by its type: 415', () => {
  test.each(['text/plain', 'application/xml', 'application/jsonp', 'multipart/form-data; boundary=x', 'nonsense', ''])(
    'Content-Type: « %s »',
    async (contentType) => {
      await refused(server, 'type-de-contenu', () => send(receipt, { 'content-type': contentType }));
    },
  );

  test('none', async () => {
    const authorization = `Bearer ${tokens.charge}`;
    await refused(server, 'type-de-contenu', () =>
      sendRaw(server.url, 'POST', `/api/dossiers/${id}/facts`, { authorization }, JSON.stringify(receipt)),
    );
  });

  test('with a charset, it is read', async () => {
    const { status } = await send({ type: 'rien' }, { 'content-type': 'application/json; charset=utf-8' });
    expect(status).toBe(422);
  });
});

describe('a body that is not there, though its type is named', () => {
  test('is none, where none is needed', async () => {
    const made = await server.call(tokens.charge, 'POST', '/api/calendar-tokens', '');
    expect(made.status).toBe(201);
    const revoked = await server.call(tokens.charge, 'DELETE', `/api/calendar-tokens/${made.body.id}`, '');
    expect(revoked.status).toBe(204);
    expect((await server.call(null, 'GET', '/version')).status).toBe(200);
  });
});

describe('a path of which some letters are percent-encoded for nothing', () => {
  test('is the same path', async () => {
    const encoded = `/%61pi/dossier%73/%${id.charCodeAt(0).toString(16)}${id.slice(1)}`;
    const [plain, same] = [await get(`/api/dossiers/${id}`), await get(encoded)];
    expect([same.status, same.body]).toEqual([200, plain.body]);
    for (const name of ['cache-control', 'content-security-policy', 'etag'])
      expect(same.headers.get(name)).toBe(plain.headers.get(name));
    await refused(server, 'non-authentifie', () => get(encoded, null));
    const wrong = await refused(server, 'methode-non-permise', () => server.call(null, 'PATCH', '/api/dossier%73'));
    expect(wrong.headers.get('allow')).toBe('GET, HEAD, POST');
  });
});

describe('an address that cannot be read: 400', () => {
  test.each([
    '/api/dossiers/7',
    '/api/dossiers/00000000-0000-4000-8000-00000000000G',
    '/api/dossiers/00000000-0000-4000-8000-00000000000A',
    `/api/dossiers/${'a'.repeat(400)}`,
    '/api/dossiers/%2e%2e%2f',
    '/api/dossiers/%zz',
    '/api/dossiers/%ff',
    '/%ff',
    '/api/dossiers/%',
    '/api/dossiers?jalons=J0',
    '/api/dossiers?jalon=J0&jalon=J1',
    '/api/dossiers?__proto__=1',
    '/api/dossiers?waiting=you',
    ...['0', '201', '-1', '1.5', 'x', '', '1e2'].map((limit) => `/api/dossiers?limit=${limit}`),
    ...['name', '', '--offre', '__proto__', 'constructor'].map((sort) => `/api/dossiers?sort=${sort}`),
    ...['x', 'bnVsbA', 'WyJvZmZyZSIsIngiLCJ5Il0'].map((cursor) => `/api/dossiers?cursor=${cursor}`),
    '/api/dossiers?min-position=-1',
    ...['%00', '%E2%80%AE', 'a%0Ab', '%EF%BF%BF', '%zz', '%ED%A0%80', '%C3', 'a%C2%85'].map(
      (q) => `/api/dossiers?q=${q}`,
    ),
    ...['prestataire', 'charge', 'centre', 'referentiel'].map((name) => `/api/dossiers?${name}=a%00b`),
    ...['jalon=J9', 'state=inconnu', 'workflow=pascalcloud', 'jalon='].map((query) => `/api/dossiers?${query}`),
    '/api/findings?exigence=%00',
    '/api/deadlines?before=2025-13-01',
    '/api/deadlines?jalon=%00',
    '/api/feed?types=j0.*%00',
    '/api/feed?wait=31',
    '/api/deadlines.ics?token=%00',
    '/api/workflows/%00/1',
    '/api/workflows/secnumcloud/1/facts/j0%0A',
    '/problems/%1b',
    '/api/workflows?x=1',
    '/health/live?verbose=1',
  ])('%s', async (path) => {
    await refused(server, 'requete-mal-formee', () => get(path));
  });

  test.each(['?after=-1', '?after=x', '?after=', '?after=1&after=2', '?limit=0', '?limit=201', '?depuis=1'])(
    'the history with %s',
    async (query) => {
      await refused(server, 'requete-mal-formee', () => get(`/api/dossiers/${id}/facts${query}`));
    },
  );

  test.each(['?x=1', '?dry-run=true'])('a proposal with %s', async (query) => {
    await refused(server, 'requete-mal-formee', () => send(receipt, {}, `/api/dossiers/${id}/facts${query}`));
    await refused(server, 'requete-mal-formee', () => send({}, {}, `/api/dossiers${query}`));
  });
});

describe('an address where there is nothing: 404, or 405 with what there is', () => {
  test.each([
    '/api',
    '/api/dossier',
    '/api/dossiers/',
    '/nowhere',
    '/api/workflows/secnumcloud/9',
    '/api/workflows/__proto__/1',
    '/api/workflows/secnumcloud/1/facts/constructor',
    '/api/workflows/secnumcloud/01',
    '/problems/inconnu',
    '/problems/constructor',
  ])('GET %s', async (path) => {
    await refused(server, 'introuvable', () => get(path));
  });

  test.each<[string, string, string]>([
    ['DELETE', '/api/dossiers', 'GET, HEAD, POST'],
    ['PUT', '/api/dossiers?x=1', 'GET, HEAD, POST'],
    ['PATCH', '/api/dossiers/7', 'GET, HEAD'],
    ['POST', '/api/workflows', 'GET, HEAD'],
    ['GET', '/api/demo/token', 'POST'],
    ['OPTIONS', '/health/live', 'GET, HEAD'],
  ])('%s %s', async (method, path, allow) => {
    const answer: Answer = await refused(server, 'methode-non-permise', () => server.call(null, method, path));
    expect(answer.headers.get('allow')).toBe(allow);
  });

  test('HEAD answers what GET does, without a body', async () => {
    for (const path of ['/version', `/api/dossiers/${id}`]) {
      const headers = { authorization: `Bearer ${tokens.charge}` };
      const got = await fetch(server.url + path, { headers });
      const head = await fetch(server.url + path, { method: 'HEAD', headers });
      expect([head.status, head.headers.get('etag')]).toEqual([got.status, got.headers.get('etag')]);
      expect(await head.text()).toBe('');
    }
  });
});

describe('another organisation’s dossier', () => {
  test('is not there', async () => {
    await refused(server, 'introuvable', () => get(`/api/dossiers/${id}`, tokens.autre));
  });
});
