import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lead, parties, propose, refused, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, OTHER, type Step, walkToJ3, wayTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
let now = new Date('2026-02-02T10:00:00Z');

const dossiers: Record<string, string> = {};

/** The same way for another company, for which an officer records. */
const named = (steps: readonly Step[], nom: string, offre: string): Step[] =>
  steps.map((step) => ({
    ...step,
    ...(step.role === 'prestataire' ? { role: 'charge-de-qualification' } : {}),
    ...(step.type === 'candidature.deposee' ? { data: { ...step.data, prestataire: { nom }, offre } } : {}),
  }));

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  const add = async (name: string, steps: readonly Step[]) => {
    dossiers[name] = await lead(server, tokens, steps);
  };
  await add('qualifiée', walkToJ3());
  await add('mise en cause', named(wayTo('qualifiee.mise-en-cause'), 'Éole, Données', '=HYPERLINK("x")'));
  await add('suspendue', named(wayTo('qualifiee.suspendue'), 'ancre', 'Ancre Coffre'));
  await add('abrogée', named(wayTo('abrogee'), 'Zéphyr', 'Zéphyr Calcul'));
  await add('refusée', named(wayTo('refusee-j3'), 'Bise', 'Bise'));
  await add('instruction', named(wayTo('j3.instruction'), 'Calme', 'Calme'));
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const register = (query = '', headers: Record<string, string> = {}, token: string | null = null): Promise<Answer> =>
  server.call(token, 'GET', `/api/register${query}`, undefined, headers);

describe('le registre public', () => {
  test('dit sans jeton ce qui est qualifié ou l’a été, par prestataire', async () => {
    const { status, body, headers } = await register();
    expect([status, headers.get('vary')]).toEqual([200, 'accept']);
    expect(headers.get('x-position')).toMatch(/^\d+$/);
    expect(
      body.items.map(({ prestataire, statut, valide }: Record<string, unknown>) => [prestataire, statut, valide]),
    ).toEqual([
      ['ancre', 'suspendue', false],
      ['Éole, Données', 'valide', true],
      ['Nuage de Brocéliande', 'valide', true],
      ['Zéphyr', 'valide', true],
    ]);
    expect(body.items[2]).toMatchObject({
      dossier: dossiers.qualifiée,
      services: [{ id: 'iaas' }, { id: 'caas' }],
      valideJusquAu: '2028-06-30',
      conditions: ['Les clients activent le chiffrement des sauvegardes.'],
    });
    expect(body.items[3]).toMatchObject({ valideJusquAu: '2026-12-31', historique: [{}, { statut: 'abrogee' }] });
  });

  test('ne laisse paraître ni mise en cause, ni réserve, ni motif, ni rien d’autre qui ne soit pas public', async () => {
    const answer = await register();
    const [accused, untouched] = [answer.body.items[1], answer.body.items[2]];
    const { dossier: _a, prestataire: _b, offre: _c, ...like } = untouched;
    expect(accused).toEqual({ ...like, dossier: accused.dossier, prestataire: 'Éole, Données', offre: accused.offre });
    for (const headers of [{}, { accept: 'text/csv' }, { accept: 'application/x-ndjson' }])
      expect((await register('', headers)).text).not.toMatch(/grief|mise|réserve|reserve|motif|contrôle|siren|73282/i);
  });

  test('suit la date : ce qu’elle rend vrai l’est sans qu’un fait le dise', async () => {
    now = new Date('2027-01-01T10:00:00Z');
    expect((await register()).body.items[3]).toMatchObject({ statut: 'abrogee', valide: false });
    now = new Date('2028-07-01T10:00:00Z');
    expect((await register()).body.items[2]).toMatchObject({ statut: 'expiree', valide: false });
    now = new Date('2026-02-02T10:00:00Z');
  });

  test('se donne en CSV, une ligne par service, sans formule', async () => {
    const { text, headers } = await register('', { accept: 'text/csv' });
    expect(headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
    const lines = text.split('\r\n');
    expect(lines.pop()).toBe('');
    expect(lines).toHaveLength(1 + 4 * 2);
    expect(lines[0]).toBe(
      'dossier;prestataire;offre;referentiel;service;nom;type;statut;valide;valide_du;valide_jusqu_au;decision;decidee_le;notifiee_le;publiee_le;conditions',
    );
    expect(lines[3]).toBe(
      `${dossiers['mise en cause']};Éole, Données;"'=HYPERLINK(""x"")";SecNumCloud 3.2;iaas;Brocéliande Machines;IaaS;valide;oui;2025-07-01;2028-06-30;2025-QC-017;2025-07-01;;;Les clients activent le chiffrement des sauvegardes.`,
    );
  });

  test('s’ouvre dans un tableur français : marque d’ordre des octets, puis points-virgules', async () => {
    const answer = await fetch(`${server.url}/api/register`, { headers: { accept: 'text/csv' } });
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(bytes.subarray(0, 15).toString()).toBe('\ufeffdossier;pres');
    expect(bytes.indexOf('\ufeff', 1)).toBe(-1);
  });

  test('se donne en JSON Lines, les mêmes qualifications qu’en JSON', async () => {
    const { text, headers } = await register('', { accept: 'application/x-ndjson' });
    expect(headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual((await register()).body.items);
  });

  test.each([
    ['*/*', 'application/json'],
    ['text/html', 'application/json'],
    ['text/csv;q=0.5, application/json;q=0.9', 'application/json'],
    ['text/*', 'text/csv'],
    ['application/x-ndjson, */*;q=0.1', 'application/x-ndjson'],
  ])('répond à « Accept: %s » par %s', async (accept, media) => {
    expect((await register('', { accept })).headers.get('content-type')).toContain(media);
  });

  test('se lit page par page en JSON', async () => {
    const first = await register('?limit=3');
    expect([first.body.items.length, first.headers.get('link')]).toEqual([3, `<${first.body.next}>; rel="next"`]);
    const last: Answer = await server.call(null, 'GET', first.body.next);
    expect([...first.body.items, ...last.body.items]).toEqual((await register()).body.items);
    expect(last.body).not.toHaveProperty('next');
    for (const query of ['?cursor=x', '?limit=0', '?statut=valide', '?min-position=x'])
      await refused(server, 'requete-mal-formee', () => register(query));
  });
});

describe('les constats', () => {
  const findings = (query = '', token = tokens.charge): Promise<Answer> =>
    server.call(token, 'GET', `/api/findings${query}`);
  const own = () => `dossier=${dossiers.qualifiée}`;
  const said = ({ body }: Answer) =>
    body.items.map(({ constat, open }: Record<string, unknown>) => `${constat} ${open}`);

  test('se lisent dans l’ordre des exigences, ouverts ou non, avec leur plan et leur levée', async () => {
    const answer = await findings(`?${own()}`);
    expect(said(answer)).toEqual(['C1 false', 'C2 true', 'C3 false']);
    expect(answer.body.items[1]).toEqual({
      dossier: dossiers.qualifiée,
      constat: 'C2',
      audit: 'A1',
      exigence: '9.5.b',
      verdict: 'non-conforme',
      gravite: 'mineure',
      description: "La revue des droits d'accès n'est pas annuelle.",
      releveLe: '2025-02-13',
      fait: expect.stringMatching(/^[0-9a-f-]{36}$/),
      plan: { mesures: 'Revue des droits chaque année, en janvier.', avantLe: '2025-06-30', remisLe: '2025-04-04' },
      open: true,
    });
    expect(answer.body.items[2]).toMatchObject({
      leve: { le: '2025-04-28', preuve: { titre: 'Compte rendu de la revue' } },
    });
  });

  test('se choisissent par dossier, exigence et état', async () => {
    expect(said(await findings(`?${own()}&open=true`))).toEqual(['C2 true']);
    expect(said(await findings(`?${own()}&open=false`))).toEqual(['C1 false', 'C3 false']);
    expect(said(await findings(`?${own()}&exigence=13.2.a`))).toEqual(['C3 false']);
    expect(said(await findings('?exigence=9.5.b'))).toHaveLength(6);
    expect(said(await findings(`?dossier=${OTHER}`))).toEqual([]);
    const page = await findings('?limit=5');
    expect((await server.call(tokens.charge, 'GET', page.body.next)).body.items).toHaveLength(5);
    for (const query of ['?dossier=x', '?open=oui', '?cursor=x', '?exigences=5'])
      await refused(server, 'requete-mal-formee', () => findings(query));
  });

  test('ne sont montrés qu’à qui voit le dossier', async () => {
    expect(said(await findings('', tokens.prestataire))).toHaveLength(3);
    expect(said(await findings('', tokens.centre))).toHaveLength(18);
    expect(said(await findings(`?${own()}`, tokens.autre))).toEqual([]);
    for (const token of [tokens.abonne, tokens.administrateur])
      await refused(server, 'interdit', () => findings('', token));
  });

  test('suivent les corrections', async () => {
    const { body } = await server.call(tokens.charge, 'GET', `/api/dossiers/${dossiers.instruction}/facts?limit=200`);
    const lifted = body.items.find(({ type }: { type: string }) => type === 'j2.ecart-leve');
    const rectify: Step = {
      type: 'dossier.fait-rectifie',
      role: 'charge-de-qualification',
      data: {
        fait: lifted.id,
        donnees: { ...lifted.data, constat: 'C3', preuve: { ...lifted.data.preuve, titre: 'Autre' } },
        motif: 'E',
      },
    };
    expect(await propose(server, tokens, dossiers.instruction as string, rectify)).toMatchObject({ status: 201 });
    const { items } = (await findings(`?dossier=${dossiers.instruction}&exigence=13.2.a`)).body;
    expect(items).toMatchObject([{ open: false, leve: { preuve: { titre: 'Autre' } } }]);
  });
});

describe('les statistiques', () => {
  const statistics = (token: string | null) => server.call(token, 'GET', '/api/statistics');

  test('disent les durées entre jalons et les dossiers en cours', async () => {
    const { body, headers } = await statistics(tokens.charge);
    expect(headers.get('x-position')).toMatch(/^\d+$/);
    const year = (n: number, years: Record<string, unknown>) => [{ year: n, ...years }];
    const days = { count: 6, min: 43, q1: 43, median: 43, q3: 43, p90: 43, max: 43 };
    expect(body.durations[0]).toEqual({
      workflow: 'secnumcloud',
      from: 'depot',
      to: 'J0',
      ...days,
      years: year(2024, days),
    });
    expect(body.durations.map(({ from, to, count }: Record<string, unknown>) => `${from} ${to} ${count}`)).toEqual([
      'depot J0 6',
      'J0 J1 6',
      'J1 J2 6',
      'depot J3 5',
      'J2 J3 5',
    ]);
    expect(body.inProgress).toEqual([
      { workflow: 'secnumcloud', jalon: 'J3', count: 1 },
      { workflow: 'secnumcloud', jalon: 'suivi', count: 3 },
    ]);
    expect(body.ended).toEqual([{ workflow: 'secnumcloud', count: 2 }]);
    const crossed = body.crossings.map(({ jalon, months }: { jalon: string; months: { count: number }[] }) => [
      jalon,
      months.reduce((sum, { count }) => sum + count, 0),
    ]);
    expect(crossed).toEqual([
      ['depot', 6],
      ['J0', 6],
      ['J1', 6],
      ['J2', 6],
      ['J3', 5],
    ]);
  });

  test('sont pour qui voit tous les dossiers et pour les abonnés', async () => {
    for (const token of [tokens.chef, tokens.dg, tokens.auditeur, tokens.abonne])
      expect((await statistics(token)).status).toBe(200);
    for (const token of [tokens.prestataire, tokens.centre, tokens.administrateur])
      await refused(server, 'interdit', () => statistics(token));
    await refused(server, 'non-authentifie', () => statistics(null));
  });

  test('comptent une demande nouvelle aussitôt enregistrée', async () => {
    await lead(server, tokens, [fact('candidature.deposee', {}, { effectiveAt: '2026-01-05' })]);
    expect((await statistics(tokens.abonne)).body.inProgress[0]).toMatchObject({ jalon: 'J0', count: 1 });
  });
});
