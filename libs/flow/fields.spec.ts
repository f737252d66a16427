import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { isCalendarDate } from './dates.ts';
import { defineFact, type Fact, factsOf } from './fact.ts';
import {
  Checked,
  DateField,
  Digest,
  Formed,
  Identifier,
  Identifiers,
  ListOf,
  Nested,
  OneOf,
  SomeOf,
  Text,
  Texts,
  Uuid,
  Uuids,
} from './fields.ts';
import { payloadSchema } from './schema.ts';
import { isStorable } from './texts.ts';
import { validatePayload } from './validate.ts';

class Lieu {
  @Text({ label: 'Ville', max: 20 }) ville!: string;
  @Text({ label: 'Rue', optional: true }) rue?: string;
}

class Etape {
  @Identifier({ label: 'Identifiant' }) id!: string;
  @Nested(() => Lieu, { label: 'Lieu', optional: true }) lieu?: Lieu;
}

@defineFact('essai.tente', { label: 'Essai tenté', by: [] })
class EssaiTente {
  @Text({ label: 'Texte', hint: 'Cinq caractères', max: 5, optional: true }) texte?: string;
  @Text({ label: 'Longue', optional: true }) longue?: string;
  @Formed({ label: 'Forme', pattern: /^[A-Z]{2}$/, message: 'Deux majuscules.', optional: true }) forme?: string;
  @Identifier({ label: 'Identifiant', optional: true }) identifiant?: string;
  @Digest({ label: 'Empreinte', optional: true }) empreinte?: string;
  @Uuid({ label: 'UUID', optional: true }) uuid?: string;
  @Checked({ label: 'Pair', accepts: (text) => text.length % 2 === 0, message: 'Une longueur paire.', optional: true })
  pair?: string;
  @DateField({ label: 'Date', optional: true }) date?: string;
  @OneOf(['a', 'b'], { label: 'Un', optional: true }) un?: string;
  @SomeOf(['a', 'b'], { label: 'Plusieurs', optional: true }) plusieurs?: string[];
  @Texts({ label: 'Textes', min: 1, max: 2, maxText: 5, optional: true }) textes?: string[];
  @Identifiers({ label: 'Identifiants', optional: true }) identifiants?: string[];
  @Uuids({ label: 'UUIDs', optional: true }) uuids?: string[];
  @Nested(() => Lieu, { label: 'Lieu', optional: true }) lieu?: Lieu;
  @ListOf(() => Etape, { label: 'Étapes', min: 1, max: 3, unique: 'id', optional: true }) etapes?: Etape[];
}

@defineFact('essai.exige', { label: 'Essai exigé', by: [] })
class EssaiExige {
  @Text({ label: 'Texte' }) texte!: string;
  @Nested(() => Lieu, { label: 'Lieu' }) lieu!: Lieu;
  @ListOf(() => Etape, { label: 'Étapes' }) etapes!: Etape[];
}

@defineFact('essai.vide', { label: 'Essai vide', by: [] })
class EssaiVide {}

const facts = factsOf({ EssaiVide, EssaiExige, EssaiTente, autre: 1, rien: null });
const ajv = new Ajv2020({ strict: true, formats: { date: isCalendarDate } });
const schemas = new Map(facts.map((fact) => [fact.payload, ajv.compile(payloadSchema(fact))]));
const U = '11111111-2222-4333-8444-555555555555';

/** What is wrong with one field of the payload where every field is optional. */
const faults = (field: string, value: unknown) => validatePayload(EssaiTente, { [field]: value });

describe('un champ', () => {
  const cases: [string, unknown[], unknown[]][] = [
    ['texte', ['a', 'été', '12345', '😀😀😀😀😀'], ['', ' ', '\n\t', 'a\nb', 'a\tb', '123456', 1, true, [], {}, ['a']]],
    ['forme', ['AB'], ['Ab', 'ABC', '', 'AB\n', 12]],
    ['identifiant', ['a', 'A-1_b.c', '__proto__', 'x'.repeat(64)], ['', 'é', 'a b', 'a/b', 'x'.repeat(65), 1]],
    ['empreinte', ['0af9'.repeat(16)], ['0AF9'.repeat(16), '0af9'.repeat(15), '', 0]],
    ['uuid', [U], [U.slice(1), U.replace('5', 'A'), `{${U}}`, '']],
    ['date', ['2024-02-29'], ['2023-02-29', '2024-2-9', '', 20240229]],
    ['un', ['a', 'b'], ['c', 'A', '', ['a'], 0]],
    ['plusieurs', [[], ['a'], ['b', 'a']], [['c'], ['a', 'a'], 'a', { 0: 'a' }, [null]]],
    ['textes', [['a'], ['a', 'a']], [[], ['a', 'b', 'c'], ['123456'], [''], [1], 'a']],
    ['identifiants', [[], ['a', 'b']], [['a', 'a'], ['a b'], [1], 'a']],
    ['uuids', [[], [U]], [[U, U], ['x'], U]],
    [
      'lieu',
      [{ ville: 'Rennes' }, { ville: 'Rennes', rue: 'Haute' }],
      [{}, { ville: '' }, { ville: 'Rennes', pays: 'FR' }, [], 'Rennes', 1],
    ],
    [
      'etapes',
      [[{ id: 'a' }], [{ id: 'a' }, { id: 'b', lieu: { ville: 'Brest' } }]],
      [[], [{}], [null], [[]], ['a'], [{ id: 'a', lieu: {} }], { id: 'a' }, 'a'],
    ],
  ];

  test.each(cases)('%s accepte et refuse ce que son schéma accepte et refuse', (field, good, bad) => {
    const schema = schemas.get(EssaiTente)!;
    for (const value of good)
      expect([value, faults(field, value), schema({ [field]: value })]).toEqual([value, [], true]);
    for (const value of bad)
      expect([value, faults(field, value).length > 0, schema({ [field]: value })]).toEqual([value, true, false]);
  });

  test.each(cases.map(([field]) => field))('%s facultatif peut manquer, jamais être nul', (field) => {
    expect(validatePayload(EssaiTente, {})).toEqual([]);
    expect(faults(field, undefined)).toEqual([]);
    expect(faults(field, null)).toHaveLength(1);
    expect(schemas.get(EssaiTente)!({ [field]: null })).toBe(false);
  });

  test('vérifié par une fonction dit ce qui est attendu', () => {
    expect(faults('pair', 'ab')).toEqual([]);
    expect(faults('pair', 'abc')).toEqual([{ path: '/pair', message: 'Une longueur paire.' }]);
  });

  test('de type liste refuse deux éléments de même clé', () => {
    expect(faults('etapes', [{ id: 'a' }, { id: 'a', lieu: { ville: 'Brest' } }])).toEqual([
      { path: '/etapes', message: 'Deux éléments de la liste ont le même identifiant.' },
    ]);
  });

  test('dit la première faute, en une phrase', () => {
    expect(faults('texte', '123456')).toEqual([
      { path: '/texte', message: 'Ce texte compte 6 caractères : au plus 5.' },
    ]);
    expect(faults('textes', ['a', ' '])).toEqual([
      { path: '/textes', message: 'Élément 2 : Ce texte ne peut pas être vide.' },
    ]);
    expect(faults('un', 'c')).toEqual([{ path: '/un', message: 'Une de ces valeurs est attendue : a, b.' }]);
  });
});

describe('un contenu', () => {
  test('sans un champ obligatoire est refusé, tous les manques à la fois', () => {
    const message = 'Ce champ est obligatoire.';
    expect(validatePayload(EssaiExige, {})).toEqual([
      { path: '/texte', message },
      { path: '/lieu', message },
      { path: '/etapes', message },
    ]);
  });

  test('sans aucun champ déclaré n’en accepte aucun', () => {
    expect(validatePayload(EssaiVide, {})).toEqual([]);
    expect(validatePayload(EssaiVide, { a: 1 })).toEqual([{ path: '/a', message: 'Ce champ est inconnu.' }]);
    expect(schemas.get(EssaiVide)!({ a: 1 })).toBe(false);
  });

  test.each([null, undefined, [], 'texte', 1, true])('qui est %p est refusé', (data) => {
    expect(validatePayload(EssaiVide, data)).toEqual([{ path: '', message: 'Un objet est attendu.' }]);
  });

  test('dit où est la faute par un pointeur JSON, précédé de la place du contenu', () => {
    const data = { texte: 'a', lieu: { ville: 'Brest', 'a/b~c': 1 }, etapes: [{ id: 'a' }, { id: 'é' }] };
    expect(validatePayload(EssaiExige, data, '/fact/data').map(({ path }) => path)).toEqual([
      '/fact/data/lieu/a~1b~0c',
      '/fact/data/etapes/1/id',
    ]);
  });

  test.each(['__proto__', 'constructor', 'prototype'])('qui a un champ « %s », où que ce soit, est refusé', (key) => {
    const unknown = (path: string) => [{ path, message: 'Ce champ est inconnu.' }];
    const poisoned = JSON.parse(`{"${key}":{"a":1}}`);
    expect(validatePayload(EssaiTente, poisoned)).toEqual(unknown(`/${key}`));
    expect(validatePayload(EssaiTente, { lieu: poisoned })).toEqual(unknown(`/lieu/${key}`));
    expect(validatePayload(EssaiTente, { etapes: [{ id: 'a' }, poisoned] })).toEqual(unknown(`/etapes/1/${key}`));
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  test.each(['toString', 'hasOwnProperty', 'valueOf'])('qui a un champ « %s » est refusé', (key) => {
    expect(validatePayload(EssaiTente, { [key]: 'a' })).toEqual([
      { path: `/${key}`, message: 'Ce champ est inconnu.' },
    ]);
  });

  test('trop profond est refusé sans épuiser la pile', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`);
    expect(validatePayload(EssaiTente, { lieu: deep })).toMatchObject([
      { message: 'Ce contenu est trop profondément imbriqué.' },
    ]);
    const wide = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);
    expect(validatePayload(EssaiTente, { etapes: wide })).toMatchObject([
      { message: 'Ce contenu est trop profondément imbriqué.' },
    ]);
  });
});

describe('un texte', () => {
  test.each(['\u0000', '\u0007', '\u000b', '\r', '\u001b', '\u007f', '\ud800', '\udc00', 'a\ud83d', '\ude00a'])(
    'qui contient %j ne se conserve pas',
    (text) => {
      expect(isStorable(`a${text}b`)).toBe(false);
      expect(faults('texte', `a${text}`)).toHaveLength(1);
    },
  );

  test.each(['a\nb', '😀', 'é', '\u00a0x'])('%j se conserve', (text) => {
    expect(isStorable(text)).toBe(true);
    expect(faults('longue', text)).toEqual([]);
  });

  test.each([
    ['un retour à la ligne', 'a\nb', 'Ce texte tient sur une ligne : retirez le retour à la ligne.'],
    ['un renversement', 'ab\u202ec', 'Le caractère n° 3 de ce texte ne se voit pas (U+202E) : retirez-le.'],
    ['une tabulation', 'é😀\tx', 'Le caractère n° 3 de ce texte ne se voit pas (U+0009) : retirez-le.'],
  ])('d’une ligne qui contient %s est refusé, et dit où', (_, text, message) => {
    expect(faults('texte', text)).toEqual([{ path: '/texte', message }]);
  });
});

describe('un fait déclaré', () => {
  test('est trouvé dans l’ordre où il est écrit, non dans celui du module', () => {
    expect(facts.map(({ type }) => type)).toEqual(['essai.tente', 'essai.exige', 'essai.vide']);
  });

  test.each(['Essai.tente', 'essai', 'essai.tenté', 'essai.a.b', 'essai_tente.a', 'essai.-a', ''])(
    "n'est pas de type « %s »",
    (type) => {
      expect(() => defineFact(type, { label: '', by: [] })).toThrow(/is not a type of fact/);
    },
  );

  test('donne à son schéma son libellé, ses champs obligatoires et ses contenus composés', () => {
    const schema = payloadSchema(facts[1] as Fact, 'https://exemple.fr/essai.exige');
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'https://exemple.fr/essai.exige',
      title: 'Essai exigé',
      required: ['texte', 'lieu', 'etapes'],
      additionalProperties: false,
      properties: { lieu: { $ref: '#/$defs/Lieu' }, etapes: { items: { $ref: '#/$defs/Etape' } } },
      $defs: { Lieu: { additionalProperties: false }, Etape: { properties: { lieu: { $ref: '#/$defs/Lieu' } } } },
    });
    expect(payloadSchema(facts[0] as Fact)).toMatchObject({
      properties: { texte: { title: 'Texte', description: 'Cinq caractères' } },
    });
  });
});
