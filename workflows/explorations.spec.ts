import { type Explored, prove } from '@jalon/flow';
import { afterAll, describe, expect, test } from '@jest/globals';
import { explorations } from './explorations.ts';
import measured from './explored.json' with { type: 'json' };
import { catalogue } from './index.ts';

const EXTENT = process.env.JALON_TEST === 'long' ? 'long' : 'short';
const explored: [string, Explored][] = [];

afterAll(() => {
  for (const [version, { exploration, states, transitions, refusals, depth, compared }] of explored)
    process.stdout.write(
      `${version} ${exploration.name}: ${states} states, ${transitions} transitions, ${refusals} refusals, ` +
        `${depth} facts deep, ${compared} dossiers compared\n`,
    );
});

const versions = catalogue.workflows.map((workflow) => ({
  version: `${workflow.name}/v${workflow.version}`,
  workflow,
}));

describe('chaque procédure du catalogue', () => {
  test.each(versions)('$version dit comment elle est explorée', ({ version }) => {
    const brought = explorations[version];
    expect(brought?.short.some(({ enforces }) => enforces === undefined)).toBe(true);
    expect(brought?.long.map(({ name }) => name)).toEqual(brought?.short.map(({ name }) => name));
  });

  test.each(versions)(
    '$version : tout est atteint, rien ne mène à une impasse, chaque invariant tient sur chaque chemin',
    ({ version, workflow }) => {
      const proof = prove(workflow, explorations[version]?.[EXTENT] ?? []);
      explored.push(...proof.explored.map((each): [string, Explored] => [version, each]));
      expect(proof.faults).toEqual([]);
      // The numbers that its README gives; `npm run generate -- --long` measures them anew.
      const numbers: Record<string, Record<string, Record<string, unknown>>> = measured[
        version as keyof typeof measured
      ];
      const found = proof.explored.map(({ exploration, states, transitions, refusals, compared }) => [
        ...[exploration.name, { states, transitions, refusals, compared }],
      ]);
      expect(Object.fromEntries(found)).toEqual(numbers[EXTENT]);
    },
    EXTENT === 'long' ? 1_800_000 : 60_000,
  );
});
