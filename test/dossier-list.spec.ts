import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CENTRE, lead, PRESTATAIRE, parties, refused, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, type Step, upTo, wayTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
const now = new Date('2025-07-02T10:00:00Z');

let notYet: Promise<Answer>;

/** Dossiers at several places of the procedure, by what they are called here. */
const dossiers: Record<string, string> = {};

/** The same way for another company and another centre. */
const elsewhere = (steps: readonly Step[]): Step[] =>
  steps.map((step) => {
    if (step.type === 'candidature.deposee')
      return { ...step, role: 'charge-de-qualification', data: { ...step.data, ...AUTRE } };
    if (step.type === 'j1.centre-choisi')
      return { ...step, role: 'charge-de-qualification', data: { ...step.data, centre: 'Centre de Nantes' } };
    return step;
  });
const AUTRE = { prestataire: { nom: 'Éole Données' }, offre: 'Éole Coffre' };

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  const add = async (name: string, steps: readonly Step[]) => {
    dossiers[name] = await lead(server, tokens, steps);
  };
  await add('déposée', upTo('candidature.deposee'));
  await add('complète sauf chargé', [
    ...upTo('candidature.accuse-emis'),
    ...wayTo('candidature.incomplete').slice(3),
    fact('candidature.complements-recus', {}, { effectiveAt: '2024-10-01' }),
  ]);
  await add('incomplète', wayTo('candidature.incomplete'));
  await add('audits', wayTo('j2.audits'));
  await add('instruction', wayTo('j3.instruction'));
  await add('avis rendu', wayTo('j3.avis-rendu'));
  await add('qualifiée', wayTo('qualifiee.valide'));
  await add('retirée', wayTo('retiree-par-le-demandeur'));
  await add('ailleurs', elsewhere(upTo('candidature.deposee')));
  // Answered after five seconds, while the other tests run.
  notYet = list('?min-position=999999999');
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const list = (query = '', token = tokens.charge): Promise<Answer> => server.call(token, 'GET', `/api/dossiers${query}`);
const named = ({ body }: Answer): string[] =>
  body.items
    .map(({ id }: { id: string }) => Object.keys(dossiers).find((name) => dossiers[name] === id))
    .sort((a: string, b: string) => a.localeCompare(b, 'fr'));
const ALL = () => Object.keys(dossiers).sort((a, b) => a.localeCompare(b, 'fr'));
const OWN = () => ALL().filter((name) => name !== 'ailleurs');

describe('chercher parmi les dossiers', () => {
  test.each<[string, string, (() => string[]) | string[]]>([
    ['tous', '', ALL],
    ['par jalon', '?jalon=J3', ['avis rendu', 'instruction']],
    ['par état', '?state=candidature.incomplete', ['incomplète']],
    ['par prestataire, sans accents ni majuscules', '?prestataire=nuage%20de%20broceliande', OWN],
    ['par SIREN', '?prestataire=732829320', OWN],
    ['par SIREN, comme on le tape', '?prestataire=732%20829%20320', OWN],
    ['par SIRET', '?prestataire=73282932000074', OWN],
    ['par un SIREN parmi le reste', '?q=732%20829%20320', OWN],
    ['par un SIRET parmi le reste', '?q=732%20829%20320%2000074', OWN],
    ['par une partie du SIREN', '?q=829%203', OWN],
    ['par un nom à l’espace près', '?q=nuage%E2%80%91de%20brocel', OWN],
    ['par centre, comme on le tape', `?centre=${encodeURIComponent(CENTRE.toUpperCase())}&jalon=suivi`, ['qualifiée']],
    ['par référentiel', '?referentiel=SecNumCloud%203.2', ALL],
    ['par chargé', '?charge=c.martin&jalon=J2', ['audits']],
    ['par centre', `?centre=${encodeURIComponent(CENTRE)}&jalon=suivi`, ['qualifiée']],
    ['par procédure', '?workflow=secnumcloud&jalon=fin', ['retirée']],
    ['par une partie du nom', '?q=%C3%A9ole', ['ailleurs']],
    ['par une partie du nom, sans accent', '?q=coff', ['ailleurs']],
    ['par plusieurs conditions à la fois', '?q=broceliande&jalon=J0&state=candidature.incomplete', ['incomplète']],
    ['sans résultat', '?q=%25', []],
  ])('%s', async (_, query, expected) => {
    const answer = await list(query);
    expect(answer.status).toBe(200);
    expect(named(answer)).toEqual(typeof expected === 'function' ? expected() : expected);
  });

  test("montre d'un dossier où il en est, ses cibles et sa prochaine échéance", async () => {
    const [item] = (await list('?jalon=suivi')).body.items;
    expect(item).toEqual({
      id: dossiers.qualifiée,
      workflow: { name: 'secnumcloud', version: 1 },
      revision: 28,
      position: expect.stringMatching(/^\d+$/),
      state: 'qualifiee.valide',
      label: 'Qualification valide',
      jalon: 'suivi',
      final: false,
      openedAt: '2024-09-02',
      updatedAt: { effectiveAt: '2025-07-01', recordedAt: now.toISOString() },
      jalonSince: '2025-07-01',
      summary: {
        prestataire: PRESTATAIRE,
        siren: '732829320',
        offre: 'Brocéliande Cloud',
        referentiel: 'SecNumCloud 3.2',
        charge: 'c.martin',
        centre: CENTRE,
      },
      crossed: expect.objectContaining({ J2: { effectiveAt: '2025-05-19', recordedAt: now.toISOString() } }),
      targets: { J3: { periode: '2025-S1', missed: true } },
      nextDeadline: { label: 'Réserve à lever', due: '2026-01-31', overdue: false },
    });
  });

  test.each(['-updatedAt', 'openedAt', '-jalonSince', 'nextDeadline', 'prestataire', '-offre'])(
    'triés par %s, page à page, chacun une fois',
    async (sort) => {
      const whole = (await list(`?sort=${sort}`)).body.items;
      const read: unknown[] = [];
      for (let path: string | undefined = `?sort=${sort}&limit=4`; path !== undefined; ) {
        const page: Answer = await list(path);
        expect(page.body.items.length).toBeLessThanOrEqual(4);
        expect(page.headers.get('link')).toBe(page.body.next ? `<${page.body.next}>; rel="next"` : null);
        path = page.body.next?.replace('/api/dossiers', '');
        read.push(...page.body.items);
      }
      expect(read).toEqual(whole);
      expect(whole).toHaveLength(9);
    },
  );

  test('le tri par prestataire ignore accents et majuscules', async () => {
    const { items } = (await list('?sort=prestataire')).body;
    expect(items[0].summary.prestataire).toBe('Éole Données');
  });
});

describe('les dossiers qui attendent un rôle', () => {
  test.each<[keyof Tokens, string[]]>([
    ['prestataire', ['incomplète']],
    ['centre', ['audits']],
    ['charge', ['ailleurs', 'déposée']],
    ['chef', ['ailleurs', 'complète sauf chargé', 'déposée', 'instruction']],
    ['dg', ['avis rendu']],
    ['auditeur', []],
  ])('%s', async (role, expected) => {
    const found = named(await list('?waiting=me', tokens[role]));
    expect(found).toEqual(expected);
  });

  test('se lisent aussi page à page', async () => {
    const read: string[] = [];
    for (let path: string | undefined = '?waiting=me&limit=2'; path !== undefined; ) {
      const page: Answer = await list(path, tokens.chef);
      read.push(...named(page));
      path = page.body.next?.replace('/api/dossiers', '');
    }
    expect(read.sort((a, b) => a.localeCompare(b, 'fr'))).toEqual(named(await list('?waiting=me', tokens.chef)));
  });
});

describe('une lecture qui doit comprendre une position', () => {
  test('la comprend, ou dit de revenir quand elle ne vient pas', async () => {
    const { position } = (await server.call(tokens.charge, 'GET', `/api/dossiers/${dossiers.ailleurs}`)).body;
    const answer = await list(`?min-position=${position}`);
    expect(answer.status).toBe(200);
    expect(Number(answer.headers.get('x-position'))).toBeGreaterThanOrEqual(Number(position));
    const late = await refused(server, 'lecture-en-retard', () => notYet, { requestId: expect.any(String) });
    expect(late.headers.get('retry-after')).toBe('2');
  }, 10_000);
});

describe('les dossiers que voit un rôle', () => {
  test('un prestataire, par son nom ou son SIREN : les siens', async () => {
    expect(named(await list('', tokens.prestataire))).toEqual(OWN());
    expect(named(await list('', tokens.autre))).toEqual([]);
    const siren = await server.token('prestataire', { sub: 'siren', org: '732829320' });
    expect(named(await list('', siren))).toEqual(OWN());
    for (const org of [PRESTATAIRE.toUpperCase(), ` ${PRESTATAIRE} `, '732 829 320', '732 829 320 00074']) {
      const same = await server.token('prestataire', { sub: 'typed', org });
      expect(named(await list('', same))).toEqual(OWN());
      expect((await server.call(same, 'GET', `/api/dossiers/${dossiers.audits}`)).status).toBe(200);
      expect((await server.call(same, 'GET', '/api/deadlines')).body.items.length).toBeGreaterThan(0);
    }
    // What is searched alike is not owned alike: accents and hyphens tell organisations apart.
    for (const org of ['Nuage de Broceliande', 'Nuage-de-Brocéliande', '552100554']) {
      const other = await server.token('prestataire', { sub: 'other', org });
      expect(named(await list('', other))).toEqual([]);
      await refused(server, 'introuvable', () => server.call(other, 'GET', `/api/dossiers/${dossiers.audits}`));
    }
  });

  test('un centre : ceux dont il est le centre choisi', async () => {
    expect(named(await list('', tokens.centre))).toEqual(['audits', 'avis rendu', 'instruction', 'qualifiée']);
  });

  test('un filtre ne donne pas les dossiers des autres', async () => {
    expect(named(await list('?prestataire=Nuage%20de%20Broc%C3%A9liande', tokens.autre))).toEqual([]);
    expect(named(await list('?q=Broc', tokens.autre))).toEqual([]);
  });

  test('un abonné, un administrateur : aucun (403)', async () => {
    for (const role of ['abonne', 'administrateur'] as const)
      await refused(server, 'interdit', () => list('', tokens[role]));
  });
});
