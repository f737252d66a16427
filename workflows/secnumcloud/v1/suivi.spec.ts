import { describe, expect, test } from '@jest/globals';
import { fact, OTHER, wayTo } from '../../../test/walk.ts';
import { DOSSIER, given, type Proposal } from './scenario.ts';

const valide = given(...wayTo('qualifiee.valide'));
const miseEnCause = given(...wayTo('qualifiee.mise-en-cause'));
const suspendue = given(...wayTo('qualifiee.suspendue'));
const QUALIFIEE = {
  'qualifiee.valide': valide,
  'qualifiee.mise-en-cause': miseEnCause,
  'qualifiee.suspendue': suspendue,
};

const le = (effectiveAt: string, type: string, changes: Record<string, unknown> = {}): Proposal =>
  fact(type, changes, { effectiveAt });

describe.each([
  ['suivi.decision-notifiee', 'pas-encore-notifiee'],
  ['suivi.decision-publiee', 'pas-encore-publiee'],
])('%s', (type, uneFois) => {
  test("n'a lieu qu'une fois", () => {
    valide.and(fact(type)).when(fact(type)).refused(uneFois);
  });

  test('ne porte pas de date antérieure à la décision, et peut en porter une à venir', () => {
    valide.when(fact(type, { le: '2025-06-30' })).refused('pas-avant-la-decision');
    valide.when(fact(type, { le: '2025-07-01' })).leadsTo('qualifiee.valide');
    valide.when(fact(type, { le: '2027-01-01' })).leadsTo('qualifiee.valide');
  });
});

describe('après la fin de validité', () => {
  const FIN = '2028-06-30';
  const LENDEMAIN = '2028-07-01';
  const nouveau = { lookups: { [OTHER]: { revision: 0, renouvelleDe: DOSSIER } } };
  const observe = miseEnCause.and(fact('suivi.observations-presentees'));

  test.each([
    ['suivi.decision-notifiee', valide],
    ['suivi.decision-publiee', valide],
    ['suivi.surveillance-realisee', valide],
    ['suivi.controle-ordonne', valide],
    ['suivi.controle-ordonne', suspendue],
    ['suivi.modification-notifiee', valide],
    ['suivi.modification-notifiee', suspendue],
    ['suivi.perimetre-modifie', valide],
    ['suivi.reserve-levee', valide],
    ['suivi.griefs-notifies', valide],
    ['suivi.griefs-notifies', suspendue],
    ['suivi.observations-presentees', miseEnCause],
    ['suivi.griefs-abandonnes', miseEnCause],
    ['suivi.griefs-abandonnes', given(...wayTo('qualifiee.suspendue'), fact('suivi.griefs-notifies'))],
    ['suivi.qualification-suspendue', observe],
    ['suivi.qualification-retiree', observe],
    ['suivi.suspension-levee', suspendue],
    ['suivi.renonciation', valide],
    ['suivi.renouvellement-demande', valide],
  ])("%s n'est plus accepté", (type, dossier) => {
    expect(dossier.when({ ...le(FIN, type), ...nouveau }).decision.accepted).toBe(true);
    dossier.when({ ...le(LENDEMAIN, type), ...nouveau }).refused('pas-apres-la-fin-de-validite');
  });

  test("suivi.qualification-abrogee n'est plus accepté, quel que soit son effet", () => {
    const abroge = (date: string, effetLe: string) =>
      observe.when(le(date, 'suivi.qualification-abrogee', { effetLe }));
    abroge(FIN, FIN).leadsTo('abrogee');
    abroge(LENDEMAIN, LENDEMAIN).refused('pas-apres-la-fin-de-validite', 'effet-pas-apres-la-fin-de-validite');
  });

  test.each(['candidature.charge-designe', 'dossier.cible-annoncee', 'dossier.note-ajoutee'])(
    '%s, fait libre, reste accepté',
    (type) => {
      valide.when(le('2030-01-01', type)).leadsTo('qualifiee.valide');
    },
  );

  test.each(Object.entries(QUALIFIEE))(
    "l'horloge constate l'expiration de %s, le lendemain exactement",
    (_, dossier) => {
      dossier.when(le(FIN, 'suivi.qualification-expiree')).refused('pas-avant-le-lendemain-de-la-fin');
      dossier.when(le('2028-07-02', 'suivi.qualification-expiree')).refused('pas-apres-le-lendemain-de-la-fin');
      dossier.when(le(LENDEMAIN, 'suivi.qualification-expiree')).leadsTo('expiree');
    },
  );

  test('la fin de validité d’une fin de mois et d’une année bissextile a son lendemain', () => {
    const bissextile = given(
      ...wayTo('j3.avis-rendu'),
      le('2025-07-01', 'j3.qualification-accordee', { valideJusquAu: '2028-02-28' }),
    );
    bissextile.when(le('2028-03-01', 'suivi.qualification-expiree')).refused('pas-apres-le-lendemain-de-la-fin');
    bissextile.when(le('2028-02-29', 'suivi.qualification-expiree')).leadsTo('expiree');
  });
});

describe('le périmètre modifié', () => {
  test('reste dans la stratégie validée, et ne déplace pas la fin de validité', () => {
    valide.when(fact('suivi.perimetre-modifie', { services: ['saas'] })).refused('services-de-la-strategie');
    const modifie = valide.when(fact('suivi.perimetre-modifie')).leadsTo('qualifiee.valide');
    expect(modifie.context.decision).toEqual(valide.context.decision);
    modifie.when(fact('suivi.perimetre-modifie', { services: ['iaas', 'caas'] })).leadsTo('qualifiee.valide');
  });
});

describe('une réserve', () => {
  test("n'est levée que si elle est ouverte, une seule fois", () => {
    for (const reserve of ['R2', 'constructor', '__proto__'])
      valide.when(fact('suivi.reserve-levee', { reserve })).refused('reserve-ouverte');
    const levee = valide.when(fact('suivi.reserve-levee')).leadsTo('qualifiee.valide');
    expect(levee.context.reserves).toEqual([]);
    levee.when(fact('suivi.reserve-levee')).refused('reserve-ouverte');
  });
});

describe('les griefs', () => {
  test('abandonnés, ramènent où en était la qualification', () => {
    const apres = miseEnCause.when(fact('suivi.griefs-abandonnes')).leadsTo('qualifiee.valide');
    expect(apres.context.griefs).toBeNull();
    suspendue.and(fact('suivi.griefs-notifies')).when(fact('suivi.griefs-abandonnes')).leadsTo('qualifiee.suspendue');
  });

  test('gardent la place et la date dans le contexte', () => {
    const attendu = { observationsAvantLe: '2025-12-31', observations: false };
    expect(miseEnCause.context.griefs).toEqual({ depuis: 'valide', ...attendu });
    const deux = suspendue.and(fact('suivi.griefs-notifies', { observationsAvantLe: '2026-03-01' }));
    expect(deux.context.griefs).toEqual({
      depuis: 'suspendue',
      observationsAvantLe: '2026-03-01',
      observations: false,
    });
  });

  describe.each([
    ['suivi.qualification-suspendue', 'qualifiee.suspendue'],
    ['suivi.qualification-abrogee', 'abrogee'],
    ['suivi.qualification-retiree', 'retiree'],
  ])('mènent à %s', (type, vers) => {
    test('quand les observations ont été présentées, avant même leur date', () => {
      miseEnCause.when(le('2025-12-01', type)).refused('contradictoire-respecte');
      miseEnCause.and(le('2025-12-01', 'suivi.observations-presentees')).when(le('2025-12-01', type)).leadsTo(vers);
    });

    test('sans observations, quand leur date est passée', () => {
      miseEnCause.when(le('2025-12-31', type)).refused('contradictoire-respecte');
      miseEnCause.when(le('2026-01-01', type)).leadsTo(vers);
    });

    test('sur de nouveaux griefs, avec de nouvelles observations', () => {
      const nouveaux = suspendue.and(fact('suivi.griefs-notifies', { observationsAvantLe: '2026-06-30' }));
      nouveaux.when(fact(type)).refused('contradictoire-respecte');
      nouveaux.and(fact('suivi.observations-presentees')).when(fact(type)).leadsTo(vers);
    });
  });
});

describe("l'abrogation", () => {
  const observe = miseEnCause.and(fact('suivi.observations-presentees'));
  const abroge = (effetLe: string) => observe.when(le('2026-01-12', 'suivi.qualification-abrogee', { effetLe }));

  test('prend effet à la date de la décision ou plus tard', () => {
    abroge('2026-01-11').refused('effet-pas-avant-la-date-d-effet');
    abroge('2026-01-12').leadsTo('abrogee');
  });

  test('prend effet au plus tard à la fin de validité', () => {
    abroge('2028-06-30').leadsTo('abrogee');
    const refus = abroge('2028-07-01').refused('effet-pas-apres-la-fin-de-validite');
    expect(refus).toMatchObject({
      reasons: [
        {
          message: "L'abrogation prendrait effet le 2028-07-01, après la fin de la validité (2028-06-30).",
          field: 'effetLe',
        },
      ],
    });
  });
});

describe('le renouvellement', () => {
  const demande = (autre: Proposal['lookups']) =>
    valide.when({ ...fact('suivi.renouvellement-demande'), ...(autre && { lookups: autre }) });

  test('est demandé par un nouveau dossier qui existe et nomme celui-ci', () => {
    demande({ [OTHER]: { revision: 0, renouvelleDe: DOSSIER } }).leadsTo('qualifiee.valide');
  });

  test.each([
    ["n'existe pas", { [OTHER]: null }],
    ["n'a pas été cherché", {}],
    ['ne renouvelle rien', { [OTHER]: { revision: 0, renouvelleDe: null } }],
    ['renouvelle un autre dossier', { [OTHER]: { revision: 0, renouvelleDe: OTHER } }],
  ])('est refusé quand le nouveau dossier %s', (_, lookups) => {
    demande(lookups as Proposal['lookups']).refused('nouveau-dossier-lie');
  });
});
