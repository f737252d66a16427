import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lead, nothingRecorded, opening, parties, type Tokens } from './parties.ts';
import { send } from './requests.ts';
import { type Running, run } from './running.ts';
import { EXAMPLES, fact, OTHER, upTo, wayTo } from './walk.ts';

// What the contract says (the tables of api.md and of the procedure), written here once more by hand: who is answered what,
// for each operation, role, state of the dossier, and whose it is.
type Who = keyof Tokens | 'autreCentre' | 'personne';
const ANSSI: readonly Who[] = ['charge', 'chef', 'dg'];
const ALL: readonly Who[] = [
  ...ANSSI,
  'auditeur',
  'prestataire',
  'autre',
  'centre',
  'autreCentre',
  'abonne',
  'administrateur',
];

let server: Running;
let tokens: Record<string, string | null>;
const dossiers: Record<string, { id: string; event: string }> = {};
/** Whether a centre was chosen by then. */
const STATES = { déposée: false, évaluée: true, qualifiée: true, retirée: false } as const;
type State = keyof typeof STATES;

beforeAll(async () => {
  server = await run({ now: () => new Date('2026-11-02T10:00:00Z') });
  const all = await parties(server);
  tokens = {
    ...all,
    autreCentre: await server.token('centre-evaluation', { org: 'Centre de Nantes' }),
    personne: null,
  };
  const steps = {
    déposée: upTo('candidature.deposee'),
    évaluée: upTo('j2.rapport-remis'),
    qualifiée: wayTo('qualifiee.suspendue'),
    retirée: wayTo('retiree-par-le-demandeur'),
  };
  for (const [state, walk] of Object.entries(steps)) {
    const id = await lead(server, all, walk);
    const [{ id: event }] = (await server.call(all.charge, 'GET', `/api/dossiers/${id}/facts?limit=1`)).body.items;
    dossiers[state] = { id, event };
  }
}, 60_000);
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const sees = (who: Who, state: State): boolean =>
  ANSSI.includes(who) || who === 'auditeur' || who === 'prestataire' || (who === 'centre' && STATES[state]);

async function statusOf(who: Who, method: string, path: string, body?: object, headers = {}): Promise<number> {
  const token = tokens[who];
  const authorization = token ? { authorization: `Bearer ${token}` } : {};
  const text = body && JSON.stringify(body);
  const typed = text ? { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) } : {};
  const sent = { method, path, headers: { ...authorization, ...typed, ...headers } as Record<string, string> };
  return (await send(server.url, { ...sent, ...(text ? { body: text } : {}) })).status;
}

describe.each(Object.keys(STATES) as State[])('a dossier that is %s', (state) => {
  const READINGS = ['', '/facts', '/timeline', '/state', '/diff?from=0&to=0', '/replay', '/bundle', '/events'];

  test.each(READINGS)('is read at %s by those who see it, and is not there for others', async (reading) => {
    const answered: Record<string, number> = {};
    const expected: Record<string, number> = { personne: 401 };
    for (const who of ALL) expected[who] = sees(who, state) ? 200 : 404;
    for (const who of Object.keys(expected) as Who[])
      answered[who] = await statusOf(who, 'GET', `/api/dossiers/${dossiers[state]?.id}${reading}`);
    expect(answered).toEqual(expected);
  });

  test('has its facts proven to those who see it', async () => {
    for (const who of ALL)
      expect([who, await statusOf(who, 'GET', `/api/proofs/inclusion?event=${dossiers[state]?.event}`)]).toEqual([
        who,
        sees(who, state) ? 200 : 404,
      ]);
  });

  // Who may propose each fact: p(restataire), e(valuation), c(hargé), b(ureau), d(irecteur général), h(orloge).
  const BY: Readonly<Record<string, string>> = {
    'candidature.accuse-emis': 'c',
    'candidature.charge-designe': 'bc',
    'candidature.complements-demandes': 'c',
    'candidature.complements-recus': 'pc',
    'candidature.completee': 'c',
    'j0.acceptee': 'c',
    'candidature.refusee': 'c',
    'candidature.cloturee': 'c',
    'j1.centre-choisi': 'pc',
    'j1.strategie-proposee': 'pec',
    'j1.complements-demandes': 'c',
    'j1.strategie-rejetee': 'c',
    'j1.strategie-validee': 'c',
    'j2.plan-valide': 'c',
    'j2.audit-planifie': 'ec',
    'j2.audit-ouvert': 'ec',
    'j2.constat-releve': 'ec',
    'j2.plan-d-action-remis': 'pc',
    'j2.ecart-leve': 'ec',
    'j2.audit-clos': 'ec',
    'j2.rapport-remis': 'ec',
    'j2.verification-demandee': 'c',
    'j2.verification-remise': 'ec',
    'j2.rapport-rejete': 'c',
    'j2.rapport-accepte': 'c',
    'j2.strategie-a-amender': 'c',
    'j2.evaluation-interrompue': 'c',
    'j2.evaluation-reprise': 'c',
    'j3.enquete-conclue': 'c',
    'j3.avis-rendu': 'b',
    'j3.avis-retire': 'b',
    'j3.qualification-accordee': 'd',
    'j3.qualification-refusee': 'd',
    'suivi.decision-notifiee': 'c',
    'suivi.decision-publiee': 'c',
    'suivi.surveillance-realisee': 'ce',
    'suivi.controle-ordonne': 'c',
    'suivi.modification-notifiee': 'pc',
    'suivi.perimetre-modifie': 'd',
    'suivi.reserve-levee': 'c',
    'suivi.griefs-notifies': 'db',
    'suivi.observations-presentees': 'pc',
    'suivi.griefs-abandonnes': 'd',
    'suivi.qualification-suspendue': 'd',
    'suivi.suspension-levee': 'd',
    'suivi.qualification-abrogee': 'd',
    'suivi.qualification-retiree': 'd',
    'suivi.renonciation': 'pc',
    'suivi.renouvellement-demande': 'pc',
    'suivi.qualification-expiree': 'h',
    'dossier.retire': 'pc',
    'dossier.cible-annoncee': 'pc',
    'dossier.note-ajoutee': 'cbd',
    'dossier.version-changee': 'c',
  };
  const LETTERS: Partial<Record<Who, string>> = { prestataire: 'p', centre: 'e', charge: 'c', chef: 'b', dg: 'd' };
  const CHANGED = { version: 2, motif: 'x' };

  test('takes no fact but from those who may propose it: 404, 403, and last of all 412', async () => {
    const tip = await server.product.journal.tip();
    const wrong: unknown[] = [];
    const path = `/api/dossiers/${dossiers[state]?.id}/facts`;
    const proposed = async (type: string, by: string, who: Who) => {
      const body = { type, data: EXAMPLES[type]?.data ?? (type === 'dossier.version-changee' ? CHANGED : {}) };
      const answered = await statusOf(who, 'POST', path, body, { 'if-match': '"999"' });
      const mayPropose = by.includes(LETTERS[who] ?? '-');
      const expected = who === 'personne' ? 401 : !sees(who, state) ? 404 : mayPropose ? 412 : 403;
      if (answered !== expected) wrong.push({ type, who, answered, expected });
    };
    for (const [type, by] of Object.entries(BY))
      await Promise.all([...ALL, 'personne' as const].map((who) => proposed(type, by, who)));
    expect(wrong).toEqual([]);
    await nothingRecorded(server, tip);
  });

  test('every fact of the procedure is in that table, but those that correct and the one that opens', () => {
    const others = ['candidature.deposee', 'dossier.fait-rectifie', 'dossier.fait-annule'];
    expect([...Object.keys(BY), ...others].sort()).toEqual(
      [...new Set([...Object.keys(EXAMPLES), ...Object.keys(BY), ...others])].sort(),
    );
  });
});

describe('across dossiers', () => {
  const seeing: readonly Who[] = [...ANSSI, 'auditeur', 'prestataire', 'autre', 'centre', 'autreCentre'];
  const receiving: readonly Who[] = [...seeing, 'abonne'];

  test.each<[string, readonly Who[]]>([
    ['/api/dossiers', seeing],
    ['/api/deadlines', seeing],
    ['/api/deadlines.ics', seeing],
    ['/api/findings', seeing],
    ['/api/statistics', [...ANSSI, 'auditeur', 'abonne']],
    ['/api/accesses', ['auditeur']],
    ['/api/events', receiving],
    ['/api/feed', receiving],
    ['/api/webhooks', [...receiving, 'administrateur']],
    ['/api/calendar-tokens', ALL],
  ])('%s is for its roles: 403 for others, 401 for nobody', async (path, roles) => {
    expect(await statusOf('personne', 'GET', path)).toBe(401);
    for (const who of ALL)
      expect([who, await statusOf(who, 'GET', path)]).toEqual([who, roles.includes(who) ? 200 : 403]);
  });

  test.each([
    ...['/api/workflows', '/api/workflows/secnumcloud/1', '/api/register', '/api/checkpoints/latest', '/api/keys'],
    ...['/api/proofs/consistency?from=1&to=1', '/health/live', '/health/ready', '/version', '/openapi.json'],
    ...['/asyncapi.json', '/problems', '/docs'],
  ])('%s is for everybody', async (path) => {
    for (const who of [...ALL, 'personne' as const]) expect(await statusOf(who, 'GET', path)).toBe(200);
  });

  test('a dossier is opened by an officer, or by a prestataire for its own organisation', async () => {
    const deposit = opening(fact('candidature.deposee'));
    const expected: Partial<Record<Who, number>> = { personne: 401, charge: 201, prestataire: 201 };
    for (const who of [...ALL, 'personne' as const])
      expect([who, await statusOf(who, 'POST', '/api/dossiers', deposit)]).toEqual([who, expected[who] ?? 403]);
  });

  test('a dossier that is nowhere is as one that is not to be seen', async () => {
    for (const who of ALL) expect(await statusOf(who, 'GET', `/api/dossiers/${OTHER}`)).toBe(404);
  });
});
