import { describe, expect, test } from '@jest/globals';
import { fact, OTHER, piece, upTo, wayTo } from '../../../test/walk.ts';
import { given } from './scenario.ts';

const CATEGORIES = ['architecture', 'mesures-de-securite', 'reseaux', 'equipements', 'serveurs', 'sous-traitants'];

describe('le dépôt de la candidature', () => {
  test('est accepté pour un référentiel que la procédure connaît, et retient ce dont les règles ont besoin', () => {
    const { context } = given().when(fact('candidature.deposee')).leadsTo('candidature.deposee');
    expect(context).toMatchObject({
      faits: 1,
      referentiel: { nom: 'SecNumCloud', version: '3.2' },
      renouvelleDe: null,
      services: ['iaas', 'caas'],
      categories: CATEGORIES.slice(0, 5),
    });
  });

  test.each([
    { nom: 'SecNumCloud', version: '3.1' },
    { nom: 'secnumcloud', version: '3.2' },
    { nom: 'PAMS', version: '1.0' },
  ])('est refusé pour le référentiel inconnu $nom $version', (referentiel) => {
    given().when(fact('candidature.deposee', { referentiel })).refused('referentiel-connu');
  });

  const connu = { revision: 12, renouvelleDe: null };
  const autre = '22222222-3333-4444-8555-666666666666';

  test('est accepté quand les dossiers cités existent', () => {
    const cite = fact('candidature.deposee', { renouvelleDe: OTHER, composeSur: [autre] });
    const dossier = given().when({ ...cite, lookups: { [OTHER]: connu, [autre]: connu } });
    expect(dossier.leadsTo('candidature.deposee').context.renouvelleDe).toBe(OTHER);
  });

  test("est refusé quand le dossier à renouveler, ou l'un de ceux sur lesquels l'offre est composée, n'existe pas", () => {
    const renouvelle = fact('candidature.deposee', { renouvelleDe: OTHER });
    given()
      .when({ ...renouvelle, lookups: { [OTHER]: null } })
      .refused('dossiers-cites-connus');
    given().when(renouvelle).refused('dossiers-cites-connus');
    const compose = fact('candidature.deposee', { composeSur: [OTHER, autre] });
    given()
      .when({ ...compose, lookups: { [OTHER]: connu, [autre]: null } })
      .refused('dossiers-cites-connus');
  });

  test('nomme toutes les règles enfreintes à la fois', () => {
    const referentiel = { nom: 'SecNumCloud', version: '4.0' };
    given()
      .when(fact('candidature.deposee', { referentiel, renouvelleDe: OTHER }))
      .refused('referentiel-connu', 'dossiers-cites-connus');
  });
});

describe("l'accusé de réception", () => {
  test("n'est émis qu'une fois", () => {
    const dossier = given(fact('candidature.deposee'))
      .when(fact('candidature.accuse-emis'))
      .leadsTo('candidature.deposee');
    dossier.when(fact('candidature.accuse-emis')).refused('accuse-pas-encore-emis');
  });

  test("n'est pas émis à nouveau après des compléments", () => {
    given(...upTo('candidature.complements-recus'))
      .when(fact('candidature.accuse-emis'))
      .refused('accuse-pas-encore-emis');
  });
});

describe('les compléments', () => {
  const deposee = given(...upTo('candidature.charge-designe'));
  const demande = (avantLe: string) =>
    fact('candidature.complements-demandes', { avantLe }, { effectiveAt: '2024-09-16' });

  test("sont demandés pour une date postérieure à la date d'effet", () => {
    const dossier = deposee.when(demande('2024-09-17')).leadsTo('candidature.incomplete');
    expect(dossier.context.complementsAvantLe).toBe('2024-09-17');
  });

  test.each(['2024-09-16', '2024-09-15'])(
    "ne sont pas demandés pour le %s, la date d'effet ou une date passée",
    (le) => {
      deposee.when(demande(le)).refused('delai-a-venir');
    },
  );

  test('reçus, ajoutent leurs catégories à celles du dépôt, sans doublon', () => {
    const dossier = given(...upTo('candidature.complements-demandes'));
    const recus = fact('candidature.complements-recus', { pieces: [piece('reseaux'), piece('sous-traitants')] });
    const { context } = dossier.when(recus).leadsTo('candidature.deposee');
    expect(context).toMatchObject({ categories: CATEGORIES, complementsAvantLe: null });
  });

  test('jamais reçus, ne permettent de clôturer la candidature qu’après leur date', () => {
    const dossier = given(...wayTo('candidature.incomplete'));
    const cloture = (effectiveAt: string) => fact('candidature.cloturee', {}, { effectiveAt });
    dossier.when(cloture('2024-10-14')).refused('delai-passe');
    dossier.when(cloture('2024-10-15')).refused('delai-passe');
    dossier.when(cloture('2024-10-16')).leadsTo('cloturee');
  });

  test("redemandés, sont jugés à leur nouvelle date, non à l'ancienne", () => {
    const dossier = given(
      ...upTo('candidature.complements-recus'),
      fact('candidature.complements-demandes', { avantLe: '2024-12-01' }),
    );
    dossier.when(fact('candidature.cloturee', {}, { effectiveAt: '2024-11-15' })).refused('delai-passe');
    dossier.when(fact('candidature.cloturee', {}, { effectiveAt: '2024-12-02' })).leadsTo('cloturee');
  });
});

describe('la complétude de la candidature', () => {
  const [depot, accuse, designe] = upTo('candidature.charge-designe') as [never, never, never];
  const complet = fact('candidature.deposee', { pieces: CATEGORIES.map(piece) }, { effectiveAt: '2024-09-02' });
  const completee = fact('candidature.completee', {}, { effectiveAt: '2024-09-09' });

  test('est prononcée quand les trois règles sont respectées', () => {
    given(complet, accuse, designe).when(completee).leadsTo('candidature.complete');
  });

  test('est refusée tant qu’une des six catégories manque, et dit laquelle', () => {
    const refus = given(depot, accuse, designe).when(completee).refused('pieces-completes');
    expect(refus).toMatchObject({
      reasons: [{ message: '1 catégorie de pièces manque : sous-traitants.' }],
    });
  });

  test('est refusée sans accusé de réception', () => {
    given(complet, designe).when(completee).refused('accuse-emis');
  });

  test('est refusée sans chargé de qualification', () => {
    given(complet, accuse).when(completee).refused('charge-designe');
  });

  test('est refusée quand le chargé de qualification n’est désigné qu’à une date postérieure', () => {
    const plusTard = fact('candidature.charge-designe', {}, { effectiveAt: '2024-09-10' });
    given(complet, accuse, plusTard).when(completee).refused('charge-designe');
    given(complet, accuse, plusTard)
      .when({ ...completee, effectiveAt: '2024-09-10' })
      .leadsTo('candidature.complete');
  });

  test('compte le premier chargé désigné, même remplacé ensuite', () => {
    const remplace = fact('candidature.charge-designe', { charge: 'd.leroy' }, { effectiveAt: '2024-09-20' });
    const dossier = given(complet, accuse, designe, remplace);
    expect(dossier.context).toMatchObject({ charge: 'd.leroy', chargeDepuis: '2024-09-06' });
    dossier.when(completee).leadsTo('candidature.complete');
  });

  test('compte une désignation enregistrée après coup, à sa date', () => {
    const tard = fact('candidature.charge-designe', {}, { effectiveAt: '2024-12-01' });
    const apresCoup = fact('candidature.charge-designe', {}, { effectiveAt: '2024-09-03' });
    given(complet, accuse, tard, apresCoup).when(completee).leadsTo('candidature.complete');
  });

  test('nomme les trois règles quand aucune n’est respectée', () => {
    given(depot).when(completee).refused('pieces-completes', 'accuse-emis', 'charge-designe');
  });
});

describe('la décision sur la candidature', () => {
  test("l'accepte et franchit J0", () => {
    const { situation } = given(...upTo('j0.acceptee'));
    expect(situation.crossed).toMatchObject([{ jalon: 'J0', effectiveAt: '2024-10-15' }]);
  });

  test('peut être notifiée plus tard qu’elle ne prend effet', () => {
    given(...wayTo('candidature.complete'))
      .when(fact('j0.acceptee', { notifieeLe: '2040-01-01' }))
      .leadsTo('j1.centre-attendu');
  });

  test('la refuse et ne franchit aucun jalon', () => {
    expect(given(...wayTo('refusee')).situation.crossed).toEqual([]);
  });
});

describe('les dates', () => {
  const dossier = given(...upTo('candidature.accuse-emis'));
  const demande = (effectiveAt: string) =>
    fact('candidature.complements-demandes', { avantLe: '2040-01-01' }, { effectiveAt });

  test("d'effet peuvent être celle du fait précédent", () => {
    dossier.when(demande('2024-09-05')).leadsTo('candidature.incomplete');
  });

  test("d'effet ne reviennent pas avant un fait déjà enregistré", () => {
    dossier.when(demande('2024-09-04')).refused('date-dans-l-ordre');
  });

  test("d'effet ne sont pas dans le futur", () => {
    dossier.when(demande('2035-01-01')).leadsTo('candidature.incomplete');
    dossier.when(demande('2035-01-02')).refused('date-non-future');
  });

  test.each(['candidature.charge-designe', 'dossier.cible-annoncee', 'dossier.note-ajoutee'])(
    'de %s peuvent être anciennes, et ne retiennent pas celles des faits suivants',
    (type) => {
      dossier.when(fact(type, {}, { effectiveAt: '1999-01-01' })).leadsTo('candidature.deposee');
      const apres = dossier.and(fact(type, {}, { effectiveAt: '2030-01-01' }));
      apres.when(demande('2024-09-06')).leadsTo('candidature.incomplete');
      dossier.when(fact(type, {}, { effectiveAt: '2035-01-02' })).refused('date-non-future');
    },
  );
});
