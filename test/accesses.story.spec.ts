import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RefusedTokens } from '../apps/api/refused-tokens.ts';
import { lead, parties, propose, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { fact, upTo, walkToJ3, wayTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
let now = new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  server = await run({ now: () => now, env: { JALON_WEBHOOK_ALLOW: '127.0.0.0/8' } });
  tokens = await parties(server);
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

type Access = {
  type: string;
  actor: { sub: string; role: string; nom?: string };
  data: Record<string, unknown>;
  meta: { stream: string; previousHash: string | null; hash: string };
};

async function accesses(query = ''): Promise<Access[]> {
  const all: Access[] = [];
  for (let path: string | undefined = `/api/accesses?limit=200${query}`; path; ) {
    const { status, body } = await server.call(tokens.auditeur, 'GET', path);
    expect(status).toBe(200);
    all.push(...body.items);
    path = body.next;
  }
  return all;
}

const get = (who: keyof Tokens, path: string) => server.call(tokens[who], 'GET', path);
const last = async (dossier: string) => (await accesses(`&dossier=${dossier}`)).at(-1);

describe('le journal des accès', () => {
  test.each([
    ['', '14-15,19'],
    ['/state', '14-15,19'],
    ['/state?revision=14', '14'],
    ['/diff?from=3', '14-15,19'],
    ['/facts?limit=200', '14-15,19'],
    ['/timeline', '14-15,19'],
    ['/replay', '14-15,19'],
  ])(
    'GET /dossiers/{id}%s : qui lit quels faits confidentiels est inscrit avant que la réponse parte',
    async (reading, revisions) => {
      const id = await lead(server, tokens, upTo('j2.audit-clos', 2));
      expect((await get('charge', `/api/dossiers/${id}${reading}`)).status).toBe(200);
      const route = `/api/dossiers/:id${reading.split('?')[0]}`;
      expect(await last(id)).toMatchObject({
        type: 'acces.faits-lus',
        actor: { role: 'charge-de-qualification' },
        data: { operation: `GET ${route}`, dossier: id, revisions },
      });
    },
  );

  test('rien n’est inscrit de qui ne lit rien de confidentiel, ni deux fois la même lecture dans la minute', async () => {
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    await get('charge', `/api/dossiers/${id}`);
    expect(await accesses(`&dossier=${id}`)).toEqual([]);
    await propose(server, tokens, id, fact('dossier.note-ajoutee'));
    for (let times = 0; times < 3; times++) await get('charge', `/api/dossiers/${id}/facts`);
    // To whom the note is withheld nothing was shown.
    await get('prestataire', `/api/dossiers/${id}/facts`);
    const operations = (await accesses(`&dossier=${id}`)).map(({ data }) => data.operation);
    // Nor was it to its author that the answer showed it.
    expect(operations).toEqual(['GET /api/dossiers/:id/facts']);
  });

  test('la réponse à une proposition montre ce que d’autres ont tu : c’est inscrit, une fois dans la minute', async () => {
    const id = await lead(server, tokens, wayTo('j3.avis-rendu'));
    const autre = await server.token('charge-de-qualification', { sub: 'de-passage' });
    const known = (await accesses(`&dossier=${id}`)).length;
    const answered = async (headers = {}) => {
      const { role: _, ...body } = fact('dossier.cible-annoncee');
      const { status, text } = await server.call(autre, 'POST', `/api/dossiers/${id}/facts`, body, headers);
      expect(status).toBe(201);
      return text;
    };
    const shown = async () => (await accesses(`&dossier=${id}`)).slice(known);
    expect(await answered({ prefer: 'return=minimal' })).not.toContain('qualifier-avec-reserves');
    expect(await shown()).toEqual([]);
    for (let times = 0; times < 3; times++) expect(await answered()).toContain('qualifier-avec-reserves');
    expect(await shown()).toMatchObject([
      {
        type: 'acces.faits-lus',
        actor: { sub: 'de-passage' },
        data: { operation: 'POST /api/dossiers/:id/facts', dossier: id, revisions: expect.stringContaining('27') },
      },
    ]);
    // What others recorded meanwhile was not told by that record.
    await propose(server, tokens, id, fact('dossier.note-ajoutee'));
    await answered();
    expect(await shown()).toHaveLength(2);
    await propose(server, tokens, id, fact('j3.avis-retire'));
    await answered();
    expect((await shown()).filter(({ actor }) => actor.sub === 'de-passage')).toHaveLength(2);
  });

  test('la liste que donne un refus l’est aussi, si elle dit ce qui est tu à d’autres', async () => {
    const id = await lead(server, tokens, wayTo('j3.avis-rendu'));
    const autre = await server.token('chef-de-bureau', { sub: 'de-passage' });
    const { role: _, ...body } = fact('j3.avis-rendu');
    const known = (await accesses(`&dossier=${id}`)).length;
    const refusal = await server.call(autre, 'POST', `/api/dossiers/${id}/facts`, body);
    expect(refusal.status).toBe(409);
    expect((await accesses(`&dossier=${id}`)).slice(known)).toMatchObject([
      { actor: { sub: 'de-passage' }, data: { operation: 'POST /api/dossiers/:id/facts' } },
    ]);
    const before = (await accesses(`&dossier=${id}`)).length;
    const own = await server.call(tokens.prestataire, 'POST', `/api/dossiers/${id}/facts`, fact('j2.constat-releve'));
    expect([own.status, (await accesses(`&dossier=${id}`)).length]).toEqual([403, before + 1]);
  });

  test('un paquet remis, les constats lus et les refus le sont aussi', async () => {
    const id = await lead(server, tokens, walkToJ3());
    expect((await get('auditeur', `/api/dossiers/${id}/bundle`)).status).toBe(200);
    expect(await last(id)).toMatchObject({ type: 'acces.paquet-remis', actor: { role: 'auditeur' } });
    await get('charge', `/api/findings?dossier=${id}`);
    expect(await last(id)).toMatchObject({ type: 'acces.faits-lus', data: { operation: 'GET /api/findings' } });
    expect((await get('autre', `/api/dossiers/${id}`)).status).toBe(404);
    expect(await last(id)).toMatchObject({ type: 'acces.refuse', actor: { sub: 'ailleurs' }, data: { dossier: id } });
    const refused = await server.call(tokens.auditeur, 'POST', `/api/dossiers/${id}/facts`, { type: 'dossier.retire' });
    expect(refused.status).toBe(403);
    expect(await last(id)).toMatchObject({ type: 'acces.refuse', actor: { role: 'auditeur' } });
  });

  test('qui suit des faits confidentiels l’est aussi, par un flux, le fil, un webhook ou un agenda', async () => {
    const id = await lead(server, tokens, upTo('j2.constat-releve'));
    const followed = async (operation: string) =>
      (await accesses()).filter(({ type, data }) => type === 'acces.faits-suivis' && data.operation === operation);

    const stream = await fetch(`${server.url}/api/dossiers/${id}/events`, {
      headers: { authorization: `Bearer ${tokens.charge}` },
    });
    await stream.body?.cancel();
    expect(await followed('GET /api/dossiers/:id/events')).toMatchObject([
      { actor: { role: 'charge-de-qualification' }, data: { dossier: id } },
    ]);
    await get('charge', '/api/feed?types=j2.*');
    expect(await followed('GET /api/feed')).toMatchObject([{ data: { types: ['j2.*'] } }]);
    const url = 'https://reception.example/jalon';
    await server.call(tokens.charge, 'POST', '/api/webhooks', { url });
    expect(await followed('POST /api/webhooks')).toMatchObject([{ data: { vers: 'reception.example' } }]);
    const { body } = await server.call(tokens.charge, 'POST', '/api/calendar-tokens', {});
    await server.call(null, 'GET', `/api/deadlines.ics?token=${body.token}`);
    expect(await followed('GET /api/deadlines.ics')).toMatchObject([{ actor: { role: 'charge-de-qualification' } }]);

    // To whom only what is public is sent, nothing confidential is.
    const before = (await accesses()).length;
    expect((await get('abonne', '/api/feed')).status).toBe(200);
    expect(await accesses()).toHaveLength(before);
  });

  test('qui change un webhook, ou s’en fait renvoyer les faits, l’est de même, avec l’adresse où ils vont', async () => {
    const receiver = createServer((request, response) => {
      response.setHeader('webhook-allowed-origin', String(request.headers['webhook-request-origin'] ?? '*'));
      response.end();
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const { port } = receiver.address() as AddressInfo;
    try {
      const url = `http://127.0.0.1:${port}/`;
      const { status, body } = await server.call(tokens.charge, 'POST', '/api/webhooks', { url });
      expect(status).toBe(201);
      await server.call(tokens.charge, 'PATCH', `/api/webhooks/${body.id}`, { types: ['j2.*'] });
      await server.call(tokens.charge, 'POST', `/api/webhooks/${body.id}/replay`, { from: 'start' });
      const told = (await accesses()).filter(({ data }) => data.vers === `127.0.0.1:${port}`);
      expect(told.map(({ data }) => data.operation)).toEqual([
        'POST /api/webhooks',
        'PATCH /api/webhooks/:webhook',
        'POST /api/webhooks/:webhook/replay',
      ]);
      expect((await server.call(tokens.charge, 'DELETE', `/api/webhooks/${body.id}`)).status).toBe(204);
    } finally {
      receiver.closeAllConnections();
      receiver.close();
    }
  });

  test('une échéance que fixe un fait confidentiel se lit comme lui, une autre librement', async () => {
    const id = await lead(server, tokens, upTo('j2.constat-releve'));
    const nonconform = fact('j2.constat-releve', { constat: 'E-1', verdict: 'non-conforme', gravite: 'mineure' });
    expect((await propose(server, tokens, id, nonconform)).status).toBe(201);
    expect((await propose(server, tokens, id, fact('j2.plan-d-action-remis', { constat: 'E-1' }))).status).toBe(201);
    const { position } = (await propose(server, tokens, id, fact('dossier.cible-annoncee'))).body;
    const { body } = await get('charge', `/api/deadlines?limit=200&min-position=${position}`);
    const set = body.items.filter((item: { dossier: string }) => item.dossier === id);
    expect(set.length).toBeGreaterThan(0);
    const plan = set.find(({ fact }: { fact: string }) => fact === 'j2.plan-d-action-remis');
    expect(await last(id)).toMatchObject({
      type: 'acces.faits-lus',
      data: { operation: 'GET /api/deadlines', dossier: id, echeances: [plan.id] },
    });
  });

  test('un jeton refusé l’est, une fois par cause, adresse et heure, sans que le journal dise l’adresse', async () => {
    const refusals = async () => (await accesses()).filter(({ type }) => type === 'acces.jeton-refuse');
    const known = (await refusals()).length;
    const [head, claims] = tokens.charge.split('.') as [string, string];
    for (const path of ['/api/dossiers', '/api/deadlines', '/api/accesses'])
      expect((await server.call(`${head}.${claims}.AAAA`, 'GET', path)).status).toBe(401);
    const told = (await refusals()).slice(known);
    expect(told).toMatchObject([
      {
        actor: { iss: 'urn:jalon:adresse', sub: 'inconnu', nom: '127.0.0.1' },
        data: { operation: 'GET /api/dossiers', cause: "Le jeton n'est pas valable ici." },
      },
    ]);
    expect(JSON.stringify(told[0]?.data)).not.toContain('127.0.0.1');
    for await (const page of server.product.journal.readAll(null, { prefixes: ['acces-'] }))
      for (const { envelope, data } of page) expect(JSON.stringify([envelope, data])).not.toContain('127.0.0.1"');
    // Their number is bounded.
    const many = new RefusedTokens(server.product.accesses.record.bind(server.product.accesses), () => now);
    const from = (i: number) => ({ id: '0', ip: `192.0.2.${i % 256} ${i}` });
    for (let i = 0; i < 300; i++) await many.told(from(i), { operation: 'GET /', cause: 'essai' });
    const bounded = (await refusals()).slice(known + 1);
    expect(bounded).toHaveLength(201);
    expect(bounded.at(-1)?.data).toMatchObject({ cause: 'Les suivants de cette heure ne sont pas inscrits.' });
  });

  test('un jeton d’agenda délivré, révoqué, puis présenté encore, l’est de même', async () => {
    const known = (await accesses()).length;
    const { body } = await server.call(tokens.chef, 'POST', '/api/calendar-tokens', {});
    expect((await server.call(tokens.chef, 'DELETE', `/api/calendar-tokens/${body.id}`)).status).toBe(204);
    expect((await server.call(tokens.chef, 'DELETE', `/api/calendar-tokens/${body.id}`)).status).toBe(404);
    expect((await server.call(null, 'GET', `/api/deadlines.ics?token=${body.token}`)).status).toBe(401);
    const titulaire = { iss: 'urn:jalon:demonstration', sub: 'demo-chef-de-bureau' };
    expect((await accesses()).slice(known)).toMatchObject([
      { type: 'acces.agenda-ouvert', actor: { role: 'chef-de-bureau' }, data: { agenda: body.id } },
      { type: 'acces.agenda-revoque', data: { agenda: body.id, titulaire } },
      { type: 'acces.jeton-refuse', data: { agenda: body.id, revoque: true, titulaire } },
    ]);
  });

  test('ce qu’on fait de webhooks l’est : les siens, ceux d’autres, et qui ne reçoit que ce qui est public', async () => {
    const receiver = createServer((request, response) => {
      response.setHeader('webhook-allowed-origin', String(request.headers['webhook-request-origin'] ?? '*'));
      response.end();
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const { port } = receiver.address() as AddressInfo;
    try {
      const known = (await accesses()).length;
      const at = (path: string) => ({ url: `http://127.0.0.1:${port}/${path}` });
      const { body } = await server.call(tokens.abonne, 'POST', '/api/webhooks', at(''));
      const path = `/api/webhooks/${body.id}`;
      await server.call(tokens.abonne, 'PATCH', path, at('ailleurs'));
      await server.call(tokens.abonne, 'POST', `${path}/rotate`);
      await server.call(tokens.abonne, 'GET', path);
      await server.call(tokens.administrateur, 'GET', path);
      await server.call(tokens.administrateur, 'GET', '/api/webhooks');
      expect((await server.call(tokens.administrateur, 'PATCH', path, { state: 'disabled' })).status).toBe(200);
      expect((await server.call(tokens.administrateur, 'DELETE', path)).status).toBe(204);
      const told = (await accesses()).slice(known);
      expect(told.map(({ type, actor, data }) => [type, actor.role, data.vers ?? data.etat ?? ''])).toEqual([
        ['acces.webhook-regle', 'abonne', `127.0.0.1:${port}`],
        ['acces.webhook-regle', 'abonne', `127.0.0.1:${port}`],
        ['acces.secret-remplace', 'abonne', ''],
        ['acces.webhooks-lus', 'administrateur', ''],
        ['acces.webhooks-lus', 'administrateur', ''],
        ['acces.webhook-regle', 'administrateur', 'disabled'],
        ['acces.webhook-supprime', 'administrateur', ''],
      ]);
    } finally {
      receiver.closeAllConnections();
      receiver.close();
    }
  });

  test('sa propre lecture l’est, une fois dans la minute', async () => {
    const id = await lead(server, tokens, upTo('candidature.accuse-emis'));
    for (let times = 0; times < 2; times++) await accesses(`&dossier=${id}`);
    const reads = (await accesses()).filter(({ type }) => type === 'acces.journal-lu');
    expect(reads.filter(({ data }) => (data.recherche as { dossier?: string }).dossier === id)).toHaveLength(1);
    expect(reads.every(({ actor }) => actor.role === 'auditeur')).toBe(true);
  });

  test('une adresse qui n’est celle d’aucun dossier n’est pas un refus', async () => {
    const before = (await accesses()).length;
    expect((await get('charge', '/api/dossiers/00000000-0000-4000-8000-000000000000')).status).toBe(404);
    expect(await accesses()).toHaveLength(before);
  });

  test('il est chaîné, par mois et par nœud, et se lit par jour et par page', async () => {
    now = new Date('2025-08-05T10:00:00Z');
    tokens = await parties(server);
    const id = await lead(server, tokens, upTo('j2.constat-releve'));
    await get('charge', `/api/dossiers/${id}/facts?limit=200`);
    const all = await accesses();
    const streams = [...new Set(all.map(({ meta }) => meta.stream))];
    expect(streams).toEqual([expect.stringMatching(/^acces-2025-07-n-/), expect.stringMatching(/^acces-2025-08-n-/)]);
    for (const stream of streams) {
      const chain = all.filter(({ meta }) => meta.stream === stream);
      expect(chain.map(({ meta }) => meta.previousHash)).toEqual([
        null,
        ...chain.slice(0, -1).map(({ meta }) => meta.hash),
      ]);
    }
    expect((await accesses('&from=2025-08-01')).flatMap(({ data }) => data.dossier ?? [])).toEqual([id]);
    const first = await server.call(tokens.auditeur, 'GET', '/api/accesses?limit=2');
    expect(first.body.items).toHaveLength(2);
    const next = await server.call(tokens.auditeur, 'GET', first.body.next);
    expect([...first.body.items, ...next.body.items]).toEqual(all.slice(0, 4));
  });

  test('il n’est lu que par un auditeur', async () => {
    for (const who of ['charge', 'chef', 'dg', 'prestataire', 'centre', 'abonne', 'administrateur'] as const)
      expect((await get(who, '/api/accesses')).status).toBe(403);
  });

  test('sans journal où l’inscrire, ce qui est confidentiel n’est pas montré', async () => {
    const own = await run({ now: () => now });
    const { charge, prestataire } = await parties(own);
    const id = await lead(own, await parties(own), upTo('j2.constat-releve'));
    const decided = await lead(own, await parties(own), wayTo('j3.avis-rendu'));
    const { journal } = own.product;
    const append = journal.append.bind(journal);
    const { JournalUnavailable } = await import('@jalon/journal');
    const full = () => Promise.reject(new JournalUnavailable('Disque plein.'));
    // A fact that is recorded is answered all the same, without what nobody could be recorded to be shown.
    journal.append = (stream, ...rest) => (stream.startsWith('acces-') ? full() : append(stream, ...rest));
    const dg = await own.token('chef-de-bureau');
    const { role: _, ...note } = fact('dossier.note-ajoutee', { texte: 'Elle est confidentielle.' });
    const kept = await own.call(dg, 'POST', `/api/dossiers/${id}/facts`, note);
    expect([kept.status, kept.body.withheldForNow, kept.body.event.withheld]).toEqual([201, true, true]);
    expect(kept.text).not.toMatch(/constats|confidentielle/);
    const { role: __, ...avis } = fact('j3.avis-rendu');
    const refusal = await own.call(dg, 'POST', `/api/dossiers/${decided}/facts`, avis);
    expect([refusal.status, refusal.body.withheldForNow]).toEqual([409, true]);
    type Told = { rules: { rule: string; holds: boolean | null }[] };
    const rules = refusal.body.possible.flatMap((told: Told) => told.rules) as Told['rules'];
    expect(rules.filter(({ rule }) => rule === 'quatre-yeux').map(({ holds }) => holds)).toEqual([null, null]);
    journal.append = full;
    const answer = await own.call(charge, 'GET', `/api/dossiers/${id}`);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
    expect(answer.text).not.toContain('C1');
    // What shows nothing confidential goes on.
    expect((await own.call(prestataire, 'GET', '/api/dossiers')).status).toBe(200);
    journal.append = append;
    expect((await own.call(charge, 'GET', `/api/dossiers/${id}`)).status).toBe(200);
    await own.stop();
  });
});
