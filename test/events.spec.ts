import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CloudEvent } from 'cloudevents';
import { EventSource } from 'eventsource';
import { until } from './eventually.ts';
import { lead, PRESTATAIRE, parties, propose, refused, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { fact, OTHER, upTo, walkToJ3, wayTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
let now = new Date('2025-12-01T10:00:00Z');
const listening: EventSource[] = [];

beforeAll(async () => {
  server = await run({ now: () => now, env: { JALON_PUBLIC_URL: 'https://jalon.example/' } });
  tokens = await parties(server);
});
afterAll(async () => {
  for (const source of listening) source.close();
  await server.stop();
  expect(server.alarms).toEqual([]);
});

type Heard = { id: string; type: string; data: Record<string, unknown> };

/** A real client of event streams, and what it heard of these types of facts. */
async function listen(token: string, path: string, types: readonly string[], last?: string) {
  const heard: Heard[] = [];
  const source = new EventSource(server.url + path, {
    fetch: (url, init) =>
      fetch(url, {
        ...init,
        headers: {
          ...init.headers,
          authorization: `Bearer ${token}`,
          ...(last === undefined ? {} : { 'last-event-id': last }),
        },
      }),
  });
  listening.push(source);
  for (const type of types)
    source.addEventListener(type, ({ lastEventId, data }) => {
      heard.push({ id: lastEventId, type, data: JSON.parse(data) });
    });
  await new Promise((resolve, reject) => {
    source.onopen = resolve;
    source.onerror = reject;
  });
  return { source, heard, count: (wanted: number) => until(async () => heard.length >= wanted) };
}

const TYPES = [...new Set([...walkToJ3().map(({ type }) => type), 'dossier.note-ajoutee', 'suivi.griefs-notifies'])];
const typesIn = (heard: readonly Heard[]) => heard.map(({ type }) => type);

describe('Un flux d’événements', () => {
  test('porte chaque fait, dans l’ordre, comme un CloudEvent que le SDK accepte', async () => {
    const { heard, count } = await listen(tokens.charge, '/api/events', TYPES);
    const id = await lead(server, tokens, walkToJ3());
    await count(29);
    expect(typesIn(heard)).toEqual(walkToJ3().map(({ type }) => type));
    for (const [revision, { type, data }] of heard.entries()) {
      const event = new CloudEvent<object>(data as never);
      expect(event).toMatchObject({ type: `fr.jalon.${type}.v1`, subject: id, revision });
      expect(`${event.source}/${event.subject}`).toBe(`https://jalon.example/api/dossiers/${id}`);
      // What its schema says of it is there to be read.
      const schema = new URL(event.dataschema as string);
      const { status, body } = await server.call(null, 'GET', schema.pathname + schema.search);
      expect(status).toBe(200);
      expect(Object.keys(body.properties)).toEqual(expect.arrayContaining(Object.keys(event.data as object)));
    }
    expect(heard.filter(({ data }) => data.jalon).map(({ type, data }) => [type, data.jalon])).toEqual([
      ['j0.acceptee', 'J0'],
      ['j1.strategie-validee', 'J1'],
      ['j2.rapport-accepte', 'J2'],
      ['j3.qualification-accordee', 'J3'],
    ]);
  });

  test('ne laisse partir que les champs publics, à qui que ce soit', async () => {
    const { heard, count } = await listen(tokens.charge, '/api/events?after=start', TYPES);
    await count(29);
    const public_: Record<string, object> = Object.fromEntries(
      heard.slice(0, 29).map(({ type, data }) => [type, data.data as object]),
    );
    expect(public_).toMatchObject({
      'candidature.deposee': {
        prestataire: { nom: PRESTATAIRE },
        offre: 'Brocéliande Cloud',
        referentiel: { nom: 'SecNumCloud', version: '3.2' },
      },
      'candidature.charge-designe': {},
      'j1.centre-choisi': {},
      'j2.constat-releve': {},
      'j3.avis-rendu': {},
      'j3.qualification-accordee': {
        decision: expect.any(String),
        services: ['iaas', 'caas'],
        conditions: [expect.any(String)],
      },
    });
    expect(Object.keys(public_['candidature.deposee'] ?? {})).toEqual([
      'prestataire',
      'offre',
      'services',
      'referentiel',
    ]);
    const text = JSON.stringify(heard);
    for (const secret of ['732829320', 'reserves', 'empreinte', 'c.martin', 'favorable', 'demo-']) {
      expect(text).not.toContain(secret);
    }
  });

  test('reprend après le dernier événement reçu, sans rien perdre ni répéter', async () => {
    const first = await listen(tokens.abonne, '/api/events', TYPES);
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    await first.count(7);
    first.source.close();
    for (const step of walkToJ3().slice(7, 11)) await propose(server, tokens, id, step);
    const again = await listen(tokens.abonne, '/api/events', TYPES, first.heard.at(-1)?.id);
    await again.count(4);
    for (const step of walkToJ3().slice(11, 12)) await propose(server, tokens, id, step);
    await again.count(5);
    expect(typesIn([...first.heard, ...again.heard])).toEqual(
      walkToJ3()
        .slice(0, 12)
        .map(({ type }) => type),
    );
  });

  test('d’un dossier, ou de quelques types et jalons, ne porte que cela', async () => {
    const id = await lead(server, tokens, upTo('candidature.deposee'));
    const other = await lead(server, tokens, upTo('candidature.deposee'));
    const dossier = await listen(tokens.prestataire, `/api/dossiers/${id}/events?after=start`, TYPES);
    const chosen = await listen(tokens.abonne, `/api/events?dossier=${id}&types=candidature.*,j3.*&after=start`, TYPES);
    const milestones = await listen(tokens.abonne, `/api/events?jalons=J0,J3&dossier=${id}&after=start`, TYPES);
    for (const step of walkToJ3().slice(1)) {
      await propose(server, tokens, id, step);
      await propose(server, tokens, other, step);
    }
    await dossier.count(27);
    await chosen.count(7);
    await milestones.count(2);
    expect(new Set([...dossier.heard, ...chosen.heard, ...milestones.heard].map(({ data }) => data.subject))).toEqual(
      new Set([id]),
    );
    expect(typesIn(milestones.heard)).toEqual(['j0.acceptee', 'j3.qualification-accordee']);
    expect(typesIn(chosen.heard).filter((type) => !/^(candidature|j3)\./.test(type))).toEqual([]);
  });

  test('est annoncé pour ne pas être retenu en chemin', async () => {
    const leaving = new AbortController();
    const answer = await fetch(`${server.url}/api/events`, {
      headers: { authorization: `Bearer ${tokens.abonne}`, 'accept-encoding': 'gzip, br' },
      signal: leaving.signal,
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store, no-transform');
    expect(answer.headers.get('x-accel-buffering')).toBe('no');
    expect(answer.headers.get('content-encoding')).toBeNull();
    expect(answer.headers.get('content-length')).toBeNull();
    leaving.abort();
    const head = await server.call(tokens.abonne, 'HEAD', '/api/events');
    expect([head.status, head.headers.get('content-type'), head.text]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      '',
    ]);
  });
});

describe('Ce qui est tu', () => {
  test('ne part ni vers les parties ni vers les abonnés, selon le fait', async () => {
    const all = await listen(tokens.auditeur, '/api/events', TYPES);
    const own = await listen(tokens.prestataire, '/api/events', TYPES);
    const centre = await listen(tokens.centre, '/api/events', TYPES);
    const press = await listen(tokens.abonne, '/api/events', TYPES);
    const foreign = await listen(tokens.autre, '/api/events', TYPES);
    const id = await lead(server, tokens, walkToJ3());
    await propose(server, tokens, id, fact('dossier.note-ajoutee'));
    await propose(server, tokens, id, fact('suivi.griefs-notifies', {}, { effectiveAt: '2025-11-03' }));
    await all.count(31);
    await own.count(28);
    await press.count(21);
    const internal = ['j3.enquete-conclue', 'j3.avis-rendu', 'dossier.note-ajoutee'];
    const confidential = ['j2.constat-releve', 'j2.plan-d-action-remis', 'j2.ecart-leve', 'suivi.griefs-notifies'];
    const whole = typesIn(all.heard);
    expect(typesIn(own.heard)).toEqual(whole.filter((type) => !internal.includes(type)));
    expect(typesIn(press.heard)).toEqual(whole.filter((type) => ![...internal, ...confidential].includes(type)));
    // The centre is a party from the fact that chooses it.
    await centre.count(20);
    expect(typesIn(centre.heard)).toEqual(typesIn(own.heard).slice(whole.indexOf('j1.centre-choisi')));
    expect(foreign.heard).toEqual([]);
  });

  test('un centre qui n’est plus celui du dossier ne reçoit plus rien, même de ce qui est passé', async () => {
    const nantes = await server.token('centre-evaluation', { sub: 'nantes', org: 'Centre de Nantes' });
    const id = await lead(server, tokens, wayTo('j1.strategie-attendue'));
    const choice = fact('j1.centre-choisi', { centre: 'Centre de Nantes' }, { effectiveAt: '2024-11-12' });
    expect((await propose(server, tokens, id, choice)).status).toBe(201);
    const current = await listen(nantes, `/api/events?dossier=${id}&after=start`, TYPES);
    const former = await listen(tokens.centre, `/api/events?dossier=${id}&after=start`, TYPES);
    await current.count(10);
    expect(former.heard).toEqual([]);
  });
});

describe('Ce qui est refusé', () => {
  const get = (token: string | null, path: string) => () => server.call(token, 'GET', path);
  test('sans jeton', () => refused(server, 'non-authentifie', get(null, '/api/events')));
  test('un curseur qui n’en est pas un', async () => {
    for (const path of ['/api/events?after=7', '/api/feed?after=', `/api/feed?after=${'A'.repeat(42)}`])
      await refused(server, 'requete-mal-formee', get(tokens.abonne, path));
    await refused(server, 'requete-mal-formee', () =>
      server.call(tokens.abonne, 'GET', '/api/events', undefined, { 'last-event-id': 'x' }),
    );
  });
  test('un rôle qui ne reçoit rien', async () => {
    for (const path of ['/api/events', '/api/feed'])
      await refused(server, 'interdit', get(tokens.administrateur, path));
  });
  test('un filtre qui ne choisirait rien', async () => {
    for (const query of [
      'types=*',
      'types=j9.*',
      'types=j0',
      'types=',
      'types=j0.acceptee,',
      'types=j0.acc*',
      'jalons=J9',
    ])
      for (const path of ['/api/events', '/api/feed'])
        await refused(server, 'filtre-inconnu', get(tokens.abonne, `${path}?${query}`));
  });
  test('un dossier qui n’est pas à voir, comme un qui n’existe pas', async () => {
    const id = await lead(server, tokens, upTo('candidature.deposee'));
    for (const token of [tokens.autre, tokens.abonne])
      for (const dossier of [id, OTHER])
        await refused(server, 'introuvable', get(token, `/api/dossiers/${dossier}/events`));
    await refused(server, 'requete-mal-formee', get(tokens.charge, '/api/events?dossier=x'));
  });
});

describe('La fin d’un flux', () => {
  test('vient avec celle du jeton, proprement', async () => {
    const answer = await fetch(`${server.url}/api/events`, { headers: { authorization: `Bearer ${tokens.abonne}` } });
    const before = now;
    now = new Date(now.getTime() + 9 * 3_600_000);
    expect(await answer.text()).toMatch(/^:\nretry: 2000\nid: \S+\n\n: Le jeton a expiré\.\n\n$/);
    now = before;
  });

  test('vient avec l’arrêt du serveur, sans le retenir', async () => {
    const other = await run();
    const token = await other.token('abonne');
    const authorization = `Bearer ${token}`;
    const stream = await fetch(`${other.url}/api/events`, { headers: { authorization } });
    const waiting = fetch(`${other.url}/api/feed?wait=30`, { headers: { authorization } });
    await until(async () => other.product.leaving.hub.listeners > 1);
    const began = performance.now();
    await other.stop();
    expect(await stream.text()).toContain('Le serveur s’arrête.');
    expect(await (await waiting).json()).toEqual([]);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
