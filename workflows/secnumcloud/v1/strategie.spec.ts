import { describe, expect, test } from '@jest/globals';
import { fact, upTo, wayTo } from '../../../test/walk.ts';
import { given } from './scenario.ts';

describe("le choix du centre d'évaluation", () => {
  const dossier = given(...wayTo('j1.centre-attendu'));
  const choix = (valideJusquAu: string) =>
    fact('j1.centre-choisi', { agrement: { reference: 'CE-2023-07', valideJusquAu } }, { effectiveAt: '2024-11-04' });

  test("est accepté tant que l'agrément est valide à la date d'effet, ce jour compris", () => {
    dossier.when(choix('2024-11-04')).leadsTo('j1.strategie-attendue');
  });

  test("est refusé quand l'agrément a pris fin", () => {
    dossier.when(choix('2024-11-03')).refused('agrement-valide');
  });

  test("peut changer tant que la stratégie n'est pas proposée", () => {
    const change = dossier.and(choix('2027-06-30')).when(fact('j1.centre-choisi', { centre: 'Centre de Toulouse' }));
    const { situation, context } = change.leadsTo('j1.strategie-attendue');
    expect(context.centre).toBe('Centre de Toulouse');
    expect(situation.summary.centre).toBe('Centre de Toulouse');
    dossier.and(choix('2027-06-30')).when(choix('2024-11-03')).refused('agrement-valide');
  });
});

describe('la proposition de stratégie', () => {
  const dossier = given(...wayTo('j1.strategie-attendue'));
  const perimetre = (...services: string[]) => ({ services, sites: [] });
  const phase = (id: string, mode: string) => ({ id, objet: 'Objet', mode });

  test('est acceptée quand son périmètre est dans la candidature et qu’une phase est sur site', () => {
    const propose = fact('j1.strategie-proposee', { perimetre: perimetre('caas') });
    const { context } = dossier.when(propose).leadsTo('j1.strategie-en-examen');
    expect(context).toMatchObject({
      strategieProposee: { services: ['caas'], phases: ['documentaire', 'paimpont'] },
      strategie: null,
    });
  });

  test("est refusée quand un service n'est pas de la candidature", () => {
    const etranger = fact('j1.strategie-proposee', { perimetre: perimetre('iaas', 'saas') });
    dossier.when(etranger).refused('services-de-la-candidature');
  });

  test.each(['constructor', '__proto__', 'toString', 'length'])('ne prend pas « %s » pour un service', (id) => {
    dossier.when(fact('j1.strategie-proposee', { perimetre: perimetre(id) })).refused('services-de-la-candidature');
  });

  test("est refusée quand aucune phase n'est sur site", () => {
    const phases = [phase('un', 'documents'), phase('deux', 'documents')];
    dossier.when(fact('j1.strategie-proposee', { phases })).refused('phase-sur-site');
    dossier
      .when(fact('j1.strategie-proposee', { phases: [...phases, phase('trois', 'sur-site')] }))
      .leadsTo('j1.strategie-en-examen');
  });
});

describe("l'examen de la stratégie", () => {
  const examen = given(...wayTo('j1.strategie-en-examen'));

  test.each([
    ['j1.complements-demandes', 'j1.strategie-attendue'],
    ['j1.strategie-rejetee', 'j1.centre-attendu'],
  ])('%s écarte la proposition', (type, vers) => {
    expect(examen.when(fact(type)).leadsTo(vers).context).toMatchObject({ strategieProposee: null, strategie: null });
  });

  test('la valide et franchit J1', () => {
    const { context, situation } = examen.when(fact('j1.strategie-validee')).leadsTo('j2.plan-attendu');
    expect(context).toMatchObject({
      strategieProposee: null,
      strategie: { services: ['iaas', 'caas'], phases: ['documentaire', 'paimpont'] },
    });
    expect(situation.crossed.map(({ jalon }) => jalon)).toEqual(['J0', 'J1']);
  });
});

describe('la stratégie amendée', () => {
  const amende = given(...upTo('j2.audit-clos'), fact('j2.strategie-a-amender'));
  const phases = [
    { id: 'documentaire', objet: 'Inchangé', mode: 'documents' },
    { id: 'second-site', objet: 'Nouveau site', mode: 'sur-site' },
  ];
  const propose = fact('j1.strategie-proposee', { phases, perimetre: { services: ['iaas'], sites: [] } });
  const validee = fact('j1.strategie-validee', {}, { effectiveAt: '2025-04-01' });
  const examen = amende.and(fact('j1.centre-choisi')).and(propose);

  test("laisse valoir l'ancienne tant qu'une autre n'est pas validée", () => {
    const ancienne = { services: ['iaas', 'caas'], phases: ['documentaire', 'paimpont'] };
    expect(examen.context.strategie).toEqual(ancienne);
    expect(examen.and(fact('j1.strategie-rejetee')).context.strategie).toEqual(ancienne);
    expect(examen.and(validee).context.strategie).toEqual({
      services: ['iaas'],
      phases: ['documentaire', 'second-site'],
    });
  });

  test('ne franchit pas J1 une seconde fois : la première date demeure', () => {
    const valide = examen.when(validee);
    expect(valide.decision).not.toHaveProperty('crosses');
    expect(valide.leadsTo('j2.plan-attendu').situation.crossed).toMatchObject([
      { jalon: 'J0' },
      { jalon: 'J1', effectiveAt: '2025-01-13' },
    ]);
  });

  test('garde les audits et les constats, qui comptent pour les phases de même identifiant', () => {
    const audits = examen.and(validee).and(fact('j2.plan-valide'));
    expect(audits.context).toMatchObject({ audits: { A1: { etat: 'clos' } }, constats: { C1: {}, C2: {} } });
    const refus = audits.when(fact('j2.rapport-remis')).refused('phases-auditees');
    expect(refus).toMatchObject({
      reasons: [{ message: expect.stringMatching(/n'a pas d'audit clos : second-site\.$/) }],
    });

    const dates = { du: '2025-04-07', au: '2025-04-11' };
    audits
      .and(fact('j2.audit-planifie', { audit: 'A2', phase: 'second-site', ...dates }))
      .and(fact('j2.audit-ouvert', { audit: 'A2' }, { effectiveAt: '2025-04-07' }))
      .and(fact('j2.audit-clos', { audit: 'A2' }))
      .when(fact('j2.rapport-remis'))
      .leadsTo('j2.rapport-en-revue');
  });

  test("n'accepte plus d'audit pour une phase qu'elle n'a pas gardée", () => {
    const audits = examen.and(validee).and(fact('j2.plan-valide'));
    const ancienne = fact('j2.audit-planifie', { audit: 'A2', phase: 'paimpont' });
    audits.when(ancienne).refused('phase-de-la-strategie');
  });

  test("attend que les audits ouverts soient clos, y compris quand l'évaluation est interrompue", () => {
    const ouvert = given(...upTo('j2.audit-ouvert'));
    const refus = ouvert.when(fact('j2.strategie-a-amender')).refused('aucun-audit-ouvert');
    expect(refus).toMatchObject({ reasons: [{ message: '1 audit est ouvert : A1.' }] });
    ouvert.and(fact('j2.evaluation-interrompue')).when(fact('j2.strategie-a-amender')).refused('aucun-audit-ouvert');
    given(...wayTo('j2.interrompue'))
      .when(fact('j2.strategie-a-amender'))
      .leadsTo('j1.centre-attendu');
  });
});
