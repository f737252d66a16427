import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { close } from './check.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const text = (file: string) => readFileSync(join(root, file), 'utf8');

/** What installing, building and running leave behind; git ignores it. */
const leftBehind = ['.git', '.nx', '.stryker-tmp', 'coverage', 'data', 'dist', 'node_modules', 'reports'];

const topLevel = readdirSync(root).filter((name) => !leftBehind.includes(name));

/** Every file of the repository, by its path from the root. */
const files = topLevel.flatMap((name) => (statSync(join(root, name)).isDirectory() ? walk(join(root, name)) : [name]));

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules' && name !== 'dist')
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? walk(path) : [relative(root, path)];
    });
}

const libraries = readdirSync(join(root, 'libs'));
const manifests = files.filter((file) => /(^|\/)package\.json$/.test(file));

describe('the repository', () => {
  test('has the agreed top level, and nothing else', () => {
    const agreed = {
      product: ['apps', 'libs', 'workflows', 'test'],
      documents: ['README.md', 'DECISIONS.md', 'LICENSE'],
      packages: ['package.json', 'package-lock.json', '.npmrc', '.node-version', 'nx.json'],
      language: ['tsconfig.base.json', 'tsconfig.json', '.swcrc', 'build.mjs'],
      quality: ['biome.json', '.dependency-cruiser.mjs', 'knip.jsonc', 'jest.config.mjs', 'stryker.config.json'],
      delivery: ['.ci', '.github', '.gitignore', '.dockerignore', 'Dockerfile', 'compose.yaml'],
    };
    const known = Object.values(agreed).flat();
    expect(topLevel.filter((name) => !known.includes(name))).toEqual([]);
    expect(topLevel).toEqual(expect.arrayContaining([...agreed.product, 'LICENSE', 'package-lock.json', 'nx.json']));
  });

  test.each(manifests)('%s names exact versions only', (file) => {
    const manifest = JSON.parse(text(file)) as Record<string, Record<string, unknown>>;
    const versions = [
      'dependencies',
      'devDependencies',
      'optionalDependencies',
      'peerDependencies',
      'overrides',
    ].flatMap((kind) => leaves(manifest[kind] ?? {}));
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });

  test('one version of a package serves every workspace', () => {
    const asked = new Map<string, Set<string>>();
    for (const file of manifests) {
      const manifest = JSON.parse(text(file)) as Record<string, Record<string, string> | undefined>;
      for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
        asked.set(name, (asked.get(name) ?? new Set()).add(version));
      }
    }
    expect([...asked].filter(([, versions]) => versions.size > 1)).toEqual([]);
  });

  test('has a lock file that names no registry', () => {
    const lock = JSON.parse(text('package-lock.json')) as { packages: Record<string, { resolved?: string }> };
    const remote = Object.entries(lock.packages).filter(([, { resolved }]) => /^(https?|git)/.test(resolved ?? ''));
    expect(remote).toEqual([]);
  });

  test.each(libraries)('libs/%s is one flat folder with one door', (library) => {
    const folder = join(root, 'libs', library);
    const inside = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => name !== 'node_modules');
    expect(inside.filter((entry) => entry.isDirectory()).map(({ name }) => name)).toEqual([]);
    expect(existsSync(join(folder, 'index.ts'))).toBe(true);
    const { name, exports } = JSON.parse(text(`libs/${library}/package.json`));
    expect(name).toBe(`@jalon/${library}`);
    expect(exports).toMatchObject({ '.': './index.ts' });
  });

  test('leaves nothing for later, and no test alone or asleep', () => {
    // Written in pieces, so that this file does not accuse itself.
    const marks = new RegExp(
      [
        `\\b(TO${'DO'}|FIX${'ME'})\\b`,
        `\\b(describe|it|test)\\.on${'ly'}\\b`,
        `\\b[fx](describe|it)\\(`,
        `\\b(it|test)\\.to${'do'}\\b`,
      ].join('|'),
    );
    const read = ['.ts', '.tsx', '.mjs', '.md', '.json', '.jsonc', '.yml', '.yaml', '.css', ''];
    const guilty = files
      .filter((file) => read.includes(extname(file)) && file !== 'package-lock.json')
      .filter((file) => marks.test(text(file)));
    expect(guilty).toEqual([]);
  });

  test('decides without clock, chance or process in flow and workflows', () => {
    const impure = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\brandomUUID\(|\bprocess\.env\b/;
    const pure = files.filter((file) => /^(libs\/flow|workflows)\/.*(?<!\.spec)\.ts$/.test(file));
    expect(pure.filter((file) => impure.test(text(file)))).toEqual([]);
  });
});

describe('the closing line of the check', () => {
  type Report = NonNullable<Parameters<typeof close>[1]['report']>;

  const report = (given: Partial<Report>): Report => ({
    ...{ numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, numRuntimeErrorTestSuites: 0 },
    ...given,
  });

  test.each([
    ['every test passed', 0, 0, report({ numPassedTests: 7 }), '7 passed, 0 failed', true],
    [
      'some were skipped',
      0,
      0,
      report({ numPassedTests: 7, numPendingTests: 2 }),
      '7 passed, 0 failed, 2 skipped',
      true,
    ],
    ['one failed', 0, 1, report({ numPassedTests: 7, numFailedTests: 1 }), '7 passed, 1 failed', false],
    [
      'a spec file could not run',
      0,
      1,
      report({ numPassedTests: 7, numRuntimeErrorTestSuites: 1 }),
      '7 passed, 1 failed',
      false,
    ],
    ['two steps before the tests failed', 2, 0, report({ numPassedTests: 7 }), '7 passed, 2 failed', false],
    ['a step and a test failed', 1, 1, report({ numPassedTests: 7, numFailedTests: 1 }), '7 passed, 2 failed', false],
    ['jest failed without saying where', 0, 1, report({ numPassedTests: 7 }), '7 passed, 1 failed', false],
    ['jest wrote no report', 0, 1, null, '0 passed, 1 failed', false],
    ['no test ran', 0, 0, report({ numPendingTests: 3 }), '0 passed, 1 failed, 3 skipped', false],
  ])('when %s', (_, steps, code, jest, line, well) => {
    expect(close(steps, { code, report: jest })).toEqual({ line, well });
  });
});

/** The versions in a (possibly nested, as overrides are) map of packages, by name. */
function leaves(map: Record<string, unknown>): [string, string][] {
  return Object.entries(map).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as [string, string]] : leaves(value as Record<string, unknown>),
  );
}
