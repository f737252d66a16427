import { describe, expect, test } from '@jest/globals';
import { type AnyStateMachine, and, assign, createMachine, not, or, setup } from 'xstate';
import { Catalogue } from './catalogue.ts';
import type { Expectation } from './expected.ts';
import { type DeadlineSpec, defineFact, type Fact, factsOf } from './fact.ts';
import { Text } from './fields.ts';
import { BEFORE, defineWorkflow, FINAL, stateString, type WorkflowSpec } from './workflow.ts';

@defineFact('demande.ouverte', { label: 'Demande ouverte', by: ['agent'], opens: true })
class DemandeOuverte {
  @Text({ label: 'Objet' }) objet!: string;
}

@defineFact('demande.close', { label: 'Demande close', by: ['agent'] })
class DemandeClose {}

const facts = factsOf({ DemandeOuverte, DemandeClose });
const count = assign(({ context }: { context: { faits: number } }) => ({ faits: context.faits + 1 }));
const built = setup({ guards: { prete: () => true, sure: () => true }, actions: { compter: count as never } });

const OUVERTURE = { target: 'demande', actions: 'compter' };
const CLOTURE = { target: '#close', guard: 'prete', actions: 'compter' };
const OUVERTE = { meta: { label: 'Ouverte' }, on: { 'demande.close': CLOTURE } };

/** A machine with two states, of which a part may be replaced. */
function machine(
  parts: { avant?: object; demande?: object; ouverte?: object; close?: object; root?: object } = {},
): AnyStateMachine {
  const made: unknown = built.createMachine({
    id: 'demande-de-test',
    context: { faits: 0, secret: null },
    initial: BEFORE,
    states: {
      [BEFORE]: { on: { 'demande.ouverte': OUVERTURE }, ...parts.avant },
      demande: {
        meta: { jalon: 'J0' },
        initial: 'ouverte',
        states: { ouverte: { ...OUVERTE, ...parts.ouverte } },
        ...parts.demande,
      },
      close: { id: 'close', meta: { jalon: FINAL, label: 'Close' }, ...parts.close },
    },
    ...parts.root,
  } as never);
  return made as AnyStateMachine;
}

const regle = (holds: string) => ({ asks: `Il faut : ${holds}`, holds, fails: () => `Non : ${holds}` });

const spec: WorkflowSpec = {
  name: 'demande',
  version: 1,
  label: 'Demande',
  machine: machine(),
  facts,
  reasons: { prete: regle('La demande est prête.') },
  expected: { 'demande.ouverte': [{ facts: ['demande.close'], of: ['agent'], sentence: 'La demande est à clore.' }] },
  roles: { agent: { label: 'Agent', sees: 'all' } },
  versionChangedBy: [],
  parties: {},
  keyed: [],
};

const attend = (change: Partial<Expectation>): Partial<WorkflowSpec> => ({
  expected: { 'demande.ouverte': [{ facts: ['demande.close'], of: ['agent'], sentence: 'À clore.', ...change }] },
});

describe('une procédure', () => {
  test('est lue dans sa machine : états, libellés, jalons, faits acceptés et règles', () => {
    const workflow = defineWorkflow(spec);
    expect([...workflow.states.keys()]).toEqual([null, 'demande.ouverte', 'close']);
    expect(workflow.states.get('demande.ouverte')).toMatchObject({ label: 'Ouverte', jalon: 'J0', final: false });
    expect(workflow.states.get('close')).toMatchObject({ label: 'Close', jalon: 'fin', final: true });
    expect(workflow.states.get(null)?.accepts.get('demande.ouverte')).toEqual([
      { target: 'demande.ouverte', rules: [], routes: [] },
    ]);
    expect(workflow.states.get('demande.ouverte')?.accepts.get('demande.close')).toEqual([
      { target: 'close', rules: [{ rule: 'prete', ...spec.reasons.prete }], routes: [] },
    ]);
  });

  test('distingue les gardes qui choisissent un chemin de celles qui refusent', () => {
    const deux = { on: { 'demande.close': { ...CLOTURE, guard: and(['sure', and(['prete'])]) } } };
    const workflow = defineWorkflow({ ...spec, machine: machine({ ouverte: deux }), routing: ['sure'] });
    expect(workflow.states.get('demande.ouverte')?.accepts.get('demande.close')).toMatchObject([
      { rules: [{ rule: 'prete' }], routes: ['sure'] },
    ]);
  });

  test('fait entendre à tous les états ce que leur parent entend', () => {
    const parent = { on: { 'demande.close': CLOTURE } };
    const workflow = defineWorkflow({ ...spec, machine: machine({ demande: parent, ouverte: { on: {} } }) });
    expect(workflow.states.get('demande.ouverte')?.accepts.has('demande.close')).toBe(true);
  });
});

describe('une procédure qui pourrait se taire ou se tromper est refusée :', () => {
  const close = (transition: object) => ({ ouverte: { on: { 'demande.close': { ...CLOTURE, ...transition } } } });
  const anonymous = { ...CLOTURE, guard: undefined };

  const faulty: [string, Partial<WorkflowSpec>, string][] = [
    ['un fait accepté mais non déclaré', { facts: facts.slice(0, 1) }, 'accepts demande.close, which is not declared'],
    [
      'un fait déclaré que rien n’accepte',
      { machine: machine({ ouverte: { on: {} } }), reasons: {}, expected: { 'demande.ouverte': [] } },
      'demande.close is accepted nowhere',
    ],
    ['deux faits de même type', { facts: [...facts, ...facts] }, 'two facts have the same type'],
    ['un joker', { machine: machine({ ouverte: { on: { '*': anonymous } } }) }, 'accepts *, which is not declared'],
    ['un délai', { machine: machine({ ouverte: { after: { 1000: anonymous } } }) }, 'does something without a fact'],
    ['une garde sans phrase', { reasons: {} }, 'the guard « prete » has no sentence'],
    [
      'une garde sans phrase pour le cas où elle échoue',
      { reasons: { prete: { asks: 'Prête ?', holds: 'Prête.' } as never } },
      'the guard « prete » does not say « fails »',
    ],
    [
      'une phrase sans garde',
      { reasons: { ...spec.reasons, vaine: regle('Vaine.') } },
      '« vaine », which guards nothing',
    ],
    [
      'une garde qui n’est pas écrite',
      { machine: machine(close({ guard: 'absente' })), reasons: { absente: regle('A.') } },
      'the guard « absente » of demande.close is not written',
    ],
    ['une garde anonyme', { machine: machine(close({ guard: () => true })) }, 'a guard of demande.close'],
    ['une garde niée', { machine: machine(close({ guard: not('prete') })) }, 'a guard of demande.close'],
    ['une garde au choix', { machine: machine(close({ guard: or(['prete', 'sure']) })) }, 'a guard of demande.close'],
    [
      'une garde paramétrée',
      { machine: machine(close({ guard: { type: 'prete', params: {} } })) },
      'a guard of demande.close',
    ],
    [
      'une transition sans action',
      { machine: machine(close({ actions: undefined })) },
      'demande.close in demande-de-test.demande.ouverte has no action',
    ],
    ['une action anonyme', { machine: machine(close({ actions: count })) }, 'of demande.close is not written'],
    [
      'une action qui n’est pas écrite',
      { machine: machine(close({ actions: 'absente' })) },
      'the action « absente » of demande.close is not written',
    ],
    ['un état sans jalon', { machine: machine({ demande: { meta: {} } }) }, 'the state demande.ouverte has no jalon'],
    [
      'un état sans libellé',
      { machine: machine({ close: { meta: { jalon: FINAL } } }) },
      'the state close has no label',
    ],
    ['un état final de XState', { machine: machine({ close: { type: 'final' } }) }, 'close is final'],
    [
      'un état historique',
      { machine: machine({ demande: { states: { ouverte: OUVERTE, avant: { type: 'history' } } } }) },
      'demande-de-test.demande.avant is history',
    ],
    [
      'des états parallèles',
      { machine: machine({ demande: { type: 'parallel', initial: undefined } }) },
      'demande-de-test.demande is parallel',
    ],
    [
      'un état trop profond',
      { machine: machine({ ouverte: { initial: 'a', states: { a: OUVERTE } } }) },
      'demande-de-test.demande.ouverte.a lies deeper',
    ],
    [
      'une transition sans fait',
      { machine: machine({ ouverte: { always: CLOTURE } }) },
      'demande-de-test.demande.ouverte does something without a fact',
    ],
    [
      'une action à l’entrée',
      { machine: machine({ ouverte: { entry: 'compter' } }) },
      'demande-de-test.demande.ouverte does something without a fact',
    ],
    [
      'un fait entendu deux fois, dont le refus serait repris par le parent',
      { machine: machine({ demande: { on: { 'demande.close': CLOTURE } } }) },
      'a refusal inside would fall through',
    ],
    ['un rôle inconnu', { roles: {} }, 'demande.ouverte names the role agent, which is not declared'],
    ['un rôle hérité de tout objet', { parties: { constructor: [] } }, 'parties names the role constructor'],
    ['un état qui ne dit pas ce qu’il attend', { expected: {} }, 'demande.ouverte does not say what it expects'],
    [
      'une attente d’un état inconnu',
      { expected: { ...spec.expected, ailleurs: [] } },
      'ailleurs expects something and is no state',
    ],
    [
      'un fait attendu que l’état n’accepte pas',
      attend({ facts: ['demande.inconnue'] }),
      'demande.ouverte expects demande.inconnue, which it does not accept',
    ],
    [
      'un fait attendu de qui ne peut le proposer',
      attend({ of: ['chef'] }),
      'demande.ouverte expects demande.close of chef, which may not propose it',
    ],
    [
      'une attente une fois le dossier terminé',
      { expected: { ...spec.expected, close: spec.expected['demande.ouverte'] ?? [] } },
      'close expects something of a dossier that is over',
    ],
    ['une attente qui lit ce qui n’existe pas', attend({ reads: ['avis'] }), 'what demande.ouverte expects names avis'],
    [
      'une règle qui lit ce qui n’existe pas',
      { reasons: { prete: { ...regle('P.'), reads: ['avis'] } } },
      'the rule prete names avis, which the context has not',
    ],
    [
      'un membre à entrées qui n’existe pas',
      { keyed: ['constats'] },
      'keyed names constats, which the context has not',
    ],
  ];

  test.each(faulty)('%s', (_, change, fault) => {
    expect(() => defineWorkflow({ ...spec, ...change })).toThrow(TypeError);
    expect(() => defineWorkflow({ ...spec, ...change })).toThrow(fault);
    expect(() => defineWorkflow({ ...spec, ...change })).toThrow('Workflow demande 1: ');
  });

  test('une échéance close par un fait qui n’existe pas, un membre écrit qui n’existe pas', () => {
    const [open, end] = facts;
    const deadlines = [{ label: 'Fin', field: 'avantLe', closedBy: ['demande.rouverte'] }];
    expect(() => defineWorkflow({ ...spec, facts: [open!, { ...end!, deadlines }] })).toThrow(
      'closed by demande.rouverte',
    );
    expect(() => defineWorkflow({ ...spec, facts: [open!, { ...end!, writes: ['notes'] }] })).toThrow(
      'demande.close names notes',
    );
    expect(() => defineWorkflow({ ...spec, facts: [open!, { ...end!, withheldFrom: ['public'] }] })).toThrow(
      'the role public',
    );
    const expiry = [{ label: 'Fin', field: 'avantLe', closedBy: [], proposes: 'demande.expiree' }];
    expect(() => defineWorkflow({ ...spec, facts: [open!, { ...end!, deadlines: expiry }] })).toThrow(
      'a deadline of demande.close proposes demande.expiree, which is not declared',
    );
  });
});

describe('une échéance', () => {
  const reouvrable = { id: 'close', meta: { jalon: 'J1', label: 'Close' } };
  const on = { 'demande.ouverte': { actions: 'compter' } };
  const [ouverte, close] = facts as [Fact, Fact];
  const avec = (deadline: Partial<DeadlineSpec>, apres: object = reouvrable): WorkflowSpec => ({
    ...spec,
    machine: machine({ close: { ...apres, on } }),
    expected: { ...spec.expected, close: [] },
    facts: [{ ...ouverte, deadlines: [{ label: 'À faire', field: 'avantLe', closedBy: [], ...deadline }] }, close],
  });

  test('qui resterait ouverte là où rien ne la clôt plus est refusée', () => {
    const fault = '« À faire » of demande.ouverte may be open in close, and nothing closes it there';
    // Closed on the way there, it is set again where nothing comes any more.
    expect(() => defineWorkflow(avec({ closedBy: ['demande.close'] }))).toThrow(fault);
    expect(() => defineWorkflow(avec({ endedBy: ['demande.close'] }))).toThrow(fault);
    expect(() => defineWorkflow(avec({}))).toThrow('nothing closes it there');
  });

  test('est acceptée quand un fait la clôt, met fin à son étape ou suit de sa date, ou que le dossier se termine', () => {
    const retour = { 'demande.close': { target: '#close', actions: 'compter' } };
    const toujours = { ...reouvrable, on: { ...on, ...retour } };
    for (const deadline of [
      { closedBy: ['demande.close'] },
      { endedBy: ['demande.close'] },
      { proposes: 'demande.close' },
    ]) {
      const made = { ...avec(deadline), machine: machine({ close: toujours }) };
      expect(defineWorkflow(made).facts.get('demande.ouverte')?.deadlines).toHaveLength(1);
    }
    const finie = { ...avec({ closedBy: ['demande.close'] }), machine: machine(), expected: spec.expected };
    expect(defineWorkflow(finie).states.size).toBe(3);
  });
});

describe("la chaîne d'un état", () => {
  test('est le chemin de son étape et de son état ; aucune avant le dépôt', () => {
    expect(stateString('close')).toBe('close');
    expect(stateString({ demande: 'ouverte' })).toBe('demande.ouverte');
    expect(stateString(BEFORE)).toBeNull();
  });
});

describe('un catalogue', () => {
  const version = (number: number) => ({ ...defineWorkflow({ ...spec, version: number }), hash: String(number) });

  test('donne la dernière version, ou celle demandée', () => {
    const catalogue = new Catalogue([version(2), version(10), version(1)]);
    expect(catalogue.find('demande')?.version).toBe(10);
    expect(catalogue.find('demande', 2)?.hash).toBe('2');
    expect(catalogue.find('demande', 3)).toBeUndefined();
    expect(catalogue.find('autre')).toBeUndefined();
  });
});

test('une machine sans setup, dont les gardes ne sont pas écrites, est refusée', () => {
  const bare = createMachine(machine().config) as unknown as AnyStateMachine;
  expect(() => defineWorkflow({ ...spec, machine: bare })).toThrow('is not written');
});
