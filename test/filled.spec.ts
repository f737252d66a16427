import { describe, expect, test } from '@jest/globals';
import { filled } from '../apps/console/filled.ts';

const text = { type: 'string' };
const document = {
  type: 'object',
  properties: { reference: text, titre: text, empreinte: text },
  required: ['reference', 'titre', 'empreinte'],
};
const fact = (required: string[]) => ({
  type: 'object',
  properties: {
    description: text,
    document,
    dossiers: { type: 'array', items: text },
    pieces: { type: 'array', items: { type: 'object', properties: { document, note: text }, required: ['document'] } },
    perimetre: { type: 'object', properties: { site: { type: 'object', properties: { nom: text } } } },
  },
  required,
});
const touched = { reference: undefined, titre: '', empreinte: undefined };

describe('what a form sends', () => {
  test.each([
    ['a document that was touched and emptied', { description: 'D', document: touched }],
    ['one that was withdrawn', { description: 'D', document: undefined }],
    ['a group in which nothing is left, at any depth', { description: 'D', perimetre: { site: { nom: '' } } }],
    ['a list of nothing', { description: 'D', dossiers: [] }],
    ['a list of blanks', { description: 'D', dossiers: [undefined, ''] }],
    ['an optional text', { description: 'D', note: '' }],
  ])('leaves out, where it is optional, %s', (_, typed) => {
    expect(filled(typed, fact(['description']))).toEqual({ description: 'D' });
  });

  test('keeps what is half filled, so that what it lacks is told', () => {
    const half = { description: 'D', document: { titre: 'T' } };
    expect(filled({ ...half, document: { ...touched, titre: 'T' } }, fact(['description']))).toMatchObject(half);
  });

  test('keeps what is required, empty or not', () => {
    const all = ['description', 'document', 'pieces', 'perimetre'];
    const typed = { description: '', document: {}, pieces: [{ document: {}, note: '' }], perimetre: {} };
    expect(filled(typed, fact(all))).toEqual({ ...typed, pieces: [{ document: {} }] });
  });

  test('keeps what says no or zero', () => {
    const schema = { type: 'object', properties: { open: { type: 'boolean' }, count: { type: 'number' } } };
    expect(filled({ open: false, count: 0 }, schema)).toEqual({ open: false, count: 0 });
  });
});
