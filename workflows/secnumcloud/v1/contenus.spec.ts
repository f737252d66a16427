import { isCalendarDate, payloadSchema, validatePayload } from '@jalon/flow';
import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { document, EXAMPLES, piece } from '../../../test/walk.ts';
import { PAYS } from './pays.ts';
import { secnumcloud } from './workflow.ts';

const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true, formats: { date: isCalendarDate } });
const schemas = new Map([...secnumcloud.facts.values()].map((fact) => [fact.type, ajv.compile(payloadSchema(fact))]));

/** What the validator and the JSON Schema each say of a payload. */
function verdicts(type: string, data: unknown) {
  const fact = secnumcloud.facts.get(type)!;
  return { validator: validatePayload(fact.payload, data).length === 0, schema: schemas.get(type)!(data) };
}

const errors = (type: string, changes: Record<string, unknown>) =>
  validatePayload(secnumcloud.facts.get(type)!.payload, { ...EXAMPLES[type]!.data, ...changes });

const exemples = Object.entries(EXAMPLES);

describe('le contenu de chaque fait', () => {
  test.each(exemples)('%s : son exemple est valide', (type, { data }) => {
    expect(validatePayload(secnumcloud.facts.get(type)!.payload, data)).toEqual([]);
    expect(verdicts(type, data)).toEqual({ validator: true, schema: true });
  });

  test.each(exemples)('%s : validation et schéma refusent les mêmes contenus', (type, { data }) => {
    const mauvais: unknown[] = [null, [], 'texte', 1, { ...data, inconnu: 1 }];
    for (const [field, value] of Object.entries(data)) {
      mauvais.push({ ...data, [field]: null }, { ...data, [field]: 42 }, { ...data, [field]: {} });
      if (typeof value === 'string')
        mauvais.push({ ...data, [field]: '' }, { ...data, [field]: ' ' }, { ...data, [field]: [value] });
      if (Array.isArray(value))
        mauvais.push({ ...data, [field]: [null] }, { ...data, [field]: 'texte' }, { ...data, [field]: [[]] });
    }
    for (const contenu of mauvais)
      expect([contenu, verdicts(type, contenu)]).toEqual([contenu, { validator: false, schema: false }]);
    const facultatifs = ['gravite'];
    for (const field of Object.keys(data)) {
      const { [field]: _, ...sans } = data;
      const permis = facultatifs.includes(field);
      expect([field, verdicts(type, sans)]).toEqual([field, { validator: permis, schema: permis }]);
    }
  });
});

describe('les formes', () => {
  const formes: [string, string, unknown[], unknown[]][] = [
    [
      'j0.acceptee',
      'notifieeLe',
      ['2024-02-29', '2199-12-31'],
      ['2025-02-29', '2024-13-01', '24-01-01', '2024-1-1', '2024-01-01T00:00:00Z', '1899-12-31'],
    ],
    [
      'candidature.charge-designe',
      'charge',
      ['a', 'c.martin', '__proto__', 'x'.repeat(64)],
      ['x'.repeat(65), 'Claire Martin', 'é', 'a/b', 'a\n'],
    ],
    [
      'suivi.renouvellement-demande',
      'dossier',
      ['11111111-2222-4333-8444-555555555555'],
      ['11111111-2222-4333-8444-55555555555', '11111111-2222-4333-8444-55555555555A'],
    ],
    [
      'dossier.cible-annoncee',
      'periode',
      ['2026', '2026-T1', '2026-T4', '2026-S1', '2026-S2', '2026-06', '2026-06-30', '2028-02-29'],
      ['26', '2026-T5', '2026-S3', '2026-13', '2026-00', '2026T2', 'S1 2026', '2026-06-32', '2026-6'],
    ],
    ['dossier.cible-annoncee', 'jalon', ['J0', 'J1', 'J2', 'J3'], ['J4', 'j0', '']],
    [
      'candidature.complements-demandes',
      'pieces',
      [['reseaux'], ['reseaux', 'serveurs']],
      [[], ['reseaux', 'reseaux'], ['autre'], [null]],
    ],
    ['candidature.refusee', 'motifs', [['Un motif.']], [[], [''], ['a', 2]]],
    [
      'suivi.modification-notifiee',
      'document',
      [document('Titre')],
      [{ ...document('Titre'), empreinte: 'A'.repeat(64) }, { ...document('Titre'), url: 'x' }, { reference: 'x' }],
    ],
    ['j2.constat-releve', 'gravite', ['mineure', 'majeure'], ['critique', '']],
  ];

  test.each(formes)('de %s, champ %s', (type, field, bons, mauvais) => {
    const { data } = EXAMPLES[type]!;
    for (const value of bons)
      expect([value, verdicts(type, { ...data, [field]: value })]).toEqual([value, { validator: true, schema: true }]);
    for (const value of mauvais)
      expect([value, verdicts(type, { ...data, [field]: value })]).toEqual([
        value,
        { validator: false, schema: false },
      ]);
  });

  test('une période qui est une date est une date qui existe', () => {
    expect(errors('dossier.cible-annoncee', { periode: '2027-02-29' })).toHaveLength(1);
  });

  test.each(['732829320', '552100554', '732 829 320', '732\u00a0829\u202f320 00074', '35600000000048'])(
    'le SIREN %s est juste',
    (siren) => {
      expect(errors('candidature.deposee', { prestataire: { nom: 'Nuage', siren } })).toEqual([]);
    },
  );

  test.each(['732829321', '73282932', '7328293200', '000000000', '732829320\n', '73282932000075', 'ABCDEFGHI', ''])(
    'le SIREN « %s » est refusé',
    (siren) => {
      expect(errors('candidature.deposee', { prestataire: { nom: 'Nuage', siren } })).toEqual([
        {
          path: '/prestataire/siren',
          message: 'Un SIREN est attendu : neuf chiffres, dont le dernier est une clé de contrôle.',
        },
      ]);
    },
  );

  test('un prestataire peut ne pas avoir de SIREN, mais pas un SIREN nul', () => {
    expect(errors('candidature.deposee', { prestataire: { nom: 'Nuage' } })).toEqual([]);
    expect(errors('candidature.deposee', { prestataire: { nom: 'Nuage', siren: null } })).toHaveLength(1);
  });

  test('les pays sont les 249 codes de la norme ISO 3166-1', () => {
    expect(new Set(PAYS).size).toBe(249);
    const noms = new Intl.DisplayNames('fr', { type: 'region', fallback: 'none' });
    expect(PAYS.filter((code) => noms.of(code) === undefined)).toEqual([]);
    for (const pays of ['FR', 'YT', 'XK', 'EU', 'UK', 'fr', 'FRA'])
      expect([pays, errors('candidature.deposee', { sousTraitants: [{ nom: 'Nom', pays }] }).length]).toEqual([
        pays,
        PAYS.includes(pays) ? 0 : 1,
      ]);
  });

  test('les identifiants d’une liste sont uniques', () => {
    const service = { id: 'iaas', nom: 'Nom', type: 'IaaS' };
    const reserve = { id: 'R1', texte: 'Texte', avantLe: '2026-01-01' };
    const phase = { id: 'un', objet: 'Objet', mode: 'sur-site' };
    const double = 'Deux éléments de la liste ont le même identifiant.';
    expect(errors('candidature.deposee', { services: [service, { ...service, nom: 'Autre' }] })).toEqual([
      { path: '/services', message: double },
    ]);
    expect(errors('j3.qualification-accordee', { reserves: [reserve, { ...reserve, texte: 'Autre' }] })).toEqual([
      { path: '/reserves', message: double },
    ]);
    expect(errors('j1.strategie-proposee', { phases: [phase, { ...phase, objet: 'Autre' }] })).toEqual([
      { path: '/phases', message: double },
    ]);
    expect(errors('j3.qualification-accordee', { services: ['iaas', 'iaas'] })).toEqual([
      { path: '/services', message: double },
    ]);
  });

  test('une candidature compte 1 à 50 services', () => {
    const services = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ id: `s${n}`, nom: 'Nom', type: 'SaaS' }));
    expect(errors('candidature.deposee', { services: services(50) })).toEqual([]);
    expect(errors('candidature.deposee', { services: services(51) })).toHaveLength(1);
    expect(errors('candidature.deposee', { services: [] })).toHaveLength(1);
  });

  test('toutes les fautes sont dites à la fois, chacune à sa place', () => {
    const pieces = [piece('reseaux'), { categorie: 'plans', document: { ...document('Titre'), empreinte: 'x' } }];
    expect(
      errors('candidature.deposee', { offre: '', pieces, renouvelleDe: 'x', surplus: true })
        .map(({ path }) => path)
        .toSorted(),
    ).toEqual(['/offre', '/pieces/1/categorie', '/pieces/1/document/empreinte', '/renouvelleDe', '/surplus']);
  });
});
