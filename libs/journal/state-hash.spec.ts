import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson, sha256 } from './canonical.ts';
import { type HashedState, saltedDigests, stateHash } from './state-hash.ts';

const state = (context: object, more: Partial<HashedState> = {}): HashedState => ({
  value: { j2: 'audits' },
  context,
  keyed: new Set(['constats']),
  salts: {},
  withheldMembers: new Set(),
  ...more,
});

describe('A state hash', () => {
  test('is what FORMAT.md says, computed here without any of its code', () => {
    const salt = '0a'.repeat(16);
    const context = {
      avis: 'favorable',
      constats: { 'C-1': { gravite: 'majeur' }, 'C-2': { gravite: 'mineur' } },
      n: 2,
    };
    const hash = (text: string) => sha256(text);
    const constats = hash(`{"C-1":"${hash('{"gravite":"majeur"}')}","C-2":"${hash('{"gravite":"mineur"}')}"}`);
    const avis = hash(`{"digest":"${hash('"favorable"')}","salt":"${salt}"}`);
    expect(stateHash(state(context, { salts: { avis: salt } }))).toBe(
      hash(`{"context":{"avis":"${avis}","constats":"${constats}","n":"${hash('2')}"},"value":{"j2":"audits"}}`),
    );
  });

  test('is the same for equal states, whatever the order of members and whether seen before', () => {
    const members = fc.dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 6 });
    fc.assert(
      fc.property(members, members, (context, constats) => {
        const one = state({ ...context, constats });
        const other = state(reordered({ ...reordered(context), constats: reordered(structuredClone(constats)) }));
        expect(stateHash(one)).toBe(stateHash(other));
        expect(stateHash(one)).toBe(stateHash(one));
        expect(stateHash(one)).toBe(naive(one));
      }),
    );
  });

  test('hides what withheld facts will write, and whether they did, from who has not the salt of the opening', () => {
    const contextSalt = '0b'.repeat(16);
    const withheldMembers = new Set(['avis', 'constats']);
    const own = '0a'.repeat(16);
    const salted = (text: string, salt = contextSalt) => sha256(`{"digest":"${sha256(text)}","salt":"${salt}"}`);
    const opened = state({ n: 1, constats: {} }, { withheldMembers, contextSalt });
    const expected = `{"context":{"avis":"${salted('')}","constats":"${salted('{}')}","n":"${sha256('1')}"},"value":{"j2":"audits"}}`;
    expect(stateHash(opened)).toBe(sha256(expected));

    const digests = saltedDigests(opened);
    expect(digests).toEqual({ avis: salted(''), constats: salted('{}') });
    // Who has the digests in place of the salt reaches the same hash, whatever they believe to be there.
    expect(stateHash(state({ n: 1, avis: 'guessed' }, { withheldMembers, digests }))).toBe(stateHash(opened));

    const written = state(
      { n: 1, avis: 'rendu', constats: {} },
      { withheldMembers, contextSalt, salts: { avis: own } },
    );
    expect(saltedDigests(written)).toEqual({ constats: salted('{}') });
    expect(stateHash(written)).toBe(sha256(expected.replace(salted(''), salted('"rendu"', own))));
  });

  test('changes with the value, any member, any entry and any salt', () => {
    const context = { a: { b: 1 }, constats: { 'C-1': { clos: false } } };
    const hashes = [
      state(context),
      state(context, { value: { j2: 'rapport-en-revue' } }),
      state({ ...context, a: { b: 2 } }),
      state({ ...context, c: null }),
      state({ ...context, constats: { 'C-1': { clos: true } } }),
      state({ ...context, constats: { 'C-2': { clos: false } } }),
      state({ ...context, constats: {} }),
      state(context, { keyed: new Set() }),
      state(context, { salts: { a: '01'.repeat(16) } }),
      state(context, { salts: { a: '02'.repeat(16) } }),
      state(context, { salts: { constats: '01'.repeat(16) } }),
    ].map(stateHash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test('takes an undefined member for an absent one, as JSON does', () => {
    expect(stateHash(state({ a: 1, b: undefined }))).toBe(stateHash(state({ a: 1 })));
  });

  test('reads one entry more, not all again, when a map grows by one', () => {
    let reads = 0;
    const entry = (i: number) => ({
      get titre() {
        reads += 1;
        return `constat ${i}`;
      },
    });
    const constats = Object.fromEntries(Array.from({ length: 278 }, (_, i) => [`C-${i}`, entry(i)]));
    stateHash(state({ constats }));
    const first = reads;
    stateHash(state({ constats: { ...constats, 'C-278': entry(278) } }));
    expect(reads - first).toBe(first / 278);
  });
});

/** The rule itself, without memory: what a verifier in another language would write. */
function naive({ value, context, keyed, salts }: HashedState): string {
  const members = Object.entries(context).map(([name, content]) => {
    const isMap = keyed.has(name) && typeof content === 'object' && content !== null;
    const entries = () => Object.entries(content).map(([key, entry]) => [key, sha256(canonicalJson(entry))]);
    const plain = sha256(canonicalJson(isMap ? Object.fromEntries(entries()) : content));
    const salt = salts[name];
    return [name, salt === undefined ? plain : sha256(canonicalJson({ digest: plain, salt }))];
  });
  return sha256(canonicalJson({ value, context: Object.fromEntries(members) }));
}

function reordered<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).reverse()) as T;
}
