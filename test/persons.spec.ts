import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Issuer, startIssuer } from './issuer.ts';
import { CENTRE, opening, PRESTATAIRE, refused } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, type Step, wayTo } from './walk.ts';

let issuer: Issuer;
let server: Running;
const now = new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  issuer = await startIssuer(() => now);
  server = await run({ now: () => now, env: issuer.env });
});
afterAll(async () => {
  await server.stop();
  await issuer.stop();
  expect(server.alarms).toEqual([]);
});

const all = ['charge-de-qualification', 'chef-de-bureau', 'directeur-general'];
const bearing = (claims: Record<string, unknown>) => issuer.token({ sub: 'm.le-goff', roles: all, ...claims });

async function propose(token: string, id: string, { role: _, ...proposed }: Step, around = {}): Promise<Answer> {
  return server.call(token, 'POST', `/api/dossiers/${id}/facts`, { ...proposed, ...around });
}

/** A dossier led to a state by someone who has every role of the parties and of ANSSI but one decision. */
async function led(token: string, [first, ...others]: readonly Step[]): Promise<string> {
  const opened = await server.call(token, 'POST', '/api/dossiers', opening(first as Step));
  expect(opened.status).toBe(201);
  for (const step of others) expect(await propose(token, opened.body.id, step)).toMatchObject({ status: 201 });
  return opened.body.id;
}

describe('plusieurs rôles dans un jeton', () => {
  test('le rôle retenu est le premier que le fait nomme, quel que soit leur ordre dans le jeton', async () => {
    const roles = ['directeur-general', 'charge-de-qualification', 'chef-de-bureau', 'prestataire'];
    const token = await bearing({ roles, org: PRESTATAIRE });
    const id = await led(token, wayTo('candidature.deposee'));
    const recorded = async (step: Step) => (await propose(token, id, step)).body.event.meta.actor.role;
    expect((await server.call(token, 'GET', `/api/dossiers/${id}/facts`)).body.items[0].meta.actor.role).toBe(
      'prestataire',
    );
    // by: chef-de-bureau, charge-de-qualification
    expect(await recorded(fact('candidature.charge-designe'))).toBe('chef-de-bureau');
    // by: charge-de-qualification, chef-de-bureau, directeur-general
    expect(await recorded(fact('dossier.note-ajoutee'))).toBe('charge-de-qualification');
    expect(await recorded(fact('candidature.accuse-emis'))).toBe('charge-de-qualification');
  });

  test("un rôle de partie ne compte que dans les dossiers de l'organisation", async () => {
    const id = await led(await bearing({}), wayTo('candidature.deposee'));
    const stranger = await bearing({ sub: 'x', roles: ['prestataire', 'auditeur'], org: 'Nuage de Paimpont' });
    await refused(server, 'interdit', () => propose(stranger, id, fact('dossier.retire')));
  });

  test("aucun jeton ne porte le rôle de l'horloge", async () => {
    const token = await bearing({ roles: ['horloge', ...all] });
    const decided = await led(token, wayTo('j3.avis-rendu'));
    const dg = await bearing({ sub: 'dg', roles: ['horloge', 'directeur-general'] });
    expect((await propose(dg, decided, fact('j3.qualification-accordee'))).status).toBe(409);
    const grant = fact('j3.qualification-accordee', {}, { effectiveAt: '2025-07-01' });
    expect((await propose(dg, decided, grant)).status).toBe(201);
    await refused(server, 'interdit', () => propose(dg, decided, fact('suivi.qualification-expiree')));
  });
});

describe("pour le compte d'une partie", () => {
  const centre = { role: 'centre-evaluation', org: CENTRE };
  const strategy = fact('j1.strategie-proposee', {}, { effectiveAt: '2024-12-02' });

  test('un chargé enregistre, et le fait dit pour qui', async () => {
    const token = await bearing({});
    const id = await led(token, wayTo('j1.strategie-attendue'));
    const { status, body } = await propose(token, id, strategy, { onBehalfOf: { ...centre, nom: 'Ronan Kerbiriou' } });
    expect(status).toBe(201);
    expect(body.event.meta).toMatchObject({
      actor: { role: 'charge-de-qualification' },
      onBehalfOf: { ...centre, nom: 'Ronan Kerbiriou' },
    });
    const { entries } = (await server.call(token, 'GET', `/api/dossiers/${id}/timeline`)).body;
    expect(entries.at(-1).onBehalfOf).toEqual({ ...centre, nom: 'Ronan Kerbiriou' });
  });

  test.each<[string, Record<string, string>, Record<string, unknown>]>([
    ["une organisation qui n'est pas partie", { ...centre, org: 'Centre de Nantes' }, {}],
    ['un rôle qui ne peut proposer ce fait', { role: 'chef-de-bureau', org: 'ANSSI' }, {}],
    ['une partie, par un prestataire', centre, { roles: ['prestataire'], org: PRESTATAIRE }],
  ])('est refusé pour %s', async (_, onBehalfOf, claims) => {
    const id = await led(await bearing({}), wayTo('j1.strategie-attendue'));
    const token = await bearing({ sub: 'autre', ...claims });
    await refused(server, 'interdit', () => propose(token, id, strategy, { onBehalfOf }));
  });

  test('un chargé ouvre pour un prestataire, qui voit son dossier', async () => {
    const body = opening(fact('candidature.deposee'));
    const forOther = (org: string) => ({
      ...body,
      fact: { ...body.fact, onBehalfOf: { role: 'prestataire', org } },
    });
    const token = await bearing({});
    await refused(server, 'interdit', () => server.call(token, 'POST', '/api/dossiers', forOther('Nuage de Paimpont')));
    const opened = await server.call(token, 'POST', '/api/dossiers', forOther(PRESTATAIRE));
    expect(opened.status).toBe(201);
    const prestataire = await bearing({ sub: 'p', roles: ['prestataire'], org: PRESTATAIRE });
    expect((await server.call(prestataire, 'GET', opened.headers.get('location')!)).status).toBe(200);
  });
});

describe('les noms', () => {
  test("se lisent dans les réponses, et ne sont écrits que dans l'annuaire", async () => {
    const token = await bearing({ sub: 'a.kerbrat', name: 'Aëlys Kerbrat-Quéméneur' });
    const id = await led(token, wayTo('j1.strategie-attendue'));
    const onBehalfOf = { role: 'centre-evaluation', org: CENTRE, nom: 'Maël Troadec-Pennec' };
    const strategy = fact('j1.strategie-proposee', {}, { effectiveAt: '2024-12-02' });
    const { event } = (await propose(token, id, strategy, { onBehalfOf })).body;
    expect(event.meta.actor.nom).toBe('Aëlys Kerbrat-Quéméneur');
    const history = await server.call(token, 'GET', `/api/dossiers/${id}/facts`);
    const timeline = await server.call(token, 'GET', `/api/dossiers/${id}/timeline`);
    for (const { text } of [history, timeline])
      for (const name of ['Aëlys Kerbrat-Quéméneur', 'Maël Troadec-Pennec']) expect(text).toContain(`"nom":"${name}"`);

    const { folder } = server.product;
    const holding = (name: string) =>
      readdirSync(folder)
        .filter((file) => /\.db/.test(file) && readFileSync(join(folder, file)).includes(Buffer.from(name)))
        .map((file) => file.replace(/-wal$/, ''));
    for (const name of ['Aëlys Kerbrat-Quéméneur', 'Maël Troadec-Pennec'])
      expect([...new Set(holding(name))]).toEqual(['personnes.db']);
    // The search finds what is there: the subject is in the journal.
    expect(holding('a.kerbrat')).toContain('journal.db');
  });
});
