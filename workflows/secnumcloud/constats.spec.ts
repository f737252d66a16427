import type { ReadModelRow, ToldFact } from '@jalon/flow';
import { expect, test } from '@jest/globals';
import { constatDe, constats } from './constats.ts';

type Suite = [type: string, data: Record<string, unknown>];

const PREUVE = { reference: 'D', titre: 'Preuve', empreinte: 'a1'.repeat(32) };
const releve = (constat: string, gravite?: string, exigence = '9.5.b'): Suite => [
  'j2.constat-releve',
  {
    constat,
    audit: 'A1',
    exigence,
    verdict: gravite ? 'non-conforme' : 'conforme',
    ...(gravite ? { gravite } : {}),
    description: 'Vu.',
  },
];
const plan = (constat: string): Suite => [
  'j2.plan-d-action-remis',
  { constat, mesures: 'Revue.', avantLe: '2025-06-30' },
];
const leve = (constat: string): Suite => ['j2.ecart-leve', { constat, preuve: PREUVE }];

/** What the list shows of a dossier after these facts, a day apart, and what is remembered for the next. */
function apres(...suites: Suite[]) {
  let memory: Parameters<typeof constats.fold>[0] = null;
  const rows = new Map<string, ReadModelRow>();
  for (const [revision, [type, data]] of suites.entries()) {
    const effectiveAt = `2025-02-${10 + revision}`;
    const fact: ToldFact = { dossier: 'd', id: `f${revision}`, type, revision, effectiveAt, data };
    const folded = constats.fold(memory, fact);
    // What is remembered is kept as JSON.
    memory = JSON.parse(JSON.stringify(folded.memory));
    for (const row of folded.rows ?? []) rows.set(String(row.constat), row);
  }
  return { shown: [...rows.values()].map(constatDe), remembered: Object.keys(memory ?? {}), rows: [...rows.values()] };
}

test('un constat conforme n’est pas à lever, et rien n’en est retenu', () => {
  const { shown, remembered } = apres(releve('C1'));
  expect(shown).toEqual([
    {
      constat: 'C1',
      audit: 'A1',
      exigence: '9.5.b',
      verdict: 'conforme',
      description: 'Vu.',
      releveLe: '2025-02-10',
      fait: 'f0',
      open: false,
    },
  ]);
  expect(remembered).toEqual([]);
});

test('un écart est ouvert, avec son plan, puis levé, avec sa preuve', () => {
  const ecart = releve('C1', 'mineure');
  expect(apres(ecart).shown).toMatchObject([{ gravite: 'mineure', open: true }]);
  const planned = { mesures: 'Revue.', avantLe: '2025-06-30', remisLe: '2025-02-11' };
  expect(apres(ecart, plan('C1')).shown).toMatchObject([{ open: true, plan: planned }]);
  const { shown, remembered } = apres(ecart, plan('C1'), leve('C1'));
  expect(shown).toMatchObject([{ open: false, plan: planned, leve: { le: '2025-02-12', preuve: PREUVE } }]);
  expect(remembered).toEqual([]);
});

test('chaque écart a le sien, quel que soit son identifiant', () => {
  const ids = ['__proto__', 'constructor', 'C1'];
  const { shown } = apres(...ids.map((id) => releve(id, 'majeure')), leve('__proto__'), plan('constructor'));
  expect(shown.map(({ constat, open, plan: planned }) => [constat, open, planned !== undefined])).toEqual([
    ['__proto__', false, false],
    ['constructor', true, true],
    ['C1', true, false],
  ]);
});

test('ce qui suit un constat qui n’est plus au dossier ne fait rien', () => {
  expect(apres(plan('C1'), leve('constructor')).shown).toEqual([]);
});

test('les exigences se rangent comme dans le référentiel', () => {
  const { rows } = apres(
    releve('C1', undefined, '10.1.a'),
    releve('C2', undefined, '9.5.b'),
    releve('C3', undefined, '9.10.a'),
  );
  const inOrder = rows.toSorted((a, b) => (String(a.exigence_cle) < String(b.exigence_cle) ? -1 : 1));
  expect(inOrder.map(({ exigence }) => exigence)).toEqual(['9.5.b', '9.10.a', '10.1.a']);
});
