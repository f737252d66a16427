import {
  type CorrectionsExplored,
  defineWorkflow,
  exploreCorrections,
  type Fact,
  isBesideTheMachine,
  type PublishedWorkflow,
} from '@jalon/flow';
import { afterAll, describe, expect, test } from '@jest/globals';
import { catalogue } from '../index.ts';
import { COURTE, explorations } from './v1/explorations.ts';
import { CENTRE, CHEF, DIRECTEUR } from './v1/roles.ts';

const LONG = process.env.JALON_TEST === 'long';
const procedure = catalogue.find('secnumcloud', 1) as PublishedWorkflow;
const whole = explorations(COURTE).find(({ name }) => name === 'procedure-entiere');

/** Corrections of the procedure, by persons who recorded the facts that they rest on, and one who did not. */
function explored(workflow: PublishedWorkflow, depth: number): CorrectionsExplored {
  return exploreCorrections(workflow, {
    by: { ...(whole as NonNullable<typeof whole>), days: [0] },
    fourEyes: { 'j3.avis-rendu': ['j3.qualification-accordee', 'j3.qualification-refusee'] },
    depth,
    persons: [CHEF, DIRECTEUR, 'personne-d-autre'],
    limit: 1_000_000,
  });
}

/** The procedure with some declarations of its facts changed, or guards taken away. */
function changed(facts: Readonly<Record<string, Partial<Fact>>>, guards: Record<string, () => boolean> = {}) {
  const machine = procedure.machine.provide({ guards: guards as never });
  const own = [...procedure.facts.values()].filter(({ type }) => !isBesideTheMachine(type));
  const declared = own.map((fact) => ({ ...fact, ...facts[fact.type] }));
  const workflow = defineWorkflow({ ...procedure, machine, facts: declared, keyed: [...procedure.keyed] });
  return { ...workflow, hash: procedure.hash };
}

let sound: CorrectionsExplored;

afterAll(() => {
  const { faults: _, ...counts } = sound;
  process.stdout.write(`secnumcloud/v1 corrections: ${JSON.stringify(counts)}\n`);
});

describe('les corrections de la procédure, explorées', () => {
  test('tiennent leurs invariants, quel que soit qui corrige quoi, dans chaque état', () => {
    sound = explored(procedure, LONG ? 2 : 1);
    expect(sound.faults).toEqual([]);
    // Every state but the one before the opening and that of an expiry, which only a date leads to.
    expect(sound.histories).toBeGreaterThanOrEqual(procedure.states.size - 2);
    for (const count of [sound.accepted, sound.refused, sound.forbidden]) expect(count).toBeGreaterThan(1_000);
  }, 600_000);

  test('prennent sur le fait une procédure où un rapport reste au centre après la décision', () => {
    const [fault] = explored(changed({ 'j2.rapport-remis': { correctedBy: [CENTRE] } }), 1).faults;
    expect(fault).toMatchObject({ invariant: 'partie-apres-decision' });
    expect(fault?.path.at(-1)).toContain(`de j2.rapport-remis (${CENTRE}`);
  });

  test('prennent sur le fait une procédure où l’auteur de l’avis peut avoir part à la décision', () => {
    const { faults } = explored(changed({}, { 'quatre-yeux': () => true }), 1);
    expect(faults).toContainEqual(expect.objectContaining({ invariant: 'quatre-yeux' }));
  });

  test('une procédure où nul ne pourrait plus corriger un fait n’est pas acceptée', () => {
    expect(() => changed({ 'j2.constat-releve': { by: [CENTRE], correctedBy: [] } })).toThrow(
      'nobody but a party could correct j2.constat-releve once a decision rests on it',
    );
  });
});
