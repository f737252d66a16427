import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { until } from './eventually.ts';
import { faultsAt, lead, parties, propose, refused, type Tokens } from './parties.ts';
import { Receiver } from './receiver.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, OTHER, upTo, walkToJ3 } from './walk.ts';

let server: Running;
let tokens: Tokens;
let receiver: Receiver;
// Receivers check that messages are fresh.
const now = new Date();
beforeAll(async () => {
  server = await run({ now: () => now, env: { JALON_WEBHOOK_ALLOW: '127.0.0.0/8' } });
  tokens = await parties(server);
});
beforeEach(async () => {
  receiver = await Receiver.open();
});
afterEach(() => receiver.close());
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const WEBHOOKS = '/api/webhooks';
const post = (token: string | null, path: string, body?: unknown): Promise<Answer> =>
  server.call(token, 'POST', path, body);

async function create(token: string, wanted: object = {}): Promise<Answer['body']> {
  const { status, headers, body } = await post(token, WEBHOOKS, { url: receiver.url, ...wanted });
  expect([status, headers.get('location')]).toEqual([201, `${WEBHOOKS}/${body.id}`]);
  return body;
}

const arrived = (count: number) => until(async () => receiver.received.length >= count);

describe('Un webhook', () => {
  test('envoie à un abonné tout ce qui n’est pas confidentiel, signé, dans l’ordre', async () => {
    const { secret, ...webhook } = await create(tokens.abonne);
    expect(webhook).toEqual({
      id: expect.any(String),
      url: receiver.url,
      state: 'active',
      owner: { iss: 'urn:jalon:demonstration', sub: 'demo-abonne', roles: ['abonne'] },
      createdAt: now.toISOString(),
      health: { failures: 0, pending: 0, delivered: 0, dead: 0 },
    });
    const id = await lead(server, tokens, walkToJ3());
    await propose(server, tokens, id, fact('dossier.note-ajoutee'));
    await arrived(21);
    const verified = receiver.received.map(({ headers, body }) =>
      new Webhook(secret).verify(body, headers as Record<string, string>),
    ) as { type: string; revision: number; subject: string }[];
    const internal = /^(j2\.(constat-releve|plan-d-action-remis|ecart-leve)|j3\.(enquete|avis).*|dossier\.note.*)$/;
    expect(verified.map(({ type }) => type.slice('fr.jalon.'.length, -'.v1'.length))).toEqual(
      walkToJ3().flatMap(({ type }) => (internal.test(type) ? [] : type)),
    );
    await until(
      async () => (await server.call(tokens.abonne, 'GET', `${WEBHOOKS}/${webhook.id}`)).body.health.delivered === 21,
    );
  });

  test('choisit par type et par jalon, corrections comprises', async () => {
    const { id: webhook } = await create(tokens.auditeur, { jalons: ['J0'] });
    const id = await lead(server, tokens, upTo('j1.centre-choisi'));
    const { items } = (await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/facts`)).body;
    const [{ id: accepted }] = items.filter(({ type }: { type: string }) => type === 'j0.acceptee');
    const donnees = { reference: 'J0-2024-042', notifieeLe: '2024-10-17' };
    const corrected = await post(tokens.charge, `/api/dossiers/${id}/facts`, {
      type: 'dossier.fait-rectifie',
      data: { fait: accepted, donnees, motif: 'Faute de frappe dans la référence.' },
    });
    expect(corrected.status).toBe(201);
    await arrived(2);
    expect(receiver.events).toMatchObject([
      { type: 'fr.jalon.j0.acceptee.v1', jalon: 'J0', data: { reference: 'J0-2024-041' } },
      { type: 'fr.jalon.dossier.fait-rectifie.v1', jalon: 'J0', data: { fait: accepted, donnees } },
    ]);
    // The reason stays: it is no public field.
    expect(receiver.received[1]?.body).not.toContain('frappe');
    const { body: schema } = await server.call(
      null,
      'GET',
      '/api/workflows/secnumcloud/1/facts/dossier.fait-rectifie?view=public',
    );
    expect(Object.keys(schema.properties)).toEqual(['fait', 'donnees']);
    expect((await server.call(tokens.auditeur, 'DELETE', `${WEBHOOKS}/${webhook}`)).status).toBe(204);
  });

  test('essaie quand on le demande, et dit ce qu’il en advient', async () => {
    const { id, secret } = await create(tokens.charge);
    const sent = await post(tokens.charge, `${WEBHOOKS}/${id}/test`);
    expect(sent.body).toEqual({ delivered: true, status: 204, ms: expect.any(Number) });
    const [{ headers, body } = { headers: {}, body: '' }] = receiver.received;
    expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toMatchObject({
      type: 'fr.jalon.webhook.essai.v1',
      subject: id,
    });
    receiver.answer = () => ({ status: 500 });
    expect((await post(tokens.charge, `${WEBHOOKS}/${id}/test`)).body).toMatchObject({ delivered: false, status: 500 });
  });

  test('se relit, se change, se rejoue et se supprime ; son secret n’est dit qu’une fois', async () => {
    const made = await create(tokens.charge, {
      types: ['j0.*'],
      secret: `whsec_${Buffer.alloc(24, 7).toString('base64')}`,
    });
    const path = `${WEBHOOKS}/${made.id}`;
    expect(made.secret).toBe(`whsec_${Buffer.alloc(24, 7).toString('base64')}`);
    for (const read of [path, WEBHOOKS])
      expect((await server.call(tokens.charge, 'GET', read)).text).not.toContain('whsec_');
    const rotated = await post(tokens.charge, `${path}/rotate`);
    expect(rotated.body.secret).not.toBe(made.secret);
    expect(rotated.body.previousSecretUntil).toBe(new Date(now.getTime() + 24 * 3_600_000).toISOString());

    const changed = await server.call(tokens.charge, 'PATCH', path, { types: [], jalons: ['J0'] });
    expect(changed.body).toMatchObject({ jalons: ['J0'] });
    expect(changed.body).not.toHaveProperty('types');
    expect((await server.call(tokens.charge, 'PATCH', path, { state: 'disabled' })).body.state).toBe('disabled');
    await lead(server, tokens, upTo('j0.acceptee'));
    expect(receiver.received).toEqual([]);
    await server.call(tokens.charge, 'PATCH', path, { state: 'active' });
    await arrived(1);

    await until(async () => (await server.call(tokens.charge, 'GET', path)).body.health.delivered === 1);
    const log = (await server.call(tokens.charge, 'GET', `${path}/deliveries`)).body;
    expect(log.items).toMatchObject([
      { id: receiver.ids[0], type: 'j0.acceptee', state: 'delivered', revision: 6, attempts: [{ status: 204 }] },
    ]);
    const replayed = await post(tokens.charge, `${path}/replay`, { from: log.items[0].cursor });
    expect(replayed.status).toBe(202);
    await arrived(2);
    expect(receiver.ids[1]).toBe(receiver.ids[0]);
    expect((await server.call(tokens.charge, 'DELETE', path)).status).toBe(204);
    await refused(server, 'introuvable', () => server.call(tokens.charge, 'GET', path));
  });

  test('compte dans les mesures, avec les flux ouverts', async () => {
    receiver.answer = () => ({ status: 500 });
    const { id } = await create(tokens.charge);
    const leaving = new AbortController();
    const headers = { authorization: `Bearer ${tokens.charge}` };
    const stream = await fetch(`${server.url}/api/events`, { headers, signal: leaving.signal });
    expect(stream.status).toBe(200);
    await lead(server, tokens, upTo('candidature.accuse-emis'));
    await arrived(1);
    await until(async () => {
      const { text } = await server.call(null, 'GET', '/metrics');
      const [, pending] = /^jalon_webhook_deliveries\{state="pending"\} (\d+)$/m.exec(text) ?? [];
      // Those that other tests left wait as well.
      return Number(pending) >= 2 && /^jalon_stream_subscribers 1$/m.test(text);
    });
    leaving.abort();
    await server.call(tokens.charge, 'DELETE', `${WEBHOOKS}/${id}`);
  });

  test('va par pages dans le journal des envois', async () => {
    const { id } = await create(tokens.charge, { types: ['candidature.*'] });
    await lead(server, tokens, upTo('candidature.completee'));
    await until(async () => (await server.call(tokens.charge, 'GET', `${WEBHOOKS}/${id}`)).body.health.delivered === 6);
    const seen: string[] = [];
    for (let next: string | undefined = `${WEBHOOKS}/${id}/deliveries?limit=4`; next; ) {
      const { body, headers }: Answer = await server.call(tokens.charge, 'GET', next);
      seen.push(...body.items.map(({ type }: { type: string }) => type));
      expect(headers.get('link')).toBe(body.next ? `<${body.next}>; rel="next"` : null);
      next = body.next;
    }
    expect(seen).toEqual(
      upTo('candidature.completee')
        .map(({ type }) => type)
        .reverse(),
    );
  });
});

describe('Qui peut quoi', () => {
  test('chacun ne voit que les siens ; un administrateur voit ceux de tous, sans pouvoir en détourner aucun', async () => {
    const { id } = await create(tokens.prestataire);
    const path = `${WEBHOOKS}/${id}`;
    for (const token of [tokens.autre, tokens.charge]) {
      for (const [method, at, body] of [
        ['GET', path],
        ['PATCH', path, { state: 'disabled' }],
        ['DELETE', path],
        ['GET', `${path}/deliveries`],
        ['POST', `${path}/rotate`],
        ['POST', `${path}/test`],
        ['POST', `${path}/replay`, { from: 'start' }],
      ] as const)
        await refused(server, 'introuvable', () => server.call(token, method, at, body));
      expect((await server.call(token, 'GET', WEBHOOKS)).body.items.map((one: { id: string }) => one.id)).not.toContain(
        id,
      );
    }
    const admin = tokens.administrateur;
    expect((await server.call(admin, 'GET', path)).body).toMatchObject({ id, owner: { roles: ['prestataire'] } });
    expect((await server.call(admin, 'GET', WEBHOOKS)).body.items.map((one: { id: string }) => one.id)).toContain(id);
    await lead(server, tokens, upTo('candidature.deposee'));
    await arrived(1);
    await until(async () => (await server.call(admin, 'GET', path)).body.health.delivered === 1);
    const [entry] = (await server.call(admin, 'GET', `${path}/deliveries`)).body.items;
    expect(Object.keys(entry).sort()).toEqual(['attempts', 'id', 'state']);
    for (const wanted of [{ url: receiver.url }, { types: [] }, { state: 'active', jalons: ['J0'] }])
      await refused(server, 'interdit', () => server.call(admin, 'PATCH', path, wanted));
    for (const act of ['rotate', 'test', 'replay'])
      await refused(server, 'interdit', () => post(admin, `${path}/${act}`, { from: 'start' }));
    expect((await server.call(admin, 'PATCH', path, { state: 'disabled' })).body.state).toBe('disabled');
    expect((await server.call(admin, 'DELETE', path)).status).toBe(204);
  });

  test('qui ne reçoit rien n’en crée pas ; sans jeton non plus', async () => {
    await refused(server, 'interdit', () => post(tokens.administrateur, WEBHOOKS, { url: receiver.url }));
    await refused(server, 'non-authentifie', () => post(null, WEBHOOKS, { url: receiver.url }));
    expect(receiver.handshakes).toEqual([]);
  });
});

describe('Ce qui est refusé', () => {
  test.each<[string, unknown, string[]]>([
    ['rien', {}, ['/url']],
    ['ce qui n’est pas une adresse', { url: 'exemple' }, ['/url']],
    [
      'un type et un jalon inconnus',
      { url: 'https://exemple.fr', types: ['j0.*', 'x.*'], jalons: ['J9'] },
      ['/types/1', '/jalons/0'],
    ],
    ['un secret trop court', { url: 'https://exemple.fr', secret: 'whsec_YQ==' }, ['/secret']],
    ['un champ inconnu', { url: 'https://exemple.fr', actif: true }, ['/actif']],
  ])('%s', async (_, body, paths) => {
    await refused(server, 'proposition-invalide', () => post(tokens.abonne, WEBHOOKS, body), faultsAt(...paths));
  });

  test('une adresse qui ne consent pas, ou qui n’est pas de celles qui peuvent être appelées', async () => {
    receiver.agrees = { status: 200 };
    await refused(server, 'webhook-refuse', () => post(tokens.abonne, WEBHOOKS, { url: receiver.url }));
    for (const url of ['https://10.0.0.1/', 'http://192.168.0.1/', 'https://[::1]/', 'https://169.254.169.254/latest'])
      await refused(server, 'webhook-refuse', () => post(tokens.abonne, WEBHOOKS, { url }));
  });

  test('une suite ou un identifiant qui n’en sont pas', async () => {
    const { id } = await create(tokens.abonne);
    for (const query of ['state=x', 'cursor=x', 'limit=0'])
      await refused(server, 'requete-mal-formee', () =>
        server.call(tokens.abonne, 'GET', `${WEBHOOKS}/${id}/deliveries?${query}`),
      );
    await refused(server, 'requete-mal-formee', () => server.call(tokens.abonne, 'GET', `${WEBHOOKS}/x`));
    await refused(server, 'introuvable', () => server.call(tokens.abonne, 'GET', `${WEBHOOKS}/${OTHER}`));
    await refused(
      server,
      'proposition-invalide',
      () => post(tokens.abonne, `${WEBHOOKS}/${id}/replay`, { from: 'hier' }),
      faultsAt('/from'),
    );
  });

  test('plus de webhooks qu’un appelant n’en peut avoir', async () => {
    const greedy = await server.token('abonne', { sub: 'avide' });
    for (let i = 0; i < 50; i += 1) await create(greedy);
    await refused(server, 'interdit', () => post(greedy, WEBHOOKS, { url: receiver.url }));
    for (const { id } of (await server.call(greedy, 'GET', WEBHOOKS)).body.items)
      await server.call(greedy, 'DELETE', `${WEBHOOKS}/${id}`);
  });
});
