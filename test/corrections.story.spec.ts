import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { faultsAt, lead, parties, propose, refused, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, type Step, upTo, walkToJ3, wayTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
const START = '2025-07-02T10:00:00Z';
let now = new Date(START);

beforeAll(async () => {
  server = await run({ now: () => now });
});
beforeEach(async () => {
  now = new Date(START);
  tokens = await parties(server);
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const idOf = async (dossier: string, type: string, nth = 1): Promise<string> => {
  const { body } = await server.call(tokens.auditeur, 'GET', `/api/dossiers/${dossier}/facts?limit=200`);
  return body.items.filter((item: { type: string }) => item.type === type)[nth - 1].id;
};

type Named = keyof Tokens;
const send = (who: Named, dossier: string, type: string, data: Record<string, unknown>, around = {}) =>
  server.call(tokens[who], 'POST', `/api/dossiers/${dossier}/facts`, { type, data, ...around });

const rectify = (who: Named, dossier: string, fait: string, donnees: object, more: object = {}) =>
  send(who, dossier, 'dossier.fait-rectifie', { fait, donnees, motif: 'Erreur de saisie', ...more });

const annul = (who: Named, dossier: string, fait: string) =>
  send(who, dossier, 'dossier.fait-annule', { fait, motif: 'Enregistré par erreur' });

const dossierOf = async (id: string) => (await server.call(tokens.charge, 'GET', `/api/dossiers/${id}`)).body;
const dataOf = (type: string, nth = 1) => walkToJ3().filter((step) => step.type === type)[nth - 1]!.data;

const refusal = (reason: object) => ({
  fact: expect.any(String),
  state: expect.any(String),
  possible: expect.any(Array),
  reasons: [expect.objectContaining(reason)],
});

async function accepted(answer: Promise<Answer>): Promise<Answer['body']> {
  const { status, body } = await answer;
  expect({ status, reasons: body.reasons }).toEqual({ status: 201, reasons: undefined });
  return body;
}

describe('rectifier un fait', () => {
  test("change ce que la procédure retient, et laisse l'original dans l'historique", async () => {
    const id = await lead(server, tokens, upTo('j1.centre-choisi'));
    const fait = await idOf(id, 'j1.centre-choisi');
    const donnees = { ...dataOf('j1.centre-choisi'), centre: 'Centre de Lannion' };
    const body = await accepted(rectify('charge', id, fait, donnees));
    expect(body).toMatchObject({ state: 'j1.strategie-attendue', context: { centre: 'Centre de Lannion' } });
    expect(body.event.meta).toMatchObject({ target: fait, from: 'j1.strategie-attendue', to: 'j1.strategie-attendue' });
    const { items } = (await server.call(tokens.auditeur, 'GET', `/api/dossiers/${id}/facts?limit=200`)).body;
    expect(items.find((item: { id: string }) => item.id === fait).data.centre).not.toBe('Centre de Lannion');
  });

  test('donne accès à la partie ainsi nommée, et le retire à celle qui ne l’est plus', async () => {
    const id = await lead(server, tokens, upTo('j1.centre-choisi'));
    const lannion = await server.token('centre-evaluation', { org: 'Centre de Lannion' });
    expect((await server.call(lannion, 'GET', `/api/dossiers/${id}`)).status).toBe(404);
    const donnees = { ...dataOf('j1.centre-choisi'), centre: 'Centre de Lannion' };
    await accepted(rectify('charge', id, await idOf(id, 'j1.centre-choisi'), donnees));
    expect((await server.call(lannion, 'GET', `/api/dossiers/${id}`)).status).toBe(200);
    expect((await server.call(tokens.centre, 'GET', `/api/dossiers/${id}`)).status).toBe(404);
  });

  test('est permis à qui peut proposer ce fait, à personne d’autre', async () => {
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    const fait = await idOf(id, 'j0.acceptee');
    for (const who of ['prestataire', 'chef', 'dg', 'auditeur', 'abonne'] as const) {
      const sees = who !== 'abonne';
      await refused(server, sees ? 'interdit' : 'introuvable', () =>
        rectify(who, id, fait, { ...dataOf('j0.acceptee'), reference: 'X' }),
      );
    }
    await accepted(rectify('charge', id, fait, { ...dataOf('j0.acceptee'), reference: 'X' }));
  });

  test('est refusé, faute par faute, quand les données rectifiées n’ont pas la forme du fait', async () => {
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    const fait = await idOf(id, 'j0.acceptee');
    const errors = faultsAt('/data/donnees/reference', '/data/donnees/inconnu');
    await refused(
      server,
      'proposition-invalide',
      () => rectify('charge', id, fait, { notifieeLe: '2024-10-16', inconnu: 1 }),
      errors,
    );
  });

  test('est refusé quand l’historique ne se rejoue plus, en nommant le fait qui ne tient plus et pourquoi', async () => {
    const id = await lead(server, tokens, upTo('j1.strategie-validee'));
    const fait = await idOf(id, 'j1.centre-choisi');
    const reason = {
      rule: 'historique-rejouable',
      message: expect.stringMatching(
        /le fait 9, « Stratégie d'évaluation proposée » du 2024-12-02, serait refusé.*antérieure/,
      ),
    };
    await refused(
      server,
      'fait-refuse',
      () => rectify('charge', id, fait, dataOf('j1.centre-choisi'), { effectiveAt: '2024-12-15' }),
      refusal(reason),
    );
  });

  test('date d’effet comprise : le jalon prend la date rectifiée', async () => {
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    const fait = await idOf(id, 'j0.acceptee');
    await accepted(rectify('charge', id, fait, dataOf('j0.acceptee'), { effectiveAt: '2024-10-11' }));
    expect((await dossierOf(id)).crossed).toMatchObject([{ jalon: 'J0', effectiveAt: '2024-10-11' }]);
    const { body } = await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/timeline`);
    expect(body.milestones[0]).toMatchObject({ jalon: 'J0', effectiveAt: '2024-10-11', fact: fait });
  });

  test('une date déjà rectifiée demeure quand une rectification suivante n’en donne pas', async () => {
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    const fait = await idOf(id, 'j0.acceptee');
    await accepted(rectify('charge', id, fait, dataOf('j0.acceptee'), { effectiveAt: '2024-10-11' }));
    await accepted(rectify('charge', id, fait, { ...dataOf('j0.acceptee'), reference: 'ANSSI-2024-1' }));
    expect((await dossierOf(id)).crossed).toMatchObject([{ jalon: 'J0', effectiveAt: '2024-10-11' }]);
    const { body } = await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/timeline`);
    expect(body.milestones[0]).toMatchObject({ effectiveAt: '2024-10-11' });
  });

  test('un fait que l’appelant ne voit pas lui est inconnu', async () => {
    const id = await lead(server, tokens, walkToJ3());
    const fait = await idOf(id, 'j3.avis-rendu');
    const unknown = '00000000-0000-4000-8000-000000000000';
    for (const each of [fait, unknown])
      await refused(
        server,
        'fait-refuse',
        () => rectify('prestataire', id, each, dataOf('j3.avis-rendu')),
        refusal({ rule: 'fait-vise-connu' }),
      );
  });
});

describe('annuler un fait', () => {
  test("ramène le dossier là où il serait sans lui, et l'annulation de l'annulation le rétablit", async () => {
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    const fait = await idOf(id, 'j0.acceptee');
    const before = await dossierOf(id);
    const annulled = await accepted(annul('charge', id, fait));
    expect(annulled).toMatchObject({ state: 'candidature.complete', crossed: [] });
    const restored = await accepted(annul('charge', id, annulled.event.id));
    expect(restored).toMatchObject({ state: 'j1.centre-attendu', crossed: before.crossed, context: before.context });
    expect(restored.event.meta.stateHash).toBe(
      (await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/state?revision=${before.revision}`)).body.stateHash,
    );
  });

  test('est refusé pour ce que la suite suppose, en nommant le premier fait qui ne tient plus', async () => {
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    const fait = await idOf(id, 'candidature.accuse-emis');
    const message =
      "L'historique ainsi lu ne se rejoue plus : le fait 5, « Dossier de candidature complet » du 2024-10-08, serait refusé. L'accusé de réception n'a pas encore été émis.";
    const label = 'le fait 5, « Dossier de candidature complet » du 2024-10-08';
    const items = [{ kind: 'fait', id: await idOf(id, 'candidature.completee'), label }];
    await refused(server, 'fait-refuse', () => annul('charge', id, fait), refusal({ message, items }));
  });

  test("est refusé deux fois, et pour l'ouverture", async () => {
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    const fait = await idOf(id, 'j0.acceptee');
    await accepted(annul('charge', id, fait));
    await refused(
      server,
      'fait-refuse',
      () => annul('charge', id, fait),
      refusal({
        rule: 'fait-vise-en-vigueur',
        message: 'Le fait visé est déjà annulé : le fait 6, « Candidature acceptée » du 2024-10-15.',
        items: [{ kind: 'fait', id: fait, label: 'le fait 6, « Candidature acceptée » du 2024-10-15' }],
      }),
    );
    const opening = await idOf(id, 'candidature.deposee');
    await refused(
      server,
      'fait-refuse',
      () => annul('charge', id, opening),
      refusal({
        rule: 'ouverture-conservee',
        message: expect.stringMatching(
          /^L'annulation porte sur l'ouverture du dossier, qui ne s'annule pas : le fait 0, /,
        ),
      }),
    );
  });

  test('un jalon annulé puis franchi de nouveau prend la nouvelle date', async () => {
    const id = await lead(server, tokens, upTo('j0.acceptee'));
    await accepted(annul('charge', id, await idOf(id, 'j0.acceptee')));
    const again = await accepted(propose(server, tokens, id, fact('j0.acceptee', {}, { effectiveAt: '2024-11-03' })));
    expect(again).toMatchObject({
      crossed: [{ jalon: 'J0', effectiveAt: '2024-11-03' }],
      event: { meta: { crosses: 'J0' } },
    });
  });

  test('une note annulée et les corrections de notes sont effaçables comme elles', async () => {
    const id = await lead(server, tokens, [...upTo('candidature.deposee'), fact('dossier.note-ajoutee')]);
    const note = await idOf(id, 'dossier.note-ajoutee');
    const body = await accepted(rectify('charge', id, note, { texte: 'Rappeler M. Le Goff.' }));
    const stored = [];
    for await (const page of server.product.journal.read(`dossier-${id}`)) stored.push(...page);
    expect(stored.at(-1)).toMatchObject({ data: {}, envelope: { target: note, type: 'dossier.fait-rectifie' } });
    expect(stored.at(-1)?.salt).toBeUndefined();
    expect(body.event.data).toMatchObject({ donnees: { texte: 'Rappeler M. Le Goff.' } });
    const { items } = (await server.call(tokens.prestataire, 'GET', `/api/dossiers/${id}/facts`)).body;
    expect(items.slice(1)).toEqual([
      { revision: 1, hash: expect.any(String), withheld: true },
      { revision: 2, hash: expect.any(String), withheld: true },
    ]);
  });
});

test('la date d’une note ne se rectifie pas : elle serait détruite avec la note, et le rejeu en dépend', async () => {
  const id = await lead(server, tokens, [...upTo('candidature.deposee'), fact('dossier.note-ajoutee')]);
  const note = await idOf(id, 'dossier.note-ajoutee');
  await refused(
    server,
    'proposition-invalide',
    () => rectify('charge', id, note, { texte: 'Autre texte' }, { effectiveAt: '2025-07-02' }),
    faultsAt('/data/effectiveAt'),
  );
});

describe('une correction se corrige à son tour', () => {
  test('rectifier une rectification change ce qu’elle met en place', async () => {
    const id = await lead(server, tokens, upTo('j1.centre-choisi'));
    const fait = await idOf(id, 'j1.centre-choisi');
    const put = (centre: string) => ({ ...dataOf('j1.centre-choisi'), centre });
    const first = await accepted(rectify('charge', id, fait, put('Centre de Lannion')));
    const donnees = { fait, donnees: put('Centre de Quimper'), motif: 'Faute de frappe' };
    const second = await accepted(rectify('charge', id, first.event.id, donnees));
    expect(second.context.centre).toBe('Centre de Quimper');
    expect((await accepted(annul('charge', id, second.event.id))).context.centre).toBe('Centre de Lannion');
    expect((await accepted(annul('charge', id, first.event.id))).context.centre).toBe(
      dataOf('j1.centre-choisi').centre,
    );
    const another = { ...donnees, fait: await idOf(id, 'j0.acceptee') };
    await refused(server, 'proposition-invalide', () => rectify('charge', id, first.event.id, another), {
      errors: expect.any(Array),
    });
  });
});

describe('les règles sur l’auteur valent pour qui corrige', () => {
  const chefEtDg = () => server.token('chef-de-bureau', { sub: 'les-deux' });

  test('qui rectifie l’avis ne décide pas, même si un autre l’a rendu', async () => {
    const id = await lead(server, tokens, upTo('j3.avis-rendu'));
    const fait = await idOf(id, 'j3.avis-rendu');
    const rectified = await server.call(await chefEtDg(), 'POST', `/api/dossiers/${id}/facts`, {
      type: 'dossier.fait-rectifie',
      data: { fait, donnees: dataOf('j3.avis-rendu'), motif: 'Motifs complétés' },
    });
    expect(rectified.status).toBe(201);
    const decide = (token: string) => {
      const { role: _, ...step } = walkToJ3().at(-1) as Step;
      return server.call(token, 'POST', `/api/dossiers/${id}/facts`, step);
    };
    const both = await server.token('directeur-general', { sub: 'les-deux' });
    await refused(server, 'fait-refuse', () => decide(both), refusal({ rule: 'quatre-yeux' }));
    expect((await decide(tokens.dg)).status).toBe(201);
  });

  test('qui a décidé ne rectifie pas l’avis', async () => {
    const id = await lead(server, tokens, upTo('j3.avis-rendu'));
    const { role: _, ...step } = walkToJ3().at(-1) as Step;
    const both = await server.token('directeur-general', { sub: 'les-deux' });
    expect((await server.call(both, 'POST', `/api/dossiers/${id}/facts`, step)).status).toBe(201);
    const fait = await idOf(id, 'j3.avis-rendu');
    const token = await chefEtDg();
    await refused(
      server,
      'fait-refuse',
      () =>
        server.call(token, 'POST', `/api/dossiers/${id}/facts`, {
          type: 'dossier.fait-rectifie',
          data: { fait, donnees: dataOf('j3.avis-rendu'), motif: 'Après coup' },
        }),
      refusal({ rule: 'historique-rejouable', message: expect.stringMatching(/Qualification accordée/) }),
    );
  });
});

describe('une fin de validité rectifiée', () => {
  test("annule dans le même fait l'expiration qu'elle rend fausse ; la suivante viendra à son jour", async () => {
    const id = await lead(server, tokens, walkToJ3());
    now = new Date('2028-07-02T10:00:00Z');
    tokens = await parties(server);
    const { valideJusquAu } = dataOf('j3.qualification-accordee');
    const clock = { iss: 'jalon', sub: 'horloge', roles: ['horloge'] };
    const expiry = { type: 'suivi.qualification-expiree', effectiveAt: '2028-07-01' };
    expect(valideJusquAu).toBe('2028-06-30');
    await server.product.engine.advance(clock, id, expiry, { route: 'horloge' });
    expect(await dossierOf(id)).toMatchObject({ state: 'expiree' });
    const fait = await idOf(id, 'j3.qualification-accordee');
    const donnees = { ...dataOf('j3.qualification-accordee'), valideDu: '2025-07-02', valideJusquAu: '2028-07-01' };
    expect(await accepted(rectify('dg', id, fait, donnees))).toMatchObject({ state: 'qualifiee.valide' });
    const { entries } = (await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/timeline`)).body;
    expect(entries.find(({ type }: { type: string }) => type === expiry.type)).toMatchObject({
      corrected: { kind: 'annulled' },
    });
    await server.product.engine.advance(clock, id, { ...expiry, effectiveAt: '2028-07-02' }, { route: 'horloge' });
    expect(await dossierOf(id)).toMatchObject({ state: 'expiree' });
  });

  test("une expiration ne s'annule que par le directeur général", async () => {
    const id = await lead(server, tokens, walkToJ3());
    now = new Date('2028-07-02T10:00:00Z');
    tokens = await parties(server);
    const clock = { iss: 'jalon', sub: 'horloge', roles: ['horloge'] };
    const expiry = { type: 'suivi.qualification-expiree', effectiveAt: '2028-07-01' };
    await server.product.engine.advance(clock, id, expiry, { route: 'horloge' });
    const fait = await idOf(id, expiry.type);
    await refused(server, 'interdit', () => annul('charge', id, fait));
    expect(await accepted(annul('dg', id, fait))).toMatchObject({ state: 'qualifiee.valide' });
  });
});

describe('changer de version', () => {
  test("n'est pas possible vers une version qui n'est pas publiée, ni vers la même", async () => {
    const id = await lead(server, tokens, upTo('candidature.deposee'));
    const change = (version: unknown) =>
      send('charge', id, 'dossier.version-changee', { version, motif: 'Mise à jour' });
    await refused(server, 'fait-refuse', () => change(99), refusal({ rule: 'version-publiee' }));
    await refused(server, 'fait-refuse', () => change(1), refusal({ rule: 'version-autre' }));
    await refused(server, 'proposition-invalide', () => change('2'), faultsAt('/data/version'));
  });
});

describe('les étapes finales', () => {
  test.each(['refusee', 'cloturee', 'retiree-par-le-demandeur', 'refusee-j3'])(
    '%s admet une rectification de ce qui y a mené',
    async (state) => {
      const way = wayTo(state);
      const id = await lead(server, tokens, way);
      const last = way.at(-1) as Step;
      const who = (
        { prestataire: 'prestataire', 'charge-de-qualification': 'charge', 'directeur-general': 'dg' } as const
      )[last.role as 'prestataire'];
      const donnees = {
        ...last.data,
        ...('motif' in last.data ? { motif: 'Autrement dit' } : { motifs: ['Autrement dit'] }),
      };
      expect(await accepted(rectify(who, id, await idOf(id, last.type), donnees))).toMatchObject({ state });
    },
  );
});
