import { describe, expect, test } from '@jest/globals';
import { fact, wayTo } from '../../../test/walk.ts';
import { type Given, given, type Proposal } from './scenario.ts';

const instruction = given(...wayTo('j3.instruction'));
const avisRendu = given(...wayTo('j3.avis-rendu'));

const DECIDE = '2025-07-01';
const accorde = (changes: Record<string, unknown> = {}, around: Partial<Proposal> = {}): Proposal => ({
  ...fact('j3.qualification-accordee', changes),
  effectiveAt: DECIDE,
  ...around,
});
const refuse = (around: Partial<Proposal> = {}): Proposal => ({ ...fact('j3.qualification-refusee'), ...around });

describe("l'enquête", () => {
  test('est facultative', () => {
    instruction.and(fact('j3.avis-rendu')).when(accorde()).leadsTo('qualifiee.valide');
  });

  test("n'est conclue qu'une fois, même après le retrait d'un avis", () => {
    const conclue = instruction.when(fact('j3.enquete-conclue')).leadsTo('j3.instruction');
    conclue.when(fact('j3.enquete-conclue', { resultat: 'defavorable' })).refused('enquete-pas-encore-conclue');
    conclue
      .and(fact('j3.avis-rendu'))
      .and(fact('j3.avis-retire'))
      .when(fact('j3.enquete-conclue'))
      .refused('enquete-pas-encore-conclue');
  });

  test('défavorable, interdit la qualification mais non le refus', () => {
    const defavorable = instruction
      .and(fact('j3.enquete-conclue', { resultat: 'defavorable' }))
      .and(fact('j3.avis-rendu', { sens: 'qualifier' }));
    defavorable.when(accorde()).refused('enquete-non-defavorable');
    defavorable.when(refuse()).leadsTo('refusee-j3');
  });

  test("favorable, n'oblige à rien", () => {
    avisRendu.when(accorde()).leadsTo('qualifiee.valide');
    avisRendu.when(refuse()).leadsTo('refusee-j3');
  });
});

describe("l'avis", () => {
  test.each(['qualifier', 'qualifier-avec-reserves', 'refuser'])('« %s » ne lie pas le directeur général', (sens) => {
    const rendu = instruction.and(fact('j3.avis-rendu', { sens }));
    rendu.when(accorde()).leadsTo('qualifiee.valide');
    rendu.when(refuse()).leadsTo('refusee-j3');
  });

  test("retiré, ramène à l'instruction et s'oublie", () => {
    const retire = avisRendu.when(fact('j3.avis-retire')).leadsTo('j3.instruction');
    expect(retire.context.avis).toBeNull();
    retire.when(accorde()).unexpected();
  });
});

describe('les quatre yeux', () => {
  const cumul = (dossier: Given, sub: string) => dossier.and({ ...fact('j3.avis-rendu'), sub });

  test.each([
    ["l'accord", accorde],
    ['le refus', (_: object, around: Partial<Proposal>) => refuse(around)],
  ])("interdisent %s à l'auteur de l'avis", (_, decide) => {
    const rendu = cumul(instruction, 'personne-1');
    rendu.when(decide({}, { sub: 'personne-1' })).refused('quatre-yeux');
    expect(rendu.when(decide({}, { sub: 'personne-2' })).decision.accepted).toBe(true);
  });

  test("ne retiennent que l'auteur du dernier avis", () => {
    const nouveau = cumul(cumul(instruction, 'personne-1').and(fact('j3.avis-retire')), 'personne-2');
    nouveau.when(accorde({}, { sub: 'personne-1' })).leadsTo('qualifiee.valide');
    nouveau.when(accorde({}, { sub: 'personne-2' })).refused('quatre-yeux');
  });

  test('distinguent deux personnes de même identifiant chez deux émetteurs', () => {
    const rendu = cumul(instruction, 'personne-1');
    expect(rendu.context.avis).toMatchObject({ iss: 'https://scenario.example', sub: 'personne-1' });
    const ailleurs = rendu.happening(accorde({}, { sub: 'personne-1' }));
    const { guards } = rendu.situation.workflow.machine.implementations;
    const quatreYeux = guards['quatre-yeux'] as unknown as (args: object) => boolean;
    const event = { ...ailleurs, actor: { ...ailleurs.actor, iss: 'https://autre.example' } };
    expect(quatreYeux({ context: rendu.context, event })).toBe(true);
    expect(quatreYeux({ context: rendu.context, event: ailleurs })).toBe(false);
  });
});

describe('la qualification accordée', () => {
  test('franchit J3 et retient sa fin de validité et ses réserves', () => {
    const { context, situation } = avisRendu.when(accorde()).leadsTo('qualifiee.valide');
    expect(situation.crossed.at(-1)).toMatchObject({ jalon: 'J3', effectiveAt: DECIDE });
    expect(context).toMatchObject({
      decision: { decideeLe: DECIDE, valideJusquAu: '2028-06-30' },
      reserves: ['R1'],
    });
  });

  test('ne porte que sur des services de la stratégie validée', () => {
    avisRendu.when(accorde({ services: ['iaas', 'saas'] })).refused('services-de-la-strategie');
    avisRendu.when(accorde({ services: ['caas'] })).leadsTo('qualifiee.valide');
  });

  test('prend effet à la date de la décision', () => {
    avisRendu.when(accorde({ decideeLe: '2025-06-30' })).refused('decidee-a-la-date-d-effet');
    avisRendu.when(accorde({ decideeLe: '2025-07-02' })).refused('decidee-a-la-date-d-effet');
  });

  test('peut valoir rétroactivement, mais n’est pas décidée après la fin de sa validité', () => {
    const passee = { valideDu: '2023-01-01', valideJusquAu: '2025-06-30' };
    avisRendu.when(accorde(passee)).refused('decidee-avant-la-fin-de-validite');
    avisRendu.when(accorde({ ...passee, valideJusquAu: DECIDE })).leadsTo('qualifiee.valide');
  });

  test('commence avant de prendre fin', () => {
    avisRendu.when(accorde({ valideJusquAu: DECIDE })).refused('validite-debute-avant-sa-fin');
    avisRendu.when(accorde({ valideDu: '2029-01-01' })).refused('validite-debute-avant-sa-fin');
    avisRendu.when(accorde({ valideJusquAu: '2025-07-02' })).leadsTo('qualifiee.valide');
  });

  test.each([
    ['2025-07-01', '2028-07-01', true],
    ['2025-07-01', '2028-07-02', false],
    ['2024-02-29', '2027-02-28', true],
    ['2024-02-29', '2027-03-01', false],
  ])('du %s au %s, tient en trois ans : %s', (valideDu, valideJusquAu, permis) => {
    const proposee = avisRendu.when(accorde({ valideDu, valideJusquAu }));
    if (permis) proposee.leadsTo('qualifiee.valide');
    else proposee.refused('trois-ans-au-plus');
  });

  test('peut valoir moins de trois ans, et commencer plus tard', () => {
    avisRendu.when(accorde({ valideDu: '2025-09-01', valideJusquAu: '2026-08-31' })).leadsTo('qualifiee.valide');
  });

  test('refusée, dit toutes les règles enfreintes à la fois', () => {
    avisRendu
      .when(
        accorde(
          { services: ['saas'], decideeLe: '2025-06-01', valideDu: '2020-01-01', valideJusquAu: '2024-01-01' },
          { sub: 'chef-de-bureau' },
        ),
      )
      .refused(
        'services-de-la-strategie',
        'decidee-a-la-date-d-effet',
        'decidee-avant-la-fin-de-validite',
        'trois-ans-au-plus',
        'quatre-yeux',
      );
  });
});

describe('la qualification refusée', () => {
  test('franchit J3 et met fin au dossier, sans validité', () => {
    const { context, situation } = avisRendu.when(refuse({ effectiveAt: DECIDE })).leadsTo('refusee-j3');
    expect(situation.crossed.at(-1)).toMatchObject({ jalon: 'J3', effectiveAt: DECIDE });
    expect(context.decision).toEqual({ decideeLe: DECIDE, valideJusquAu: null });
  });

  test('est notifiée une fois, jamais avant la décision, même des années plus tard', () => {
    const refusee = given(...wayTo('refusee-j3'));
    const notifie = (le: string) => fact('suivi.decision-notifiee', { le }, { effectiveAt: '2034-01-01' });
    refusee.when(notifie('2025-06-30')).refused('pas-avant-la-decision');
    const notifiee = refusee.when(notifie('2025-07-01')).leadsTo('refusee-j3');
    notifiee.when(notifie('2025-07-01')).refused('pas-encore-notifiee');
  });
});
