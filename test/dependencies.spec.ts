import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cruise, type ICruiseOptions, type ICruiseResult } from 'dependency-cruiser';
import configuration from '../.dependency-cruiser.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

const { forbidden, options } = configuration;

/** How many modules a tree has, and `rule: from -> to` for every import in it that the rules forbid. */
async function inspect(baseDir: string): Promise<{ modules: number; violations: string[] }> {
  const { output } = await cruise(
    ['apps', 'libs', 'workflows', 'test'],
    { ...options, baseDir, validate: true, ruleSet: { forbidden } } as ICruiseOptions,
    options.enhancedResolveOptions,
  );
  const { summary } = output as ICruiseResult;
  const violations = summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
  return { modules: summary.totalCruised, violations };
}

/** The clean tree: every package with its door, and each import that is allowed at a border. */
const allowed: Record<string, string> = {
  'libs/flow/index.ts': "export * from './decide.ts';",
  'libs/flow/decide.ts':
    "import 'xstate'; import 'class-validator'; import 'class-validator-jsonschema'; import 'reflect-metadata';",
  'libs/flow/decide.spec.ts': "import 'node:fs'; import '@jest/globals'; import 'fast-check'; import './decide.ts';",
  'libs/journal/index.ts': "export * from './journal.sqlite.ts';",
  'libs/journal/journal.sqlite.ts': "import '@jalon/flow'; import 'better-sqlite3'; import 'node:fs';",
  'libs/journal/client.eventstore.ts': "import '@eventstore/db-client';",
  'libs/journal/pool.postgres.ts': "import 'pg';",
  'libs/journal/contract.ts': "import '@jest/globals'; import './index.ts';",
  'libs/engine/index.ts': "import '@jalon/flow'; import '@jalon/journal';",
  'libs/engine/advance.spec.ts': "import '@jalon/journal/contract'; import 'xstate';",
  'libs/projections/index.ts':
    "import '@jalon/flow'; import '@jalon/journal'; import 'kysely'; import 'better-sqlite3';",
  'libs/delivery/index.ts': "import '@jalon/journal';",
  'libs/proof/index.ts': "import '@jalon/journal'; import 'node:crypto'; import 'kysely'; import './store.sqlite.ts';",
  'libs/proof/store.sqlite.ts': "import 'better-sqlite3';",
  'workflows/index.ts': "export * from './secnumcloud/v1/machine.ts'; export * from './secnumcloud/constats.ts';",
  'workflows/secnumcloud/constats.ts': "import './v1/facts.ts';",
  'workflows/secnumcloud/v1/machine.ts': "import '@jalon/flow'; import 'xstate'; import './facts.ts';",
  'workflows/secnumcloud/v1/facts.ts': "import '@jalon/flow'; import 'class-validator'; import 'class-transformer';",
  'workflows/secnumcloud/v2/machine.ts': "import '@jalon/flow';",
  'apps/api/main.ts': "import '@jalon/engine'; import '@jalon/workflows'; import './app.ts';",
  'apps/api/app.ts': "import '@jalon/projections'; import '@jalon/proof';",
  'apps/console/main.tsx': "import 'react'; import './page.tsx';",
  'apps/console/page.tsx': "import 'react';",
  'apps/cli/main.ts': "import '../api/app.ts'; import '@jalon/proof';",
  'test/story.spec.ts': "import '../apps/api/app.ts'; import './given.ts'; import '@jalon/journal';",
  'test/given.ts': "import '@jest/globals'; import 'better-sqlite3'; import '@jalon/engine';",
};

/** One planted violation per rule, as the file a careless colleague would have written. */
const planted: Record<string, [file: string, text: string, to: string]> = {
  'flow-is-pure': ['libs/flow/clock.ts', "import 'node:perf_hooks';", 'perf_hooks'],
  'flow-is-the-bottom': ['libs/flow/door.spec.ts', "import '@jalon/journal';", 'libs/journal/index.ts'],
  'workflows-are-data': [
    'workflows/secnumcloud/registre.ts',
    "import '@jalon/projections';",
    'libs/projections/index.ts',
  ],
  'versions-stand-alone': [
    'workflows/secnumcloud/v2/facts.ts',
    "import '../v1/facts.ts';",
    'workflows/secnumcloud/v1/facts.ts',
  ],
  'journal-knows-flow-at-most': ['libs/journal/merkle.ts', "import '@jalon/proof';", 'libs/proof/index.ts'],
  'libs-side-by-side': [
    'libs/delivery/timeline.ts',
    "import type {} from '@jalon/projections';",
    'libs/projections/index.ts',
  ],
  'libs-know-no-procedure': ['libs/engine/open.ts', "import '@jalon/workflows';", 'workflows/index.ts'],
  'nothing-imports-apps': ['libs/proof/server.ts', "import '../../apps/api/app.ts';", 'apps/api/app.ts'],
  'apps-stand-apart': ['apps/api/screens.ts', "import '../console/page.tsx';", 'apps/console/page.tsx'],
  'console-talks-http': ['apps/console/envelope.tsx', "import type {} from '@jalon/journal';", 'libs/journal/index.ts'],
  'packages-have-one-door': [
    'apps/api/shortcut.ts',
    "import '../../libs/journal/journal.sqlite.ts';",
    'libs/journal/journal.sqlite.ts',
  ],
  'no-cycles': ['apps/api/egg.ts', "import './hen.ts';", 'apps/api/hen.ts'],
  'sqlite-in-its-place': ['libs/engine/cache.ts', "import 'better-sqlite3';", 'node_modules/better-sqlite3/index.js'],
  'kysely-in-its-place': ['apps/api/list.controller.ts', "import 'kysely';", 'node_modules/kysely/index.js'],
  'eventstore-in-its-place': [
    'libs/journal/catch-up.eventstore.ts',
    "import type {} from '@eventstore/db-client';",
    'node_modules/@eventstore/db-client/index.js',
  ],
  'postgres-in-its-place': ['libs/delivery/queue.ts', "import 'pg';", 'node_modules/pg/index.js'],
  'xstate-in-its-place': ['apps/api/diagram.ts', "import type {} from 'xstate';", 'node_modules/xstate/index.js'],
  'product-imports-no-test-aid': ['apps/api/demo.ts', "import '../../test/given.ts';", 'test/given.ts'],
  'declared-where-used': ['libs/proof/id.ts', "import 'uuid';", 'node_modules/uuid/index.js'],
  'everything-resolves': ['apps/api/lost.ts', "import './nowhere.ts';", './nowhere.ts'],
};

/** What a planted file needs beside it. */
const accomplices: Record<string, string> = { 'apps/api/hen.ts': "import './egg.ts';" };

const declared = [
  'xstate',
  'class-validator',
  'class-transformer',
  'class-validator-jsonschema',
  'reflect-metadata',
].concat(['better-sqlite3', 'kysely', 'pg', '@eventstore/db-client', 'react', 'fast-check', '@jest/globals']);
const folders = ['apps/api', 'apps/cli', 'apps/console', 'workflows'].concat(
  ['flow', 'journal', 'engine', 'projections', 'delivery', 'proof'].map((library) => `libs/${library}`),
);

/** A tree with the layout of this repository, its packages linked as npm links workspaces, npm packages empty. */
function plant(...trees: Record<string, string>[]): string {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'jalon-dependencies-')));
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(scratch, file)), { recursive: true });
    writeFileSync(join(scratch, file), text);
  };
  for (const name of [...declared, 'uuid']) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    write(`node_modules/${name}/index.js`, '');
  }
  mkdirSync(join(scratch, 'node_modules/@jalon'), { recursive: true });
  const dependencies = Object.fromEntries(declared.map((name) => [name, '1.0.0']));
  for (const folder of folders) {
    const name = folder.replace(/^.*\//, '');
    const exports = { '.': './index.ts', ...(name === 'journal' && { './contract': './contract.ts' }) };
    write(`${folder}/package.json`, JSON.stringify({ name: `@jalon/${name}`, type: 'module', exports, dependencies }));
    symlinkSync(join('../..', folder), join(scratch, 'node_modules/@jalon', name));
  }
  for (const [file, text] of trees.flatMap((tree) => Object.entries(tree))) write(file, text);
  return scratch;
}

describe('which way dependencies go', () => {
  let found: string[] = [];
  let clean = '';
  let spoilt = '';

  beforeAll(async () => {
    clean = plant(allowed);
    const careless = Object.fromEntries(Object.values(planted).map(([file, text]) => [file, text]));
    spoilt = plant(allowed, careless, accomplices);
    found = (await inspect(spoilt)).violations;
  });

  afterAll(() => {
    for (const scratch of [clean, spoilt]) rmSync(scratch, { recursive: true, force: true });
  });

  test('every rule has a planted violation', () => {
    expect(Object.keys(planted).sort()).toEqual(forbidden.map((rule) => rule.name).sort());
  });

  test('every rule says why it exists', () => {
    expect(forbidden.filter((rule) => !rule.comment || rule.severity !== 'error')).toEqual([]);
  });

  test('a tree that keeps the rules is left in peace', async () => {
    const { modules, violations } = await inspect(clean);
    expect(violations).toEqual([]);
    expect(modules).toBeGreaterThanOrEqual(Object.keys(allowed).length);
  });

  test.each(Object.keys(planted))('%s bites', (name) => {
    const [file, , to] = planted[name]!;
    expect(found).toContain(`${name}: ${file} -> ${to}`);
  });

  test('nothing is accused that was not planted', () => {
    const guilty = [...Object.values(planted).map(([file]) => file), ...Object.keys(accomplices)];
    expect(found.filter((violation) => !guilty.includes(violation.replace(/^.*?: | -> .*$/g, '')))).toEqual([]);
  });

  test('a deep import by the name of the package is no way in either', async () => {
    const scratch = plant(allowed, { 'apps/api/deep.ts': "import '@jalon/journal/envelope.ts';" });
    try {
      expect((await inspect(scratch)).violations).toContain(
        'packages-have-one-door: apps/api/deep.ts -> @jalon/journal/envelope.ts',
      );
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });

  test('this repository keeps the rules', async () => {
    const { modules, violations } = await inspect(root);
    expect(violations).toEqual([]);
    expect(modules).toBeGreaterThan(0);
  });
});
