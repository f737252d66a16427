import type { ReadModelRow, ToldFact } from '@jalon/flow';
import { describe, expect, test } from '@jest/globals';
import { inscriptionAu, lignesDe, registre } from './registre.ts';

const DOSSIER = '11111111-2222-4333-8444-555555555555';

const CANDIDATURE = {
  prestataire: { nom: 'Nuage de Brocéliande' },
  offre: 'Brocéliande Cloud',
  services: [
    { id: 'iaas', nom: 'Machines', type: 'IaaS' },
    { id: 'caas', nom: 'Conteneurs', type: 'CaaS' },
  ],
  referentiel: { nom: 'SecNumCloud', version: '3.2' },
};

const DECISION = {
  decision: 'QC-17',
  decideeLe: '2025-07-01',
  valideDu: '2025-07-15',
  valideJusquAu: '2028-06-30',
  services: ['iaas', 'caas'],
  conditions: ['Chiffrer les sauvegardes.'],
};

type Suite = [type: string, effectiveAt: string, data?: Record<string, unknown>];

const QUALIFIEE: Suite[] = [
  ['candidature.deposee', '2024-09-02', CANDIDATURE],
  ['j3.qualification-accordee', '2025-07-01', DECISION],
];

/** The rows of a dossier after these facts. */
function lignes(suites: readonly Suite[]): ReadModelRow[] {
  let memory: Parameters<typeof registre.fold>[0] = null;
  let rows: readonly ReadModelRow[] = [];
  for (const [revision, [type, effectiveAt, data = {}]] of suites.entries()) {
    const fact: ToldFact = { dossier: DOSSIER, id: `${revision}`, type, revision, effectiveAt, data };
    const folded = registre.fold(memory, fact);
    // What is remembered is kept as JSON.
    memory = JSON.parse(JSON.stringify(folded.memory));
    rows = folded.rows ?? rows;
  }
  return rows.map((row) => ({ dossier: DOSSIER, ...row }));
}

function inscription(jour: string, ...suites: Suite[]) {
  const [row] = lignes([...QUALIFIEE, ...suites]);
  return inscriptionAu(row as ReadModelRow, jour);
}

describe('le registre public', () => {
  test('ne dit rien d’une candidature tant que la qualification n’est pas accordée, ni d’un refus notifié', () => {
    expect(lignes(QUALIFIEE.slice(0, 1))).toEqual([]);
    expect(lignes([...QUALIFIEE.slice(0, 1), ['suivi.decision-notifiee', '2025-07-03', { le: '2025-07-03' }]])).toEqual(
      [],
    );
  });

  test('dit d’une qualification ce qui est public : services, validité, conditions, dates de la décision', () => {
    const notifiee: Suite = ['suivi.decision-notifiee', '2025-07-05', { le: '2025-07-03', reference: 'N' }];
    const publiee: Suite = ['suivi.decision-publiee', '2025-07-12', { le: '2025-07-10', reference: 'P' }];
    expect(inscription('2025-09-01', notifiee, publiee)).toEqual({
      dossier: DOSSIER,
      prestataire: 'Nuage de Brocéliande',
      offre: 'Brocéliande Cloud',
      referentiel: { nom: 'SecNumCloud', version: '3.2' },
      services: CANDIDATURE.services,
      decision: 'QC-17',
      decideeLe: '2025-07-01',
      notifieeLe: '2025-07-03',
      publieeLe: '2025-07-10',
      valideDu: '2025-07-15',
      valideJusquAu: '2028-06-30',
      conditions: ['Chiffrer les sauvegardes.'],
      statut: 'valide',
      valide: true,
      historique: [{ statut: 'valide', depuis: '2025-07-15', decision: 'QC-17' }],
    });
  });

  test.each([
    ['2025-07-14', 'valide', false],
    ['2025-07-15', 'valide', true],
    ['2028-06-30', 'valide', true],
    ['2028-07-01', 'expiree', false],
  ])('au %s, la qualification est %s (%s), qu’un fait le dise ou non', (jour, statut, valide) => {
    expect(inscription(jour)).toMatchObject({ statut, valide });
    const expiree: Suite = ['suivi.qualification-expiree', '2028-07-01'];
    expect(inscription(jour, expiree)).toMatchObject({ statut, valide });
  });

  test('l’expiration y est la même, enregistrée ou calculée', () => {
    const computed = inscription('2028-09-01');
    expect(computed.historique.at(-1)).toEqual({ statut: 'expiree', depuis: '2028-07-01' });
    expect(inscription('2028-09-01', ['suivi.qualification-expiree', '2028-07-01'])).toEqual(computed);
  });

  const SUSPENDUE: Suite = ['suivi.qualification-suspendue', '2026-01-12', { decision: 'QC-2' }];
  const LEVEE: Suite = ['suivi.suspension-levee', '2026-03-02', { decision: 'QC-9' }];

  test('suspendue, elle n’est pas valide ; la suspension levée, elle l’est de nouveau', () => {
    expect(inscription('2026-02-01', SUSPENDUE)).toMatchObject({ statut: 'suspendue', valide: false });
    expect(inscription('2026-04-01', SUSPENDUE, LEVEE)).toMatchObject({
      statut: 'valide',
      valide: true,
      historique: [
        { statut: 'valide', depuis: '2025-07-15', decision: 'QC-17' },
        { statut: 'suspendue', depuis: '2026-01-12', decision: 'QC-2' },
        { statut: 'valide', depuis: '2026-03-02', decision: 'QC-9' },
      ],
    });
  });

  test('abrogée, elle reste valide jusqu’à l’effet, et pas au-delà', () => {
    const abrogee: Suite = ['suivi.qualification-abrogee', '2026-01-12', { decision: 'QC-3', effetLe: '2026-12-31' }];
    expect(inscription('2026-12-31', abrogee)).toMatchObject({
      statut: 'valide',
      valide: true,
      valideJusquAu: '2026-12-31',
    });
    expect(inscription('2027-01-01', abrogee)).toMatchObject({
      statut: 'abrogee',
      valide: false,
      valideJusquAu: '2026-12-31',
      historique: [{ statut: 'valide' }, { statut: 'abrogee', depuis: '2027-01-01', decision: 'QC-3' }],
    });
    expect(inscription('2030-01-01', abrogee)).toMatchObject({ statut: 'abrogee' });
    const whole: Suite = ['suivi.qualification-abrogee', '2026-01-12', { decision: 'QC-3', effetLe: '2028-06-30' }];
    expect(inscription('2028-06-30', whole)).toMatchObject({ statut: 'valide', valideJusquAu: '2028-06-30' });
  });

  test.each<[string, Suite]>([
    ['retiree', ['suivi.qualification-retiree', '2026-01-12', { decision: 'QC-4' }]],
    ['renoncee', ['suivi.renonciation', '2026-01-12']],
  ])('%s, elle n’est plus valide à partir de ce jour', (statut, suite) => {
    expect(inscription('2026-01-12', suite)).toMatchObject({ statut, valide: false });
    expect(inscription('2029-01-01', suite)).toMatchObject({ statut });
  });

  test('un périmètre modifié change les services, sans toucher à la fin', () => {
    const modifie: Suite = ['suivi.perimetre-modifie', '2026-01-12', { decision: 'QC-31', services: ['iaas'] }];
    expect(inscription('2026-02-01', modifie)).toMatchObject({
      services: [{ id: 'iaas', nom: 'Machines', type: 'IaaS' }],
      valideJusquAu: '2028-06-30',
    });
  });

  test('comme tableau, a une ligne par service', () => {
    expect(lignesDe(inscription('2025-09-01'))).toMatchObject([
      { service: 'iaas', nom: 'Machines', type: 'IaaS', valide: 'oui', publiee_le: '' },
      { service: 'caas', nom: 'Conteneurs', referentiel: 'SecNumCloud 3.2', valide_jusqu_au: '2028-06-30' },
    ]);
  });

  test('range les noms sans tenir compte de la casse ni des accents', () => {
    const of = (nom: string) =>
      lignes([
        ['candidature.deposee', '2024-09-02', { ...CANDIDATURE, prestataire: { nom } }],
        QUALIFIEE[1] as Suite,
      ])[0];
    expect(of('Éole')?.prestataire_cle).toBe('eole');
  });
});
