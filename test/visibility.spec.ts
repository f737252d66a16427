import { audienceOf } from '@jalon/delivery';
import { receivingRoles } from '@jalon/flow';
import { catalogue } from '@jalon/workflows';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CENTRE, lead, opening, PRESTATAIRE, parties, propose, refused, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, upTo, walkToJ3, wayTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
let id: string;
const now = new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  id = await lead(server, tokens, walkToJ3());
  await propose(server, tokens, id, fact('dossier.note-ajoutee', { texte: 'À revoir en septembre.' }));
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const get = (token: string, path: string): Promise<Answer> => server.call(token, 'GET', `/api/dossiers${path}`);
const VIEWS = ['', '/facts', '/timeline'];
const WITHHELD = ['j3.enquete-conclue', 'j3.avis-rendu', 'dossier.note-ajoutee'];

describe('qui voit un dossier', () => {
  test.each<[string, keyof Tokens]>([
    ['son prestataire', 'prestataire'],
    ['son centre', 'centre'],
    ['un chargé, désigné ou non', 'charge'],
    ['le chef de bureau', 'chef'],
    ['le directeur général', 'dg'],
    ["l'auditeur", 'auditeur'],
  ])('%s le voit', async (_, role) => {
    for (const view of VIEWS) expect((await get(tokens[role], `/${id}${view}`)).status).toBe(200);
  });

  test.each<[string, () => string | Promise<string>]>([
    ['un autre prestataire', () => tokens.autre],
    ['un autre centre', () => server.token('centre-evaluation', { sub: 'b', org: 'Centre de Nantes' })],
    ['un centre du nom du prestataire', () => server.token('centre-evaluation', { sub: 'c', org: PRESTATAIRE })],
    ['un prestataire du nom du centre', () => server.token('prestataire', { sub: 'd', org: CENTRE })],
    ['un abonné', () => tokens.abonne],
    ['un administrateur', () => tokens.administrateur],
  ])("pour %s il n'existe pas, comme un dossier inconnu", async (_, token) => {
    const bearer = await token();
    for (const view of VIEWS) {
      const hidden = await refused(server, 'introuvable', () => get(bearer, `/${id}${view}`));
      const unknown = await refused(server, 'introuvable', () =>
        get(bearer, `/00000000-0000-4000-8000-000000000000${view}`),
      );
      expect(hidden.text.replaceAll(id, '')).toBe(unknown.text.replace('00000000-0000-4000-8000-000000000000', ''));
    }
    await refused(server, 'introuvable', () =>
      server.call(bearer, 'POST', `/api/dossiers/${id}/facts`, { type: 'dossier.retire', data: { motif: 'Non.' } }),
    );
  });

  test('le SIREN désigne le prestataire autant que son nom', async () => {
    const siren = await server.token('prestataire', { sub: 's', org: '732829320' });
    expect((await get(siren, `/${id}`)).status).toBe(200);
  });

  test("quand un autre centre est choisi, l'ancien ne voit plus le dossier et le nouveau le voit", async () => {
    const moved = await lead(server, tokens, wayTo('j1.strategie-attendue'));
    const nantes = await server.token('centre-evaluation', { sub: 'nantes', org: 'Centre de Nantes' });
    expect((await get(tokens.centre, `/${moved}`)).status).toBe(200);
    expect((await get(nantes, `/${moved}`)).status).toBe(404);
    const choice = fact('j1.centre-choisi', { centre: 'Centre de Nantes' }, { effectiveAt: '2024-11-12' });
    expect((await propose(server, tokens, moved, choice)).status).toBe(201);
    for (const view of VIEWS) {
      expect((await get(tokens.centre, `/${moved}${view}`)).status).toBe(404);
      expect((await get(nantes, `/${moved}${view}`)).status).toBe(200);
    }
  });

  test("l'auditeur lit tout et ne propose rien", async () => {
    const { body } = await get(tokens.auditeur, `/${id}`);
    expect(body.possible.length).toBeGreaterThan(5);
    expect(body.possible.some(({ allowed }: { allowed: boolean }) => allowed)).toBe(false);
    for (const { type } of body.possible)
      await refused(server, 'interdit', () =>
        server.call(tokens.auditeur, 'POST', `/api/dossiers/${id}/facts`, { type, data: {} }),
      );
    await refused(server, 'interdit', () =>
      server.call(tokens.auditeur, 'POST', '/api/dossiers', opening(fact('candidature.deposee'))),
    );
  });

  test("un prestataire n'ouvre un dossier que pour son organisation", async () => {
    await refused(server, 'interdit', () =>
      server.call(tokens.autre, 'POST', '/api/dossiers', opening(fact('candidature.deposee'))),
    );
  });

  test.each(['renouvelleDe', 'composeSur'])(
    'nommer le dossier d’autrui (%s) n’apprend que ce que dit le registre',
    async (member) => {
      const hidden = await lead(server, tokens, upTo('j0.acceptee'));
      const naming = (token: string, dossier: string, nom = 'Nuage de Paimpont') => {
        const { data } = fact('candidature.deposee');
        const named = { ...data, prestataire: { nom }, [member]: member === 'composeSur' ? [dossier] : dossier };
        return server.call(token, 'POST', '/api/dossiers', opening(fact('candidature.deposee', named)));
      };
      const nobody = '00000000-0000-4000-8000-000000000000';
      const unknown = await naming(tokens.autre, nobody);
      const others = await naming(tokens.autre, hidden);
      expect([unknown.status, others.status]).toEqual([409, 409]);
      const told = ({ text }: Answer) => text.replaceAll(hidden, nobody).replace(/"requestId":"[^"]*"/, '');
      expect(told(others)).toBe(told(unknown));
      // A qualification is public; one's own dossier, and any for who sees them all, is known.
      expect((await naming(tokens.autre, id)).status).toBe(201);
      expect((await naming(tokens.prestataire, hidden, PRESTATAIRE)).status).toBe(201);
      expect((await naming(tokens.charge, hidden)).status).toBe(201);
    },
  );
});

describe('ce qui est tu au prestataire et au centre', () => {
  test.each(['prestataire', 'centre'] as const)(
    "%s : l'historique montre l'enquête, l'avis et les notes par leur seule empreinte",
    async (role) => {
      const whole = (await get(tokens.charge, `/${id}/facts`)).body.items;
      const shown = (await get(tokens[role], `/${id}/facts`)).body.items;
      expect(shown).toEqual(
        whole.map((item: { type: string; revision: number; meta: { hash: string } }) =>
          WITHHELD.includes(item.type) ? { revision: item.revision, hash: item.meta.hash, withheld: true } : item,
        ),
      );
      expect(shown.filter(({ withheld }: { withheld?: true }) => withheld)).toHaveLength(3);
      // The chain still reads: each fact names the hash of the one before it, withheld or not.
      const hashOf = (item: { hash?: string; meta?: { hash: string } }) => item.hash ?? item.meta?.hash;
      for (const [revision, item] of shown.entries())
        if (item.meta && revision > 0) expect(item.meta.previousHash).toBe(hashOf(shown[revision - 1]));
    },
  );

  test.each(['prestataire', 'centre'] as const)('%s : la chronologie les passe', async (role) => {
    const { body, text } = await get(tokens[role], `/${id}/timeline`);
    expect(body.entries).toHaveLength(27);
    for (const { type } of body.entries) expect(WITHHELD).not.toContain(type);
    expect(text).not.toContain('ENQ-2025-08');
    expect(text).not.toContain('À revoir en septembre.');
  });

  test.each(['prestataire', 'centre'] as const)('%s : le contexte ne dit rien de ce qui est tu', async (role) => {
    const all = (await get(tokens.charge, `/${id}`)).body.context;
    const shown = (await get(tokens[role], `/${id}`)).body.context;
    expect(all).toMatchObject({ enquete: 'favorable', avis: { sens: 'qualifier-avec-reserves' } });
    const { enquete: _, avis: __, faits: ___, ...others } = all;
    expect(shown).toEqual(others);
  });

  test.each(['prestataire', 'centre'] as const)('%s : la liste ne date ni ne range par ce qui est tu', async (role) => {
    const listed = async () => (await get(tokens[role], '')).body.items.find((item: { id: string }) => item.id === id);
    const before = await listed();
    const shown = (await get(tokens[role], `/${id}/facts`)).body.items.filter(
      ({ withheld }: { withheld?: true }) => !withheld,
    );
    const { effectiveAt, recordedAt } = shown.at(-1);
    expect(before.updatedAt).toEqual({ effectiveAt, recordedAt });
    await propose(server, tokens, id, fact('dossier.note-ajoutee', { texte: 'Encore une.' }));
    expect((await listed()).updatedAt).toEqual(before.updatedAt);
  });

  test("une règle qui lit ce qui est tu n'est ni vraie ni fausse", async () => {
    const decided = await lead(server, tokens, wayTo('j3.avis-rendu'));
    const rules = async (token: string) => {
      const { possible } = (await get(token, `/${decided}`)).body;
      const grant = possible.find(({ type }: { type: string }) => type === 'j3.qualification-accordee');
      return Object.fromEntries(grant.rules.map(({ rule, holds }: Record<string, unknown>) => [rule, holds]));
    };
    expect(await rules(tokens.dg)).toMatchObject({ 'quatre-yeux': true, 'enquete-non-defavorable': true });
    for (const role of ['prestataire', 'centre'] as const)
      expect(await rules(tokens[role])).toMatchObject({ 'quatre-yeux': null, 'enquete-non-defavorable': null });
  });

  test("les constats et plans d'action restent visibles des parties", async () => {
    for (const role of ['prestataire', 'centre'] as const) {
      const { items } = (await get(tokens[role], `/${id}/facts`)).body;
      expect(items.map(({ type }: { type: string }) => type)).toContain('j2.constat-releve');
    }
  });
});

describe('un nom que tout objet porte', () => {
  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('%s n’est pas un rôle', async (role) => {
    const behalf = await server.call(tokens.charge, 'POST', `/api/dossiers/${id}/facts`, {
      ...{ type: 'suivi.decision-notifiee', data: { le: '2025-07-02', reference: 'N-1' } },
      onBehalfOf: { role, org: PRESTATAIRE },
    });
    expect(behalf.status).toBe(403);
    const viewer = { roles: [role], org: PRESTATAIRE };
    expect(audienceOf(viewer, catalogue)).toBeNull();
    for (const workflow of catalogue.workflows) {
      expect(receivingRoles(workflow, viewer, { prestataire: PRESTATAIRE })).toEqual([]);
      expect([workflow.roles[role], workflow.parties[role]]).toEqual([undefined, undefined]);
    }
  });
});

describe('ce que dit un refus de date', () => {
  test('à une partie : la date d’un fait qu’elle voit, ou aucune', async () => {
    const advised = await lead(server, tokens, wayTo('j3.avis-rendu'));
    const at = (effectiveAt: string) =>
      server.call(tokens.prestataire, 'POST', `/api/dossiers/${advised}/facts`, {
        ...{ type: 'dossier.retire', data: { motif: 'Nous renonçons.' }, effectiveAt },
      });
    const items = (await get(tokens.charge, `/${advised}/facts`)).body.items;
    const last = items.at(-1);
    expect(last.type).toBe('j3.avis-rendu');
    const visible = (await get(tokens.prestataire, `/${advised}/facts`)).body.items
      .filter(({ withheld }: { withheld?: true }) => !withheld)
      .at(-1);
    expect(visible.effectiveAt < last.effectiveAt).toBe(true);
    const [between, before] = [await at(visible.effectiveAt), await at('2020-01-01')];
    expect([between.status, before.status]).toEqual([409, 409]);
    for (const { text } of [between, before]) expect(text).not.toContain(last.effectiveAt);
    expect(before.body.reasons[0].message).toContain(visible.effectiveAt);
    expect(between.body.reasons[0].message).toBe(
      "La date d'effet ne doit pas être antérieure à celle d'un fait déjà enregistré.",
    );
  });
});

describe('quatre yeux', () => {
  const grant = fact('j3.qualification-accordee', {}, { effectiveAt: '2025-07-01' });
  const refusal = fact('j3.qualification-refusee', {}, { effectiveAt: '2025-07-01' });

  test("l'auteur de l'avis ne décide pas, ni pour accorder ni pour refuser, même directeur général", async () => {
    const both = await server.token('directeur-general', { sub: 'demo-chef-de-bureau' });
    for (const decision of [grant, refusal]) {
      const { role: _, ...proposed } = decision;
      const advised = await lead(server, tokens, wayTo('j3.avis-rendu'));
      const path = `/api/dossiers/${advised}/facts`;
      const checklist = (await get(both, `/${advised}`)).body.possible.find(
        ({ type }: { type: string }) => type === decision.type,
      );
      expect(checklist).toMatchObject({ allowed: true });
      expect(checklist.rules).toContainEqual(expect.objectContaining({ rule: 'quatre-yeux', holds: false }));
      await refused(server, 'fait-refuse', () => server.call(both, 'POST', path, proposed), {
        fact: decision.type,
        state: 'j3.avis-rendu',
        reasons: [
          {
            rule: 'quatre-yeux',
            message: "« demo-chef-de-bureau » est l'auteur de l'avis : une autre personne doit prendre la décision.",
            items: [{ kind: 'acteur', id: 'demo-chef-de-bureau', label: 'demo-chef-de-bureau' }],
          },
        ],
        possible: expect.any(Array),
      });
      expect((await server.call(tokens.dg, 'POST', path, proposed)).status).toBe(201);
    }
  });

  test("un nouvel avis, d'un autre auteur, rend la décision possible à l'ancien", async () => {
    const advised = await lead(server, tokens, upTo('j3.avis-rendu'));
    const withdrawn = fact('j3.avis-retire', {}, { effectiveAt: '2025-06-20' });
    expect((await propose(server, tokens, advised, withdrawn)).status).toBe(201);
    const other = await server.token('chef-de-bureau', { sub: 'autre-chef' });
    const { role: _, ...advice } = fact('j3.avis-rendu', {}, { effectiveAt: '2025-06-23' });
    expect((await server.call(other, 'POST', `/api/dossiers/${advised}/facts`, advice)).status).toBe(201);
    const both = await server.token('directeur-general', { sub: 'demo-chef-de-bureau' });
    const { role: __, ...decision } = grant;
    expect((await server.call(both, 'POST', `/api/dossiers/${advised}/facts`, decision)).status).toBe(201);
  });
});
