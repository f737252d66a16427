import { describe, expect, test } from '@jest/globals';
import { fact, upTo, wayTo } from '../../../test/walk.ts';
import { given } from './scenario.ts';
import referentiel from './secnumcloud-3.2.json' with { type: 'json' };

/** Ids that name something of every object: ids like any other here. */
const PIEGES = ['constructor', '__proto__', 'toString', 'hasOwnProperty', '.', '-'];

describe('un audit', () => {
  const audits = given(...wayTo('j2.audits'));
  const planifie = given(...upTo('j2.audit-planifie'));
  const ouvert = given(...upTo('j2.audit-ouvert'));

  test('est planifié pour une phase de la stratégie validée', () => {
    const { context } = audits.when(fact('j2.audit-planifie')).leadsTo('j2.audits');
    expect(context.audits).toEqual({ A1: { phase: 'documentaire', du: '2025-02-10', etat: 'planifie' } });
    audits.when(fact('j2.audit-planifie', { phase: 'lyon' })).refused('phase-de-la-strategie');
  });

  test("a un identifiant qui n'est pas déjà pris", () => {
    planifie.when(fact('j2.audit-planifie', { phase: 'paimpont' })).refused('audit-nouveau');
    planifie.when(fact('j2.audit-planifie', { audit: 'a1' })).leadsTo('j2.audits');
  });

  test("ne se termine pas avant d'avoir commencé, et peut tenir en un jour", () => {
    audits.when(fact('j2.audit-planifie', { au: '2025-02-09' })).refused('audit-debute-avant-sa-fin');
    audits.when(fact('j2.audit-planifie', { au: '2025-02-10' })).leadsTo('j2.audits');
  });

  test("n'est ouvert que planifié, une seule fois", () => {
    const ouverture = fact('j2.audit-ouvert', {}, { effectiveAt: '2025-02-10' });
    audits.when(ouverture).refused('audit-planifie');
    planifie.when(ouverture).leadsTo('j2.audits');
    ouvert.when(ouverture).refused('audit-planifie');
    given(...upTo('j2.audit-clos'))
      .when(fact('j2.audit-ouvert'))
      .refused('audit-planifie');
  });

  test("n'est pas ouvert avant sa date", () => {
    planifie.when(fact('j2.audit-ouvert', {}, { effectiveAt: '2025-02-09' })).refused('audit-pas-avant-sa-date');
    planifie.when(fact('j2.audit-ouvert', {}, { effectiveAt: '2025-02-11' })).leadsTo('j2.audits');
  });

  test("n'est clos qu'ouvert", () => {
    planifie.when(fact('j2.audit-clos')).refused('audit-ouvert');
    ouvert.when(fact('j2.audit-clos')).leadsTo('j2.audits');
    given(...upTo('j2.audit-clos'))
      .when(fact('j2.audit-clos'))
      .refused('audit-ouvert');
  });

  test.each(PIEGES)('peut se nommer « %s »', (audit) => {
    audits.when(fact('j2.audit-clos', { audit })).refused('audit-ouvert');
    audits.when(fact('j2.audit-ouvert', { audit })).refused('audit-planifie');
    const clos = audits
      .and(fact('j2.audit-planifie', { audit }))
      .and(fact('j2.audit-ouvert', { audit }, { effectiveAt: '2025-02-10' }))
      .and(fact('j2.audit-clos', { audit }));
    expect(Object.entries(clos.context.audits as object)).toEqual([
      [audit, { phase: 'documentaire', du: '2025-02-10', etat: 'clos' }],
    ]);
    clos.when(fact('j2.audit-planifie', { audit })).refused('audit-nouveau');
  });
});

describe('un constat', () => {
  const ouvert = given(...upTo('j2.audit-ouvert'));
  const releve = (changes: Record<string, unknown>) => ouvert.when(fact('j2.constat-releve', changes));

  test("est relevé pendant l'audit", () => {
    const { context } = releve({}).leadsTo('j2.audits');
    expect(context.constats).toEqual({ C2: { exigence: '9.5.b', gravite: 'mineure', plan: false, leve: false } });
    releve({ audit: 'A2' }).refused('audit-ouvert');
    given(...upTo('j2.audit-clos'))
      .when(fact('j2.constat-releve', { constat: 'C9' }))
      .refused('audit-ouvert');
  });

  test("a un identifiant qui n'est pas déjà pris", () => {
    given(...upTo('j2.constat-releve', 2))
      .when(fact('j2.constat-releve'))
      .refused('constat-nouveau');
  });

  test('porte sur une exigence du référentiel du dossier', () => {
    for (const exigence of ['5.1.z', '4.1.a', '5.1', '5.1.A', '20.1.a', 'constructor'])
      releve({ exigence }).refused('exigence-du-referentiel');
    expect(referentiel.requirements).toHaveLength(278);
    for (const exigence of referentiel.requirements) releve({ exigence }).leadsTo('j2.audits');
  });

  test('a une gravité si, et seulement si, il est non conforme', () => {
    releve({ verdict: 'conforme' }).refused('gravite-d-une-non-conformite');
    releve({ verdict: 'non-conforme', gravite: undefined }).refused('gravite-d-une-non-conformite');
    releve({ verdict: 'conforme', gravite: undefined }).leadsTo('j2.audits');
    releve({ verdict: 'non-conforme', gravite: 'majeure' }).leadsTo('j2.audits');
  });

  test.each(PIEGES)('peut se nommer « %s »', (constat) => {
    ouvert.when(fact('j2.ecart-leve', { constat })).refused('ecart-ouvert');
    ouvert.when(fact('j2.plan-d-action-remis', { constat })).refused('ecart-ouvert');
    const leve = ouvert
      .and(fact('j2.constat-releve', { constat }))
      .and(fact('j2.plan-d-action-remis', { constat }))
      .and(fact('j2.ecart-leve', { constat }));
    expect(Object.entries(leve.context.constats as object)).toEqual([
      [constat, { exigence: '9.5.b', gravite: 'mineure', plan: true, leve: true }],
    ]);
    leve.when(fact('j2.constat-releve', { constat })).refused('constat-nouveau');
  });
});

describe('un écart', () => {
  const audits = given(...upTo('j2.constat-releve', 2));

  test.each(['j2.plan-d-action-remis', 'j2.ecart-leve'])('%s vise une non-conformité encore ouverte', (type) => {
    audits.when(fact(type)).leadsTo('j2.audits');
    audits.when(fact(type, { constat: 'C9' })).refused('ecart-ouvert');
    audits.when(fact(type, { constat: 'C1' })).refused('ecart-ouvert');
    audits.and(fact('j2.ecart-leve')).when(fact(type)).refused('ecart-ouvert');
  });

  test("peut recevoir un nouveau plan d'action, et peut être levé sans plan", () => {
    audits.and(fact('j2.plan-d-action-remis')).when(fact('j2.plan-d-action-remis')).leadsTo('j2.audits');
    const { context } = audits.when(fact('j2.ecart-leve')).leadsTo('j2.audits');
    expect(context.constats).toMatchObject({ C2: { plan: false, leve: true } });
  });

  test('est levé pendant les vérifications, non pendant la revue du rapport', () => {
    const revue = given(...wayTo('j2.rapport-en-revue'));
    revue.when(fact('j2.ecart-leve')).unexpected();
    revue.and(fact('j2.verification-demandee')).when(fact('j2.ecart-leve')).leadsTo('j2.verifications');
  });
});

describe("le rapport d'évaluation", () => {
  test('est remis quand chaque phase de la stratégie validée a un audit clos', () => {
    const refus = given(...upTo('j2.audit-clos'))
      .when(fact('j2.rapport-remis'))
      .refused('phases-auditees');
    expect(refus).toMatchObject({
      reasons: [{ message: "1 phase de la stratégie n'a pas d'audit clos : paimpont." }],
    });
    given(...upTo('j2.audit-clos', 2))
      .when(fact('j2.rapport-remis'))
      .leadsTo('j2.rapport-en-revue');
  });

  test("n'est pas remis tant qu'un audit est ouvert, même s'il est de trop", () => {
    const deTrop = given(...upTo('j2.audit-clos', 2))
      .and(fact('j2.audit-planifie', { audit: 'A3' }))
      .and(fact('j2.audit-ouvert', { audit: 'A3' }));
    deTrop.when(fact('j2.rapport-remis')).refused('aucun-audit-ouvert');
    deTrop
      .and(fact('j2.audit-clos', { audit: 'A3' }))
      .when(fact('j2.rapport-remis'))
      .leadsTo('j2.rapport-en-revue');
  });

  test('est remis même si un audit de trop est resté planifié', () => {
    given(...upTo('j2.audit-clos', 2))
      .and(fact('j2.audit-planifie', { audit: 'A3' }))
      .when(fact('j2.rapport-remis'))
      .leadsTo('j2.rapport-en-revue');
  });

  test('nomme les deux règles au début des audits', () => {
    given(...upTo('j2.audit-ouvert'))
      .when(fact('j2.rapport-remis'))
      .refused('phases-auditees', 'aucun-audit-ouvert');
  });

  test("n'est pas accepté tant qu'un écart majeur est ouvert", () => {
    const sansLevee = upTo('j2.rapport-remis').filter(({ type }) => type !== 'j2.ecart-leve');
    const revue = given(...sansLevee);
    revue.when(fact('j2.rapport-accepte')).refused('aucun-ecart-majeur-ouvert');
    revue
      .and(fact('j2.verification-demandee'))
      .and(fact('j2.ecart-leve', { constat: 'C3' }))
      .and(fact('j2.verification-remise'))
      .when(fact('j2.rapport-accepte'))
      .leadsTo('j3.instruction');
  });

  test("n'est pas accepté tant qu'un écart mineur ouvert n'a pas de plan d'action", () => {
    const sansPlan = upTo('j2.rapport-remis').filter(
      ({ type, data }) => !(type === 'j2.plan-d-action-remis' && data.constat === 'C2'),
    );
    const revue = given(...sansPlan);
    revue.when(fact('j2.rapport-accepte')).refused('plan-pour-chaque-ecart-mineur');
    revue.and(fact('j2.plan-d-action-remis')).when(fact('j2.rapport-accepte')).leadsTo('j3.instruction');
  });

  test("est accepté quand l'écart mineur a été levé sans plan", () => {
    const sansPlan = upTo('j2.rapport-remis').filter(({ type }) => type !== 'j2.plan-d-action-remis');
    given(...sansPlan)
      .and(fact('j2.verification-demandee'))
      .and(fact('j2.ecart-leve'))
      .and(fact('j2.verification-remise'))
      .when(fact('j2.rapport-accepte'))
      .leadsTo('j3.instruction');
  });

  test('accepté, franchit J2', () => {
    const { situation } = given(...upTo('j2.rapport-accepte'));
    expect(situation.crossed).toMatchObject([
      { jalon: 'J0' },
      { jalon: 'J1' },
      { jalon: 'J2', effectiveAt: '2025-05-19' },
    ]);
  });

  test('rejeté, renvoie aux audits', () => {
    given(...wayTo('j2.rapport-en-revue'))
      .and(fact('j2.rapport-rejete'))
      .when(fact('j2.rapport-remis'))
      .leadsTo('j2.rapport-en-revue');
  });
});

describe("l'évaluation interrompue", () => {
  test.each(['j2.plan-attendu', 'j2.audits', 'j2.rapport-en-revue', 'j2.verifications'])(
    'depuis %s y revient, et la place est dans le contexte',
    (etat) => {
      const dossier = given(...wayTo(etat));
      const interrompue = dossier.when(fact('j2.evaluation-interrompue')).leadsTo('j2.interrompue');
      expect(interrompue.context.reprendreA).toBe(etat.replace('j2.', ''));
      const reprise = interrompue.when(fact('j2.evaluation-reprise')).leadsTo(etat);
      expect(reprise.context).toEqual({ ...dossier.context, faits: (dossier.context.faits as number) + 2 });
    },
  );

  test("garde les audits ouverts jusqu'à la reprise", () => {
    const reprise = given(...upTo('j2.audit-ouvert'))
      .and(fact('j2.evaluation-interrompue'))
      .and(fact('j2.evaluation-reprise'));
    reprise.when(fact('j2.audit-clos')).leadsTo('j2.audits');
  });

  test('amendée plutôt que reprise, oublie la place', () => {
    const amende = given(...wayTo('j2.interrompue'))
      .when(fact('j2.strategie-a-amender'))
      .leadsTo('j1.centre-attendu');
    expect(amende.context.reprendreA).toBeNull();
  });
});

describe('le retrait par le demandeur', () => {
  test('reste possible jusqu’à la décision, plus après', () => {
    given(...wayTo('j3.avis-rendu'))
      .when(fact('dossier.retire'))
      .leadsTo('retiree-par-le-demandeur');
    given(...wayTo('qualifiee.valide'))
      .when(fact('dossier.retire'))
      .unexpected();
  });
});
