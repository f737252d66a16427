import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { chainFault, dataHash, type Envelope, envelopeHash, type NewEvent, seal } from './envelope.ts';
import { sampleChain, sampleFact } from './sample.ts';

const hex = (digit: string) => digit.repeat(64);
const decided = {
  actor: {
    iss: 'https://connexion.example',
    sub: 'a-17',
    role: 'charge-de-qualification',
    org: 'ANSSI',
    name: hex('1'),
  },
  onBehalfOf: { role: 'centre-evaluation', org: 'Centre Exemple', name: hex('2') },
  workflow: { name: 'secnumcloud', version: 1, hash: hex('3') },
  from: 'j2.audits',
  to: 'j2.rapport-en-revue',
  crosses: 'J2',
  stateHash: hex('4'),
  target: '7b0e4c3a-0000-4000-8000-000000000000',
  causationId: '7b0e4c3a-0000-4000-8000-000000000001',
  lookups: { 'dossier-x': { revision: 3, etat: 'qualifiee.valide' }, 'dossier-y': null },
  source: { kind: 'public', precision: 'jour', url: 'https://cyber.gouv.fr' },
} satisfies Partial<Envelope>;

describe('The chain of a stream', () => {
  const chain = sampleChain('dossier-1', 3) as [NewEvent, NewEvent, NewEvent];
  const [first, second, third] = chain;

  test('holds from its first fact to its last', () => {
    expect(chain.map((fact, i) => chainFault(fact, chain[i - 1] ?? null))).toEqual([null, null, null]);
  });

  test('breaks where a fact is missing, comes twice or opens a stream that is open', () => {
    expect(chainFault(third, first)).toMatch(/revision does not follow/);
    expect(chainFault(second, second)).toMatch(/revision does not follow/);
    expect(chainFault(second, null)).toMatch(/revision does not follow/);
    expect(chainFault(first, first)).toMatch(/revision does not follow/);
  });

  test('breaks where the previous fact is not the one that was recorded', () => {
    expect(chainFault(second, sampleFact('dossier-1'))).toMatch(/previous hash/);
  });

  test('breaks where time goes backwards, and holds where it stands still', () => {
    const earlier = { previous: first, envelope: { recordedAt: '2026-03-02T08:59:59.999Z' } };
    expect(chainFault(sampleFact('dossier-1', earlier), first)).toMatch(/recorded before/);
    expect(chainFault(sampleFact('dossier-1', { previous: first }), first)).toBeNull();
  });

  test('breaks where the payload is another, and holds where it was withheld with its salt', () => {
    expect(chainFault({ ...second, data: { rang: 2 } }, first)).toMatch(/payload/);
    expect(chainFault({ ...second, salt: hex('0').slice(32) }, first)).toMatch(/payload/);
    const { salt, ...withheld } = { ...second, data: {} };
    expect(chainFault(withheld, first)).toBeNull();
  });

  test('breaks where the format is one that this build does not know', () => {
    expect(chainFault(sampleFact('dossier-1', { envelope: { format: 2 } }), null)).toBe(
      'format 2 is unknown to this build',
    );
  });

  test('breaks when any character of an envelope or payload is changed', () => {
    const fact = sampleFact('dossier-1', { envelope: { ...decided, from: null } });
    const texts = { envelope: JSON.stringify(fact.envelope), data: JSON.stringify(fact.data) };
    fc.assert(
      fc.property(fc.constantFrom('envelope' as const, 'data' as const), fc.nat(), fc.nat(), (part, at, shift) => {
        const text = texts[part];
        const place = at % text.length;
        const other = String.fromCharCode(32 + ((text.charCodeAt(place) - 32 + 1 + (shift % 93)) % 94));
        let changed: unknown;
        try {
          changed = JSON.parse(text.slice(0, place) + other + text.slice(place + 1));
        } catch {
          return; // No JSON any more: that is found when it is read.
        }
        expect(chainFault({ ...fact, [part]: changed } as NewEvent, null)).not.toBeNull();
      }),
      { numRuns: 500 },
    );
  });
});

describe('A seal', () => {
  test('covers the envelope whatever the order of its members, and nothing beside it', () => {
    const { envelope, hash, data, salt } = sampleFact('dossier-1');
    const reversed = Object.fromEntries(Object.entries(envelope).reverse()) as Envelope;
    expect(envelopeHash(reversed)).toBe(hash);
    expect(seal(reversed, { data, ...(salt && { salt }), digest: hex('5') }).hash).toBe(hash);
  });

  test('commits to a payload by its salt', () => {
    expect(dataHash('00'.repeat(16), { a: 1, b: 2 })).toBe(dataHash('00'.repeat(16), { b: 2, a: 1 }));
    expect(dataHash('00'.repeat(16), { a: 1 })).not.toBe(dataHash('01'.repeat(16), { a: 1 }));
  });
});

describe('The JSON Schema of the envelope', () => {
  const schema = JSON.parse(readFileSync(new URL('./envelope.schema.json', import.meta.url), 'utf8'));
  const validate = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema);
  const [opening] = sampleChain('dossier-1', 1) as [NewEvent];
  const full = sampleFact('dossier-1', { previous: opening, envelope: decided }).envelope;

  test('takes a sealed envelope, the smallest and one with every member', () => {
    // Of an opening only, which has no predecessor.
    const salted = { ...opening.envelope, contextSaltHash: hex('6') };
    for (const envelope of [opening.envelope, salted, full]) {
      validate(envelope);
      expect(validate.errors).toBeNull();
    }
    expect(Object.keys({ ...full, ...salted }).sort()).toEqual(Object.keys(schema.properties).sort());
  });

  test.each<[string, object]>([
    ['a member that the format does not have', { ...full, extra: 1 }],
    ['a name in clear', { ...full, actor: { ...full.actor, name: 'Camille Étienne' } }],
    ['another format', { ...full, format: 2 }],
    ['a hash in upper case', { ...full, dataHash: hex('A') }],
    ['an instant without milliseconds', { ...full, recordedAt: '2026-03-02T09:00:00Z' }],
    ['a first fact with a predecessor', { ...full, revision: 0 }],
    ['a later fact without one', { ...full, previousHash: null }],
    ['a workflow without the state it led to', { ...full, stateHash: undefined }],
    ['a behalf without an organisation', { ...full, onBehalfOf: { role: 'prestataire' } }],
  ])('refuses %s', (_, envelope) => {
    expect(validate(JSON.parse(JSON.stringify(envelope)))).toBe(false);
  });
});
