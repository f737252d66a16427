import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lead, opening, parties, propose, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { EXAMPLES, fact, upTo, walkToJ3 } from './walk.ts';

let server: Running;
let tokens: Tokens;
let id: string;
let now = new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  id = await lead(server, tokens, walkToJ3());
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const get = (path: string, token = tokens.charge): Promise<Answer> => server.call(token, 'GET', path);
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HEX = /^[0-9a-f]{64}$/;
const RECORDED = '2025-07-02T10:00:00.000Z';

describe('ce que répond un dossier', () => {
  const members = 'context crossed id jalon position possible revision state workflow'.split(' ');

  test('ouvrir : 201, son adresse, sa révision, le fait enregistré', async () => {
    const answer = await server.call(
      tokens.prestataire,
      'POST',
      '/api/dossiers',
      opening(fact('candidature.deposee', {}, { effectiveAt: '2025-06-30' })),
    );
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe(`/api/dossiers/${answer.body.id}`);
    expect(answer.headers.get('etag')).toBe('"0"');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(Object.keys(answer.body).sort()).toEqual([...members, 'event'].sort());
    expect(answer.body).toMatchObject({
      id: expect.stringMatching(UUID),
      workflow: { name: 'secnumcloud', version: 1 },
      revision: 0,
      position: expect.stringMatching(/^\d+$/),
      state: 'candidature.deposee',
      jalon: 'J0',
      crossed: [],
    });
    expect(answer.body.event).toEqual({
      id: expect.stringMatching(UUID),
      type: 'candidature.deposee',
      revision: 0,
      position: answer.body.position,
      effectiveAt: '2025-06-30',
      recordedAt: RECORDED,
      data: EXAMPLES['candidature.deposee']?.data,
      meta: {
        actor: {
          sub: 'demo-prestataire',
          iss: 'urn:jalon:demonstration',
          role: 'prestataire',
          org: 'Nuage de Brocéliande',
        },
        workflow: { name: 'secnumcloud', version: 1, hash: expect.stringMatching(HEX) },
        from: null,
        to: 'candidature.deposee',
        stateHash: expect.stringMatching(HEX),
        dataHash: expect.stringMatching(HEX),
        correlationId: answer.body.event.id,
        software: expect.stringMatching(/^jalon\/\d/),
        previousHash: null,
        hash: expect.stringMatching(HEX),
      },
    });
  });

  test('avancer : le fait suit le précédent, et porte ce que son auteur en a dit', async () => {
    const opened = await lead(server, tokens, upTo('candidature.deposee'));
    const first = (await get(`/api/dossiers/${opened}/facts`)).body.items[0];
    const { role: _, ...receipt } = fact('candidature.accuse-emis');
    const said = { ...receipt, correlationId: 'courrier-118', causationId: first.id };
    const answer = await server.call(tokens.charge, 'POST', `/api/dossiers/${opened}/facts`, said);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('etag')).toBe('"1"');
    expect(answer.headers.get('location')).toBeNull();
    expect(answer.body.event).toMatchObject({ effectiveAt: '2025-07-02', revision: 1 });
    expect(answer.body.event.meta).toMatchObject({
      correlationId: 'courrier-118',
      causationId: first.id,
      previousHash: first.meta.hash,
      from: 'candidature.deposee',
    });
  });

  test('lire : la même chose, sans fait ; chaque fait possible avec sa liste de règles et son schéma', async () => {
    const { status, headers, body } = await get(`/api/dossiers/${id}`);
    expect(status).toBe(200);
    expect(headers.get('etag')).toBe('"28"');
    expect(Object.keys(body).sort()).toEqual(members);
    expect(body.crossed).toHaveLength(4);
    expect(body.crossed[0]).toEqual({ jalon: 'J0', effectiveAt: '2024-10-15', recordedAt: RECORDED });
    const reserve = body.possible.find(({ type }: { type: string }) => type === 'suivi.reserve-levee');
    expect(reserve).toEqual({
      type: 'suivi.reserve-levee',
      label: 'Réserve levée',
      by: ['charge-de-qualification'],
      allowed: true,
      rules: [
        { rule: 'pas-apres-la-fin-de-validite', message: expect.stringContaining('2028-06-30'), holds: true },
        { rule: 'reserve-ouverte', message: expect.stringContaining('R1'), holds: null },
        { rule: 'date-non-future', message: expect.any(String), holds: null },
        { rule: 'date-dans-l-ordre', message: expect.any(String), holds: null },
      ],
      schema: '/api/workflows/secnumcloud/1/facts/suivi.reserve-levee',
    });
    expect((await server.call(null, 'GET', reserve.schema)).body).toMatchObject({ title: 'Réserve levée' });
  });

  test('Prefer: return=minimal : cinq membres, aux deux écritures', async () => {
    const minimal = { prefer: 'respond-async, return=minimal' };
    const body = opening(fact('candidature.deposee'));
    const opened = await server.call(tokens.prestataire, 'POST', '/api/dossiers', body, minimal);
    const { role: _, ...receipt } = fact('candidature.accuse-emis');
    const path = `/api/dossiers/${opened.body.id}/facts`;
    const advanced = await server.call(tokens.charge, 'POST', path, receipt, minimal);
    for (const [revision, answer] of [opened, advanced].entries()) {
      expect(answer.status).toBe(201);
      expect(answer.headers.get('preference-applied')).toBe('return=minimal');
      expect(answer.headers.get('etag')).toBe(`"${revision}"`);
      expect(answer.body).toEqual({
        id: opened.body.id,
        revision,
        position: expect.stringMatching(/^\d+$/),
        state: 'candidature.deposee',
        event: { id: expect.stringMatching(UUID) },
      });
    }
    expect(opened.headers.get('location')).toBe(`/api/dossiers/${opened.body.id}`);
  });

  test("l'historique se lit page à page, du plus ancien au plus récent", async () => {
    const whole = (await get(`/api/dossiers/${id}/facts`)).body;
    expect(whole.next).toBeUndefined();
    expect(whole.items.map(({ type }: { type: string }) => type)).toEqual(walkToJ3().map(({ type }) => type));

    const read: unknown[] = [];
    let pages = 0;
    for (let path: string | undefined = `/api/dossiers/${id}/facts?limit=12`; path; pages += 1) {
      const page: Answer = await get(path);
      path = page.body.next;
      expect(page.headers.get('link')).toBe(path ? `<${path}>; rel="next"` : null);
      read.push(...page.body.items);
    }
    expect(pages).toBe(3);
    expect(read).toEqual(whole.items);

    const after = await get(`/api/dossiers/${id}/facts?after=26`);
    expect(after.body.items.map(({ revision }: { revision: number }) => revision)).toEqual([27, 28]);
    expect((await get(`/api/dossiers/${id}/facts?after=28`)).body).toEqual({ items: [] });
    expect((await get(`/api/dossiers/${id}/facts?limit=29`)).body.next).toBeUndefined();
  });
});

describe('la chronologie', () => {
  test('donne quatre jalons, leurs dates, et les jours entre eux', async () => {
    const { body, headers } = await get(`/api/dossiers/${id}/timeline`);
    expect(Number(headers.get('x-position'))).toBeGreaterThanOrEqual(Number(body.position));
    expect(body).toMatchObject({ id, revision: 28, state: 'qualifiee.valide', jalon: 'suivi' });
    const days = (jalon: string, effectiveAt: string, daysSincePrevious: number | null, daysSinceOpening: number) => ({
      jalon,
      effectiveAt,
      recordedAt: RECORDED,
      daysSincePrevious,
      daysSinceOpening,
      fact: expect.stringMatching(UUID),
    });
    expect(body.milestones).toEqual([
      days('J0', '2024-10-15', null, 43),
      days('J1', '2025-01-13', 90, 133),
      days('J2', '2025-05-19', 126, 259),
      days('J3', '2025-07-01', 43, 302),
    ]);
  });

  test("range les faits par date d'effet, même enregistrés après", async () => {
    const opened = await lead(server, tokens, upTo('candidature.accuse-emis'));
    const note = fact('dossier.note-ajoutee', {}, { effectiveAt: '2024-08-20' });
    expect((await propose(server, tokens, opened, note)).status).toBe(201);
    const { entries } = (await get(`/api/dossiers/${opened}/timeline`)).body;
    expect(entries.map(({ revision }: { revision: number }) => revision)).toEqual([2, 0, 1]);
    expect(entries[2]).toMatchObject({
      type: 'candidature.accuse-emis',
      label: 'Accusé de réception émis',
      effectiveAt: '2024-09-05',
      actor: { role: 'charge-de-qualification', sub: 'demo-charge-de-qualification' },
      jalon: 'J0',
      from: 'candidature.deposee',
      to: 'candidature.deposee',
    });
  });

  test("dit d'une cible annoncée si elle est manquée : à la date du jour, puis à celle du jalon", async () => {
    now = new Date('2025-06-18T10:00:00Z');
    const waiting = await lead(server, tokens, upTo('j3.avis-rendu'));
    const missed = async (of: string) => (await get(`/api/dossiers/${of}/timeline`)).body.targets[0].missed;
    expect(await missed(waiting)).toBe(false);
    now = new Date('2025-06-30T21:59:00Z');
    expect(await missed(waiting)).toBe(false);
    // One minute later it is July in Paris.
    now = new Date('2025-06-30T22:00:00Z');
    expect(await missed(waiting)).toBe(true);
    now = new Date('2025-07-02T10:00:00Z');
    const { targets } = (await get(`/api/dossiers/${id}/timeline`)).body;
    expect(targets).toEqual([
      {
        jalon: 'J3',
        periode: '2025-S1',
        until: '2025-06-30',
        effectiveAt: '2024-10-20',
        recordedAt: RECORDED,
        fact: expect.stringMatching(UUID),
        missed: true,
      },
    ]);
  });

  test('donne les échéances : ouvertes, dépassées, closes et par quel fait', async () => {
    const { deadlines } = (await get(`/api/dossiers/${id}/timeline`)).body;
    type Shown = { label: string; key?: string; due: string; open: boolean; overdue: boolean; closedOn?: string };
    const shown = deadlines.map(({ label, key, due, open, overdue, closedOn }: Shown) => [
      [label, key].filter(Boolean).join(' '),
      due,
      closedOn ?? (overdue ? 'dépassée' : open ? 'ouverte' : 'close'),
    ]);
    expect(shown).toEqual([
      ['Compléments à fournir', '2024-10-15', '2024-10-01'],
      ["Plan d'action à mener C3", '2025-04-30', '2025-04-28'],
      ["Plan d'action à mener C2", '2025-06-30', '2025-05-19'],
      ['Réserve à lever R1', '2026-01-31', 'ouverte'],
      ['Fin de validité de la qualification', '2028-06-30', 'ouverte'],
    ]);
  });
});
