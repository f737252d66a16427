import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import ICAL from 'ical.js';
import { lead, parties, propose, refused, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, type Step, upTo, wayTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
let now = new Date('2025-07-02T10:00:00Z');

let notYet: Promise<Answer>;
const dossiers: Record<string, string> = {};

const elsewhere = (steps: readonly Step[]): Step[] =>
  steps.map((step) =>
    step.type === 'candidature.deposee'
      ? {
          ...step,
          role: 'charge-de-qualification',
          data: { ...step.data, prestataire: { nom: 'Éole, Données & Co' }, offre: 'Éole « Coffre » ; fort' },
        }
      : step,
  );

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  const add = async (name: string, steps: readonly Step[]) => {
    dossiers[name] = await lead(server, tokens, steps);
  };
  await add('incomplète', wayTo('candidature.incomplete'));
  await add('qualifiée', wayTo('qualifiee.valide'));
  await add('en revue', upTo('j2.rapport-remis'));
  await add('retirée', wayTo('retiree-par-le-demandeur'));
  await add('ailleurs', elsewhere(upTo('candidature.complements-demandes')));
  // Answered after five seconds, while the other tests run.
  notYet = server.call(tokens.charge, 'GET', '/api/deadlines?min-position=999999999');
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const list = (query = '', token = tokens.charge) => server.call(token, 'GET', `/api/deadlines${query}`);
const said = ({ body }: Answer): string[] =>
  body.items.map(
    ({ due, label, dossier }: Record<string, string>) =>
      `${due} ${label} (${Object.keys(dossiers).find((name) => dossiers[name] === dossier)})`,
  );

const COMPLEMENTS = '2024-10-15 Compléments à fournir (incomplète)';
const AILLEURS = '2024-10-15 Compléments à fournir (ailleurs)';
const PLAN = "2025-06-30 Plan d'action à mener (en revue)";
const RESERVE = '2026-01-31 Réserve à lever (qualifiée)';
const FIN = '2028-06-30 Fin de validité de la qualification (qualifiée)';

describe('les échéances', () => {
  test('sont celles qui restent ouvertes, dans l’ordre des dates, chacune avec le fait qui l’a fixée', async () => {
    const answer = await list();
    expect(said(answer).toSorted()).toEqual([AILLEURS, COMPLEMENTS, PLAN, RESERVE, FIN].toSorted());
    const dates = said(answer).map((text) => text.slice(0, 10));
    expect(dates).toEqual(dates.toSorted());
    const { body } = await server.call(tokens.charge, 'GET', `/api/dossiers/${dossiers.qualifiée}/facts?limit=200`);
    const granted = body.items.find(({ type }: { type: string }) => type === 'j3.qualification-accordee');
    expect(answer.body.items.at(-1)).toEqual({
      id: `${granted.id}.0`,
      dossier: dossiers.qualifiée,
      workflow: { name: 'secnumcloud', version: 1 },
      summary: expect.objectContaining({ prestataire: 'Nuage de Brocéliande', offre: 'Brocéliande Cloud' }),
      jalon: 'suivi',
      label: 'Fin de validité de la qualification',
      due: '2028-06-30',
      validity: true,
      fact: 'j3.qualification-accordee',
      openedBy: granted.id,
      openedOn: '2025-07-01',
      open: true,
      overdue: false,
    });
    expect(answer.body.items[0]).toMatchObject({ overdue: true });
    expect(answer.headers.get('x-position')).toMatch(/^\d+$/);
  });

  test.each([
    ['avant une date, non comprise', '?before=2025-06-30', [AILLEURS, COMPLEMENTS]],
    ['jusqu’à une date', '?before=2025-07-01', [AILLEURS, COMPLEMENTS, PLAN]],
    ['par jalon', '?jalon=J2', [PLAN]],
    ['par jalon et date', '?jalon=J0&before=2024-01-01', []],
    ['de fin de validité', '?jalon=suivi', [RESERVE, FIN]],
  ])('se choisissent %s', async (_, query, expected) => {
    expect(said(await list(query)).toSorted()).toEqual(expected.toSorted());
  });

  test('closes, disent par quel fait et quand', async () => {
    const { body } = await list('?open=false&jalon=J2');
    const qualified = body.items.filter(({ dossier }: { dossier: string }) => dossier === dossiers.qualifiée);
    expect(qualified).toMatchObject([
      { key: 'C3', due: '2025-04-30', open: false, overdue: false, closedOn: '2025-04-28' },
      // Once the report is accepted, the stage is over: no plan of action stays overdue for ever.
      { key: 'C2', due: '2025-06-30', open: false, overdue: false, closedOn: '2025-05-19' },
    ]);
    expect((await list('?open=all')).body.items.length).toBe(
      (await list('?open=false')).body.items.length + (await list()).body.items.length,
    );
  });

  test('se lisent page par page', async () => {
    const all: string[] = [];
    let path: string | undefined = '/api/deadlines?open=all&limit=2';
    while (path !== undefined) {
      const answer: Answer = await server.call(tokens.charge, 'GET', path);
      all.push(...answer.body.items.map(({ id }: { id: string }) => id));
      path = answer.body.next;
      const link = answer.headers.get('link');
      expect(link).toBe(path === undefined ? null : `<${path}>; rel="next"`);
    }
    const whole = (await list('?open=all&limit=200')).body.items;
    expect(all).toEqual(whole.map(({ id }: { id: string }) => id));
    expect(all.length).toBeGreaterThan(5);
  });

  test('ne sont montrées à chacun que de ses dossiers', async () => {
    expect(said(await list('', tokens.prestataire)).toSorted()).toEqual([COMPLEMENTS, PLAN, RESERVE, FIN].toSorted());
    expect(said(await list('', tokens.centre)).toSorted()).toEqual([PLAN, RESERVE, FIN].toSorted());
    expect(said(await list('', tokens.autre))).toEqual([]);
    for (const token of [tokens.chef, tokens.dg, tokens.auditeur]) expect(said(await list('', token))).toHaveLength(5);
    for (const token of [tokens.abonne, tokens.administrateur])
      await refused(server, 'interdit', () => list('', token));
  });

  test.each([
    ['?before=2025-02-30', 'before'],
    ['?before=demain', 'before'],
    ['?open=peut-etre', 'open'],
    ['?limit=0', 'limit'],
    ['?cursor=nimporte', 'cursor'],
    ['?min-position=x', 'min-position'],
    ['?date=2025-01-01', 'date'],
  ])('refusent %s', async (query, named) => {
    const { body } = await refused(server, 'requete-mal-formee', () => list(query));
    expect(body.detail).toContain(named);
  });

  test('attendent la position demandée, cinq secondes au plus', async () => {
    const answer = await notYet;
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
  });
});

type Event = { uid: string; sequence: number; status: string; date: string; summary: string; stamp: string };

async function calendar(query: string, token: string | null = null): Promise<Event[]> {
  const answer = await server.call(token, 'GET', `/api/deadlines.ics${query}`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/calendar; charset=utf-8']);
  // RFC 5545, section 3.1: lines of 75 octets at most, ended by CRLF.
  const lines = answer.text.split('\r\n');
  expect(lines.filter((line) => line.includes('\n') || Buffer.byteLength(line) > 75)).toEqual([]);
  const root = new ICAL.Component(ICAL.parse(answer.text));
  expect([root.name, root.getFirstPropertyValue('version')]).toEqual(['vcalendar', '2.0']);
  expect(String(root.getFirstPropertyValue('prodid'))).toContain('Jalon');
  return root.getAllSubcomponents('vevent').map((component) => {
    const event = new ICAL.Event(component);
    expect([event.startDate.isDate, event.isRecurring()]).toEqual([true, false]);
    return {
      uid: event.uid,
      sequence: event.sequence,
      status: String(component.getFirstPropertyValue('status')),
      date: event.startDate.toString(),
      summary: event.summary,
      stamp: String(component.getFirstPropertyValue('dtstamp')),
    };
  });
}

const made = async (token: string, body: object = {}) =>
  server.call(token, 'POST', '/api/calendar-tokens', body) as Promise<Answer>;

describe('l’agenda', () => {
  test('montre avec un jeton Bearer les échéances de qui appelle, une journée chacune', async () => {
    const events = await calendar('', tokens.charge);
    expect(events).toContainEqual({
      uid: expect.stringMatching(/^[0-9a-f-]{36}\.0@jalon$/),
      sequence: 0,
      status: 'CONFIRMED',
      date: '2028-06-30',
      summary: 'Fin de validité de la qualification : Brocéliande Cloud, Nuage de Brocéliande',
      stamp: '2025-07-02T10:00:00Z',
    });
    expect(events).toContainEqual(
      expect.objectContaining({ summary: 'Compléments à fournir : Éole « Coffre » ; fort, Éole, Données & Co' }),
    );
    expect(await calendar('', tokens.charge)).toEqual(events);
    expect((await calendar('', tokens.autre)).length).toBe(0);
  });

  test('se lit avec l’adresse donnée par POST /api/calendar-tokens, sans autre jeton, jusqu’à la révocation', async () => {
    const answer = await made(tokens.prestataire, { label: 'Téléphone' });
    expect(answer).toMatchObject({ status: 201, body: { label: 'Téléphone', createdAt: now.toISOString() } });
    const { id, token, url } = answer.body;
    expect(url).toBe(`${server.url}/api/deadlines.ics?token=${token}`);
    expect(await calendar(`?token=${token}`)).toEqual(await calendar('', tokens.prestataire));

    const mine = await server.call(tokens.prestataire, 'GET', '/api/calendar-tokens');
    expect(mine.body.items).toMatchObject([{ id, label: 'Téléphone', owner: { roles: ['prestataire'] } }]);
    expect(mine.text).not.toContain(token);
    expect((await server.call(tokens.charge, 'GET', '/api/calendar-tokens')).body.items).toEqual([]);

    const path = `/api/calendar-tokens/${id}`;
    await refused(server, 'introuvable', () => server.call(tokens.charge, 'DELETE', path));
    expect((await server.call(tokens.prestataire, 'DELETE', path)).status).toBe(204);
    await refused(server, 'introuvable', () => server.call(tokens.prestataire, 'DELETE', path));
    await refused(server, 'non-authentifie', () => server.call(null, 'GET', `/api/deadlines.ics?token=${token}`));
  });

  test('peut être fermé à chacun par un administrateur, qui n’en voit rien', async () => {
    const { id, token } = (await made(tokens.charge)).body;
    const all = await server.call(tokens.administrateur, 'GET', '/api/calendar-tokens');
    expect(all.body.items.map((each: { id: string }) => each.id)).toContain(id);
    await refused(server, 'interdit', () => server.call(tokens.administrateur, 'GET', '/api/deadlines.ics'));
    expect((await server.call(tokens.administrateur, 'DELETE', `/api/calendar-tokens/${id}`)).status).toBe(204);
    await refused(server, 'non-authentifie', () => server.call(null, 'GET', `/api/deadlines.ics?token=${token}`));
  });

  test('reste fermé à qui n’a pas de jeton, à un jeton inventé, et à qui ne voit aucun dossier', async () => {
    for (const query of ['', '?token=', '?token=cal_inconnu', `?token=cal_${'A'.repeat(43)}`])
      await refused(server, 'non-authentifie', () => server.call(null, 'GET', `/api/deadlines.ics${query}`));
    await refused(server, 'interdit', () => made(tokens.abonne));
    await refused(server, 'proposition-invalide', () => made(tokens.charge, { nom: 'x' }), {
      errors: [{ path: '/nom', message: 'Ce champ est inconnu.' }],
    });
    await refused(server, 'requete-mal-formee', () => server.call(tokens.charge, 'DELETE', '/api/calendar-tokens/x'));
  });

  test('garde l’UID d’une échéance qui se ferme, et l’annule au rang suivant ; plus tard, n’en parle plus', async () => {
    const before = await calendar('', tokens.charge);
    const reserve = before.find(({ summary }) => summary.startsWith('Réserve'))!;
    const id = dossiers.qualifiée as string;
    now = new Date('2025-09-02T10:00:00Z');
    tokens = await parties(server);
    await propose(server, tokens, id, fact('suivi.decision-notifiee', { le: '2025-09-01' }));
    expect(await propose(server, tokens, id, fact('suivi.reserve-levee'))).toMatchObject({ status: 201 });
    const after = await calendar('', tokens.charge);
    expect(after.filter(({ uid }) => uid === reserve.uid)).toEqual([
      { ...reserve, status: 'CANCELLED', sequence: 2, stamp: '2025-09-02T10:00:00Z' },
    ]);
    expect(after.filter(({ uid }) => uid !== reserve.uid)).toEqual(
      before.filter(({ uid, date }) => uid !== reserve.uid && (date >= '2025-06-04' || date < '2025-01-01')),
    );

    now = new Date('2026-05-02T10:00:00Z');
    tokens = await parties(server);
    expect((await calendar('', tokens.charge)).filter(({ uid }) => uid === reserve.uid)).toEqual([]);
  });
});
