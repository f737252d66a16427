import {
  type Fact,
  hiddenMembers,
  isWithheld,
  payloadSchema,
  possible,
  seeingRoles,
  visibleContext,
} from '@jalon/flow';
import { describe, expect, test } from '@jest/globals';
import { fact, walkToJ3, wayTo } from '../../../test/walk.ts';
import { given, TODAY } from './scenario.ts';
import { secnumcloud } from './workflow.ts';

// Written by hand from section 5 of the procedure.
const INTERNES = ['dossier.note-ajoutee', 'j3.enquete-conclue', 'j3.avis-rendu', 'j3.avis-retire'];
const CONFIDENTIELS = [
  'j2.constat-releve',
  'j2.plan-d-action-remis',
  'j2.ecart-leve',
  'suivi.griefs-notifies',
  'suivi.griefs-abandonnes',
  'suivi.observations-presentees',
  'suivi.controle-ordonne',
  'suivi.modification-notifiee',
];
const ANSSI = ['charge-de-qualification', 'chef-de-bureau', 'directeur-general', 'auditeur'];
const PARTIES = ['prestataire', 'centre-evaluation'];

const retenus = (...roles: string[]) =>
  [...secnumcloud.facts.values()].filter((fact) => isWithheld(fact, roles)).map(({ type }) => type);
const caches = (...roles: string[]) => [...hiddenMembers(secnumcloud, roles)].toSorted();

describe('qui voit quel fait', () => {
  test.each(ANSSI)('%s voit tout', (role) => {
    expect(retenus(role)).toEqual([]);
    expect(caches(role)).toEqual([]);
  });

  test.each(PARTIES)("%s ne voit ni les notes, ni l'enquête, ni l'avis", (role) => {
    expect(retenus(role).toSorted()).toEqual(INTERNES.toSorted());
    expect(caches(role)).toEqual(['avis', 'enquete', 'faits']);
  });

  test('un système abonné ne voit pas non plus les constats, les griefs et les contrôles', () => {
    expect(retenus('abonne').toSorted()).toEqual([...INTERNES, ...CONFIDENTIELS].toSorted());
    expect(caches('abonne')).toEqual(['avis', 'constats', 'enquete', 'faits', 'griefs']);
  });

  test('qui a plusieurs rôles voit ce que voit l’un d’eux', () => {
    expect(retenus('prestataire', 'auditeur')).toEqual([]);
    expect(caches('abonne', 'prestataire')).toEqual(['avis', 'enquete', 'faits']);
    expect(caches('prestataire', 'centre-evaluation')).toEqual(['avis', 'enquete', 'faits']);
  });
});

describe('qui voit quel dossier', () => {
  const { summary } = given(...walkToJ3()).situation;
  const par = (org: string | undefined, ...roles: string[]) =>
    seeingRoles(secnumcloud, { roles, ...(org === undefined ? {} : { org }) }, summary);

  test('le prestataire par son nom ou son SIREN, le centre par son nom', () => {
    expect(par('Nuage de Brocéliande', 'prestataire')).toEqual(['prestataire']);
    expect(par('732829320', 'prestataire')).toEqual(['prestataire']);
    expect(par("Centre d'évaluation de Rennes", 'centre-evaluation')).toEqual(['centre-evaluation']);
  });

  test("ni un autre prestataire, ni un autre centre, ni l'un à la place de l'autre, ni personne sans organisation", () => {
    expect(par('Autre', 'prestataire', 'centre-evaluation')).toEqual([]);
    expect(par('Nuage de Brocéliande', 'centre-evaluation')).toEqual([]);
    expect(par(undefined, 'prestataire', 'centre-evaluation')).toEqual([]);
  });

  test("toute l'ANSSI, l'auditeur et l'horloge ; ni abonné, ni administrateur", () => {
    expect(par(undefined, ...ANSSI)).toEqual(ANSSI);
    expect(par(undefined, 'horloge')).toEqual(['horloge']);
    expect(par('732829320', 'abonne', 'administrateur', 'inconnu')).toEqual([]);
  });

  test('un centre remplacé ne le voit plus', () => {
    const { situation } = given(
      ...wayTo('j1.strategie-attendue'),
      fact('j1.centre-choisi', { centre: 'Centre de Lyon' }),
    );
    const viewer = { roles: ['centre-evaluation'], org: "Centre d'évaluation de Rennes" };
    expect(seeingRoles(secnumcloud, viewer, situation.summary)).toEqual([]);
    expect(seeingRoles(secnumcloud, { ...viewer, org: 'Centre de Lyon' }, situation.summary)).toHaveLength(1);
  });
});

describe('ce que le contexte laisse voir', () => {
  const { context } = given(...walkToJ3());

  test("au prestataire : tout, sauf l'enquête, l'avis et le nombre des faits", () => {
    const visible = visibleContext(context, hiddenMembers(secnumcloud, ['prestataire']));
    expect(Object.keys(context).filter((member) => !(member in visible))).toEqual(['faits', 'enquete', 'avis']);
  });

  test('un membre caché n’est écrit que par des faits cachés aux mêmes, le nombre des faits excepté', () => {
    for (const role of [...PARTIES, 'abonne'])
      for (const member of hiddenMembers(secnumcloud, [role]))
        for (const etat of [...secnumcloud.states.keys()].filter((etat) => etat !== null)) {
          const way = wayTo(etat);
          let dossier = given();
          for (const step of way) {
            const apres = dossier.and(step);
            if (member !== 'faits' && apres.context[member] !== dossier.context[member])
              expect([step.type, isWithheld(secnumcloud.facts.get(step.type) as Fact, [role])]).toEqual([
                step.type,
                true,
              ]);
            dossier = apres;
          }
        }
  });
});

describe('ce que la liste de contrôle laisse voir', () => {
  const regles = (role: string, etat: string, type: string) => {
    const { situation } = given(...wayTo(etat));
    const author = { iss: 'https://scenario.example', sub: role, role };
    const hidden = hiddenMembers(secnumcloud, [role]);
    const liste = possible(situation, { author, roles: [role], hidden, today: TODAY });
    return Object.fromEntries(liste.find((each) => each.type === type)!.rules.map(({ rule, holds }) => [rule, holds]));
  };

  test("le prestataire ne sait pas si l'enquête ou l'avis font obstacle", () => {
    const accord = ['j3.avis-rendu', 'j3.qualification-accordee'] as const;
    expect(regles('prestataire', ...accord)).toMatchObject({ 'quatre-yeux': null, 'enquete-non-defavorable': null });
    expect(regles('directeur-general', ...accord)).toMatchObject({
      'quatre-yeux': true,
      'enquete-non-defavorable': true,
    });
    expect(regles('chef-de-bureau', ...accord)).toMatchObject({ 'quatre-yeux': false });
  });

  test('un abonné ne sait rien des écarts ni des griefs', () => {
    expect(regles('abonne', 'j2.rapport-en-revue', 'j2.rapport-accepte')).toMatchObject({
      'aucun-ecart-majeur-ouvert': null,
      'plan-pour-chaque-ecart-mineur': null,
    });
    expect(regles('abonne', 'qualifiee.mise-en-cause', 'suivi.qualification-suspendue')).toMatchObject({
      'contradictoire-respecte': null,
    });
  });

  test('une règle cachée ne dit que ce qu’elle demande, et n’attend rien de qui ne la connaît pas', () => {
    for (const etat of [...secnumcloud.states.keys()].filter((etat) => etat !== null))
      for (const role of Object.keys(secnumcloud.roles)) {
        const hidden = hiddenMembers(secnumcloud, [role]);
        const { situation } = given(...wayTo(etat));
        const author = { iss: 'https://scenario.example', sub: role, role };
        for (const { rules } of possible(situation, { author, roles: [role], hidden, today: TODAY }))
          for (const { rule, message, holds, items } of rules) {
            const { reads = [], asks } = secnumcloud.reasons[rule] ?? {};
            if (!reads.some((member) => hidden.has(member))) continue;
            expect([rule, message, holds, items]).toEqual([rule, asks, null, undefined]);
          }
      }
  });

  test("une règle dit ce qu'elle lit de caché, pour décider comme pour dire pourquoi elle refuse", () => {
    const secrets = ['avis', 'constats', 'enquete', 'griefs'];
    const { guards } = secnumcloud.machine.implementations;
    const lus = new Map<string, Set<string>>();
    const espion = (context: object, read: Set<string>) =>
      new Proxy(context, {
        get(target, member) {
          if (secrets.includes(String(member))) read.add(String(member));
          return Reflect.get(target, member);
        },
      });
    for (const etat of [...secnumcloud.states.keys()].filter((etat) => etat !== null)) {
      const dossier = given(...wayTo(etat));
      for (const [type, ways] of dossier.situation.state.accepts)
        for (const { rule, fails } of ways.flatMap(({ rules }) => rules)) {
          const read = lus.get(rule) ?? new Set();
          lus.set(rule, read);
          const context = espion(dossier.context, read);
          const guard = guards[rule] as unknown as (args: object) => boolean;
          const event = dossier.happening(fact(type));
          guard({ context, event });
          fails(context as never, event as never);
        }
    }
    expect(lus.size).toBeGreaterThan(40);
    for (const [rule, read] of lus) {
      const { reads = [] } = secnumcloud.reasons[rule]!;
      expect([rule, [...read].toSorted()]).toEqual([rule, [...reads].toSorted()]);
    }
  });
});

describe('les champs publics', () => {
  // Section 5, word for word; `fait` and `donnees` belong to corrections.
  const PUBLICS = [
    ...[
      'reference',
      'conditions',
      'fait',
      'decision',
      'decideeLe',
      'notifieeLe',
      'notifieLe',
      'le',
      'valideDu',
      'valideJusquAu',
    ],
    ...['services', 'offre', 'prestataire.nom', 'referentiel', 'jalon', 'periode', 'source', 'effetLe'],
  ];

  test.each([...secnumcloud.facts.values()].map((fact) => [fact.type, fact] as const))(
    'de %s sont ceux de la procédure, ni plus ni moins',
    (_, fact) => {
      const { properties } = payloadSchema(fact) as { properties: object };
      const attendus = PUBLICS.filter((path) => (path.split('.')[0] as string) in properties);
      expect([...(fact.publicFields ?? [])].toSorted()).toEqual(attendus.toSorted());
    },
  );
});
