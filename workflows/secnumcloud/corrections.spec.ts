import {
  type CorrectionsExplored,
  defineWorkflow,
  exploreCorrections,
  type Fact,
  isBesideTheMachine,
  type PublishedWorkflow,
} from '@jalon/flow';
import { afterAll, describe, expect, test } from '@jest/globals';
import { assign } from 'xstate';
import { catalogue } from '../index.ts';
import { PERSONNES } from './v1/echantillons.ts';
import { COURTE, explorations } from './v1/explorations.ts';
import { ABONNE, CENTRE, CHARGE, CHEF, HORLOGE, PRESTATAIRE } from './v1/roles.ts';

const LONG = process.env.JALON_TEST === 'long';
const procedure = catalogue.find('secnumcloud', 1) as PublishedWorkflow;
const whole = explorations(COURTE).find(({ name }) => name === 'procedure-entiere');

/** Corrections of the procedure, by persons who recorded the opinion and the decision, and by the namesake of one. */
function explored(workflow: PublishedWorkflow, reach = { histories: 1, depth: 1, acts: 0 }): CorrectionsExplored {
  return exploreCorrections(workflow, {
    by: { ...(whole as NonNullable<typeof whole>), days: [0] },
    fourEyes: {
      on: 'j3.avis-rendu',
      withdrawnBy: ['j3.avis-retire'],
      decidedBy: ['j3.qualification-accordee', 'j3.qualification-refusee'],
    },
    owners: ['prestataire', 'siren', 'centre'],
    ...{ ...reach, persons: PERSONNES, limit: 1_000_000 },
  });
}

/** The procedure with some declarations changed, or guards and actions taken away. */
function changed(
  facts: Readonly<Record<string, Partial<Fact>>>,
  { guards = {}, actions = {}, ...spec }: { guards?: object; actions?: object } & Partial<PublishedWorkflow> = {},
) {
  const machine = procedure.machine.provide({ guards: guards as never, actions: actions as never });
  const own = [...procedure.facts.values()].filter(({ type }) => !isBesideTheMachine(type));
  const declared = own.map((fact) => ({ ...fact, ...facts[fact.type] }));
  const keyed = [...procedure.keyed];
  return { ...defineWorkflow({ ...procedure, ...spec, machine, facts: declared, keyed }), hash: procedure.hash };
}

let sound: CorrectionsExplored;

afterAll(() => {
  const { faults: _, ...counts } = sound;
  process.stdout.write(`secnumcloud/v1 corrections: ${JSON.stringify(counts)}\n`);
});

describe('les corrections de la procédure, explorées', () => {
  test('tiennent leurs invariants, quel que soit qui corrige quoi, dans chaque état', () => {
    sound = explored(procedure, { histories: 1, depth: 1, acts: 2 });
    expect(sound.faults).toEqual([]);
    // Every state but the one before the opening and that of an expiry, which only a date leads to.
    expect(sound.histories).toBeGreaterThanOrEqual(procedure.states.size - 2);
    for (const count of [sound.accepted, sound.refused, sound.forbidden]) expect(count).toBeGreaterThan(1_000);
  }, 600_000);

  if (LONG)
    test('les tiennent aussi par d’autres chemins, et l’une après l’autre', () => {
      const wide = [
        { histories: 20, depth: 1, acts: 2 },
        { histories: 1, depth: 2, acts: 3 },
      ];
      for (const reach of wide) expect(explored(procedure, reach).faults).toEqual([]);
    }, 1_800_000);

  test('prennent sur le fait une procédure où un rapport reste au centre après la décision', () => {
    const [fault] = explored(changed({ 'j2.rapport-remis': { correctedBy: [CENTRE, CHARGE] } })).faults;
    expect(fault).toMatchObject({ invariant: 'partie-apres-decision' });
    expect(fault?.path.at(-1)).toContain(`de j2.rapport-remis (${CENTRE}`);
  });

  test('prennent sur le fait une procédure qui oublie que le nom du prestataire dit à qui est le dossier', () => {
    const forgetful = changed({}, { parties: { ...procedure.parties, [PRESTATAIRE]: ['siren'] } });
    expect(explored(forgetful).faults).toContainEqual(expect.objectContaining({ invariant: 'parties-inchangees' }));
  });

  test('prennent sur le fait une procédure où l’auteur de l’avis peut avoir part à la décision', () => {
    const { faults } = explored(changed({}, { guards: { 'quatre-yeux': () => true } }));
    expect(faults).toContainEqual(expect.objectContaining({ invariant: 'quatre-yeux' }));
  });

  test('prennent sur le fait une procédure dont une action ne fait pas deux fois la même chose', () => {
    let calls = 0;
    const actions = { 'retenir-l-accuse': assign(() => ({ accuse: true, faits: ++calls })) };
    const { faults } = explored(changed({}, { actions }));
    expect(faults).toContainEqual(expect.objectContaining({ invariant: 'se-rejoue' }));
  });

  test.each([
    ['à la seule partie', { by: [CENTRE], correctedBy: [CENTRE] }],
    ['à personne', { by: [CENTRE], correctedBy: [] }],
    ['à la seule horloge', { by: [CENTRE], correctedBy: [HORLOGE] }],
    ['à qui ne le voit pas', { by: [CENTRE], correctedBy: [CHEF], withheldFrom: [CHEF] }],
    ['à qui ne voit aucun dossier', { by: [CENTRE], correctedBy: [ABONNE] }],
  ])('une procédure qui laisse un constat %s après la décision n’est pas acceptée', (_, fact) => {
    expect(() => changed({ 'j2.constat-releve': fact })).toThrow(
      'nobody but a party could correct j2.constat-releve once a decision rests on it',
    );
  });

  test('une procédure où seule une partie corrigerait qui sont les parties n’est pas acceptée', () => {
    expect(() => changed({ 'j1.centre-choisi': { by: [PRESTATAIRE] } })).toThrow(
      'nobody but a party could correct j1.centre-choisi, which says who the parties are',
    );
    expect(() => changed({ 'dossier.cible-annoncee': { by: [HORLOGE] } })).toThrow('nobody could correct');
    expect(() => changed({}, { correctionsPerFact: 0 })).toThrow('at least once');
  });
});
