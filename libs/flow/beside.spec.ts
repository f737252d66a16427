import { describe, expect, test } from '@jest/globals';
import { brokenBeside, type NamedFact, type NoLonger, RULES } from './beside.ts';
import { DATE_RULES } from './checklist.ts';

const fact: NamedFact = { id: 'f3', name: 'le fait 3, « Audit clos » du 2025-03-03' };
const why = [{ rule: 'r', message: 'Un audit est ouvert.', items: [{ kind: 'audit', id: 'A1', label: 'A1' }] }];
const found = { kind: 'fait', id: 'f3', label: fact.name };

/** Each rule, what it concerns, and what is said and named when it fails. */
const CASES = [
  [RULES.known, 'x', "Aucun fait x ne figure dans l'historique du dossier.", undefined],
  [RULES.standing, fact, `Le fait visé est déjà annulé : ${fact.name}.`, [found]],
  [RULES.opening, fact, `L'annulation porte sur l'ouverture du dossier, qui ne s'annule pas : ${fact.name}.`, [found]],
  [
    RULES.sameTarget,
    { fact, named: 'f9' },
    `La correction rectifiée vise ${fact.name}, et non f9 : une rectification n'y change rien.`,
    [found],
  ],
  [
    RULES.bounded,
    { count: 10, fact, by: 'Chef de bureau' },
    `Votre organisation a déjà corrigé 10 fois ${fact.name}, autant que la procédure l'admet ; peuvent encore le corriger : Chef de bureau.`,
    [found],
  ],
  [
    RULES.replays,
    { fact, why } satisfies NoLonger,
    `L'historique ainsi lu ne se rejoue plus : ${fact.name}, serait refusé. Un audit est ouvert.`,
    [found, { kind: 'audit', id: 'A1', label: 'A1' }],
  ],
  [RULES.published, 9, "La version 9 de la procédure n'est pas publiée.", undefined],
  [RULES.other, 2, 'Le dossier suit déjà la version 2 de la procédure.', undefined],
  [RULES.underway, 'Close', 'Le dossier est à une étape finale : « Close ».', undefined],
  [
    RULES.replaysThere,
    { why: [] } satisfies NoLonger,
    "Sous la version demandée, l'historique ne se rejoue plus : un fait qui ne vous est pas communiqué serait refusé.",
    undefined,
  ],
] as const;

describe('une règle hors de la machine', () => {
  test.each(CASES.map((each) => [each[0].rule, ...each] as const))(
    '%s dit ce qui ne va pas',
    (_, rule, about, said, items) => {
      const { message, ...named } = brokenBeside(rule as typeof RULES.known, about as never);
      expect(message).toBe(said);
      expect(named.items).toEqual(items);
      expect([rule.asks, rule.holds]).not.toContain(message);
    },
  );

  test('est ici, quelle qu’elle soit', () => {
    expect(CASES.map(([rule]) => rule)).toEqual(expect.arrayContaining(Object.values(RULES)));
  });

  test('sans rien dire de la raison à qui elle est cachée', () => {
    expect(brokenBeside(RULES.replays, { fact, why: [] })).toEqual({
      rule: 'historique-rejouable',
      message: `L'historique ainsi lu ne se rejoue plus : ${fact.name}, serait refusé. La raison ne vous est pas communiquée.`,
      items: [found],
    });
  });

  test('de date dit les deux dates', () => {
    const said = [
      DATE_RULES.future.fails('2026-01-02', '2026-01-01'),
      DATE_RULES.order.fails('2025-01-01', '2025-06-01'),
    ];
    expect(said).toEqual([
      "La date d'effet (2026-01-02) est dans le futur : nous sommes le 2026-01-01.",
      "La date d'effet (2025-01-01) est antérieure à celle d'un fait déjà enregistré (2025-06-01).",
    ]);
    for (const { asks, holds } of Object.values(DATE_RULES)) expect(asks).not.toBe(holds);
  });
});
