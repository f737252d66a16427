import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The whole check, `npm test`: everything that can be said of the sources without running them, two steps at a time,
 * then every test. Arguments go to jest (`npm test -- libs/journal`); `--long` makes the campaigns long.
 * A step shows its output only when it failed; the last line is always « N passed, N failed ».
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const node = process.execPath;
const bin = (name) => join(root, 'node_modules/.bin', name);

/** A step that has nothing to do yet (`needs` is missing) is left out, and said to be. */
const steps = [
  ...['.', ...apps()].map((folder) => ({
    name: `types${folder === '.' ? '' : ` of ${folder}`}`,
    command: [bin('tsc'), '-p', folder, '--noEmit', '--incremental', '--tsBuildInfoFile', memory(folder)],
  })),
  {
    name: 'format and lint',
    command: [bin('biome'), 'ci', '--error-on-warnings', `--colors=${process.stdout.isTTY ? 'force' : 'off'}`, '.'],
  },
  {
    name: 'dependencies',
    command: [bin('depcruise'), '--config', '.dependency-cruiser.mjs', 'apps', 'libs', 'workflows', 'test'],
  },
  { name: 'unused code', command: [bin('knip'), '--no-progress', '--no-config-hints'] },
  {
    name: 'generated files',
    command: [node, 'test/generate.mjs', '--check'],
    needs: 'test/generate.mjs',
  },
  { name: 'build', command: [node, 'build.mjs'] },
  { name: 'nx projects', command: [bin('nx'), 'show', 'projects'] },
];

/** Apps with TypeScript settings of their own (the console: DOM, JSX). */
function apps() {
  const folders = readdirSync(join(root, 'apps')).map((app) => `apps/${app}`);
  return folders.filter((folder) => existsSync(join(root, folder, 'tsconfig.json')));
}

/** Where tsc remembers what it checked, so that the next check looks at what changed. */
function memory(folder) {
  return join(root, 'node_modules/.cache/jalon', `${folder.replaceAll(/\W/g, '-')}.tsbuildinfo`);
}

const say = (line) => process.stdout.write(`${line}\n`);
const since = (start) => `${((performance.now() - start) / 1000).toFixed(1)} s`.padStart(7);

/** Process groups of detached commands. */
const groups = new Set();

/** Ends detached commands and all that they started. */
function endAll() {
  for (const group of groups)
    try {
      process.kill(-group, 'SIGKILL');
    } catch {
      // Nothing of it is left.
    }
  groups.clear();
}

/** Runs a command; resolves to its exit code (1 when a signal ended it or it could not start) and what it printed. */
function run([program, ...args], { env = {}, stdio = ['ignore', 'pipe', 'pipe'], detached = false } = {}) {
  return new Promise((done) => {
    const colour = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
    const child = spawn(program, args, { cwd: root, env: { ...process.env, ...colour, ...env }, stdio, detached });
    if (detached) groups.add(child.pid);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += text));
    child.on('error', (error) => done({ code: 1, output: String(error) }));
    child.on('close', (code) => done({ code: code ?? 1, output }));
  });
}

/** Runs the static steps, two at a time; resolves to the number of those that failed. */
async function inspect() {
  const waiting = [...steps];
  let failed = 0;
  const work = async () => {
    for (let step = waiting.shift(); step; step = waiting.shift()) {
      if (step.needs && !existsSync(join(root, step.needs))) {
        say(`-         ${step.name}: there is no ${step.needs} yet`);
        continue;
      }
      const start = performance.now();
      const { code, output } = await run(step.command);
      say(`${code === 0 ? '✓' : '✗'} ${since(start)} ${step.name}`);
      if (code === 0) continue;
      failed += 1;
      say(output.trimEnd());
    }
  };
  await Promise.all([work(), work()]);
  return failed;
}

/** What never ends is ended: a test that hangs must fail, not hold up whoever waits for the last line. */
const LONGEST_MS = 25 * 60_000;

/**
 * Runs every test once; resolves to jest's exit code and its report, null when it wrote none. Whatever a test started and
 * left running ends with it.
 */
async function test(args, long) {
  const folder = mkdtempSync(join(tmpdir(), 'jalon-check-'));
  const report = join(folder, 'jest.json');
  const start = performance.now();
  const stop = () => endAll();
  const late = () => {
    say(`✗ ${since(start)} the tests did not end: the file that hangs is one that printed neither PASS nor FAIL`);
    endAll();
  };
  const timer = long ? undefined : setTimeout(late, LONGEST_MS);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
  try {
    const { code } = await run(
      [
        ...[
          node,
          '--experimental-vm-modules',
          '--disable-warning=ExperimentalWarning',
          fileURLToPath(import.meta.resolve('jest/bin/jest')),
        ],
        ...['--ci', '--json', `--outputFile=${report}`, ...args],
      ],
      { env: long ? { JALON_TEST: 'long' } : {}, stdio: 'inherit', detached: true },
    );
    say(`${code === 0 ? '✓' : '✗'} ${since(start)} tests`);
    return { code, report: existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : null };
  } finally {
    clearTimeout(timer);
    endAll();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The closing line, and whether all is well. A step that failed, a spec file that could not run, a jest that failed
 * without saying where, and a run without a single test each count as one failure.
 *
 * @param {number} steps static steps that failed
 * @param {{ code: number, report: null | { numPassedTests: number, numFailedTests: number, numPendingTests: number,
 *   numTodoTests: number, numRuntimeErrorTestSuites: number } }} tests
 */
export function close(steps, { code, report }) {
  const passed = report?.numPassedTests ?? 0;
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  let failed = steps + (report?.numFailedTests ?? 0) + (report?.numRuntimeErrorTestSuites ?? 0);
  if (failed === steps && (code !== 0 || passed === 0)) failed += 1;
  const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  return { line, well: failed === 0 };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const failedSteps = await inspect();
  const tests = await test(
    args.filter((arg) => arg !== '--long' && arg !== '--'),
    args.includes('--long'),
  );
  const { line, well } = close(failedSteps, tests);
  process.exitCode = well ? 0 : 1;
  say(line);
}
