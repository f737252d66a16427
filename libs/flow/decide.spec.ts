import { describe, expect, test } from '@jest/globals';
import { and, assign, setup } from 'xstate';
import { decide, possible, toldReasons, waitsFor } from './decide.ts';
import { mermaid, waysOf } from './describe.ts';
import { defineFact, factsOf } from './fact.ts';
import { DateField, OneOf, Text } from './fields.ts';
import { beginning, contextOf, fold, type PastFact, ReplayBroken, type Situation } from './situation.ts';
import { hiddenMembers, isWithheld, seeingRoles, visibleContext } from './visibility.ts';
import { BEFORE, defineWorkflow, FINAL, type Happening, type Lookup } from './workflow.ts';

// A toy procedure: a permit that is asked for, checked by one person and granted by another.

@defineFact('permis.demande', {
  label: 'Permis demandé',
  by: ['demandeur', 'agent'],
  opens: true,
  summary: {
    demandeur: 'qui',
    titre: ({ qui, quoi }: PermisDemande) => (quoi === '?' ? undefined : `${quoi} (${qui})`),
  },
})
class PermisDemande {
  @Text({ label: 'Qui' }) qui!: string;
  @Text({ label: 'Quoi' }) quoi!: string;
}

@defineFact('permis.note', { label: 'Note', by: ['agent'], free: true, erasable: true })
class PermisNote {
  @Text({ label: 'Texte' }) texte!: string;
}

@defineFact('permis.controle', { label: 'Contrôle', by: ['agent'], withheldFrom: ['demandeur'], writes: ['controle'] })
class PermisControle {
  @OneOf(['bon', 'mauvais'], { label: 'Résultat' }) resultat!: string;
}

@defineFact('permis.accorde', { label: 'Permis accordé', by: ['chef', 'agent'], crosses: 'J1' })
class PermisAccorde {
  @DateField({ label: "Jusqu'au" }) jusquAu!: string;
}

@defineFact('permis.revu', { label: 'Permis revu', by: ['chef'] })
class PermisRevu {}

@defineFact('permis.abandonne', {
  label: 'Permis abandonné',
  by: ['demandeur'],
  correctedBy: ['agent'],
  abandons: true,
})
class PermisAbandonne {}

type Context = { faits: number; controle: string | null; par: string | null; revenir: 'examen' | 'accorde' | null };

const rule =
  (holds: (context: Context, event: Happening<{ jusquAu?: string }>) => boolean) =>
  ({ context, event }: { context: Context; event: Happening }) =>
    holds(context, event as Happening<{ jusquAu?: string }>);
const remember = (write: (event: Happening<{ resultat?: string }>) => Partial<Context>) =>
  assign<Context, Happening, undefined, Happening, never>(({ context, event }) => ({
    ...write(event as Happening<{ resultat?: string }>),
    faits: context.faits + 1,
  }));

const machine = setup({
  types: {} as { context: Context; events: Happening; meta: { jalon?: string; label?: string } },
  guards: {
    controle: rule(({ controle }) => controle !== null),
    'controle-bon': rule(({ controle }) => controle !== 'mauvais'),
    'autre-personne': rule(({ par }, { actor }) => par !== actor.sub),
    'a-venir': rule((_, { data, effectiveAt }) => (data.jusquAu as string) > effectiveAt),
    'apres-2025': rule((_, { effectiveAt }) => effectiveAt >= '2026-01-01'),
    'etait-accorde': rule(({ revenir }) => revenir === 'accorde'),
    'etait-en-examen': rule(({ revenir }) => revenir !== 'accorde'),
  },
  actions: {
    compter: remember(() => ({})),
    controler: remember(({ data, actor }) => ({ controle: data.resultat as string, par: actor.sub })),
    accorder: remember(() => ({ revenir: 'accorde' })),
  },
}).createMachine({
  id: 'permis',
  context: { faits: 0, controle: null, par: null, revenir: null },
  initial: BEFORE,
  states: {
    [BEFORE]: { on: { 'permis.demande': { target: 'examen', actions: 'compter' } } },
    examen: {
      id: 'examen',
      meta: { jalon: 'J1', label: 'En examen' },
      on: {
        'permis.note': { actions: 'compter' },
        'permis.controle': { actions: 'controler' },
        'permis.accorde': {
          target: 'suivi',
          guard: and(['controle', 'controle-bon', 'autre-personne', 'a-venir', 'apres-2025']),
          actions: 'accorder',
        },
        'permis.abandonne': { target: 'abandonne', actions: 'compter' },
      },
    },
    suivi: {
      meta: { jalon: 'suivi' },
      initial: 'accorde',
      states: {
        accorde: {
          meta: { label: 'Accordé' },
          on: {
            'permis.revu': [
              { target: '#examen', guard: 'etait-en-examen', actions: 'compter' },
              { target: 'accorde', guard: 'etait-accorde', actions: 'compter' },
            ],
            'permis.accorde': { guard: 'a-venir', actions: 'compter' },
          },
        },
      },
    },
    abandonne: { meta: { jalon: FINAL, label: 'Abandonné' }, on: { 'permis.note': { actions: 'compter' } } },
  },
});

const permis = defineWorkflow({
  name: 'permis',
  version: 1,
  label: 'Permis',
  machine,
  facts: factsOf({ PermisDemande, PermisNote, PermisControle, PermisAccorde, PermisRevu, PermisAbandonne }),
  reasons: {
    controle: {
      asks: 'Un contrôle doit avoir eu lieu.',
      holds: 'Un contrôle a eu lieu.',
      fails: () => "Aucun contrôle n'a eu lieu.",
      reads: ['controle'],
    },
    'controle-bon': {
      asks: 'Le contrôle doit être bon.',
      holds: 'Le contrôle est bon.',
      fails: ({ controle }: Context) => ({
        message: `Le contrôle est ${controle}.`,
        items: [{ kind: 'controle', id: 'K1', label: `le contrôle ${controle}` }],
      }),
      reads: ['controle'],
    },
    'autre-personne': {
      asks: "L'auteur ne doit pas être celui du contrôle.",
      holds: "L'auteur n'est pas celui du contrôle.",
      fails: (_: Context, { actor }: Happening) => `${actor.sub} est l'auteur du contrôle.`,
      needs: ['actor'],
    },
    'a-venir': {
      asks: 'La date doit être à venir.',
      holds: 'La date est à venir.',
      fails: (_: Context, { data }: Happening<PermisAccorde>) => `Le ${data.jusquAu} est passé.`,
      needs: ['payload', 'date'],
      field: 'jusquAu',
    },
    'apres-2025': {
      asks: 'La date doit être postérieure à 2025.',
      holds: 'La date est postérieure à 2025.',
      fails: ({ faits }: Context) => `La date n'est pas postérieure à 2025. Faits : ${faits}.`,
      needs: ['date'],
    },
  },
  expected: {
    examen: [
      {
        facts: ['permis.controle'],
        of: ['agent'],
        sentence: 'Le contrôle est à mener.',
        while: ({ controle }: Context) => controle === null,
        reads: ['controle'],
      },
      { facts: ['permis.accorde'], of: ['chef', 'agent'], sentence: 'Le permis est à accorder.' },
    ],
    'suivi.accorde': [
      {
        facts: ['permis.revu'],
        of: ['chef'],
        sentence: 'Le permis est à revoir.',
        while: (_: Context, today: string) => today >= '2027-01-01',
      },
    ],
  },
  routing: ['etait-accorde', 'etait-en-examen'],
  roles: {
    demandeur: { label: 'Demandeur', sees: 'own' },
    agent: { label: 'Agent', sees: 'all' },
    chef: { label: 'Chef', sees: 'all' },
    public: { label: 'Public', sees: 'none' },
  },
  versionChangedBy: [],
  parties: { demandeur: ['demandeur'] },
  keyed: [],
});

const TODAY = '2026-06-15';

function past(type: string, data: object = {}, effectiveAt = '2026-01-10', sub = 'agent-1'): PastFact {
  const actor = { iss: 'https://exemple.fr', sub, role: 'agent' };
  const lookups: Record<string, Lookup> = {};
  return {
    type,
    id: 'x',
    dossier: 'd',
    data,
    effectiveAt,
    recordedAt: '2026-06-15T08:00:00Z',
    actor,
    lookups,
    salt: `sel de ${type}`,
  };
}

const after = (...facts: PastFact[]): Situation => facts.reduce(fold, beginning(permis));
const DEMANDE = past('permis.demande', { qui: 'Anne', quoi: 'pont' });
const CONTROLE = past('permis.controle', { resultat: 'bon' });
const ACCORDE = past('permis.accorde', { jusquAu: '2027-01-01' }, '2026-02-01', 'chef-1');

const rules = (situation: Situation, proposal: PastFact) => {
  const decision = decide(situation, proposal, TODAY);
  return decision.accepted ? decision.to : decision.reasons.map(({ rule }) => rule);
};

describe('une décision', () => {
  test('accepte : elle dit d’où, vers où, quel jalon, et donne la situation suivante', () => {
    const before = after(DEMANDE, CONTROLE);
    const decision = decide(before, ACCORDE, TODAY);
    expect(decision).toMatchObject({ accepted: true, from: 'examen', to: 'suivi.accorde', crosses: 'J1' });
    expect(decide(beginning(permis), DEMANDE, TODAY)).toMatchObject({ accepted: true, from: null, to: 'examen' });
    expect(before.state.state).toBe('examen');
  });

  test('refuse en nommant toutes les règles, avec le champ et les détails', () => {
    const decision = decide(after(DEMANDE), past('permis.accorde', { jusquAu: '2025-01-01' }, '2025-06-01'), TODAY);
    expect(decision).toEqual({
      accepted: false,
      state: 'examen',
      reasons: [
        {
          rule: 'date-dans-l-ordre',
          message: "La date d'effet (2025-06-01) est antérieure à celle d'un fait déjà enregistré (2026-01-10).",
        },
        { rule: 'controle', message: "Aucun contrôle n'a eu lieu." },
        { rule: 'a-venir', message: 'Le 2025-01-01 est passé.', field: 'jusquAu' },
        { rule: 'apres-2025', message: "La date n'est pas postérieure à 2025. Faits : 1." },
      ],
    });
    expect(rules(after(DEMANDE, CONTROLE), { ...ACCORDE, effectiveAt: '2025-12-31' })).toEqual([
      'date-dans-l-ordre',
      'apres-2025',
    ]);
  });

  test('dit qu’un fait n’est pas attendu, et où en est le dossier', () => {
    expect(decide(after(DEMANDE), past('permis.revu'), TODAY)).toMatchObject({
      reasons: [
        { rule: 'fait-non-attendu', message: "Le fait « Permis revu » n'est pas attendu à l'étape « En examen »." },
      ],
    });
    expect(decide(beginning(permis), past('permis.revu'), TODAY)).toMatchObject({
      state: null,
      reasons: [{ message: "Le fait « Permis revu » n'est pas attendu tant que le dossier n'est pas ouvert." }],
    });
  });

  test('ne laisse pas un fait venir du futur, ni reculer, sauf un fait libre', () => {
    const controle = (date: string) => past('permis.controle', { resultat: 'bon' }, date);
    const note = (date: string) => past('permis.note', { texte: 'a' }, date);
    expect(rules(after(DEMANDE), controle('2026-06-15'))).toBe('examen');
    expect(rules(after(DEMANDE), controle('2026-06-16'))).toEqual(['date-non-future']);
    expect(rules(after(DEMANDE), controle('2026-01-09'))).toEqual(['date-dans-l-ordre']);
    expect(rules(after(DEMANDE), note('1990-01-01'))).toBe('examen');
    expect(rules(after(DEMANDE), note('2026-06-16'))).toEqual(['date-non-future']);
    expect(rules(after(DEMANDE, note('2026-06-01')), controle('2026-01-10'))).toBe('examen');
  });

  test('suit le chemin que le contexte désigne', () => {
    expect(rules(after(DEMANDE, CONTROLE, ACCORDE), past('permis.revu', {}, TODAY))).toBe('suivi.accorde');
  });

  test('ne franchit un jalon qu’une fois', () => {
    const granted = after(DEMANDE, CONTROLE, ACCORDE);
    const again = decide(granted, { ...ACCORDE, effectiveAt: '2026-03-01' }, TODAY);
    expect(again).toMatchObject({ accepted: true });
    expect(again).not.toHaveProperty('crosses');
    expect(again.accepted && again.next.crossed).toEqual(granted.crossed);
    expect(granted.crossed).toEqual([{ jalon: 'J1', effectiveAt: '2026-02-01', recordedAt: '2026-06-15T08:00:00Z' }]);
  });
});

describe('une situation', () => {
  test('est le pli de ses faits', () => {
    const situation = after(DEMANDE, CONTROLE, past('permis.note', { texte: 'a' }, '2020-01-01'));
    expect(situation).toMatchObject({
      revision: 2,
      since: '2026-01-10',
      summary: { demandeur: 'Anne', titre: 'pont (Anne)' },
      salts: { controle: 'sel de permis.controle' },
    });
    expect(contextOf(situation)).toEqual({ faits: 3, controle: 'bon', par: 'agent-1', revenir: null });
    expect(beginning(permis)).toMatchObject({ revision: -1, since: null, crossed: [], summary: {}, salts: {} });
    expect(beginning(permis)).toBe(beginning(permis));
  });

  test('laisse de côté une colonne que le fait ne donne pas', () => {
    expect(after(past('permis.demande', { qui: 'Anne', quoi: '?' })).summary).toEqual({ demandeur: 'Anne' });
  });

  test('ne se plie pas sur un fait que la machine n’accepte pas', () => {
    const broken = (facts: PastFact[]) => {
      try {
        after(...facts);
      } catch (error) {
        return error as ReplayBroken;
      }
      throw new Error('It folded.');
    };
    expect(broken([DEMANDE, ACCORDE])).toMatchObject({ revision: 1, type: 'permis.accorde', state: 'examen' });
    expect(broken([DEMANDE, past('permis.inconnu')])).toMatchObject({ revision: 1, type: 'permis.inconnu' });
    expect(broken([CONTROLE])).toBeInstanceOf(ReplayBroken);
    expect(broken([CONTROLE])).toMatchObject({ revision: 0, state: null });
  });
});

describe('ce qui est possible', () => {
  const reader = (role: string, sub = role) => ({
    author: { iss: 'https://exemple.fr', sub, role },
    roles: [role],
    hidden: hiddenMembers(permis, [role]),
    today: TODAY,
  });
  const checklist = (situation: Situation, role: string, sub?: string) =>
    Object.fromEntries(
      possible(situation, reader(role, sub))
        .find(({ type }) => type === 'permis.accorde')!
        .rules.map(({ rule, holds }) => [rule, holds]),
    );

  test('est ce que l’état accepte, et dit à qui c’est permis', () => {
    expect(possible(after(DEMANDE), reader('demandeur')).map(({ type, allowed }) => [type, allowed])).toEqual([
      ['permis.note', false],
      ['permis.controle', false],
      ['permis.accorde', false],
      ['permis.abandonne', true],
      ['dossier.fait-rectifie', true],
      ['dossier.fait-annule', true],
      ['dossier.version-changee', false],
    ]);
    expect(possible(beginning(permis), reader('agent'))).toMatchObject([{ type: 'permis.demande', allowed: true }]);
  });

  test('dit de chaque règle si elle tient, ou que le contenu ou la date décident', () => {
    expect(checklist(after(DEMANDE), 'chef')).toEqual({
      controle: false,
      'controle-bon': true,
      'autre-personne': true,
      'a-venir': null,
      'apres-2025': true,
      'date-non-future': null,
      'date-dans-l-ordre': null,
    });
    expect(checklist(after(DEMANDE, CONTROLE), 'agent', 'agent-1')).toMatchObject({
      controle: true,
      'autre-personne': false,
    });
  });

  test('ne tranche une règle de date que si toutes les dates encore possibles s’accordent', () => {
    const old = after(past('permis.demande', { qui: 'a', quoi: 'b' }, '2025-01-01'));
    expect(checklist(old, 'chef')['apres-2025']).toBeNull();
    const then = possible(old, { ...reader('chef'), today: '2025-12-31' });
    expect(then[2]?.rules[4]).toMatchObject({ rule: 'apres-2025', holds: false });
  });

  test('ne dit rien d’une règle qui lit ce qui est caché au lecteur', () => {
    expect(checklist(after(DEMANDE, CONTROLE), 'demandeur')).toMatchObject({ controle: null, 'controle-bon': null });
  });

  test('dit de chaque règle la phrase qui est vraie, et de quoi elle parle', () => {
    const regle = (situation: Situation, role: string, rule: string, today = TODAY) =>
      possible(situation, { ...reader(role), today })[2]?.rules.find((one) => one.rule === rule);
    const mauvais = after(DEMANDE, past('permis.controle', { resultat: 'mauvais' }));
    expect(regle(after(DEMANDE, CONTROLE), 'chef', 'controle-bon')).toEqual({
      rule: 'controle-bon',
      message: 'Le contrôle est bon.',
      holds: true,
    });
    expect(regle(mauvais, 'chef', 'controle-bon')).toEqual({
      rule: 'controle-bon',
      message: 'Le contrôle est mauvais.',
      holds: false,
      items: [{ kind: 'controle', id: 'K1', label: 'le contrôle mauvais' }],
    });
    expect(regle(mauvais, 'demandeur', 'controle-bon')).toEqual({
      rule: 'controle-bon',
      message: 'Le contrôle doit être bon.',
      holds: null,
    });
    const jadis = after(past('permis.demande', { qui: 'Anne', quoi: 'pont' }, '2025-01-10'));
    const avant = (facts: PastFact[]) => regle(facts.reduce(fold, jadis), 'chef', 'apres-2025', '2025-12-31')?.message;
    const encore = past('permis.controle', { resultat: 'bon' }, '2025-01-10');
    expect(avant([])).toBe("La date n'est pas postérieure à 2025. Faits : 1.");
    expect(avant([encore])).toBe("La date n'est pas postérieure à 2025. Faits : 2.");
  });

  test('ne dit pas à qui elle est cachée ce que lit une règle qui refuse', () => {
    const decision = decide(
      after(DEMANDE, past('permis.controle', { resultat: 'mauvais' })),
      past('permis.accorde', { jusquAu: '2020-01-01' }, '2026-02-01', 'chef-1'),
      TODAY,
    );
    if (decision.accepted) throw new Error('It is accepted.');
    expect(toldReasons(permis, decision.reasons, new Set())).toEqual(decision.reasons);
    expect(toldReasons(permis, decision.reasons, new Set(['controle']))).toEqual([
      { rule: 'controle-bon', message: 'Le contrôle doit être bon.' },
      { rule: 'a-venir', message: 'Le 2020-01-01 est passé.', field: 'jusquAu' },
    ]);
  });

  test('dit de chaque fait s’il est attendu, et de qui', () => {
    const expected = (situation: Situation, role: string, sub?: string) =>
      possible(situation, reader(role, sub)).flatMap(({ type, expected }) => (expected ? [[type, expected]] : []));
    const controle = ['permis.controle', { of: ['agent'], sentence: 'Le contrôle est à mener.' }];
    const accord = ['permis.accorde', { of: ['chef', 'agent'], sentence: 'Le permis est à accorder.' }];
    expect(expected(after(DEMANDE), 'agent')).toEqual([controle]);
    // Neither what it waits for nor whether it has come is told to whom the member is hidden.
    expect(expected(after(DEMANDE), 'demandeur')).toEqual([accord]);
    expect(expected(after(DEMANDE, CONTROLE), 'demandeur')).toEqual([accord]);
    expect(expected(after(DEMANDE, CONTROLE), 'agent')).toEqual([accord]);
    expect(expected(after(DEMANDE, CONTROLE), 'agent', 'agent-1')).toEqual([accord]);
    expect(expected(after(DEMANDE, CONTROLE, ACCORDE), 'chef')).toEqual([]);
  });

  test('dit qui le dossier attend : celui de qui la procédure attend un fait qui peut être accepté', () => {
    const waits = (situation: Situation, role: string, sub?: string) => waitsFor(situation, reader(role, sub));
    expect(waits(after(DEMANDE), 'agent')).toBe(true);
    expect(waits(after(DEMANDE), 'chef')).toBe(false);
    expect(waits(after(DEMANDE, CONTROLE), 'chef')).toBe(true);
    expect(waits(after(DEMANDE, CONTROLE, ACCORDE), 'chef')).toBe(false);
    expect(waitsFor(after(DEMANDE, CONTROLE, ACCORDE), { ...reader('chef'), today: '2027-01-01' })).toBe(true);
    expect(waits(after(DEMANDE, CONTROLE), 'agent', 'agent-1')).toBe(false);
    expect(waits(after(DEMANDE, CONTROLE), 'demandeur')).toBe(false);
    expect(waits(after(DEMANDE, past('permis.controle', { resultat: 'mauvais' })), 'chef')).toBe(false);
    expect(waits(after(DEMANDE, past('permis.abandonne')), 'agent')).toBe(false);
  });
});

describe('qui voit quoi', () => {
  const summary = { demandeur: 'Anne' };

  test('un dossier : tous, ceux dont on est partie, aucun', () => {
    const viewer = (roles: string[], org?: string) => ({ roles, ...(org === undefined ? {} : { org }) });
    expect(seeingRoles(permis, viewer(['agent', 'public', 'inconnu']), summary)).toEqual(['agent']);
    expect(seeingRoles(permis, viewer(['demandeur'], 'Anne'), summary)).toEqual(['demandeur']);
    expect(seeingRoles(permis, viewer(['demandeur'], 'Paul'), summary)).toEqual([]);
    expect(seeingRoles(permis, viewer(['demandeur']), {})).toEqual([]);
  });

  test('un fait et ce qu’il a écrit, sauf si un autre rôle le voit', () => {
    const fact = permis.facts.get('permis.controle')!;
    expect(isWithheld(fact, ['demandeur'])).toBe(true);
    expect(isWithheld(fact, ['demandeur', 'agent'])).toBe(false);
    expect(hiddenMembers(permis, ['demandeur', 'chef'])).toEqual(new Set());
    const hidden = hiddenMembers(permis, ['demandeur']);
    expect(visibleContext(contextOf(after(DEMANDE, CONTROLE)), hidden)).toEqual({
      faits: 2,
      par: 'agent-1',
      revenir: null,
    });
  });
});

describe('la description', () => {
  test('dit tous les chemins, avec leurs règles', () => {
    const ways = waysOf(permis);
    expect(ways[0]).toEqual({ from: null, to: 'examen', fact: 'permis.demande', rules: [] });
    expect(ways.find(({ fact }) => fact === 'permis.accorde')?.rules.map(({ rule }) => rule)).toHaveLength(5);
    expect(ways.filter(({ fact }) => fact === 'permis.revu').map(({ to }) => to)).toEqual(['examen', 'suivi.accorde']);
  });

  test('dessine les faits qui changent l’état', () => {
    expect(mermaid(permis)).toBe(
      [
        'stateDiagram-v2',
        '  examen: En examen',
        '  suivi_accorde: Accordé',
        '  abandonne: Abandonné',
        '  [*] --> examen: permis.demande',
        '  examen --> suivi_accorde: permis.accorde',
        '  examen --> abandonne: permis.abandonne',
        '  suivi_accorde --> examen: permis.revu',
        '  abandonne --> [*]',
        '',
      ].join('\n'),
    );
  });
});
