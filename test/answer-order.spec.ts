import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ProblemName } from '../apps/api/problems.ts';
import { BODY_LIMIT } from '../apps/api/server.ts';
import { CENTRE, lead, nothingRecorded, opening, parties, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { fact, OTHER, upTo } from './walk.ts';

// The order of answers: 401, 413, 415, 400, 404, 403, 422 (payload; then 403 where the payload decides who may), a
// remembered Idempotency-Key (its 201 again, or 422), 412, 409.
let server: Running;
let tokens: Tokens;
let id: string;
const now = new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  id = await lead(server, tokens, upTo('j1.centre-choisi'));
  // Remembered from here on.
  const { role: _, ...note } = fact('dossier.note-ajoutee');
  const remembered = await server.call(tokens.charge, 'POST', path(), note, { 'idempotency-key': 'connue' });
  expect(remembered.status).toBe(201);
});
afterAll(() => server.stop());

const path = (dossier = id) => `/api/dossiers/${dossier}/facts`;
const without = ({ role: _, ...step }: ReturnType<typeof fact>) => step;

const good = without(fact('dossier.note-ajoutee'));
const large = JSON.stringify({ ...good, data: { texte: 'x'.repeat(BODY_LIMIT) } });
const invalid = { type: 'dossier.note-ajoutee', data: {} };
const unexpected = without(fact('j0.acceptee'));
const nobody = { onBehalfOf: { role: 'centre-evaluation', org: 'Centre de Nantes' } };
const strategy = without(fact('j1.strategie-proposee'));

type Wrong = {
  as?: keyof Tokens | null;
  to?: string;
  query?: string;
  body?: unknown;
  headers?: Record<string, string>;
};
const OK = 201;

describe('a proposal wrong in two ways is answered by the earlier', () => {
  test.each<[string, Wrong, number, ProblemName | null]>([
    ['401, then 413', { as: null, body: large }, 401, 'non-authentifie'],
    ['401, then 415', { as: null, headers: { 'content-type': 'text/plain' } }, 401, 'non-authentifie'],
    ['401, then 400', { as: null, body: '{' }, 401, 'non-authentifie'],
    ['401, then 404', { as: null, to: OTHER }, 401, 'non-authentifie'],
    ['413, then 415', { body: large, headers: { 'content-type': 'text/plain' } }, 413, 'trop-volumineux'],
    ['413, then 400', { body: large, to: '7' }, 413, 'trop-volumineux'],
    ['415, then 400 (JSON)', { body: '{', headers: { 'content-type': 'text/plain' } }, 415, 'type-de-contenu'],
    ['415, then 400 (address)', { to: '7', headers: { 'content-type': 'text/plain' } }, 415, 'type-de-contenu'],
    ['400 (JSON), then 404', { body: '{', to: OTHER }, 400, 'requete-mal-formee'],
    ['400 (query), then 404', { query: '?x=1', to: OTHER }, 400, 'requete-mal-formee'],
    ['400 (If-Match), then 404', { to: OTHER, headers: { 'if-match': '0' } }, 400, 'requete-mal-formee'],
    ['400 (key), then 403', { as: 'auditeur', headers: { 'idempotency-key': ' a b' } }, 400, 'requete-mal-formee'],
    ['404 (absent), then 403', { as: 'auditeur', to: OTHER }, 404, 'introuvable'],
    ['404 (not to be seen), then 403', { as: 'abonne' }, 404, 'introuvable'],
    ['404, then 422', { body: invalid, to: OTHER }, 404, 'introuvable'],
    ['403, then 422', { as: 'auditeur', body: invalid }, 403, 'interdit'],
    ['403, then 412', { as: 'auditeur', headers: { 'if-match': '"0"' } }, 403, 'interdit'],
    ['403, then 409', { as: 'prestataire', body: unexpected }, 403, 'interdit'],
    ['422, then 403 by the payload', { body: { ...strategy, ...nobody, data: {} } }, 422, 'proposition-invalide'],
    [
      '403 by the payload, then 412',
      { body: { ...strategy, ...nobody }, headers: { 'if-match': '"0"' } },
      403,
      'interdit',
    ],
    [
      '403 by the payload, then 409',
      { body: { ...unexpected, onBehalfOf: { role: 'centre-evaluation', org: CENTRE } } },
      403,
      'interdit',
    ],
    [
      '422, then a key of another body',
      { body: invalid, headers: { 'idempotency-key': 'connue' } },
      422,
      'proposition-invalide',
    ],
    ['422, then 412', { body: invalid, headers: { 'if-match': '"0"' } }, 422, 'proposition-invalide'],
    ['422, then 409', { body: { ...unexpected, data: {} } }, 422, 'proposition-invalide'],
    ['a remembered key, then 412', { headers: { 'idempotency-key': 'connue', 'if-match': '"0"' } }, OK, null],
    [
      'a key of another body, then 412',
      { body: unexpected, headers: { 'idempotency-key': 'connue', 'if-match': '"0"' } },
      422,
      'cle-reutilisee',
    ],
    [
      'a key of another body, then 409',
      { body: unexpected, headers: { 'idempotency-key': 'connue' } },
      422,
      'cle-reutilisee',
    ],
    ['412, then 409', { body: unexpected, headers: { 'if-match': '"0"' } }, 412, 'revision-depassee'],
  ])('%s', async (_, { as = 'charge', to = id, query = '', body = good, headers }, status, name) => {
    const tip = await server.product.journal.tip();
    const answer = await server.call(as && tokens[as], 'POST', path(to || id) + query, body, headers);
    expect([answer.status, answer.body.type]).toEqual([status, name === null ? undefined : `/problems/${name}`]);
    await nothingRecorded(server, tip);
  });
});

describe('an opening wrong in two ways is answered by the earlier', () => {
  const deposit = opening(fact('candidature.deposee'));
  const badly = { ...deposit, fact: { ...deposit.fact, data: {} } };
  const refusedByRule = opening(fact('candidature.deposee', { referentiel: { nom: 'RGS', version: '2.0' } }));

  test.each<[string, Wrong, number, ProblemName]>([
    ['401, then 422', { as: null, body: badly }, 401, 'non-authentifie'],
    ['400, then 403', { as: 'abonne', query: '?x=1', body: deposit }, 400, 'requete-mal-formee'],
    ['403, then 422 (payload)', { as: 'dg', body: badly }, 403, 'interdit'],
    ['403, then 422 (around the fact)', { as: 'dg', body: { ...deposit, priorite: 1 } }, 403, 'interdit'],
    ['403, then 409', { as: 'dg', body: refusedByRule }, 403, 'interdit'],
    ['422, then 403 by the payload', { as: 'autre', body: badly }, 422, 'proposition-invalide'],
    ['403 by the payload, then 409', { as: 'autre', body: refusedByRule }, 403, 'interdit'],
  ])('%s', async (_, { as = 'charge', query = '', body, headers }, status, name) => {
    const tip = await server.product.journal.tip();
    const answer = await server.call(as && tokens[as], 'POST', `/api/dossiers${query}`, body, headers);
    expect([answer.status, answer.body.type]).toEqual([status, `/problems/${name}`]);
    await nothingRecorded(server, tip);
  });
});

describe('a reading wrong in two ways is answered by the earlier', () => {
  test.each<[string, keyof Tokens | null, string, number]>([
    ['401, then 400', null, '/api/dossiers?limit=0', 401],
    ['401, then 404', null, `/api/dossiers/${OTHER}`, 401],
    ['400, then 404', 'charge', `/api/dossiers/${OTHER}/facts?limit=0`, 400],
    ['400 (min-position), then 404', 'charge', `/api/dossiers/${OTHER}/timeline?min-position=x`, 400],
    ['400 (sort), then 403', 'abonne', '/api/dossiers?sort=name', 400],
    ['400 (cursor), then 403', 'abonne', '/api/dossiers?cursor=x', 400],
    ['400 (limit), then 403', 'administrateur', '/api/dossiers?limit=x', 400],
  ])('%s', async (_, as, address, status) => {
    expect((await server.call(as && tokens[as], 'GET', address)).status).toBe(status);
  });
});
