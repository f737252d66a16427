import { describe, expect, test } from '@jest/globals';
import { fact, OTHER, type Step, upTo, wayTo } from '../../../test/walk.ts';
import { DOSSIER, given, type Proposal } from './scenario.ts';
import { secnumcloud } from './workflow.ts';

// Written by hand from the procedure, never from the machine: which state accepts which fact, and where it leads.

const EN_COURS = [
  'candidature.deposee',
  'candidature.incomplete',
  'candidature.complete',
  'j1.centre-attendu',
  'j1.strategie-attendue',
  'j1.strategie-en-examen',
  'j2.plan-attendu',
  'j2.audits',
  'j2.rapport-en-revue',
  'j2.verifications',
  'j2.interrompue',
  'j3.instruction',
  'j3.avis-rendu',
  'qualifiee.valide',
  'qualifiee.mise-en-cause',
  'qualifiee.suspendue',
];

const FINIS = [
  'refusee',
  'cloturee',
  'retiree-par-le-demandeur',
  'refusee-j3',
  'abrogee',
  'retiree',
  'renoncee',
  'expiree',
];

const ETATS = [...EN_COURS, ...FINIS];
const QUALIFIEE = EN_COURS.filter((etat) => etat.startsWith('qualifiee.'));
const AVANT_J3 = EN_COURS.filter((etat) => !etat.startsWith('qualifiee.'));

/** Stays where it is. */
const RESTE = '=';
const partout = (etats: readonly string[], vers: string) => Object.fromEntries(etats.map((etat) => [etat, vers]));

/** Fact -> state that accepts it -> state it leads to. */
const ATTENDU: Record<string, Record<string, string>> = {
  'candidature.deposee': {},
  'candidature.accuse-emis': { 'candidature.deposee': RESTE },
  'candidature.charge-designe': partout(EN_COURS, RESTE),
  'candidature.complements-demandes': { 'candidature.deposee': 'candidature.incomplete' },
  'candidature.complements-recus': { 'candidature.incomplete': 'candidature.deposee' },
  'candidature.completee': { 'candidature.deposee': 'candidature.complete' },
  'j0.acceptee': { 'candidature.complete': 'j1.centre-attendu' },
  'candidature.refusee': { 'candidature.complete': 'refusee' },
  'candidature.cloturee': { 'candidature.incomplete': 'cloturee' },

  'j1.centre-choisi': { 'j1.centre-attendu': 'j1.strategie-attendue', 'j1.strategie-attendue': RESTE },
  'j1.strategie-proposee': { 'j1.strategie-attendue': 'j1.strategie-en-examen' },
  'j1.complements-demandes': { 'j1.strategie-en-examen': 'j1.strategie-attendue' },
  'j1.strategie-rejetee': { 'j1.strategie-en-examen': 'j1.centre-attendu' },
  'j1.strategie-validee': { 'j1.strategie-en-examen': 'j2.plan-attendu' },

  'j2.plan-valide': { 'j2.plan-attendu': 'j2.audits' },
  'j2.audit-planifie': { 'j2.audits': RESTE },
  'j2.audit-ouvert': { 'j2.audits': RESTE },
  'j2.constat-releve': { 'j2.audits': RESTE },
  'j2.plan-d-action-remis': partout(['j2.audits', 'j2.rapport-en-revue', 'j2.verifications'], RESTE),
  'j2.ecart-leve': partout(['j2.audits', 'j2.verifications'], RESTE),
  'j2.audit-clos': { 'j2.audits': RESTE },
  'j2.rapport-remis': { 'j2.audits': 'j2.rapport-en-revue' },
  'j2.verification-demandee': { 'j2.rapport-en-revue': 'j2.verifications' },
  'j2.verification-remise': { 'j2.verifications': 'j2.rapport-en-revue' },
  'j2.rapport-rejete': { 'j2.rapport-en-revue': 'j2.audits' },
  'j2.rapport-accepte': { 'j2.rapport-en-revue': 'j3.instruction' },
  'j2.strategie-a-amender': partout(['j2.audits', 'j2.interrompue'], 'j1.centre-attendu'),
  'j2.evaluation-interrompue': partout(
    ['j2.plan-attendu', 'j2.audits', 'j2.rapport-en-revue', 'j2.verifications'],
    'j2.interrompue',
  ),
  'j2.evaluation-reprise': { 'j2.interrompue': 'j2.audits' },

  'j3.enquete-conclue': { 'j3.instruction': RESTE },
  'j3.avis-rendu': { 'j3.instruction': 'j3.avis-rendu' },
  'j3.avis-retire': { 'j3.avis-rendu': 'j3.instruction' },
  'j3.qualification-accordee': { 'j3.avis-rendu': 'qualifiee.valide' },
  'j3.qualification-refusee': { 'j3.avis-rendu': 'refusee-j3' },

  'suivi.decision-notifiee': partout([...QUALIFIEE, 'refusee-j3'], RESTE),
  'suivi.decision-publiee': partout(QUALIFIEE, RESTE),
  'suivi.surveillance-realisee': partout(QUALIFIEE, RESTE),
  'suivi.controle-ordonne': partout(['qualifiee.valide', 'qualifiee.suspendue'], RESTE),
  'suivi.modification-notifiee': partout(['qualifiee.valide', 'qualifiee.suspendue'], RESTE),
  'suivi.perimetre-modifie': { 'qualifiee.valide': RESTE },
  'suivi.reserve-levee': partout(QUALIFIEE, RESTE),
  'suivi.griefs-notifies': partout(['qualifiee.valide', 'qualifiee.suspendue'], 'qualifiee.mise-en-cause'),
  'suivi.observations-presentees': { 'qualifiee.mise-en-cause': RESTE },
  'suivi.griefs-abandonnes': { 'qualifiee.mise-en-cause': 'qualifiee.valide' },
  'suivi.qualification-suspendue': { 'qualifiee.mise-en-cause': 'qualifiee.suspendue' },
  'suivi.suspension-levee': { 'qualifiee.suspendue': 'qualifiee.valide' },
  'suivi.qualification-abrogee': { 'qualifiee.mise-en-cause': 'abrogee' },
  'suivi.qualification-retiree': { 'qualifiee.mise-en-cause': 'retiree' },
  'suivi.renonciation': partout(QUALIFIEE, 'renoncee'),
  'suivi.renouvellement-demande': partout(QUALIFIEE, RESTE),
  'suivi.qualification-expiree': partout(QUALIFIEE, 'expiree'),

  'dossier.retire': partout(AVANT_J3, 'retiree-par-le-demandeur'),
  'dossier.cible-annoncee': partout(EN_COURS, RESTE),
  'dossier.note-ajoutee': partout(ETATS, RESTE),
};

/** A dossier in this state where the fact breaks no rule. */
function pret(type: string, etat: string): Step[] {
  const observations = [...wayTo('qualifiee.mise-en-cause'), fact('suivi.observations-presentees')];
  const places: Record<string, Step[]> = {
    'candidature.completee in candidature.deposee': upTo('candidature.complements-recus'),
    'j2.audit-ouvert in j2.audits': upTo('j2.audit-planifie'),
    'j2.constat-releve in j2.audits': upTo('j2.audit-ouvert'),
    'j2.audit-clos in j2.audits': upTo('j2.audit-ouvert'),
    'j2.plan-d-action-remis in j2.audits': upTo('j2.constat-releve', 2),
    'j2.ecart-leve in j2.audits': upTo('j2.constat-releve', 2),
    'j2.rapport-remis in j2.audits': upTo('j2.audit-clos', 2),
    'suivi.qualification-suspendue in qualifiee.mise-en-cause': observations,
    'suivi.qualification-abrogee in qualifiee.mise-en-cause': observations,
    'suivi.qualification-retiree in qualifiee.mise-en-cause': observations,
  };
  return places[`${type} in ${etat}`] ?? wayTo(etat);
}

/** The example of a fact, with the date and the look-ups that its rules want. */
function proposition(type: string): Proposal {
  const around: Record<string, Partial<Proposal>> = {
    'candidature.cloturee': { effectiveAt: '2024-10-16' },
    'j2.audit-ouvert': { effectiveAt: '2025-02-10' },
    'j3.qualification-accordee': { effectiveAt: '2025-07-01' },
    'suivi.qualification-expiree': { effectiveAt: '2028-07-01' },
    'suivi.renouvellement-demande': { lookups: { [OTHER]: { revision: 0, renouvelleDe: DOSSIER } } },
  };
  return { ...fact(type), ...around[type] };
}

const couples = (accepte: boolean) =>
  Object.entries(ATTENDU).flatMap(([type, vers]) =>
    ETATS.filter((etat) => etat in vers === accepte).map((etat) => ({ type, etat, vers: vers[etat] ?? '' })),
  );

describe('quel état accepte quel fait', () => {
  test('tous les faits de la procédure sont déclarés, et aucun autre', () => {
    const horsMachine = ['dossier.fait-rectifie', 'dossier.fait-annule', 'dossier.version-changee'];
    expect([...secnumcloud.facts.keys()].toSorted()).toEqual([...Object.keys(ATTENDU), ...horsMachine].toSorted());
  });

  test('les états sont ceux de la liste fermée, et chacun peut être atteint', () => {
    expect([...secnumcloud.states.keys()].filter((etat) => etat !== null)).toEqual(ETATS);
    for (const etat of ETATS) expect(given(...wayTo(etat)).situation.state.state).toBe(etat);
  });

  test("le jalon d'un état est celui vers lequel on travaille", () => {
    const jalons = { candidature: 'J0', j1: 'J1', j2: 'J2', j3: 'J3', qualifiee: 'suivi' } as Record<string, string>;
    for (const [etat, spec] of secnumcloud.states)
      if (etat !== null) expect([etat, spec.jalon]).toEqual([etat, jalons[etat.split('.')[0]!] ?? 'fin']);
    expect(ETATS.filter((etat) => secnumcloud.states.get(etat)?.final)).toEqual(FINIS);
  });

  test.each(couples(true))('$type est accepté dans $etat et mène à $vers', ({ type, etat, vers }) => {
    const avant = given(...pret(type, etat));
    expect(avant.situation.state.state).toBe(etat);
    const apres = avant.when(proposition(type)).leadsTo(vers === RESTE ? etat : vers);
    expect(apres.context.faits).toBe((avant.context.faits as number) + 1);
    expect(JSON.parse(JSON.stringify(apres.context))).toEqual(apres.context);
  });

  test.each(ETATS)("dans %s, aucun autre fait n'est attendu", (etat) => {
    const dossier = given(...wayTo(etat));
    const autres = couples(false).filter((couple) => couple.etat === etat);
    expect(autres.length).toBeGreaterThan(0);
    for (const { type } of autres) dossier.when(proposition(type)).unexpected();
  });

  test("avant le dépôt, seul le dépôt d'une candidature est attendu", () => {
    given().when(fact('candidature.deposee')).leadsTo('candidature.deposee');
    for (const type of Object.keys(ATTENDU).filter((type) => type !== 'candidature.deposee'))
      given().when(proposition(type)).unexpected();
  });
});
