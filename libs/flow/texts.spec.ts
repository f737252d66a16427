import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isSameParty, partyOf, searchable, sirenOf, unseenIn } from './texts.ts';

const ONE = { lines: false };
const SEVERAL = { lines: true };
const between = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe('what a reader would not see in a text', () => {
  const unseen = [
    ...between(0x00, 0x1f).filter((code) => code !== 0x0a),
    ...between(0x7f, 0x9f),
    ...between(0x202a, 0x202e),
    ...between(0x2060, 0x206f),
    ...between(0xfdd0, 0xfdef),
    ...[0xfffe, 0xffff, 0x1fffe, 0x1ffff, 0x10fffe, 0x10ffff],
    ...[0xd800, 0xdbff, 0xdc00, 0xdfff],
    ...[0xad, 0x200b, 0xfeff, 0xfff9, 0x3164, 0x115f],
    ...[0xe0001, 0xe0041, 0xe007f, 0xe0fff],
  ].map((code) => [code.toString(16).toUpperCase().padStart(4, '0'), String.fromCodePoint(code)] as const);

  test.each(unseen)('U+%s is refused, wherever it stands', (code, character) => {
    for (const text of [`a${character}b`, `${character}ab`, `ab${character}`])
      for (const form of [ONE, SEVERAL]) expect(unseenIn(text, form)).toMatch(new RegExp(`U\\+${code}|une ligne`));
    expect(unseenIn(` ${character}`, SEVERAL)).toBe('Ce texte ne peut pas être vide.');
  });

  test.each(['\n', '\u2028', '\u2029'])('%j ends a line: it is refused where there is only one', (end) => {
    expect(unseenIn(`a${end}b`, ONE)).toMatch(/une ligne/);
    expect(unseenIn(`a${end}b`, SEVERAL)).toBeUndefined();
  });

  test.each(['', ' ', '\u00a0\u2003', '\u200d', '\u2800', '\u0301', '\ufe0f', '\n', '\u200e', '\u3000'])(
    '%j alone shows nothing',
    (text) => expect(unseenIn(text, SEVERAL)).toBe('Ce texte ne peut pas être vide.'),
  );

  test.each([
    'Nuage\u200d',
    'Nu\u200cage',
    'Société\u200dX',
    '\u200dé',
    'Nuage\u200e',
    'A\ufe0f',
    'a\u{e0101}b',
    ' \ufe00x',
  ])('%j has something that shapes nothing: it looks like another text', (text) =>
    expect(unseenIn(text, SEVERAL)).toMatch(/ne se voit pas \(U\+/),
  );

  test.each([
    '1\ufe0f\u20e3',
    '❤\ufe0f\u200d🔥',
    'क्\u200dष',
    'L’Œuvre « numérique » – 100\u202f% d’Île-de-France',
    'e\u0301te\u0301',
    '👩\u200d💻 ❤\ufe0f 🇫🇷',
    'می\u200cخواهم',
    'שלום\u200f!',
    '葛\u{e0100}',
    '日本語',
    '𝒜',
  ])('%s is right', (text) => {
    expect(unseenIn(text, ONE)).toBeUndefined();
  });
});

describe('a SIREN', () => {
  test.each([
    ['732829320', '732829320'],
    [' 732 829 320 ', '732829320'],
    ['732\u00a0829\u202f320', '732829320'],
    ['732 829 320 00074', '732829320'],
    ['35600000000048', '356000000'],
    ['35600000049837', '356000000'],
  ])('is given by « %s »', (text, siren) => {
    expect(sirenOf(text)).toBe(siren);
  });

  test.each(['', '732829321', '73282932', '7328293200', '73282932000075', '000000000', '00000000000000', '73282932O'])(
    'is not given by « %s »',
    (text) => expect(sirenOf(text)).toBeUndefined(),
  );
});

describe('an organisation that owns dossiers', () => {
  test.each([
    ['Nuage de Brocéliande', 'NUAGE  de brocéliande '],
    ['Nuage de Brocéliande', 'Nuage de Broce\u0301liande'],
    ['Nuage\u00a0bleu', 'nuage bleu'],
    ['732829320', '732 829 320 00074'],
    ['Ｎｕａｇｅ', 'nuage'],
  ])('is the same by « %s » and « %s »', (one, other) => {
    expect(isSameParty(one, other)).toBe(true);
  });

  test.each([
    ['Nuage de Brocéliande', 'Nuage de Broceliande'],
    ['Saint-Malo', 'Saint Malo'],
    ['Œuvre', 'Oeuvre'],
    ['L’Île', "L'Île"],
    ['Strasse', 'Straße'],
    ['732829320', '552100554'],
    ['000000000', '000 000 000'.replaceAll(' ', '-')],
    ['', ' '],
  ])('is not the same by « %s » and « %s »: what is searched alike is not owned alike', (one, other) => {
    expect(isSameParty(one, other)).toBe(false);
  });

  test('is known by a text that names it again', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => partyOf(partyOf(text)) === partyOf(text)));
  });
});

describe('a text that is searched', () => {
  test.each([
    ['L’Œuvre-Étoilée', "l'oeuvre etoilee"],
    ['Saint‑Malo', 'SAINT MALO'],
    ['Łódź', 'lodz'],
    ['Straße', 'strasse'],
    ['Tromsø', 'tromso'],
    ['Ærø', 'aero'],
    ['ﬁchier', 'fichier'],
    ['a – b', 'a-b'],
  ])('is found by « %s » and by « %s »', (one, other) => {
    expect(searchable(one)).toBe(searchable(other));
  });

  test('is no stricter than what decides who owns a dossier', () => {
    const names = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => sirenOf(text) === undefined);
    fc.assert(fc.property(names, (text) => searchable(partyOf(text)) === searchable(text)));
  });
});
