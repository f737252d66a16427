import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');

/** What is bundled: the programs, by the name of their file in dist/. */
const programs = { api: 'apps/api/main.ts', cli: 'apps/cli/main.ts', verifier: 'apps/cli/verifier.ts' };

/** Where their sources are; the console is built by Vite, on its own. */
const sources = ['apps/api', 'apps/cli', 'libs', 'workflows'];
const settings = ['build.mjs', 'package-lock.json', 'tsconfig.base.json'];

/** The console: its sources, and the page that stands for all of its files in dist/console/. */
const screens = 'apps/console';
const page = join(dist, 'console/index.html');

/**
 * Bundles the programs and the console into dist/ when a source is newer than what is there, and says where the programs
 * are.
 *
 * Files appear in dist/ by renaming, so that a program may start, or another build run, at any moment. Rolldown and Vite
 * are loaded only when there is something to do: an installation without development packages starts what was built.
 *
 * @param {{ force?: boolean, silent?: boolean }} options `force` empties dist/ first; `silent` prints nothing.
 * @returns {Promise<Record<string, string>>} name of the program -> file URL of its bundle
 */
export async function build({ force = false, silent = false } = {}) {
  const began = performance.now();
  const present = Object.entries(programs).filter(([, main]) => existsSync(join(root, main)));
  const bundles = present.map(([name]) => join(dist, `${name}.mjs`));
  const say = (line) => silent || process.stdout.write(`${line}\n`);

  if (force) rmSync(dist, { recursive: true, force: true });
  if (present.length === 0) say('build: no program to bundle');
  else if (newest(sources, settings) <= oldest(bundles)) say(`build: dist/ is up to date (${names(present)})`);
  else {
    await bundle(Object.fromEntries(present.map(([name, main]) => [name, join(root, main)])));
    say(`build: ${names(present)} in ${since(began)}`);
  }
  if (existsSync(join(root, screens)) && newest([screens], settings) > oldest([page])) {
    const start = performance.now();
    say('build: the console has changed; this takes a few seconds');
    await buildConsole();
    say(`build: dist/console in ${since(start)}`);
  }
  return Object.fromEntries(present.map(([name]) => [name, pathToFileURL(join(dist, `${name}.mjs`)).href]));
}

const names = (present) => present.map(([name]) => `dist/${name}.mjs`).join(', ');
const since = (start) => `${((performance.now() - start) / 1000).toFixed(1)} s`;

/** Builds the console by Vite, in a process of its own: what it needs of memory is not the server's to keep. */
async function buildConsole() {
  const started = new Date();
  mkdirSync(dist, { recursive: true });
  const beside = mkdtempSync(join(dist, 'console-'));
  try {
    const vite = join(root, 'node_modules/vite/bin/vite.js');
    const options = ['--outDir', beside, '--emptyOutDir', '--logLevel', 'error'];
    // Whoever asks for it, a test for instance, what is served is meant for production.
    const env = { ...process.env, NODE_ENV: 'production' };
    const child = spawn(process.execPath, [vite, 'build', screens, ...options], { cwd: root, stdio: 'inherit', env });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error('The console could not be built: what Vite says is above.');
    await compress(beside);
    const files = readdirSync(join(beside, 'assets'));
    mkdirSync(join(dist, 'console/assets'), { recursive: true });
    // The page last: whoever is given it finds the files that it names.
    for (const file of files) renameSync(join(beside, 'assets', file), join(dist, 'console/assets', file));
    utimesSync(join(beside, 'index.html'), started, started);
    renameSync(join(beside, 'index.html'), page);
    for (const file of readdirSync(join(dist, 'console/assets')))
      if (!files.includes(file)) rmSync(join(dist, 'console/assets', file), { force: true });
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

/** Scripts, styles and pictures are also kept compressed, so that serving them costs nothing. */
async function compress(folder) {
  for (const file of readdirSync(join(folder, 'assets'))) {
    if (!/\.(js|css|svg)$/.test(file)) continue;
    const path = join(folder, 'assets', file);
    const bytes = readFileSync(path);
    const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };
    writeFileSync(`${path}.br`, await promisify(brotliCompress)(bytes, quality));
    writeFileSync(`${path}.gz`, await promisify(gzip)(bytes, { level: 9 }));
  }
}

async function bundle(input) {
  // Bundles get this date: a source saved while they are being made is newer than they are.
  const started = new Date();
  const { rolldown } = await import('rolldown');
  const made = await rolldown({
    input,
    cwd: root,
    platform: 'node',
    tsconfig: join(root, 'tsconfig.base.json'),
    plugins: [{ name: 'jalon-npm-packages-stay-outside', resolveId: outside }],
  });
  const { output } = await made.generate({
    format: 'esm',
    sourcemap: true,
    keepNames: true,
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
  });
  await made.close();

  mkdirSync(dist, { recursive: true });
  // Entries last: whoever sees a new entry finds its chunks.
  for (const file of output.toSorted((a, b) => Number(a.isEntry ?? false) - Number(b.isEntry ?? false))) {
    place(file.fileName, (target) => writeFileSync(target, file.type === 'asset' ? file.source : file.code), started);
  }
  for (const worker of workers()) place(basename(worker), (target) => copyFileSync(worker, target), started);
  // Chunks of earlier builds: whoever runs one has it in memory.
  const fresh = new Set([...output.map(({ fileName }) => fileName), ...workers().map((worker) => basename(worker))]);
  const isChunk = (file) => /-[\w-]{8}\.mjs(\.map)?$/.test(file);
  for (const file of readdirSync(dist))
    if (isChunk(file) && !fresh.has(file)) rmSync(join(dist, file), { force: true });
}

/** Writes beside, then renames: nobody ever reads half a file. */
function place(fileName, write, date) {
  const target = join(dist, fileName);
  const beside = `${target}.${process.pid}`;
  write(beside);
  utimesSync(beside, date, date);
  renameSync(beside, target);
}

/**
 * Own packages are bundled, npm's stay outside. A package that npm nested (libs/engine/node_modules/…) would not be
 * found from dist/: it is named by its path from there.
 */
async function outside(specifier, importer) {
  const name = /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[1];
  const inside = /^(\.|@jalon\/|@oxc-project\/|\0)/.test(specifier) || isAbsolute(specifier);
  if (inside || !importer || !name) return null;
  if (isBuiltin(specifier)) return { id: specifier, external: true };
  for (
    let folder = dirname(resolve(root, importer));
    folder !== root && folder.startsWith(root);
    folder = dirname(folder)
  ) {
    if (!existsSync(join(folder, 'node_modules', name))) continue;
    const nested = await this.resolve(specifier, importer, { skipSelf: true });
    if (nested) return { id: relative(dist, nested.id).replaceAll('\\', '/'), external: 'absolute' };
  }
  return { id: specifier, external: true };
}

/** Plain files that a worker thread is started from, as `new URL('./writer.sqlite.mjs', import.meta.url)` finds them. */
function workers() {
  const libs = join(root, 'libs');
  const found = readdirSync(libs).flatMap((lib) =>
    readdirSync(join(libs, lib))
      .filter((file) => /^writer\..*mjs$/.test(file))
      .map((file) => join(libs, lib, file)),
  );
  const twice = found.find((file, index) => found.findIndex((other) => basename(other) === basename(file)) !== index);
  if (twice)
    throw new Error(`Two libraries have a worker named ${basename(twice)}: they would overwrite each other in dist/.`);
  return found;
}

/** Date of the last change under these folders and files; a folder's own date tells of files that went away. */
function newest(folders, files) {
  const date = (path) => statSync(path).mtimeMs;
  const walk = (folder) =>
    readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => !['node_modules', 'dist'].includes(name) && !/\.spec\.tsx?$|\.md$|\.png$/.test(name))
      .reduce(
        (last, entry) => Math.max(last, (entry.isDirectory() ? walk : date)(join(folder, entry.name))),
        date(folder),
      );
  const present = (path) => existsSync(path);
  return Math.max(
    ...folders
      .map((folder) => join(root, folder))
      .filter(present)
      .map(walk),
    ...files
      .map((file) => join(root, file))
      .filter(present)
      .map(date),
  );
}

/** Date of the oldest of these files, or -Infinity when one is missing. */
const oldest = (files) => Math.min(...files.map((file) => (existsSync(file) ? statSync(file).mtimeMs : -Infinity)));

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await build({ force: process.argv.includes('--force') });
}
