import { type Exploration, explore, invariant, prove, type Standing } from '@jalon/flow';
import { describe, expect, test } from '@jest/globals';
import { DEMANDES_V2 } from './demande.ts';

/** The small procedure is explored by the same means as any other: nothing in them knows SecNumCloud. */
const AUTRE = '11111111-2222-4333-8444-555555555555';
type Context = { pieces: Record<string, unknown>; avis: string | null; liee: string | null };

const avisFavorable = invariant<string | null>({
  name: 'avis-favorable',
  sentence: "Une demande n'est acceptée que sur un avis favorable, le dernier rendu.",
  starts: null,
  watch: (avis, { fact }, fail) => {
    if (fact.type === 'demande.avis-rendu') return (fact.data as { sens: string }).sens;
    if (fact.type === 'demande.acceptee' && avis !== 'favorable') fail(`Acceptée, avis ${avis ?? 'jamais rendu'}.`);
    return avis;
  },
});

/** No more pieces than `asked` are counted: a rule asks for so many. */
const piecesRecues = (asked: number) =>
  invariant<number>({
    name: 'pieces-recues',
    sentence: `Une demande n'est acceptée qu'avec ${asked} pièce(s).`,
    starts: 0,
    watch: (received, { fact }, fail) => {
      if (fact.type === 'demande.acceptee' && received < asked) fail(`Acceptée avec ${received} pièce(s).`);
      return fact.type === 'demande.piece-recue' ? Math.min(asked, received + 1) : received;
    },
  });

const exploration = (asked: number): Exploration => ({
  name: 'demande',
  label: 'Toute la demande',
  kept: "le dernier avis, et combien de pièces sont reçues tant qu'il en manque",
  bounds: ['Tout se passe le même jour ou le lendemain.'],
  keeps: ({ context: { pieces, avis, liee } }: Standing<Context>) => ({
    ...{ pieces: Math.min(asked, Object.keys(pieces).length), avis, liee },
  }),
  samples: {
    'demande.deposee': () => [
      { role: 'demandeur', data: { demandeur: 'D', objet: 'O' } },
      { role: 'agent', data: { demandeur: 'D', objet: 'O', liee: AUTRE }, lookups: { [AUTRE]: { revision: 0 } } },
      { role: 'agent', data: { demandeur: 'D', objet: 'O', liee: AUTRE }, lookups: { [AUTRE]: null } },
    ],
    'demande.piece-recue': ({ fresh }) => [{ role: 'demandeur', data: { piece: fresh('P') } }],
    'demande.avis-rendu': () => ['favorable', 'defavorable'].map((sens) => ({ role: 'chef', data: { sens } })),
    'demande.acceptee': () => [{ role: 'chef', data: {} }],
    'suivi.rouverte': () => [{ role: 'agent', data: {} }],
    'dossier.note-ajoutee': () => [{ role: 'agent', data: { texte: 'T' }, days: [-1] }],
  },
  days: [0, 1],
  invariants: [avisFavorable, piecesRecues(asked)],
  compares: 3,
  ignores: ['faits'],
  limit: 200,
});

describe('The exploration of any procedure', () => {
  test.each([1, 2])('version %i of the small one: everything is reached, and its invariants hold', (version) => {
    const { faults, explored } = prove(DEMANDES_V2.find('demande', version)!, [exploration(version)]);
    expect(faults).toEqual([]);
    // Before the opening; with another demand or not: pieces by opinion (none, for, against), then those accepted.
    const pieces = version + 1;
    expect(explored[0]).toMatchObject({ states: 1 + 2 * (pieces * 3 + 1) });
    expect(explored[0]!.compared).toBeGreaterThan(explored[0]!.states);
  });

  test('the first version breaks what the second promises, by a path that shows it', () => {
    const { faults } = explore(DEMANDES_V2.find('demande', 1)!, exploration(2));
    expect(faults).toMatchObject([
      {
        invariant: 'pieces-recues',
        fault: 'Acceptée avec 1 pièce(s).',
        path: [
          '2024-01-01 demande.deposee (demandeur) → demande.deposee',
          '2024-01-01 demande.piece-recue (demandeur) → demande.deposee',
          '2024-01-01 demande.avis-rendu (chef) → demande.deposee',
          '2024-01-01 demande.acceptee (chef) → suivi',
        ],
      },
    ]);
  });

  test('pieces that are counted too coarsely for a version are refused', () => {
    expect(() => explore(DEMANDES_V2.find('demande', 2)!, exploration(1))).toThrow(
      /two dossiers count as one, but \["demande.acceptee".* is not the same to them/,
    );
  });
});
