import { describe, expect, test } from '@jest/globals';
import { and, assign, setup } from 'xstate';
import type { Exploration, Standing } from './abstraction.ts';
import { AbstractionRefused, ExplorationTooLarge, explore } from './explore.ts';
import { defineFact, factsOf } from './fact.ts';
import { DateField, Identifier } from './fields.ts';
import { invariant } from './invariant.ts';
import { prove } from './prove.ts';
import { BEFORE, defineWorkflow, FINAL, type Happening, type Workflow } from './workflow.ts';

@defineFact('demande.ouverte', { label: 'Demande ouverte', by: ['agent'], opens: true })
class DemandeOuverte {}

@defineFact('demande.piece-recue', { label: 'Pièce reçue', by: ['agent'] })
class DemandePieceRecue {
  @Identifier({ label: 'Pièce' }) piece!: string;
}

@defineFact('demande.piece-rendue', { label: 'Pièce rendue', by: ['agent'] })
class DemandePieceRendue {
  @Identifier({ label: 'Pièce' }) piece!: string;
}

@defineFact('demande.suspendue', { label: 'Demande suspendue', by: ['agent'] })
class DemandeSuspendue {
  @DateField({ label: "Jusqu'au" }) jusquAu!: string;
}

@defineFact('demande.reprise', { label: 'Demande reprise', by: ['agent'] })
class DemandeReprise {}

@defineFact('demande.acceptee', { label: 'Demande acceptée', by: ['chef'], crosses: 'J0' })
class DemandeAcceptee {}

@defineFact('demande.abandonnee', { label: 'Demande abandonnée', by: ['agent'], abandons: true })
class DemandeAbandonnee {}

type Context = { faits: number; pieces: Record<string, 'recue' | 'rendue'>; jusquAu: string | null };
type Guard = (args: { context: Context; event: { data: unknown; effectiveAt: string } }) => boolean;

const remember = (write: (context: Context, data: never) => Partial<Context>) =>
  assign<Context, Happening, undefined, Happening, never>(({ context, event }) => ({
    ...write(context, event.data as never),
    faits: context.faits + 1,
  }));

const held = ({ pieces }: Context) => Object.values(pieces).filter((piece) => piece === 'recue').length;

/** Two pieces that are held, however many were given back, and a pause, make a demand; some rules may be rewritten. */
function demande(guards: Record<string, Guard> = {}): Workflow {
  const machine = setup({
    types: {} as { context: Context; events: Happening },
    guards: {
      'deux-pieces': ({ context }) => held(context) >= 2,
      'pause-finie': ({ context, event }) => event.effectiveAt > (context.jusquAu ?? ''),
      'piece-tenue': ({ context, event }) => context.pieces[(event.data as DemandePieceRecue).piece] === 'recue',
    },
    actions: {
      compter: remember(() => ({})),
      recevoir: remember(({ pieces }, { piece }: DemandePieceRecue) => ({ pieces: { ...pieces, [piece]: 'recue' } })),
      rendre: remember(({ pieces }, { piece }: DemandePieceRecue) => ({ pieces: { ...pieces, [piece]: 'rendue' } })),
      attendre: remember((_, { jusquAu }: DemandeSuspendue) => ({ jusquAu })),
    },
  })
    .createMachine({
      id: 'demande',
      context: { faits: 0, pieces: {}, jusquAu: null },
      initial: BEFORE,
      states: {
        [BEFORE]: { on: { 'demande.ouverte': { target: 'ouverte', actions: 'compter' } } },
        ouverte: {
          meta: { label: 'Ouverte', jalon: 'J0' },
          on: {
            'demande.piece-recue': { actions: 'recevoir' },
            'demande.piece-rendue': { guard: 'piece-tenue', actions: 'rendre' },
            'demande.suspendue': { target: 'suspendue', actions: 'attendre' },
            'demande.acceptee': { target: 'acceptee', guard: and(['deux-pieces', 'pause-finie']), actions: 'compter' },
            'demande.abandonnee': { target: 'abandonnee', actions: 'compter' },
          },
        },
        suspendue: {
          meta: { label: 'Suspendue', jalon: 'J0' },
          on: {
            'demande.reprise': { target: 'ouverte', guard: 'pause-finie', actions: 'compter' },
            'demande.abandonnee': { target: 'abandonnee', actions: 'compter' },
          },
        },
        acceptee: { meta: { label: 'Acceptée', jalon: FINAL } },
        abandonnee: { meta: { label: 'Abandonnée', jalon: FINAL } },
      },
    })
    .provide({ guards: guards as never });
  const facts = { DemandeOuverte, DemandePieceRecue, DemandePieceRendue, DemandeSuspendue, DemandeReprise };
  return defineWorkflow({
    ...{ name: 'demande', version: 1, label: 'Demande', machine, parties: {}, keyed: [], versionChangedBy: [] },
    facts: factsOf({ ...facts, DemandeAcceptee, DemandeAbandonnee }),
    reasons: {
      'deux-pieces': regle('Deux pièces sont tenues.'),
      'pause-finie': { ...regle('La pause est finie.'), needs: ['date'] },
      'piece-tenue': { ...regle('La pièce est tenue.'), needs: ['payload'] },
    },
    expected: { ouverte: [], suspendue: [] },
    roles: { agent: { label: 'Agent', sees: 'all' }, chef: { label: 'Chef', sees: 'all' } },
  });
}

const regle = (holds: string) => ({ asks: `Règle : ${holds}`, holds, fails: () => `Non : ${holds}` });

const tenues = ({ pieces }: Context) => Object.keys(pieces).filter((piece) => pieces[piece] === 'recue');

const exploration: Exploration = {
  ...{ name: 'toute', label: 'Toute la demande', kept: 'Les pièces tenues, la pause', bounds: ['Trois pièces tenues'] },
  keeps: ({ context, state }: Standing<Context>) =>
    state === 'ouverte' || state === 'suspendue' ? { tenues: tenues(context), jusquAu: context.jusquAu } : null,
  samples: {
    'demande.ouverte': () => [{ role: 'agent', data: {} }],
    'demande.piece-recue': ({ context, fresh }: Standing<Context>) =>
      held(context) < 3 ? [{ role: 'agent', data: { piece: fresh('P') } }] : [],
    'demande.piece-rendue': ({ context }: Standing<Context>) =>
      [...tenues(context), 'inconnue'].map((piece) => ({ role: 'agent', data: { piece } })),
    'demande.suspendue': ({ day }) => [{ role: 'agent', data: { jusquAu: day(1) } }],
    'demande.reprise': () => [{ role: 'agent', data: {} }],
    'demande.acceptee': () => [{ role: 'chef', data: {} }],
    'demande.abandonnee': () => [{ role: 'agent', data: {} }],
  },
  days: [0, 2],
  invariants: [],
  compares: 5,
  ignores: ['faits'],
  limit: 100,
};

describe('une exploration', () => {
  test("suit tous les chemins jusque dans un nombre fini d'états, toujours le même", () => {
    const found = explore(demande(), exploration);
    // Before, two ends; with 0 to 3 pieces, open without a pause or after one, suspended until tomorrow or yesterday.
    expect(found).toMatchObject({ states: 3 + 4 * 4, depth: 6, faults: [] });
    expect(found.compared).toBeGreaterThan(10);
    const { exploration: _, ...measured } = found;
    const { exploration: __, ...again } = explore(demande(), exploration);
    expect(again).toEqual(measured);
  });

  test('montre le plus court chemin qui met un invariant en défaut, et continue', () => {
    const jamais = invariant<number>({
      name: 'trois-pieces',
      sentence: 'Une demande acceptée a reçu trois pièces.',
      starts: 0,
      watch: (recues, { fact: { type } }, fail) => {
        if (type === 'demande.acceptee' && recues < 3) fail(`${recues} pièces seulement.`);
        return type === 'demande.piece-recue' ? Math.min(3, recues + 1) : recues;
      },
    });
    const { faults, ways } = explore(demande(), { ...exploration, invariants: [jamais] });
    expect(faults).toEqual([
      {
        exploration: 'toute',
        invariant: 'trois-pieces',
        sentence: 'Une demande acceptée a reçu trois pièces.',
        fault: '2 pièces seulement.',
        path: [
          '2024-01-01 demande.ouverte (agent) → ouverte',
          '2024-01-01 demande.piece-recue (agent) → ouverte',
          '2024-01-01 demande.piece-recue (agent) → ouverte',
          '2024-01-01 demande.acceptee (chef) → acceptee',
        ],
      },
    ]);
    expect(ways).toContain('ouverte demande.acceptee acceptee');
  });

  test("dit ce qu'un état devrait accepter et refuse", () => {
    const toujours = invariant({
      ...{ name: 'toujours-acceptable', sentence: 'Une demande ouverte peut être acceptée.', starts: null },
      watch: () => null,
      expects: ({ state }) => (state.state === 'ouverte' ? ['demande.acceptee'] : []),
    });
    const [fault] = explore(demande(), { ...exploration, invariants: [toujours] }).faults;
    expect(fault).toMatchObject({
      fault: "demande.acceptee n'est pas accepté en ouverte.",
      path: ['2024-01-01 demande.ouverte (agent) → ouverte'],
    });
  });

  test("trouve l'état d'où rien ne mène à une fin, si ce n'est l'abandon", () => {
    const jamaisReprise = demande({ 'pause-finie': ({ context }) => context.jusquAu === null });
    expect(explore(jamaisReprise, exploration).faults).toMatchObject([
      { invariant: 'aucune-impasse', fault: 'Rien ne mène de suspendue à une fin.' },
    ]);
  });

  test('ne tient pas pour prouvé ce que des règles tenues pour vraies permettent', () => {
    const rendue = { 'demande.piece-rendue': () => [{ role: 'agent', data: { piece: 'inconnue' } }] };
    const samples = { ...exploration.samples, ...rendue };
    const relaxed = { ...exploration, samples, enforces: [], keeps: () => null };
    const { states, asks, verdicts, faults } = explore(demande(), relaxed);
    expect({ states, asks: [...asks], verdicts: [...verdicts], faults }).toEqual({
      ...{ states: 5, asks: [], verdicts: [], faults: [] },
    });
    expect(prove(demande(), [relaxed]).faults.map(({ fault }) => fault)).toContain(
      "« Acceptée » (acceptee) n'est pas atteint.",
    );
  });
});

describe('une exploration est refusée', () => {
  test("quand deux dossiers qu'elle confond n'ont pas la même suite, avec le chemin de chacun", () => {
    const keeps = ({ context }: Standing<Context>) => ({ ...context, pieces: null, faits: null });
    const { compares: _, ...blind } = { ...exploration, keeps };
    expect(() => explore(demande(), { ...blind, compares: 5 })).toThrow(AbstractionRefused);
    expect(() => explore(demande(), { ...blind, compares: 5 })).toThrow(
      [
        'toute: two dossiers count as one, but ["demande.piece-rendue","agent",{"piece":"P-1"},null,null] 0 is not the same to them:',
        'not proposed after',
        '2024-01-01 demande.ouverte (agent) → ouverte',
        'accepted, to ["ouverte",{"faits":null,"pieces":null,"jusquAu":null},[]] after',
        '2024-01-01 demande.ouverte (agent) → ouverte',
        '2024-01-01 demande.piece-recue (agent) → ouverte',
      ].join('\n'),
    );
    expect(() => explore(demande(), { ...blind, compares: 0 })).not.toThrow();
  });

  test("quand une règle lit ce qu'elle ne retient pas, même si rien ne le montre", () => {
    const constante = demande({ 'pause-finie': ({ context }) => context.faits >= 0 });
    expect(() => explore(constante, exploration)).toThrow(
      new AbstractionRefused('toute: the rule « pause-finie » reads faits in ouverte, which is not kept.'),
    );
  });

  test("quand elle a plus d'états que permis", () => {
    expect(() => explore(demande(), { ...exploration, limit: 14 })).toThrow(
      new ExplorationTooLarge('toute: more than 14 states.'),
    );
  });

  test.each<[string, Exploration['samples'], string]>([
    [
      'par qui ne le peut pas',
      { 'demande.ouverte': () => [{ role: 'chef', data: {} }] },
      'chef may not propose demande.ouverte.',
    ],
    [
      'sans contenu valable',
      { 'demande.piece-recue': () => [{ role: 'agent', data: {} }] },
      'A sample of demande.piece-recue is not valid',
    ],
    [
      'deux fois',
      { 'demande.ouverte': () => [{ role: 'agent', data: {}, days: [0, 0] }] },
      'toute: ["demande.ouverte","agent",{},null,null] 0 is proposed twice.',
    ],
  ])('quand un fait est proposé %s', (_, samples, fault) => {
    expect(() => explore(demande(), { ...exploration, samples: { ...exploration.samples, ...samples } })).toThrow(
      fault,
    );
  });
});

describe('une preuve', () => {
  test('réunit ce que des explorations ont atteint', () => {
    expect(prove(demande(), [exploration]).faults).toEqual([]);
    const { 'demande.suspendue': _, ...samples } = exploration.samples;
    const faults = prove(demande(), [{ ...exploration, samples }]).faults;
    expect(faults.map(({ invariant, fault }) => [invariant, fault])).toEqual([
      ['tout-etat-est-atteint', "« Suspendue » (suspendue) n'est pas atteint."],
      ['tout-fait-est-accepte', "demande.suspendue n'est accepté nulle part."],
      ['tout-fait-est-accepte', "demande.reprise n'est accepté nulle part."],
      ['toute-voie-est-suivie', 'demande.suspendue ne mène jamais de ouverte à suspendue.'],
      ['toute-voie-est-suivie', 'demande.reprise ne mène jamais de suspendue à ouverte.'],
      ['toute-voie-est-suivie', 'demande.abandonnee ne mène jamais de suspendue à abandonnee.'],
      ['toute-regle-decide', "La règle pause-finie n'est jamais fausse."],
    ]);
  });

  test('ne prouve rien sans exploration', () => {
    const { faults } = prove(demande(), []);
    expect(faults.filter(({ invariant }) => invariant === 'tout-etat-est-atteint')).toHaveLength(4);
  });
});
