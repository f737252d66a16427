import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { faultsAt, lead, opening, parties, refused, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { EXAMPLES, fact, OTHER, upTo, wayTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
let id: string;
let auditing: string;
const now = new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  id = await lead(server, tokens, upTo('candidature.deposee'));
  auditing = await lead(server, tokens, upTo('j2.audit-ouvert'));
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const send = (body: unknown, dossier = id, headers = {}): Promise<Answer> =>
  server.call(tokens.charge, 'POST', `/api/dossiers/${dossier}/facts`, body, headers);
const open = (body: unknown): Promise<Answer> => server.call(tokens.charge, 'POST', '/api/dossiers', body);

/** The example opening with something else at a place of its payload. */
const withData = (changes: Record<string, unknown>) => opening(fact('candidature.deposee', changes));
const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('a body that cannot be read', () => {
  test.each<[string, string | Buffer]>([
    ['malformed JSON', '{"type": "candidature.accuse-emis", "data": '],
    ['nothing', ''],
    ['a trailing comma', '{"type": "candidature.accuse-emis",}'],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0x74, 0x22, 0x3a, 0x22, 0xc3, 0x28, 0x22, 0x7d])],
    ['UTF-16', Buffer.from('{"type":"candidature.accuse-emis"}', 'utf16le')],
    ['a raw control character in a string', '{"type":"candidature.accuse-emis","data":{"reference":"a\u0001b"}}'],
  ])('%s: 400', async (_, body) => {
    await refused(server, 'requete-mal-formee', async () => {
      const response = await fetch(`${server.url}/api/dossiers/${id}/facts`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tokens.charge}`, 'content-type': 'application/json' },
        body: body as string,
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: JSON.parse(text), text };
    });
  });
});

describe('a proposal of the wrong form: 422, every fault at once, by its path', () => {
  const receipt = (data: unknown, around = {}) => ({ type: 'candidature.accuse-emis', data, ...around });

  test.each<[string, unknown, string[]]>([
    ['a list', [], ['']],
    ['null', null, ['']],
    ['a text', '"candidature.accuse-emis"', ['']],
    ['no type', { data: {} }, ['/type']],
    ['an unknown fact', { type: 'candidature.oubliee' }, ['/type']],
    ['a fact of the object prototype', { type: 'constructor' }, ['/type']],
    ['a number for a type', { type: 7 }, ['/type']],
    ['a type that cannot be a text', '{"type":{"toString":1,"valueOf":1}}', ['/type']],
    ['a type that is a very deep list', `{"type":${deep(100_000)}}`, ['/type']],
    ['a text for data', receipt('AR-1'), ['/data']],
    ['null for data', receipt(null), ['/data']],
    ['a list for data', receipt([]), ['/data']],
    ['a number for a text', receipt({ reference: 118 }), ['/data/reference']],
    ['null for a text', receipt({ reference: null }), ['/data/reference']],
    ['a missing field', receipt({}), ['/data/reference']],
    ['a blank text', receipt({ reference: ' \t\n' }), ['/data/reference']],
    ['an over-long text', receipt({ reference: 'x'.repeat(201) }), ['/data/reference']],
    ['a control character', receipt({ reference: 'AR\u0000118' }), ['/data/reference']],
    ['a lone surrogate', '{"type":"candidature.accuse-emis","data":{"reference":"\\ud800"}}', ['/data/reference']],
    ['a reference of two lines', receipt({ reference: 'AR\n118' }), ['/data/reference']],
    ['a reference that reads backwards', receipt({ reference: 'AR\u202e811' }), ['/data/reference']],
    ['a reference that does not show', receipt({ reference: '\u3164\u200d' }), ['/data/reference']],
    [
      'a party whose name hides a tag',
      receipt({ reference: 'AR' }, { onBehalfOf: { role: 'prestataire', org: 'Nuage\u{e0041}' } }),
      ['/onBehalfOf/org'],
    ],
    ['an unknown field', receipt({ reference: 'AR', objet: 'x' }), ['/data/objet']],
    ['an unknown field at the top', receipt({ reference: 'AR' }, { motif: 'x' }), ['/motif']],
    ['a source, which no caller gives', receipt({ reference: 'AR' }, { source: { kind: 'public' } }), ['/source']],
    ['__proto__', '{"type":"candidature.accuse-emis","data":{"__proto__":{"reference":"AR"}}}', ['/data/__proto__']],
    [
      '__proto__ at the top',
      '{"type":"candidature.accuse-emis","__proto__":{"data":{}}}',
      ['/__proto__', '/data/reference'],
    ],
    ['constructor', receipt({ reference: 'AR', constructor: { prototype: {} } }), ['/data/constructor']],
    ['a very deep payload', `{"type":"candidature.accuse-emis","data":{"reference":${deep(100_000)}}}`, []],
    ['a very deep stranger', `{"type":"candidature.accuse-emis","data":{},"x":${deep(100_000)}}`, []],
    ['a date that does not exist', receipt({ reference: 'AR' }, { effectiveAt: '2025-02-29' }), ['/effectiveAt']],
    ['an instant for a date', receipt({ reference: 'AR' }, { effectiveAt: '2025-02-28T00:00:00Z' }), ['/effectiveAt']],
    ['a date out of centuries', receipt({ reference: 'AR' }, { effectiveAt: '0001-01-01' }), ['/effectiveAt']],
    ['a correlation that is no identifier', receipt({ reference: 'AR' }, { correlationId: 'a b' }), ['/correlationId']],
    ['half a party', receipt({ reference: 'AR' }, { onBehalfOf: { role: 'prestataire' } }), ['/onBehalfOf/org']],
    [
      'faults around and inside at once',
      receipt({ objet: 1 }, { effectiveAt: 'hier', motif: 2 }),
      ['/effectiveAt', '/motif', '/data/objet', '/data/reference'],
    ],
  ])('%s', async (_, body, paths) => {
    const { body: problem } = await refused(server, 'proposition-invalide', () => send(body), faultsAt(...paths));
    if (paths.length > 0) expect(problem.errors).toHaveLength(paths.length);
  });

  test.each([
    ['dossier.fait-rectifie', ['/data/fait', '/data/donnees', '/data/motif']],
    ['dossier.fait-annule', ['/data/fait', '/data/motif']],
    ['dossier.version-changee', ['/data/version', '/data/motif']],
  ])('%s without what it needs', async (type, paths) => {
    await refused(server, 'proposition-invalide', () => send({ type, data: {} }), faultsAt(...paths));
  });
});

describe('an opening of the wrong form: 422', () => {
  const { data } = EXAMPLES['candidature.deposee']!;
  const piece = (data.pieces as object[])[0];

  test.each<[string, unknown, string[]]>([
    ['no workflow', { fact: withData({}).fact }, ['/workflow']],
    ['an unknown workflow', { ...withData({}), workflow: 'pascalcloud' }, ['/workflow']],
    ['a workflow of the object prototype', { ...withData({}), workflow: '__proto__' }, ['/workflow']],
    ['an unknown version', { ...withData({}), version: 99 }, ['/workflow']],
    ['a version that is no number', { ...withData({}), version: '1' }, ['/version']],
    ['no fact', { workflow: 'secnumcloud' }, ['/fact']],
    ['a fact that opens nothing', { workflow: 'secnumcloud', fact: { type: 'j0.acceptee' } }, ['/fact/type']],
    ['an unknown field at the top', { ...withData({}), priorite: 1 }, ['/priorite']],
    [
      'an unknown field at the top and faults in the payload, at once',
      { ...withData({ offre: 3 }), priorite: 1 },
      ['/priorite', '/fact/data/offre'],
    ],
    ['a wrong SIREN', withData({ prestataire: { nom: 'X', siren: '732829321' } }), ['/fact/data/prestataire/siren']],
    ['an unknown field inside', withData({ prestataire: { nom: 'X', ape: 'Z' } }), ['/fact/data/prestataire/ape']],
    ['no service', withData({ services: [] }), ['/fact/data/services']],
    ['two services of one id', withData({ services: [1, 2].map(() => service('a')) }), ['/fact/data/services']],
    ['an identifier with spaces', withData({ services: [service('a b')] }), ['/fact/data/services/0/id']],
    [
      'an unknown country',
      withData({ sousTraitants: [{ nom: 'X', pays: 'ZZ' }] }),
      ['/fact/data/sousTraitants/0/pays'],
    ],
    ['a dossier that is no UUID', withData({ renouvelleDe: 'ailleurs' }), ['/fact/data/renouvelleDe']],
    [
      'an upper-case digest',
      withData({ pieces: [{ ...piece, document: { reference: 'D', titre: 'T', empreinte: 'A1'.repeat(32) } }] }),
      ['/fact/data/pieces/0/document/empreinte'],
    ],
  ])('%s', async (_, body, paths) => {
    const { body: problem } = await refused(server, 'proposition-invalide', () => open(body), faultsAt(...paths));
    expect(problem.errors).toHaveLength(paths.length);
  });

  function service(serviceId: string) {
    return { id: serviceId, nom: 'N', type: 'IaaS' };
  }
});

describe('a text of several lines', () => {
  test('is kept as it is typed, and its Unicode line ends end no line of what is told line by line', async () => {
    const texte = 'un\ndeux\u2028trois\u2029quatre';
    const target = { type: 'dossier.cible-annoncee', data: { jalon: 'J3', periode: '2026', source: texte } };
    expect((await send(target)).body.event.data.source).toBe(texte);
    const { text } = await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/replay`);
    expect(text).not.toMatch(/[\u0085\u2028\u2029]/);
    const last = JSON.parse(text.trimEnd().split('\n').at(-1) as string);
    expect(JSON.stringify(last)).toContain(JSON.stringify(texte).slice(1, -1));
    const leaving = new AbortController();
    const stream = await fetch(`${server.url}/api/events?after=start&types=dossier.*`, {
      headers: { authorization: `Bearer ${tokens.charge}` },
      signal: leaving.signal,
    });
    const reader = (stream.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    let told = '';
    while (!told.includes('quatre')) told += (await reader.read()).value;
    leaving.abort();
    expect(told).not.toMatch(/[\u0085\u2028\u2029]/);
    expect(told).toContain('deux\\u2028trois');
  });
});

describe('what the procedure refuses: 409', () => {
  const because = (rule: string) => ({
    fact: expect.any(String),
    state: expect.anything(),
    reasons: expect.arrayContaining([expect.objectContaining({ rule })]),
    possible: expect.any(Array),
  });

  test.each<[string, string, Record<string, unknown>, string | undefined, string]>([
    ['a fact that is not expected now', 'j0.acceptee', {}, undefined, 'fait-non-attendu'],
    ['a date of tomorrow', 'candidature.accuse-emis', {}, '2025-07-03', 'date-non-future'],
    ['a date before an earlier fact', 'candidature.accuse-emis', {}, '2024-09-01', 'date-dans-l-ordre'],
  ])('%s', async (_, type, changes, effectiveAt, rule) => {
    const { role: __, ...proposed } = fact(type, changes);
    await refused(server, 'fait-refuse', () => send({ ...proposed, effectiveAt }), because(rule));
  });

  test('today is today in Paris, where it is already tomorrow', async () => {
    const late = await run({ now: () => new Date('2025-07-02T22:30:00Z') });
    const token = await late.token('charge-de-qualification');
    const on = (effectiveAt: string) =>
      late.call(token, 'POST', '/api/dossiers', opening(fact('candidature.deposee', {}, { effectiveAt })));
    expect((await on('2025-07-03')).status).toBe(201);
    expect((await on('2025-07-04')).status).toBe(409);
    await late.stop();
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['an unknown requirement', { constat: 'C9', exigence: '5.1.zz' }, 'exigence-du-referentiel'],
    ['a gravity without non-conformity', { constat: 'C9', verdict: 'conforme' }, 'gravite-d-une-non-conformite'],
    ['a finding of an audit of the object prototype', { constat: 'C9', audit: 'constructor' }, 'audit-ouvert'],
    ['a finding of an unknown audit', { constat: 'C9', audit: '__proto__' }, 'audit-ouvert'],
  ])('%s', async (_, changes, rule) => {
    const { role: __, ...finding } = fact('j2.constat-releve', changes);
    await refused(server, 'fait-refuse', () => send(finding, auditing), because(rule));
  });

  test('a dossier that is to be renewed and does not exist', async () => {
    const { role: _, ...deposit } = fact('candidature.deposee', { renouvelleDe: OTHER });
    await refused(server, 'fait-refuse', () => open({ workflow: 'secnumcloud', fact: deposit }), {
      ...because('dossiers-cites-connus'),
      state: null,
    });
  });

  test('any fact but a note once the dossier is over', async () => {
    const over = await lead(server, tokens, wayTo('retiree-par-le-demandeur'));
    const { role: _, ...receipt } = fact('candidature.accuse-emis');
    await refused(server, 'fait-refuse', () => send(receipt, over), because('fait-non-attendu'));
    const { role: __, ...note } = fact('dossier.note-ajoutee');
    expect((await send(note, over)).status).toBe(201);
  });
});
