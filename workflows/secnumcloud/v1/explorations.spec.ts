import {
  defineWorkflow,
  type Exploration,
  explore,
  type Fact,
  type Fault,
  type Happening,
  isBesideTheMachine,
  prove,
  STRUCTURE,
  type Workflow,
} from '@jalon/flow';
import { describe, expect, test } from '@jest/globals';
import { type AnyStateMachine, createMachine } from 'xstate';
import type { Context } from './context.ts';
import { COURTE, explorations } from './explorations.ts';
import { invariants } from './invariants.ts';
import { secnumcloud } from './workflow.ts';

type Node = { on?: Record<string, unknown>; states?: Record<string, Node> };
type Guard = (args: { context: Context; event: Happening }) => boolean;

/** What is planted: ways added or changed (null: taken away), by state and fact; rules and facts that say otherwise. */
type Mutation = {
  on?: Record<string, Record<string, object | null>>;
  guards?: Record<string, Guard>;
  facts?: Record<string, Partial<Fact>>;
};

/** The procedure, broken on purpose. */
function broken({ on = {}, guards = {}, facts = {} }: Mutation): Workflow {
  const { config, implementations } = secnumcloud.machine;
  const changed = copied(config) as Node;
  for (const [path, ways] of Object.entries(on)) {
    const node = path.split('.').reduce((at, step) => at.states![step]!, changed);
    for (const [type, way] of Object.entries(ways)) {
      const { [type]: known, ...others } = node.on!;
      node.on = way ? { ...others, [type]: { ...(known as object), ...way } } : others;
    }
  }
  const build = createMachine as (...parts: unknown[]) => AnyStateMachine;
  const machine = build(changed, { ...implementations, guards: { ...implementations.guards, ...guards } });
  const used = guardsOf(changed);
  return defineWorkflow({
    ...secnumcloud,
    machine,
    facts: [...secnumcloud.facts.values()]
      .filter(({ type }) => !isBesideTheMachine(type))
      // Nor need it close its deadlines.
      .map(({ deadlines: _, ...fact }) => ({ ...fact, ...facts[fact.type] })),
    reasons: Object.fromEntries(Object.entries(secnumcloud.reasons).filter(([rule]) => used.has(rule))),
    keyed: [...secnumcloud.keyed],
    // A procedure that is changed to find faults need not accept all that the real one expects.
    expected: Object.fromEntries([...secnumcloud.states.keys()].flatMap((state) => (state ? [[state, []]] : []))),
  });
}

/** A copy of a machine's configuration; its guards are functions, which hold their names. */
function copied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copied);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copied(inner)]));
}

function guardsOf(config: unknown): Set<string> {
  if (typeof config !== 'object' || config === null) return new Set();
  return new Set(Object.entries(config).flatMap(([key, at]) => (key === 'guard' ? names(at) : [...guardsOf(at)])));
}

function names(guard: unknown): string[] {
  if (guard === undefined) return [];
  return typeof guard === 'string' ? [guard] : (guard as { guards: unknown[] }).guards.flatMap(names);
}

/** The shortest ways there, as paths show them where few rules are applied; `DATES` where those on dates are. */
const [CHARGE, PRESTATAIRE, CENTRE] = ['(charge-de-qualification)', '(prestataire)', '(centre-evaluation)'];
const [CHEF, DIRECTEUR] = ['(chef-de-bureau)', '(directeur-general)'];
const DEPOSEE = [`2024-01-01 candidature.deposee ${PRESTATAIRE} → candidature.deposee`];
const COMPLETE = [...DEPOSEE, `2024-01-01 candidature.completee ${CHARGE} → candidature.complete`];
const J1_PROPOSEE = [
  `2024-01-01 j0.acceptee ${CHARGE} → j1.centre-attendu`,
  `2024-01-01 j1.centre-choisi ${PRESTATAIRE} → j1.strategie-attendue`,
  `2024-01-01 j1.strategie-proposee ${CENTRE} → j1.strategie-en-examen`,
];
const J1 = [...J1_PROPOSEE, `2024-01-01 j1.strategie-validee ${CHARGE} → j2.plan-attendu`];
const AUDITS = [`2024-01-01 j2.plan-valide ${CHARGE} → j2.audits`];
const J2 = [
  `2024-01-01 j2.rapport-remis ${CENTRE} → j2.rapport-en-revue`,
  `2024-01-01 j2.rapport-accepte ${CHARGE} → j3.instruction`,
];
const INSTRUCTION = [...COMPLETE, ...J1, ...AUDITS, ...J2];
const QUALIFIEE = [
  `2024-01-01 j3.avis-rendu ${CHEF} → j3.avis-rendu`,
  `2024-01-01 j3.qualification-accordee ${DIRECTEUR} → qualifiee.valide`,
];
const VALIDE = [...INSTRUCTION, ...QUALIFIEE];
const MISE_EN_CAUSE = [...VALIDE, `2024-01-01 suivi.griefs-notifies ${DIRECTEUR} → qualifiee.mise-en-cause`];
const COMPLETE_DATES = [
  ...DEPOSEE,
  `2023-12-31 candidature.charge-designe ${CHEF} → candidature.deposee`,
  `2024-01-01 candidature.completee ${CHARGE} → candidature.complete`,
];
const VALIDE_DATES = [...COMPLETE_DATES, ...J1, ...AUDITS, ...J2, ...QUALIFIEE];

/** What is planted, which invariant it breaks in which exploration, what is said of it, and the path that shows it. */
const planted: {
  what: string;
  invariant: string;
  exploration: string;
  mutation: Mutation;
  fault: string;
  path: string[];
}[] = [
  {
    what: 'une candidature complète va en J1 sans être acceptée',
    invariant: 'jalons-dans-l-ordre',
    exploration: 'jalons',
    mutation: { on: { 'candidature.deposee': { 'candidature.completee': { target: '#j1' } } } },
    fault: 'j1.strategie-validee franchit J1 après aucun jalon.',
    path: [...DEPOSEE, `2024-01-01 candidature.completee ${CHARGE} → j1.centre-attendu`, ...J1.slice(1)],
  },
  {
    what: 'une stratégie proposée va en J2 sans être validée',
    invariant: 'jalons-dans-l-ordre',
    exploration: 'jalons',
    mutation: { on: { 'j1.strategie-attendue': { 'j1.strategie-proposee': { target: '#j2' } } } },
    fault: 'j2.rapport-accepte franchit J2 après J0.',
    path: [
      ...COMPLETE,
      ...J1.slice(0, 2),
      `2024-01-01 j1.strategie-proposee ${CENTRE} → j2.plan-attendu`,
      ...AUDITS,
      ...J2,
    ],
  },
  {
    what: "un plan d'évaluation validé va en J3 sans audit",
    invariant: 'jalons-dans-l-ordre',
    exploration: 'jalons',
    mutation: { on: { 'j2.plan-attendu': { 'j2.plan-valide': { target: '#j3' } } } },
    fault: 'j3.qualification-accordee franchit J3 après J0, J1.',
    path: [...COMPLETE, ...J1, `2024-01-01 j2.plan-valide ${CHARGE} → j3.instruction`, ...QUALIFIEE],
  },
  {
    what: "l'avis qualifie, sans décision",
    invariant: 'etapes-apres-leur-jalon',
    exploration: 'jalons',
    mutation: { on: { 'j3.instruction': { 'j3.avis-rendu': { target: '#qualifiee' } } } },
    fault: 'j3.avis-rendu mène à qualifiee.valide sans J3.',
    path: [...INSTRUCTION, `2024-01-01 j3.avis-rendu ${CHEF} → qualifiee.valide`],
  },
  {
    what: "une suspension n'attend pas les observations",
    invariant: 'sanction-contradictoire',
    exploration: 'contradictoire',
    mutation: { on: { 'qualifiee.mise-en-cause': { 'suivi.qualification-suspendue': { guard: undefined } } } },
    fault: 'suivi.qualification-suspendue le 2024-01-01, sans observations et avant la fin du délai (2024-01-01).',
    path: [...MISE_EN_CAUSE, `2024-01-01 suivi.qualification-suspendue ${DIRECTEUR} → qualifiee.suspendue`],
  },
  {
    what: 'le dernier jour pour présenter des observations compte comme passé',
    invariant: 'sanction-contradictoire',
    exploration: 'contradictoire',
    mutation: {
      guards: {
        'contradictoire-respecte': ({ context: { griefs }, event }) =>
          griefs !== null && (griefs.observations || event.effectiveAt >= griefs.observationsAvantLe),
      },
    },
    fault: 'suivi.qualification-suspendue le 2024-01-01, sans observations et avant la fin du délai (2024-01-01).',
    path: [...MISE_EN_CAUSE, `2024-01-01 suivi.qualification-suspendue ${DIRECTEUR} → qualifiee.suspendue`],
  },
  {
    what: 'une qualification est retirée sans griefs',
    invariant: 'sanction-contradictoire',
    exploration: 'contradictoire',
    mutation: {
      on: { 'qualifiee.valide': { 'suivi.qualification-retiree': { target: '#retiree', actions: 'compter' } } },
    },
    fault: 'suivi.qualification-retiree sans griefs notifiés.',
    path: [...VALIDE, `2024-01-01 suivi.qualification-retiree ${DIRECTEUR} → retiree`],
  },
  {
    what: 'une qualification suspendue est abrogée sur les griefs de sa suspension',
    invariant: 'sanction-contradictoire',
    exploration: 'contradictoire',
    mutation: {
      on: { 'qualifiee.suspendue': { 'suivi.qualification-abrogee': { target: '#abrogee', actions: 'compter' } } },
    },
    fault: 'suivi.qualification-abrogee sans griefs notifiés.',
    path: [
      ...VALIDE,
      `2024-01-01 suivi.griefs-notifies ${DIRECTEUR} → qualifiee.mise-en-cause`,
      `2024-01-01 suivi.qualification-suspendue ${DIRECTEUR} → qualifiee.suspendue`,
      `2024-01-01 suivi.qualification-abrogee ${DIRECTEUR} → abrogee`,
    ],
  },
  {
    what: "le refus n'est pas soumis aux quatre yeux",
    invariant: 'quatre-yeux',
    exploration: 'quatre-yeux',
    mutation: { on: { 'j3.avis-rendu': { 'j3.qualification-refusee': { guard: undefined } } } },
    fault: "j3.qualification-refusee par x, auteur de l'avis.",
    path: [
      ...INSTRUCTION,
      '2024-01-01 j3.avis-rendu (chef-de-bureau, x) → j3.avis-rendu',
      '2024-01-01 j3.qualification-refusee (directeur-general, x) → refusee-j3',
    ],
  },
  {
    what: 'les quatre yeux comparent une personne à un rôle',
    invariant: 'quatre-yeux',
    exploration: 'quatre-yeux',
    mutation: { guards: { 'quatre-yeux': ({ context, event }) => context.avis?.sub !== event.actor.role } },
    fault: "j3.qualification-accordee par x, auteur de l'avis.",
    path: [
      ...INSTRUCTION,
      '2024-01-01 j3.avis-rendu (chef-de-bureau, x) → j3.avis-rendu',
      '2024-01-01 j3.qualification-accordee (directeur-general, x) → qualifiee.valide',
    ],
  },
  {
    what: 'une décision est prise sans avis',
    invariant: 'quatre-yeux',
    exploration: 'quatre-yeux',
    mutation: {
      on: { 'j3.instruction': { 'j3.qualification-refusee': { target: '#refusee-j3', actions: 'refuser' } } },
    },
    fault: 'j3.qualification-refusee sans avis.',
    path: [...INSTRUCTION, '2024-01-01 j3.qualification-refusee (directeur-general, x) → refusee-j3'],
  },
  {
    what: 'une qualification abrogée annonce encore des cibles',
    invariant: 'fin-definitive',
    exploration: 'jalons',
    mutation: { on: { abrogee: { 'dossier.cible-annoncee': { actions: 'compter' } } } },
    fault: 'dossier.cible-annoncee est accepté en abrogee.',
    path: [
      ...MISE_EN_CAUSE,
      `2024-01-01 suivi.qualification-abrogee ${DIRECTEUR} → abrogee`,
      `2024-01-01 dossier.cible-annoncee ${PRESTATAIRE} → abrogee`,
    ],
  },
  {
    what: 'un refus est publié',
    invariant: 'fin-definitive',
    exploration: 'jalons',
    mutation: { on: { 'refusee-j3': { 'suivi.decision-publiee': { actions: 'retenir-la-publication' } } } },
    fault: 'suivi.decision-publiee est accepté en refusee-j3.',
    path: [
      ...INSTRUCTION,
      `2024-01-01 j3.avis-rendu ${CHEF} → j3.avis-rendu`,
      `2024-01-01 j3.qualification-refusee ${DIRECTEUR} → refusee-j3`,
      `2024-01-01 suivi.decision-publiee ${CHARGE} → refusee-j3`,
    ],
  },
  {
    what: "un refus n'est pas notifié",
    invariant: 'fin-definitive',
    exploration: 'jalons',
    mutation: { on: { 'refusee-j3': { 'suivi.decision-notifiee': null } } },
    fault: "suivi.decision-notifiee n'est pas accepté en refusee-j3.",
    path: [
      ...INSTRUCTION,
      `2024-01-01 j3.avis-rendu ${CHEF} → j3.avis-rendu`,
      `2024-01-01 j3.qualification-refusee ${DIRECTEUR} → refusee-j3`,
    ],
  },
  {
    what: "une candidature refusée n'accepte pas de note",
    invariant: 'fin-definitive',
    exploration: 'jalons',
    mutation: { on: { refusee: { 'dossier.note-ajoutee': null } } },
    fault: "dossier.note-ajoutee n'est pas accepté en refusee.",
    path: [...COMPLETE, `2024-01-01 candidature.refusee ${CHARGE} → refusee`],
  },
  {
    what: 'une note rouvre un dossier expiré',
    invariant: 'fin-definitive',
    exploration: 'jalons',
    mutation: { on: { expiree: { 'dossier.note-ajoutee': { target: '#qualifiee' } } } },
    fault: 'dossier.note-ajoutee mène de expiree à qualifiee.valide.',
    path: [
      ...VALIDE,
      '2024-01-01 suivi.qualification-expiree (horloge) → expiree',
      `2023-12-31 dossier.note-ajoutee ${CHARGE} → qualifiee.valide`,
    ],
  },
  {
    what: 'la validation de la stratégie peut porter une date passée',
    invariant: 'dates-jamais-a-rebours',
    exploration: 'dates',
    mutation: { facts: { 'j1.strategie-validee': { free: true } } },
    fault: 'j1.strategie-validee prend effet le 2023-12-31, après un fait du 2024-01-01.',
    path: [...COMPLETE_DATES, ...J1_PROPOSEE, `2023-12-31 j1.strategie-validee ${CHARGE} → j2.plan-attendu`],
  },
  {
    what: 'une candidature est complète avant que son chargé soit désigné',
    invariant: 'complet-apres-designation',
    exploration: 'dates',
    mutation: { guards: { 'charge-designe': ({ context }) => context.chargeDepuis !== null } },
    fault: 'candidature.completee le 2024-01-01, chargé désigné le 2024-01-02.',
    path: [
      ...DEPOSEE,
      `2024-01-02 candidature.charge-designe ${CHEF} → candidature.deposee`,
      `2024-01-01 candidature.completee ${CHARGE} → candidature.complete`,
    ],
  },
  {
    what: 'une candidature est clôturée le dernier jour du délai',
    invariant: 'cloture-apres-le-delai',
    exploration: 'dates',
    mutation: {
      guards: { 'delai-passe': ({ context, event }) => event.effectiveAt >= (context.complementsAvantLe ?? '') },
    },
    fault: "candidature.cloturee le 2024-01-02, délai jusqu'au 2024-01-02.",
    path: [
      ...DEPOSEE,
      `2024-01-01 candidature.complements-demandes ${CHARGE} → candidature.incomplete`,
      `2024-01-02 candidature.cloturee ${CHARGE} → cloturee`,
    ],
  },
  {
    what: 'un audit est ouvert avant sa date',
    invariant: 'audit-pas-avant-sa-date',
    exploration: 'dates',
    mutation: { guards: { 'audit-pas-avant-sa-date': () => true } },
    fault: 'j2.audit-ouvert le 2024-01-01, prévu le 2024-01-02.',
    path: [
      ...COMPLETE_DATES,
      ...J1,
      ...AUDITS,
      `2024-01-01 j2.audit-planifie ${CENTRE} → j2.audits`,
      `2024-01-01 j2.audit-ouvert ${CENTRE} → j2.audits`,
    ],
  },
  {
    what: 'une décision est publiée avant sa date',
    invariant: 'notification-apres-la-decision',
    exploration: 'dates',
    mutation: { on: { qualifiee: { 'suivi.decision-publiee': { guard: 'pas-apres-la-fin-de-validite' } } } },
    fault: 'suivi.decision-publiee : le 2000-01-01, décision du 2024-01-01.',
    path: [...VALIDE_DATES, `2024-01-01 suivi.decision-publiee ${CHARGE} → qualifiee.valide`],
  },
  {
    what: 'une surveillance est réalisée après la fin de validité',
    invariant: 'rien-apres-la-fin-de-validite',
    exploration: 'dates',
    mutation: { on: { qualifiee: { 'suivi.surveillance-realisee': { guard: undefined } } } },
    fault: 'suivi.surveillance-realisee le 2024-01-03, après la fin de validité (2024-01-02).',
    path: [
      ...VALIDE_DATES,
      `2024-01-02 suivi.controle-ordonne ${CHARGE} → qualifiee.valide`,
      `2024-01-03 suivi.surveillance-realisee ${CHARGE} → qualifiee.valide`,
    ],
  },
  {
    what: 'une qualification expire le jour même de sa fin',
    invariant: 'rien-apres-la-fin-de-validite',
    exploration: 'dates',
    mutation: {
      guards: {
        'pas-avant-le-lendemain-de-la-fin': ({ context, event }) =>
          event.effectiveAt >= (context.decision?.valideJusquAu ?? ''),
      },
    },
    fault: 'suivi.qualification-expiree le 2024-01-02, fin de validité le 2024-01-02.',
    path: [...VALIDE_DATES, '2024-01-02 suivi.qualification-expiree (horloge) → expiree'],
  },
  {
    what: 'une abrogation prend effet après la fin de validité',
    invariant: 'rien-apres-la-fin-de-validite',
    exploration: 'dates',
    mutation: { guards: { 'effet-pas-apres-la-fin-de-validite': () => true } },
    fault: 'suivi.qualification-abrogee le 2024-01-02, avec effet le 2029-06-23 (fin : 2024-01-02).',
    path: [
      ...VALIDE_DATES,
      `2024-01-01 suivi.griefs-notifies ${DIRECTEUR} → qualifiee.mise-en-cause`,
      `2024-01-02 suivi.qualification-abrogee ${DIRECTEUR} → abrogee`,
    ],
  },
];

const named = (name: string, etendue = COURTE): Exploration =>
  explorations(etendue).find((exploration) => exploration.name === name)!;

/** As little as shows what is planted in the whole procedure. */
const MENUE = { ...COURTE, ecarts: 0, compares: 0 };

describe('une procédure cassée exprès est prise sur le fait, par un chemin qui le montre', () => {
  test.each(planted)('$invariant : $what', ({ invariant, exploration, mutation, fault, path }) => {
    const { faults } = explore(broken(mutation), named(exploration, MENUE));
    expect(faults.find((each) => each.invariant === invariant)).toEqual({
      ...{ exploration, invariant, fault, path },
      sentence: invariants.find(({ name }) => name === invariant)?.sentence,
    });
  });

  const structural: { what: string; invariant: string; mutation: Mutation; fault: string }[] = [
    {
      what: 'aucune sanction ne respecte jamais le contradictoire',
      invariant: STRUCTURE.states.name,
      mutation: { guards: { 'contradictoire-respecte': () => false } },
      fault: "« Qualification suspendue » (qualifiee.suspendue) n'est pas atteint.",
    },
    {
      what: "aucune réserve n'est jamais ouverte",
      invariant: STRUCTURE.facts.name,
      mutation: { guards: { 'reserve-ouverte': () => false } },
      fault: "suivi.reserve-levee n'est accepté nulle part.",
    },
    {
      what: 'une qualification suspendue ne le redevient pas',
      invariant: STRUCTURE.ways.name,
      mutation: { guards: { 'qualification-etait-suspendue': () => false } },
      fault: 'suivi.griefs-abandonnes ne mène jamais de qualifiee.mise-en-cause à qualifiee.suspendue.',
    },
    {
      what: "aucune stratégie n'a besoin d'une phase sur site",
      invariant: STRUCTURE.rules.name,
      mutation: { guards: { 'phase-sur-site': () => true } },
      fault: "La règle phase-sur-site n'est jamais fausse.",
    },
  ];
  const whole = named('procedure-entiere', { ...MENUE, jours: [0] });
  const sound = prove(secnumcloud, [whole]).faults.map(({ fault }) => fault);

  test.each(structural)('$invariant : $what', ({ invariant, mutation, fault }) => {
    const { faults } = prove(broken(mutation), [whole]);
    expect(sound).not.toContain(fault);
    expect(faults.find((each) => each.fault === fault)?.invariant).toBe(invariant);
  });

  test(`${STRUCTURE.ends.name} : une enquête défavorable interdit aussi de refuser`, () => {
    const mutation = { on: { 'j3.avis-rendu': { 'j3.qualification-refusee': { guard: 'enquete-non-defavorable' } } } };
    const { faults } = explore(broken(mutation), named('procedure-entiere', MENUE));
    const [{ invariant, fault, path }] = faults as [Fault];
    expect([invariant, fault]).toEqual([STRUCTURE.ends.name, 'Rien ne mène de j3.instruction à une fin.']);
    expect(path.slice(-2)).toEqual([...J2.slice(-1), `2024-01-01 j3.enquete-conclue ${CHARGE} → j3.instruction`]);
  });

  test('chaque invariant est exploré, et pris en défaut par une faute au moins', () => {
    const explored = explorations(COURTE).flatMap((exploration) => exploration.invariants);
    expect(new Set(explored)).toEqual(new Set(invariants));
    const caught = [...planted, ...structural].map(({ invariant }) => invariant).concat(STRUCTURE.ends.name);
    const all = [...invariants, ...Object.values(STRUCTURE)].map(({ name }) => name);
    expect(new Set(caught)).toEqual(new Set(all));
  });
});

describe('ce dont les preuves dépendent', () => {
  test.each([
    ['jalons', []],
    ['contradictoire', ['effectiveAt']],
    ['quatre-yeux', ['actor']],
  ])('%s : les règles ne lisent de ce qui est proposé que %j', (name, asks) => {
    expect([...explore(secnumcloud, named(name)).asks]).toEqual(asks);
  });

  test("une abstraction qui oublie ce qu'une règle lit est refusée, et la règle nommée", () => {
    const keepsNothing = { ...named('contradictoire'), keeps: () => null };
    expect(() => explore(secnumcloud, keepsNothing)).toThrow(
      'contradictoire: the rule « interrompue-en-plan-attendu » reads reprendreA in j2.interrompue, which is not kept.',
    );
  });

  test('une abstraction qui confond des dossiers dont la suite diffère est refusée, avec les deux chemins', () => {
    const whole = named('procedure-entiere', MENUE);
    const blind: Exploration = {
      ...whole,
      compares: 1,
      keeps: (dossier) => ({ ...(whole.keeps(dossier) as object), accuse: null }),
    };
    expect(() => explore(secnumcloud, blind)).toThrow(
      /two dossiers count as one, but .*candidature\.(accuse-emis|completee).* is not the same to them:/,
    );
  });
});
