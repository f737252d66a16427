import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { catalogue } from '../workflows/index.ts';
import { lead, opening, parties, propose, refused, type Tokens, tokenOf } from './parties.ts';
import { type Running, run } from './running.ts';
import { document, fact, type Step, upTo, walkToJ3 } from './walk.ts';

let server: Running;
let tokens: Tokens;
const now = new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const { facts } = catalogue.find('secnumcloud', 1)!;
const ORDER = 'date-dans-l-ordre';

/** How each fact of the walk breaks a rule of its own; the others come before a fact already recorded. */
const BREAKS: Record<string, [rule: string, changes: Record<string, unknown>]> = {
  'candidature.deposee': ['referentiel-connu', { referentiel: { nom: 'SecNumCloud', version: '9.9' } }],
  'candidature.complements-demandes': ['delai-a-venir', { avantLe: '2024-09-16' }],
  'j1.centre-choisi': ['agrement-valide', { agrement: { reference: 'CE-2019-02', valideJusquAu: '2024-11-03' } }],
  'j1.strategie-proposee': ['phase-sur-site', { phases: [{ id: 'p', objet: 'Documents', mode: 'documents' }] }],
  'j2.audit-planifie': ['phase-de-la-strategie', { phase: 'inconnue' }],
  'j2.audit-ouvert': ['audit-planifie', { audit: 'A9' }],
  'j2.constat-releve': ['exigence-du-referentiel', { exigence: '99.9.z' }],
  'j2.audit-clos': ['audit-ouvert', { audit: 'A9' }],
  'j2.plan-d-action-remis': ['ecart-ouvert', { constat: 'C1' }],
  'j2.ecart-leve': ['ecart-ouvert', { constat: 'C9' }],
  'j3.qualification-accordee': ['trois-ans-au-plus', { valideJusquAu: '2028-07-02' }],
};

function against(step: Step): [rule: string, Step] {
  const [rule, changes] = BREAKS[step.type] ?? [];
  if (rule) return [rule, { ...step, data: { ...step.data, ...changes } }];
  return facts.get(step.type)?.free
    ? ['date-non-future', { ...step, effectiveAt: '2025-07-03' }]
    : [ORDER, { ...step, effectiveAt: '2024-09-01' }];
}

const another = (type: string) =>
  ['chef-de-bureau', 'charge-de-qualification', 'prestataire'].find((role) => !facts.get(type)?.by.includes(role))!;

describe('un dossier, de la candidature à la qualification', () => {
  let id = '';
  let state: string | null = null;

  test.each(walkToJ3().map((step, revision) => [revision, step.type, step] as const))(
    'fait %i, %s : refusé à un autre rôle, hors de son étape et contre une règle ; puis accepté',
    async (revision, type, step) => {
      const send = (role: string, { role: _, ...proposed }: Step) =>
        id === ''
          ? server.call(tokenOf(tokens, role), 'POST', '/api/dossiers', opening({ role, ...proposed }))
          : propose(server, tokens, id, { ...proposed, role });

      await refused(server, 'interdit', () => send(another(type), step));
      if (id !== '') {
        const early = type.startsWith('j3.qualification')
          ? fact('candidature.completee')
          : fact('j3.qualification-accordee');
        const { label } = facts.get(early.type)!;
        await refused(server, 'fait-refuse', () => send(early.role, early), {
          fact: early.type,
          state,
          reasons: expect.arrayContaining([
            { rule: 'fait-non-attendu', message: expect.stringContaining(`« ${label} »`) },
          ]),
          possible: expect.arrayContaining([expect.objectContaining({ type })]),
        });
      }
      const [rule, wrong] = against(step);
      const { body } = await refused(server, 'fait-refuse', () => send(step.role, wrong), {
        fact: type,
        state,
        reasons: expect.arrayContaining([expect.objectContaining({ rule, message: expect.stringMatching(/\.$/) })]),
        possible: expect.any(Array),
      });
      expect(body.detail).toBe(body.reasons.map(({ message }: { message: string }) => message).join(' '));
      if (id !== '') {
        const unchanged = await server.call(tokens.charge, 'GET', `/api/dossiers/${id}`);
        expect(unchanged.body).toMatchObject({ revision: revision - 1, state });
      }

      const accepted = await send(step.role, step);
      expect(accepted).toMatchObject({ status: 201, body: { revision, event: { type, data: step.data } } });
      id = accepted.body.id;
      state = accepted.body.state;
    },
  );

  test('est qualifié, chaque jalon franchi à sa date', async () => {
    const { body } = await server.call(tokens.auditeur, 'GET', `/api/dossiers/${id}`);
    expect(body).toMatchObject({ state: 'qualifiee.valide', jalon: 'suivi', revision: 28 });
    expect(body.crossed.map(({ jalon, effectiveAt }: Record<string, string>) => [jalon, effectiveAt])).toEqual([
      ['J0', '2024-10-15'],
      ['J1', '2025-01-13'],
      ['J2', '2025-05-19'],
      ['J3', '2025-07-01'],
    ]);
  });
});

describe('un refus nomme toutes les règles qui manquent', () => {
  test('une candidature sans pièces, sans accusé, sans chargé : trois règles, et ce qui manque', async () => {
    const id = await lead(server, tokens, upTo('candidature.deposee'));
    const { body } = await refused(
      server,
      'fait-refuse',
      () => propose(server, tokens, id, fact('candidature.completee')),
      {
        fact: 'candidature.completee',
        state: 'candidature.deposee',
        reasons: [
          {
            rule: 'pieces-completes',
            message: '1 catégorie de pièces manque : sous-traitants.',
            items: [{ kind: 'piece', id: 'sous-traitants', label: 'sous-traitants' }],
          },
          { rule: 'accuse-emis', message: "L'accusé de réception n'a pas encore été émis." },
          { rule: 'charge-designe', message: "Aucun chargé de qualification n'est désigné." },
        ],
        possible: expect.any(Array),
      },
    );
    expect(body.possible.map(({ type }: { type: string }) => type)).toContain('candidature.accuse-emis');
  });

  test("refuse le rapport tant qu'une phase n'est pas auditée, son acceptation tant qu'un écart majeur est ouvert", async () => {
    const audited = upTo('j2.audit-clos', 2);
    const id = await lead(server, tokens, upTo('j2.audit-clos'));
    const reasons = (answer: { body: { reasons: { rule: string }[] } }) => answer.body.reasons.map(({ rule }) => rule);
    const report = fact('j2.rapport-remis', { rapport: document('Rapport', 'e5') });
    expect(reasons(await propose(server, tokens, id, report))).toEqual(['phases-auditees']);
    for (const step of audited.slice(17)) expect((await propose(server, tokens, id, step)).status).toBe(201);
    expect((await propose(server, tokens, id, { ...report, effectiveAt: '2025-03-22' })).status).toBe(201);
    const acceptance = fact('j2.rapport-accepte', {}, { effectiveAt: '2025-05-19' });
    const said = [
      {
        rule: 'aucun-ecart-majeur-ouvert',
        message: '1 non-conformité majeure est ouverte : C3 (13.2.a).',
        items: [{ kind: 'constat', id: 'C3', label: 'C3 (13.2.a)' }],
      },
      {
        rule: 'plan-pour-chaque-ecart-mineur',
        message: "1 non-conformité mineure est ouverte sans plan d'action : C2 (9.5.b).",
        items: [{ kind: 'constat', id: 'C2', label: 'C2 (9.5.b)' }],
      },
    ];
    const refusal = (await propose(server, tokens, id, acceptance)).body;
    expect(refusal.reasons).toEqual(said);
    expect(refusal.detail).toBe(said.map(({ message }) => message).join(' '));
    const listed = refusal.possible.find(({ type }: { type: string }) => type === 'j2.rapport-accepte');
    expect(listed.rules.slice(0, 2)).toEqual(said.map((each) => ({ ...each, holds: false })));
  });
});
