import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { cursorOf } from '@jalon/delivery';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CloudEvent, HTTP } from 'cloudevents';
import { until } from './eventually.ts';
import { lead, parties, propose, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, upTo, walkToJ3 } from './walk.ts';

let server: Running;
let tokens: Tokens;
const now = new Date('2025-07-02T10:00:00Z');
beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const nextOf = ({ headers }: Answer) => /^<([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1] as string;
const pull = (path: string, token = tokens.charge) => server.call(token, 'GET', path);

/** Everything from an address on, page by page, until a page is empty; the address to go on from. */
async function drain(path: string, token = tokens.charge) {
  const events: { id: string; type: string; subject: string; revision: number }[] = [];
  for (let next = path; ; ) {
    const page = await pull(next, token);
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      'application/cloudevents-batch+json; charset=utf-8',
    ]);
    events.push(...page.body);
    next = nextOf(page);
    if (page.body.length === 0) return { events, next };
  }
}

describe('Le fil', () => {
  test('a toujours une suite, même quand rien n’a encore eu lieu', async () => {
    const { events, next } = await drain('/api/feed?limit=10');
    expect([events, next]).toEqual([[], '/api/feed?limit=10&after=start']);
    const { dossier } = { dossier: await lead(server, tokens, upTo('candidature.deposee')) };
    expect((await drain(next)).events.map(({ subject }) => subject)).toEqual([dossier]);
  });

  test('donne chaque fait une fois, dans l’ordre, à qui ne garde que le curseur', async () => {
    const start = (await drain('/api/feed')).next;
    const ids = await Promise.all(Array.from({ length: 4 }, () => lead(server, tokens, walkToJ3())));
    const all = (await drain(start)).events;
    expect(all).toHaveLength(4 * 29);
    for (const id of ids) {
      const own = all.filter(({ subject }) => subject === id);
      expect(own.map(({ revision }) => revision)).toEqual(Array.from({ length: 29 }, (_, i) => i));
    }
    for (const limit of [1, 7, 200])
      expect((await drain(`${start}&limit=${limit}`)).events.map(({ id }) => id)).toEqual(all.map(({ id }) => id));
    // The same cursor always leads to the same page.
    const [one, two] = [await pull(`${start}&limit=5`), await pull(`${start}&limit=5`)];
    expect(one.text).toBe(two.text);
    expect(nextOf(one)).toBe(nextOf(two));
  });

  test('ne dit rien de ce qui est tu : ni suite qui avance, ni rang, ni curseur qui se lise', async () => {
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    const all = await drain('/api/feed?limit=200', tokens.abonne);
    expect(all.events.filter(({ subject }) => subject === id).length).toBeGreaterThan(4);
    expect(all.events.filter((event) => 'revision' in event)).toEqual([]);
    await propose(server, tokens, id, fact('dossier.note-ajoutee'));
    const later = await server.call(tokens.abonne, 'GET', all.next);
    expect([later.body, nextOf(later as never)]).toEqual([[], all.next]);
    const [cursor = ''] = /(?<=after=)[^&]+/.exec(all.next) ?? [];
    // Un curseur en clair, d'autrefois ou forgé, n'est pas d'ici.
    const plain = cursorOf({ before: null, position: 1n, hash: '00'.repeat(8), recordedAt: 0 });
    for (const after of [plain, `${cursor.slice(0, -2)}AA`]) {
      const refused = await server.call(tokens.abonne, 'GET', `/api/feed?after=${after}`);
      expect([refused.status, refused.body.detail]).toEqual([400, expect.stringContaining('reprendre de « start »')]);
    }
  });

  test('est un lot de CloudEvents que le SDK lit, les mêmes que ceux du flux', async () => {
    const { headers, text } = await pull('/api/feed?limit=3');
    const events = HTTP.toEvent({ headers: Object.fromEntries(headers), body: text });
    expect(events).toHaveLength(3);
    for (const event of events as CloudEvent<unknown>[]) expect(event.validate()).toBe(true);
  });

  test('avance aussi sur ce qui n’a pas été demandé', async () => {
    const end = (await drain('/api/feed')).next;
    const first = await pull(`${end}&types=j3.*`);
    await lead(server, tokens, upTo('j0.acceptee'));
    const second = await pull(nextOf(first));
    expect([first.body, second.body]).toEqual([[], []]);
    expect(nextOf(second)).not.toBe(nextOf(first));
    expect(nextOf(second)).toContain('types=j3.*');
  });

  test('ne montre à chacun que ce qui lui est visible', async () => {
    const start = (await drain('/api/feed')).next;
    const id = await lead(server, tokens, walkToJ3());
    await propose(server, tokens, id, fact('dossier.note-ajoutee'));
    const counts = Object.fromEntries(
      await Promise.all(
        (['charge', 'auditeur', 'prestataire', 'centre', 'abonne', 'autre'] as const).map(async (who) => [
          who,
          (await drain(start, tokens[who])).events.length,
        ]),
      ),
    );
    expect(counts).toEqual({ charge: 30, auditeur: 30, prestataire: 27, centre: 27, abonne: 21, autre: 0 });
  });
});

describe('Attendre un fait', () => {
  test('répond dès qu’il vient, aux filtres demandés', async () => {
    const { next } = await drain('/api/feed');
    const id = await lead(server, tokens, upTo('candidature.completee'));
    const waiting = pull(`${next}&types=j0.*&wait=30`);
    await until(async () => server.product.leaving.hub.listeners > 1);
    await propose(server, tokens, id, fact('j0.acceptee'));
    const { body } = await waiting;
    expect(body.map(({ type }: { type: string }) => type)).toEqual(['fr.jalon.j0.acceptee.v1']);
  });

  test('n’attend pas quand un fait est déjà là, et répond vide quand le temps est passé', async () => {
    const { next } = await drain('/api/feed');
    expect((await pull('/api/feed?limit=1&wait=30')).body).toHaveLength(1);
    const began = performance.now();
    const page = await pull(`${next}&wait=1`);
    expect(page.body).toEqual([]);
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(nextOf(page)).toBe(`${next}&wait=1`.replace(/(after=[^&]+)(.*)$/, '$1$2'));
  });

  test('ne garde rien d’un client qui s’en va', async () => {
    const { next } = await drain('/api/feed');
    const before = server.product.leaving.hub.listeners;
    const leaving = new AbortController();
    const headers = { authorization: `Bearer ${tokens.charge}` };
    const waiting = fetch(`${server.url}${next}&wait=30`, { headers, signal: leaving.signal });
    await until(async () => server.product.leaving.hub.listeners > before);
    leaving.abort();
    await expect(waiting).rejects.toThrow();
    await until(async () => server.product.leaving.hub.listeners === before);
  });

  test.each(['wait=31', 'wait=-1', 'wait=x', 'limit=0', 'limit=201', 'autre=1'])('refuse %s', async (query) => {
    expect((await pull(`/api/feed?${query}`)).status).toBe(400);
  });
});

test('de trop de lectures depuis le début par un même appelant, deux sont servies, les autres attendent, la dernière s’entend dire d’attendre', async () => {
  const headers = { authorization: `Bearer ${tokens.charge}` };
  const path = `${server.url}/api/feed?after=start&wait=30&types=suivi.griefs-notifies`;
  // Bare requests: what ends with a test leaves no connection behind.
  const asked = Array.from({ length: 103 }, () => get(path, { headers, agent: false }).on('error', () => undefined));
  const [told] = (await Promise.race(asked.map((each) => once(each, 'response')))) as [IncomingMessage];
  expect([told.statusCode, told.headers['retry-after']]).toEqual([429, '5']);
  expect(JSON.parse(Buffer.concat(await told.toArray()).toString())).toMatchObject({
    type: '/problems/trop-de-requetes',
  });
  // Another caller does not wait for them, nor does what does not begin at the start.
  expect((await pull('/api/feed?after=start&limit=1', tokens.auditeur)).status).toBe(200);
  expect((await pull('/api/dossiers')).status).toBe(200);
  // Who goes away leaves their place.
  for (const each of asked) each.destroy();
  await until(async () => (await pull('/api/feed?after=start&limit=1')).status === 200);
});
