import { expect, test } from '@jest/globals';
import { hashes } from './hashes.ts';
import { catalogue } from './index.ts';

// A computed address: the generator is plain JavaScript and has no types.
type Hashed = { hash: string; files: Record<string, string> };
const { hashOf, changedSincePublished, PUBLISHED } = (await import(
  new URL('../test/generate.mjs', import.meta.url).href
)) as {
  hashOf(version: string): Hashed;
  changedSincePublished(
    published: Record<string, { since: string; hash: string }>,
    before: Record<string, Hashed>,
    now: (version: string) => Hashed,
  ): string[];
  PUBLISHED: Record<string, { since: string; hash: string }>;
};

test.each(Object.entries(hashes))("%s n'a pas changé depuis que son empreinte a été produite", (version, known) => {
  const now = hashOf(version);
  const changed = Object.keys({ ...known.files, ...now.files }).filter(
    (file) => (known.files as Record<string, string>)[file] !== now.files[file],
  );
  expect(changed.map((file) => `${version}/${file}`)).toEqual([]);
  expect(now.hash).toBe(known.hash);
});

test('chaque version publiée a son empreinte', () => {
  expect(catalogue.workflows.map(({ name, version, hash }) => [`${name}/v${version}`, hash])).toEqual(
    Object.entries(hashes).map(([version, { hash }]) => [version, hash]),
  );
  expect(catalogue.find('secnumcloud')).toBe(catalogue.find('secnumcloud', 1));
  expect(catalogue.find('secnumcloud', 2)).toBeUndefined();
  expect(catalogue.find('constructor')).toBeUndefined();
});

test('une version publiée ne change plus', () => {
  expect(changedSincePublished(PUBLISHED, hashes, hashOf)).toEqual([]);
});

test('un changement dans une version publiée est dit, fichier par fichier', () => {
  const before = { 'essai/v1': { hash: 'a', files: { 'machine.ts': '1', 'facts.ts': '2', 'reasons.ts': '3' } } };
  const published = { 'essai/v1': { since: '2026-01-05', hash: 'a' } };
  const now = { hash: 'b', files: { 'machine.ts': '1', 'facts.ts': '9', 'data.json': '4' } };
  expect(changedSincePublished(published, before, () => now)).toEqual([
    expect.stringContaining(
      'essai/v1 was published on 2026-01-05 and never changes; what did: facts.ts, reasons.ts, data.json.',
    ),
  ]);
  expect(changedSincePublished(published, before, () => before['essai/v1'])).toEqual([]);
});
