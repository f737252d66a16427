import { readdirSync, readFileSync } from 'node:fs';
import {
  ANNULMENT,
  hiddenMembers,
  isBesideTheMachine,
  possible,
  RECTIFICATION,
  VERSION_CHANGE,
  waitsFor,
  xstateTypes,
} from '@jalon/flow';
import { describe, expect, test } from '@jest/globals';
import { fact, upTo, wayTo } from '../../../test/walk.ts';
import { type Given, given, TODAY } from './scenario.ts';
import { secnumcloud } from './workflow.ts';

function lecteur(role: string, today = TODAY) {
  const author = { iss: 'https://scenario.example', sub: role, role };
  return { author, roles: [role], hidden: hiddenMembers(secnumcloud, [role]), today };
}

function liste({ situation }: Given, role: string, type: string, today = TODAY) {
  const trouve = possible(situation, lecteur(role, today)).find((each) => each.type === type)!;
  return { ...trouve, regles: Object.fromEntries(trouve.rules.map(({ rule, holds }) => [rule, holds])) };
}

describe('ce qui est possible', () => {
  test('dit ce qui manque encore avant le prochain jalon', () => {
    const deposee = given(fact('candidature.deposee', {}, { effectiveAt: '2024-09-02' }));
    expect(liste(deposee, 'charge-de-qualification', 'candidature.completee')).toMatchObject({
      label: 'Dossier de candidature complet',
      by: ['charge-de-qualification'],
      allowed: true,
      rules: [
        {
          rule: 'pieces-completes',
          message: '1 catégorie de pièces manque : sous-traitants.',
          holds: false,
          items: [{ kind: 'piece', id: 'sous-traitants', label: 'sous-traitants' }],
        },
        { rule: 'accuse-emis', message: "L'accusé de réception n'a pas encore été émis.", holds: false },
        { rule: 'charge-designe', message: "Aucun chargé de qualification n'est désigné.", holds: false },
        { rule: 'date-non-future', message: "La date d'effet ne doit pas être dans le futur.", holds: null },
        { rule: 'date-dans-l-ordre', holds: null },
      ],
    });
    expect(liste(deposee, 'prestataire', 'candidature.completee').allowed).toBe(false);
  });

  test('dit que tout est en place', () => {
    const prete = given(...upTo('candidature.complements-recus'));
    expect(liste(prete, 'charge-de-qualification', 'candidature.completee').regles).toMatchObject({
      'pieces-completes': true,
      'accuse-emis': true,
      'charge-designe': true,
    });
  });

  test('dit de chaque règle la phrase qui est vraie', () => {
    const encoreOuvert = given(...upTo('j2.rapport-remis').filter(({ type }) => type !== 'j2.ecart-leve'));
    const regle = (role: string) => liste(encoreOuvert, role, 'j2.rapport-accepte').rules[0];
    expect(regle('charge-de-qualification')).toEqual({
      rule: 'aucun-ecart-majeur-ouvert',
      message: '1 non-conformité majeure est ouverte : C3 (13.2.a).',
      holds: false,
      items: [{ kind: 'constat', id: 'C3', label: 'C3 (13.2.a)' }],
    });
    expect(regle('abonne')).toEqual({
      rule: 'aucun-ecart-majeur-ouvert',
      message: 'Aucune non-conformité majeure ne doit rester ouverte.',
      holds: null,
    });
    const sans = liste(given(...upTo('j2.rapport-remis')), 'charge-de-qualification', 'j2.rapport-accepte').rules[0];
    expect(sans).toEqual({
      rule: 'aucun-ecart-majeur-ouvert',
      message: "Aucune non-conformité majeure n'est ouverte.",
      holds: true,
    });
  });

  test('laisse au contenu et à la date ce qui leur revient', () => {
    const accord = liste(given(...wayTo('j3.avis-rendu')), 'directeur-general', 'j3.qualification-accordee');
    expect(accord.regles).toEqual({
      'services-de-la-strategie': null,
      'decidee-a-la-date-d-effet': null,
      'decidee-avant-la-fin-de-validite': null,
      'validite-debute-avant-sa-fin': null,
      'trois-ans-au-plus': null,
      'quatre-yeux': true,
      'enquete-non-defavorable': true,
      'date-non-future': null,
      'date-dans-l-ordre': null,
    });
  });

  test('tranche une règle de date quand toute date encore possible donne la même réponse', () => {
    const incomplete = given(...wayTo('candidature.incomplete'));
    const passe = (today: string) =>
      liste(incomplete, 'charge-de-qualification', 'candidature.cloturee', today).regles['delai-passe'];
    expect(passe('2024-10-15')).toBe(false);
    expect(passe('2024-10-16')).toBeNull();

    const mise = given(...wayTo('qualifiee.mise-en-cause'));
    const contradictoire = (dossier: Given, today: string) =>
      liste(dossier, 'directeur-general', 'suivi.qualification-suspendue', today).regles['contradictoire-respecte'];
    expect(contradictoire(mise, '2025-12-31')).toBe(false);
    expect(contradictoire(mise, '2026-01-01')).toBeNull();
    expect(contradictoire(mise.and(fact('suivi.observations-presentees')), '2025-11-03')).toBe(true);
  });

  test.each([...secnumcloud.states.keys()].filter((etat) => etat !== null))(
    'dans %s est ce que XState lui-même envisage, et les corrections',
    (etat) => {
      const { situation } = given(...wayTo(etat));
      const types = possible(situation, lecteur('auditeur')).map(({ type }) => type);
      const horsMachine = types.filter(isBesideTheMachine);
      expect(new Set(types.filter((type) => !isBesideTheMachine(type)))).toEqual(xstateTypes(situation));
      expect(horsMachine).toEqual([RECTIFICATION, ANNULMENT, ...(situation.state.final ? [] : [VERSION_CHANGE])]);
    },
  );
});

describe('qui un dossier attend', () => {
  const attend = (steps: Parameters<typeof given>, role: string) => waitsFor(given(...steps).situation, lecteur(role));
  const ACTEURS = Object.keys(secnumcloud.roles);

  /** State -> who is expected, each of what, on the usual way to it. */
  const ATTENDUS: Record<string, Record<string, string[]>> = {
    'candidature.deposee': {
      'charge-de-qualification': ['candidature.accuse-emis', 'candidature.complements-demandes'],
      'chef-de-bureau': ['candidature.charge-designe'],
    },
    'candidature.incomplete': { prestataire: ['candidature.complements-recus'] },
    'candidature.complete': { 'charge-de-qualification': ['j0.acceptee', 'candidature.refusee'] },
    'j1.centre-attendu': { prestataire: ['j1.centre-choisi'] },
    'j1.strategie-attendue': { prestataire: ['j1.strategie-proposee'], 'centre-evaluation': ['j1.strategie-proposee'] },
    'j1.strategie-en-examen': {
      'charge-de-qualification': ['j1.complements-demandes', 'j1.strategie-rejetee', 'j1.strategie-validee'],
    },
    'j2.plan-attendu': { 'charge-de-qualification': ['j2.plan-valide'] },
    'j2.audits': { 'centre-evaluation': ['j2.audit-planifie'] },
    'j2.rapport-en-revue': {
      'charge-de-qualification': ['j2.verification-demandee', 'j2.rapport-rejete', 'j2.rapport-accepte'],
    },
    'j2.verifications': { 'centre-evaluation': ['j2.verification-remise'] },
    'j2.interrompue': { 'charge-de-qualification': ['j2.evaluation-reprise'] },
    'j3.instruction': { 'chef-de-bureau': ['j3.avis-rendu'] },
    'j3.avis-rendu': { 'directeur-general': ['j3.qualification-accordee', 'j3.qualification-refusee'] },
    'qualifiee.valide': {},
    'qualifiee.mise-en-cause': { prestataire: ['suivi.observations-presentees'] },
    'qualifiee.suspendue': { 'directeur-general': ['suivi.suspension-levee', 'suivi.griefs-notifies'] },
  };

  test.each([...secnumcloud.states.values()].flatMap(({ state }) => (state ? [state] : [])))(
    'dans %s : chacun sait ce qui est attendu de lui, et nul autre',
    (etat) => {
      const { situation } = given(...wayTo(etat));
      const attendus = ATTENDUS[etat] ?? {};
      for (const role of ACTEURS) {
        const lu = { ...lecteur(role), today: '2025-11-04' };
        const faits = possible(situation, lu).flatMap(({ type, expected }) =>
          expected?.of.includes(role) ? [type] : [],
        );
        expect([role, faits.toSorted()]).toEqual([role, (attendus[role] ?? []).toSorted()]);
        expect([role, waitsFor(situation, lu)]).toEqual([role, faits.length > 0]);
      }
    },
  );

  test('une qualification en cours de validité : personne, même avant notification et publication', () => {
    for (const role of ACTEURS) expect(attend(wayTo('qualifiee.valide'), role)).toBe(false);
    const suivie = [...wayTo('qualifiee.valide'), fact('suivi.decision-notifiee', {}, { effectiveAt: '2025-07-03' })];
    for (const role of ACTEURS) expect(attend(suivie, role)).toBe(false);
  });

  test("le chef de bureau, tant qu'aucun chargé n'est désigné", () => {
    expect(attend(upTo('candidature.accuse-emis'), 'chef-de-bureau')).toBe(true);
    expect(attend(upTo('candidature.charge-designe'), 'chef-de-bureau')).toBe(false);
  });

  test('le centre pendant les audits, le prestataire tant qu’un plan d’action manque', () => {
    expect(attend(upTo('j2.audit-planifie'), 'centre-evaluation')).toBe(true);
    expect(attend(upTo('j2.audit-ouvert'), 'centre-evaluation')).toBe(true);
    expect(attend(upTo('j2.audit-clos', 2), 'centre-evaluation')).toBe(true);
    expect(attend(wayTo('j2.audits'), 'prestataire')).toBe(false);
    const sansPlan = upTo('j2.rapport-remis').filter(
      ({ type, data }) => !(type === 'j2.plan-d-action-remis' && data.constat === 'C2'),
    );
    expect(attend(sansPlan, 'prestataire')).toBe(true);
    expect(attend(sansPlan, 'charge-de-qualification')).toBe(false);
    expect(attend(upTo('j2.rapport-remis'), 'prestataire')).toBe(false);
  });

  test("le directeur général pour la décision, sauf s'il est l'auteur de l'avis ; sa main reste attendue pour autrui", () => {
    const cumul = [...wayTo('j3.instruction'), { ...fact('j3.avis-rendu'), sub: 'directeur-general' }];
    expect(attend(cumul, 'directeur-general')).toBe(false);
    const { expected } = liste(given(...cumul), 'directeur-general', 'j3.qualification-accordee');
    expect(expected).toEqual({ of: ['directeur-general'], sentence: 'La qualification est à accorder ou à refuser.' });
  });

  test("le directeur général pour la suite des griefs, une fois qu'il peut la décider", () => {
    const mise = given(...wayTo('qualifiee.mise-en-cause')).situation;
    const le = (today: string) => waitsFor(mise, lecteur('directeur-general', today));
    expect(le('2025-12-31')).toBe(false);
    expect(le('2026-01-01')).toBe(true);
    const repondu = [...wayTo('qualifiee.mise-en-cause'), fact('suivi.observations-presentees')];
    expect(waitsFor(given(...repondu).situation, lecteur('directeur-general', '2025-11-04'))).toBe(true);
    expect(attend(repondu, 'prestataire')).toBe(false);
  });

  test('après une enquête défavorable, le refus seul est attendu de qui la connaît', () => {
    const steps = wayTo('j3.avis-rendu').map((step) =>
      step.type === 'j3.enquete-conclue' ? { ...step, data: { ...step.data, resultat: 'defavorable' } } : step,
    );
    const attendu = (role: string) =>
      possible(given(...steps).situation, lecteur(role)).flatMap(({ type, expected }) => (expected ? [type] : []));
    expect(attendu('directeur-general')).toEqual(['j3.qualification-refusee']);
    expect(attendu('prestataire')).toEqual(['j3.qualification-accordee', 'j3.qualification-refusee']);
  });

  test('jamais pour ce qui serait refusé quoi qu’on saisisse', () => {
    for (const etat of [...secnumcloud.states.keys()].filter((etat) => etat !== null))
      for (const role of ACTEURS)
        for (const { type, rules, expected } of possible(given(...wayTo(etat)).situation, lecteur(role)))
          if (expected?.of.includes(role))
            expect([type, rules.filter(({ holds }) => holds === false)]).toEqual([type, []]);
  });
});

describe('les règles', () => {
  const specs = readdirSync(new URL('.', import.meta.url))
    .filter((file) => file.endsWith('.spec.ts'))
    .map((file) => readFileSync(new URL(file, import.meta.url), 'utf8'));
  const regles = Object.entries(secnumcloud.reasons);

  test.each(regles.map(([rule]) => rule))('« %s » a un cas refusé', (rule) => {
    const refus = new RegExp(`(refused\\([^;]*'${rule}'|\\['suivi.[a-z-]+', '${rule}'\\])`);
    expect(specs.some((text) => refus.test(text))).toBe(true);
  });

  test('sont des phrases françaises : majuscule, point, apostrophe droite', () => {
    for (const [rule, { asks, holds }] of regles)
      for (const message of [asks, holds])
        expect([rule, message]).toEqual([rule, expect.stringMatching(/^[A-ZÀÉ][^’]*\.$/)]);
  });
});
