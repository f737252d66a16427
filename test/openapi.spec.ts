import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { readConfig } from '../apps/api/config.ts';
import { SCREENS } from '../apps/api/console.ts';
import { openLog } from '../apps/api/log.ts';
import { createServer } from '../apps/api/server.ts';
import { isCalendarDate } from '../libs/flow/index.ts';
import { catalogue } from '../workflows/index.ts';
import { until } from './eventually.ts';
import { lead, opening, parties, propose, type Tokens } from './parties.ts';
import { Receiver } from './receiver.ts';
import { type Answer, type Running, run } from './running.ts';
import { EXAMPLES, fact, OTHER, wayTo } from './walk.ts';

type Content = Record<string, { schema: object }>;
type Operation = {
  operationId: string;
  summary: string;
  tags: string[];
  security?: object[];
  parameters: { name: string; in: string }[];
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content: Content }>;
};
type Document = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  tags: { name: string }[];
  components: { schemas: Record<string, object> };
};

let server: Running;
let tokens: Tokens;
let document: Document;
let ajv: Ajv2020;
const now = new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  server = await run({ now: () => now, env: { JALON_WEBHOOK_ALLOW: '127.0.0.0/8' } });
  tokens = await parties(server);
  document = (await server.call(null, 'GET', '/openapi.json')).body;
  const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
  ajv = new Ajv2020({ strict: false, allErrors: true, formats: { date: isCalendarDate, 'date-time': instant } });
  ajv.addSchema(onlyDocumented(document) as object, 'openapi');
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

/** The document with every object that it describes closed: a member that it does not tell is then an error. */
function onlyDocumented(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(onlyDocumented);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, onlyDocumented(inner)]));
  return copy.type === 'object' && copy.properties ? { additionalProperties: false, ...copy } : copy;
}

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

const validators = new Map<string, ValidateFunction>();
function validator(...steps: string[]): ValidateFunction {
  const pointer = steps.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1')).join('/');
  const known = validators.get(pointer) ?? ajv.compile({ $ref: `openapi#/${encodeURI(pointer)}` });
  validators.set(pointer, known);
  return known;
}

/** Which operations and statuses were seen, so that nothing is documented and never answered. */
const seen = new Set<string>();

/** A request whose answer must be one that the document tells of. */
async function checked(token: string | null, method: string, address: string, body?: unknown, headers = {}) {
  const answer: Answer = await server.call(token, method, address, body, headers);
  const path = address.split('?')[0] as string;
  const template = Object.keys(document.paths)
    .sort((a, b) => a.split('{').length - b.split('{').length)
    .find((one) => new RegExp(`^${one.replace(/\{\w+\}/g, '[^/]+')}$`).test(path))!;
  const operation = document.paths[template]?.[method.toLowerCase()];
  const media = answer.headers.get('content-type')?.split(';')[0] as string;
  const told = operation?.responses[answer.status];
  seen.add(`${operation?.operationId} ${answer.status}`);
  const medias = Object.keys(told?.content ?? {});
  expect([address, answer.status, medias]).toEqual([
    address,
    answer.status,
    answer.status === 204 ? [] : expect.arrayContaining([media]),
  ]);
  if (answer.status === 204) return answer;
  const steps = [
    'paths',
    template,
    method.toLowerCase(),
    'responses',
    String(answer.status),
    'content',
    media,
    'schema',
  ];
  const validate = validator(...steps);
  const contents = media === 'application/x-ndjson' ? linesOf(answer.text) : [answer.body];
  for (const one of contents) expect([address, validate(one), validate.errors]).toEqual([address, true, null]);
  return answer;
}

describe('the document', () => {
  test('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect([document.openapi, valid, errors]).toEqual(['3.1.0', true, undefined]);
  });

  test('tells of every route that the server has, and of no other', async () => {
    const app = await createServer(server.product, readConfig({ LOG_LEVEL: 'silent' }), openLog('silent'));
    const tree: string = app.getHttpAdapter().getInstance().printRoutes({ commonPrefix: false });
    await app.close();
    const routes: string[] = [];
    const parents: string[] = [];
    for (const line of tree.split('\n')) {
      const [, indent = '', part = '', methods] = /^([│ ]*)[├└]── (\S*)(?: \((.+)\))?$/.exec(line) ?? [];
      const depth = indent.length / 4;
      parents.splice(depth, Number.POSITIVE_INFINITY, part);
      for (const method of methods?.split(', ') ?? [])
        routes.push(`${method} ${parents.join('').replace(/:(\w+)/g, '{$1}')}`);
    }
    // HEAD comes with every GET; the documentation does not document itself, nor the pages and files of the console.
    const pages = ['/*', ...SCREENS].map((url) => `GET ${url.replace(/:(\w+)/g, '{$1}')}`);
    const own = routes.filter((route) => !/^HEAD|^GET \/(docs|openapi|asyncapi)/.test(route) && !pages.includes(route));
    const told = operations().map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect(told.sort()).toEqual([...new Set(own)].sort());
    expect(told.length).toBeGreaterThanOrEqual(17);
  });

  test('names, summarises in French and files every operation, and says who needs a token', () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = document.tags.map(({ name }) => name);
    for (const { path, operation } of operations()) {
      expect(operation.operationId).toMatch(/^[a-z]+([A-Z][a-z]+)*$/);
      expect(operation.summary).toMatch(/^\p{Lu}.{10,}/u);
      expect(tags).toEqual(expect.arrayContaining(operation.tags));
      const open =
        !/^\/api\/(accesses|dossiers|deadlines$|calendar-tokens|findings|statistics|events|feed|webhooks|proofs\/inclusion)/.test(
          path,
        );
      expect([path, operation.security ?? []]).toEqual([path, open ? [] : [{ bearer: [] }]]);
      for (const variable of path.matchAll(/\{(\w+)\}/g))
        expect(operation.parameters).toContainEqual(expect.objectContaining({ name: variable[1], in: 'path' }));
    }
  });

  test('has one proposal per type of fact, told apart by its type', () => {
    const facts = [...(catalogue.find('secnumcloud')?.facts.keys() ?? [])];
    const { oneOf, discriminator } = document.components.schemas.Proposal as {
      oneOf: object[];
      discriminator: { propertyName: string; mapping: Record<string, string> };
    };
    expect(oneOf).toHaveLength(facts.length);
    expect(discriminator.propertyName).toBe('type');
    expect(Object.keys(discriminator.mapping)).toEqual(facts);
    expect(oneOf.map((one) => Object.values(one)[0])).toEqual(Object.values(discriminator.mapping));
  });

  test.each(Object.keys(EXAMPLES))('accepts the example of %s, and refuses it with an unknown field', (type) => {
    const { role: _, ...proposed } = fact(type);
    const validate = validator('components', 'schemas', 'Proposal');
    expect([validate(proposed), validate.errors]).toEqual([true, null]);
    expect(validate({ ...proposed, data: { ...proposed.data, inconnu: 1 } })).toBe(false);
    expect(validate({ ...proposed, inconnu: 1 })).toBe(false);
  });
});

const linesOf = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('what it tells is true', () => {
  test('of a whole walk, of its readings by every role, and of what is refused', async () => {
    const send: Running['call'] = (token, method, path, body, headers) => checked(token, method, path, body, headers);
    const watched: Running = { ...server, call: send };
    const id = await lead(watched, tokens, wayTo('qualifiee.suspendue').slice(0, -3));
    const path = `/api/dossiers/${id}`;
    await propose(watched, tokens, id, fact('dossier.note-ajoutee'));
    const behalf = { role: 'prestataire', org: 'Nuage de Brocéliande', nom: 'Yann Guivarch' };
    const { role: _, ...target } = fact('dossier.cible-annoncee');
    const said = { ...target, onBehalfOf: behalf, correlationId: 'c', causationId: 'd' };
    expect((await send(tokens.charge, 'POST', `${path}/facts`, said)).status).toBe(201);
    const minimal = { prefer: 'return=minimal' };
    await send(tokens.charge, 'POST', `${path}/facts`, target, minimal);
    await send(tokens.charge, 'POST', '/api/dossiers', opening(fact('candidature.deposee')), minimal);
    const renewal = opening(fact('candidature.deposee', { renouvelleDe: id }));
    const { id: renewing, event } = (await send(tokens.prestataire, 'POST', '/api/dossiers', renewal)).body;
    // What was looked up of other dossiers is never told to a party.
    expect(event.meta.lookups).toBeUndefined();
    expect(
      (await send(tokens.charge, 'GET', `/api/dossiers/${renewing}/facts`)).body.items[0].meta.lookups,
    ).toBeDefined();

    for (const token of Object.values(tokens))
      for (const reading of ['', '/facts', '/facts?limit=2', '/timeline']) await send(token, 'GET', path + reading);
    const past = ['/state', '/state?revision=3&effectiveAt=2024-09-06&corrected=true', '/diff?from=3', '/replay'];
    for (const token of [...Object.values(tokens), null])
      for (const reading of [...past, '/state?recordedAt=hier', '/diff', '/state?effectiveAt=2020-01-01'])
        await send(token, 'GET', path + reading);

    for (const query of ['', '?limit=1', '?q=x', '?waiting=me', '?waiting=me&limit=1', '?sort=-offre'])
      for (const token of [...Object.values(tokens), null]) await send(token, 'GET', `/api/dossiers${query}`);

    for (const query of ['', '?open=all&limit=1', '?limit=0', '.ics'])
      for (const token of [tokens.charge, tokens.centre, tokens.abonne, null])
        await send(token, 'GET', `/api/deadlines${query}`);
    for (const path of ['/api/findings', '/api/findings?open=true&limit=1', '/api/findings?open=x', '/api/statistics'])
      for (const token of [tokens.charge, tokens.centre, tokens.administrateur, null]) await send(token, 'GET', path);
    for (const query of ['', '?limit=1', '?limit=0']) await send(null, 'GET', `/api/register${query}`);
    for (const accept of ['text/csv', 'application/x-ndjson'])
      await checked(null, 'GET', '/api/register', undefined, { accept });
    const calendars = '/api/calendar-tokens';
    const calendar = (await send(tokens.charge, 'POST', calendars, { label: 'Téléphone' })).body;
    for (const token of [tokens.charge, tokens.administrateur, null]) await send(token, 'GET', calendars);
    await send(tokens.abonne, 'POST', calendars, {});
    await send(tokens.charge, 'POST', calendars, { label: 1 });
    for (const id of [calendar.id, calendar.id, 'x']) await send(tokens.charge, 'DELETE', `${calendars}/${id}`);

    const facts = `${path}/facts`;
    await send(null, 'POST', facts, target);
    await send(tokens.charge, 'POST', facts, '{');
    await send(tokens.charge, 'POST', facts, target, { 'content-type': 'text/plain' });
    await send(tokens.charge, 'POST', facts, { ...target, data: { x: 'x'.repeat(300_000) } });
    await send(tokens.charge, 'POST', facts, { ...target, data: {} });
    await send(tokens.auditeur, 'POST', facts, target);
    await send(tokens.charge, 'POST', facts, target, { 'if-match': '"0"' });
    await send(tokens.charge, 'POST', facts, { type: 'candidature.completee' });
    await send(tokens.charge, 'POST', `/api/dossiers/${OTHER}/facts`, target);
    await send(tokens.charge, 'POST', facts, target, { 'idempotency-key': 'k' });
    await send(tokens.charge, 'POST', facts, said, { 'idempotency-key': 'k' });
    await send(tokens.charge, 'POST', '/api/dossiers', { ...renewal, version: 7 });
    await send(tokens.dg, 'POST', '/api/dossiers', renewal);
    await send(tokens.charge, 'POST', '/api/dossiers', opening(fact('candidature.deposee', { renouvelleDe: OTHER })));
  }, 30_000);

  test('of proofs', async () => {
    const id = await lead(server, tokens, wayTo('j1.centre-attendu'));
    const [opened] = (await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/facts`)).body.items;
    for (const token of [tokens.charge, tokens.abonne, null])
      for (const event of [opened.id, 'x']) await checked(token, 'GET', `/api/proofs/inclusion?event=${event}`);
    for (const token of [tokens.charge, tokens.prestataire, tokens.abonne, null])
      await checked(token, 'GET', `/api/dossiers/${id}/bundle`);
    for (const page of ['/api/checkpoints/latest', '/api/keys', '/api/proofs/consistency?from=1&to=1'])
      expect((await checked(null, 'GET', page)).status).toBe(200);
    for (const query of ['', `?dossier=${id}`, '?limit=1&from=2025-07-01&to=2025-08-01', '?from=x', '?cursor=x'])
      for (const token of [tokens.auditeur, tokens.charge, null]) await checked(token, 'GET', `/api/accesses${query}`);
    for (const query of ['', '?from=1&to=100000']) await checked(null, 'GET', `/api/proofs/consistency${query}`);
  });

  test('of what leaves, to those to whom it does', async () => {
    const id = await lead(server, tokens, wayTo('j1.centre-attendu'));
    const streams = [
      ['/api/events', 'streamEvents'],
      [`/api/dossiers/${id}/events`, 'streamDossierEvents'],
    ] as const;
    for (const [path, operation] of streams) {
      const leaving = new AbortController();
      const headers = { authorization: `Bearer ${tokens.charge}` };
      const { status, headers: told } = await fetch(server.url + path, { headers, signal: leaving.signal });
      expect([status, told.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
      seen.add(`${operation} 200`);
      leaving.abort();
      for (const query of ['after=x', 'types=x', 'x=1']) await checked(tokens.charge, 'GET', `${path}?${query}`);
      await checked(null, 'GET', path);
      await checked(tokens.administrateur, 'GET', path);
    }
    for (const query of ['', '?limit=2', '?limit=0', '?types=x', '?jalons=J0'])
      for (const token of [...Object.values(tokens), null]) await checked(token, 'GET', `/api/feed${query}`);
  });

  test('of webhooks', async () => {
    const receiver = await Receiver.open();
    const path = '/api/webhooks';
    const created = await checked(tokens.charge, 'POST', path, { url: receiver.url, types: ['j0.*'], jalons: ['J0'] });
    const own = `${path}/${created.body.id}`;
    await lead(server, tokens, wayTo('j1.centre-attendu'));
    await until(async () => (await checked(tokens.charge, 'GET', own)).body.health.delivered === 1);
    for (const token of [tokens.charge, tokens.administrateur, tokens.abonne, null]) {
      for (const reading of [own, path, `${own}/deliveries`, `${own}/deliveries?limit=0`])
        await checked(token, 'GET', reading);
      for (const act of ['rotate', 'test']) await checked(token, 'POST', `${own}/${act}`);
      for (const body of [{ from: 'start' }, {}]) await checked(token, 'POST', `${own}/replay`, body);
      for (const body of [{ state: 'active' }, { jalons: [] }, { url: 'x' }]) await checked(token, 'PATCH', own, body);
      for (const body of [{}, { url: receiver.url }]) await checked(token, 'POST', path, body);
    }
    receiver.agrees = { status: 404 };
    await checked(tokens.charge, 'POST', path, { url: receiver.url });
    await checked(tokens.charge, 'PATCH', own, { url: `${receiver.url}/autre` });
    for (const token of [tokens.abonne, null, tokens.charge, tokens.charge]) await checked(token, 'DELETE', own);
    await receiver.close();
  });

  test('of the public pages', async () => {
    const workflow = '/api/workflows/secnumcloud/1';
    for (const page of [
      '/api/workflows',
      workflow,
      `${workflow}/requirements`,
      `${workflow}/diagram.svg`,
      `${workflow}/facts/j0.acceptee`,
    ])
      expect((await checked(null, 'GET', page)).status).toBe(200);
    for (const page of ['/health/live', '/health/ready', '/version', '/metrics', '/problems', '/problems/interdit'])
      expect((await checked(null, 'GET', page)).status).toBe(200);
    for (const page of [`${workflow}/facts/x`, '/api/workflows/x/1', '/api/workflows/x/1/diagram.svg', '/problems/x'])
      expect((await checked(null, 'GET', page)).status).toBe(404);
    await checked(null, 'POST', '/api/demo/token', { role: 'auditeur' });
    await checked(null, 'POST', '/api/demo/token', { role: 'prestataire' });
  });

  test('every operation was seen to succeed, and every refusal that a healthy demonstration gives', () => {
    // Those of an unhealthy server, of another host or of OpenID Connect have their own specs.
    const elsewhere = ['408', '421', '429', '500', '503'];
    const told = operations().flatMap(({ operation }) =>
      Object.keys(operation.responses).map((status) => `${operation.operationId} ${status}`),
    );
    const unseen = told.filter((one) => !seen.has(one) && !elsewhere.includes(one.split(' ')[1] as string));
    expect(unseen.filter((one) => / 2\d\d$/.test(one))).toEqual([]);
    expect(unseen.filter((one) => /^proposeFact /.test(one))).toEqual([]);
  });
});

describe('its page', () => {
  test.each(['/docs', '/docs/'])('%s loads under the content security policy', async (path) => {
    const page = await server.call(null, 'GET', path);
    expect(page.status).toBe(200);
    const policy = page.headers.get('content-security-policy');
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe-eval');
    // No script in the page itself: it would be blocked.
    expect(page.text).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>\s*\S/);
    expect(page.text).not.toMatch(/\son\w+=/);
    const assets = [...page.text.matchAll(/(?:src|href)=['"]([^'"#]+)['"]/g)].map(([, asset]) => asset as string);
    expect(assets.length).toBeGreaterThan(3);
    for (const asset of assets) {
      const url = new URL(asset, server.url + path);
      expect(url.origin).toBe(server.url);
      const { status, headers, text } = await server.call(null, 'GET', url.pathname);
      expect([asset, status, text.length > 0]).toEqual([asset, 200, true]);
      if (/\.js$/.test(asset)) expect(headers.get('content-type')).toMatch(/javascript/);
      if (/\.css$/.test(asset)) expect(headers.get('content-type')).toMatch(/css/);
    }
  });
});
