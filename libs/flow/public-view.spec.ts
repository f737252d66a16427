import 'reflect-metadata';
import { describe, expect, test } from '@jest/globals';
import { DateField, type Fact, ListOf, Nested, publicData, publicSchema, Text } from './index.ts';

class Personne {
  @Text({ label: 'Nom' }) nom!: string;
  @Text({ label: 'Adresse' }) adresse!: string;
}
class Lot {
  @Text({ label: 'Intitulé' }) intitule!: string;
  @Nested(() => Personne, { label: 'Responsable', optional: true }) responsable?: Personne;
}
class Depot {
  @Nested(() => Personne, { label: 'Demandeur' }) demandeur!: Personne;
  @ListOf(() => Lot, { label: 'Lots' }) lots!: Lot[];
  @DateField({ label: 'Le', optional: true }) le?: string;
  @Text({ label: 'Secret' }) secret!: string;
}

const depot = (publicFields?: readonly string[]): Fact => ({
  type: 'demande.deposee',
  label: 'Demande déposée',
  by: [],
  payload: Depot,
  ...(publicFields ? { publicFields } : {}),
});

const DATA = {
  demandeur: { nom: 'Ateliers du Faou', adresse: 'Le Faou' },
  lots: [{ intitule: 'Quai', responsable: { nom: 'Nolwenn', adresse: 'Brest' } }],
  secret: 'x',
};

describe('What leaves of a payload', () => {
  test('is what the fact declares public, at its place, and nothing else', () => {
    expect(publicData(depot(['demandeur.nom', 'lots', 'le']), DATA)).toEqual({
      demandeur: { nom: 'Ateliers du Faou' },
      lots: DATA.lots,
    });
  });

  test('is nothing when nothing is declared, or nothing is there', () => {
    expect(publicData(depot(), DATA)).toEqual({});
    expect(publicData(depot(['demandeur.nom', 'le']), {})).toEqual({});
  });
});

describe('The schema of what leaves', () => {
  test('names the public fields, keeps what they refer to, and refuses anything beside them', () => {
    const schema = publicSchema(depot(['demandeur.nom', 'lots', 'le']), '/s');
    expect(schema).toMatchObject({
      $id: '/s',
      title: 'Demande déposée',
      additionalProperties: false,
      required: ['demandeur', 'lots'],
      properties: {
        demandeur: { title: 'Demandeur', required: ['nom'], additionalProperties: false },
        lots: { items: { $ref: '#/$defs/Lot' } },
      },
    });
    const { properties, $defs } = schema as Record<'properties' | '$defs', Record<string, { properties: object }>>;
    expect(Object.keys(properties)).toEqual(['demandeur', 'lots', 'le']);
    expect(Object.keys(properties.demandeur?.properties as object)).toEqual(['nom']);
    // A lot leaves whole, with the person in it.
    expect(Object.keys($defs).sort()).toEqual(['Lot', 'Personne']);
  });

  test('is that of an empty object when nothing is public', () => {
    const { $schema, ...rest } = publicSchema(depot());
    expect(rest).toEqual({ title: 'Demande déposée', type: 'object', properties: {}, additionalProperties: false });
    expect($schema).toBe('https://json-schema.org/draft/2020-12/schema');
  });
});
