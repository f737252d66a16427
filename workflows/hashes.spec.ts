import { expect, test } from '@jest/globals';
import { hashes } from './hashes.ts';
import { catalogue } from './index.ts';

// A computed address: the generator is plain JavaScript and has no types.
const { hashOf } = (await import(new URL('../test/generate.mjs', import.meta.url).href)) as {
  hashOf(version: string): { hash: string; files: Record<string, string> };
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
