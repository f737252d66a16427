import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { announced, isPromised, missingLine, outputsOf, problemsIn, promisesOf, sessionOf } from './readme.ts';
import { buildProduct, ServerProcess } from './server-process.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const README = join(ROOT, 'README.md');
const promises = existsSync(README) ? promisesOf(readFileSync(README, 'utf8')) : [];

/** Where the README says that the server is, which is the default. */
const ADDRESS = /http:\/\/(localhost|127\.0\.0\.1):3000/g;

describe('The README, pasted into one shell beside a server that was just started', () => {
  let outputs: string[] = [];
  let errors = '';
  let code: number | null = 0;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'jalon-readme-'));
    if (promises.length === 0) return;
    buildProduct();
    const server = await ServerProcess.start(folder, { JALON_SAMPLE: 'public' });
    const { PATH, HOME } = process.env;
    const shell = spawn('bash', ['-c', sessionOf(promises).replace(ADDRESS, server.url)], {
      cwd: ROOT,
      env: { PATH, HOME, TMPDIR: folder, JALON_DATA: folder, LC_ALL: 'C.UTF-8' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
    let printed = '';
    shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    shell.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    [code] = await once(shell, 'close');
    outputs = outputsOf(printed.replaceAll(server.url, 'http://localhost:3000'));
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('runs to its end', () => {
    expect({ blocks: outputs.length, code, errors: code === 0 ? '' : errors }).toEqual({
      blocks: promises.length,
      code: 0,
      errors: '',
    });
  });

  for (const [i, { title, script, shows }] of promises.entries())
    test(`block ${i + 1} shows what it promises: ${title}`, () => {
      const output = outputs[i] ?? '';
      expect({ problems: problemsIn(output), output }).toEqual({ problems: announced(script), output });
      for (const { language, text } of shows)
        if (language === 'json') {
          const [value, promised] = [JSON.parse(output), JSON.parse(text)];
          if (!isPromised(value, promised)) expect(value).toEqual(promised);
        } else expect({ missing: missingLine(output, text), output }).toEqual({ missing: null, output });
    });
});

describe('The runner of READMEs', () => {
  const marked = (...blocks: string[]) => blocks.join('\n\n');
  const RUNS = '<!-- runs -->\n```bash\nNAME=Faou\necho "Le $NAME"\n```';
  const LATER = '<!-- runs -->\n```sh\nprintf \'{"nom":"%s","rang":[1,2,3]}\' "$NAME"\n```';

  test('reads marked blocks and what they promise; other blocks are for the eye', () => {
    const found = promisesOf(
      marked('# Titre', '```bash\nnpm start\n```', RUNS, '<!-- shows -->\n```text\nLe …\n```', LATER),
    );
    expect(found.map(({ title, shows }) => [title, shows.length])).toEqual([
      ['NAME=Faou', 1],
      [expect.stringContaining('printf'), 0],
    ]);
  });

  test('refuses a mark that leads nowhere, and a language that is no shell', () => {
    expect(() => promisesOf(marked('<!-- runs -->', 'du texte'))).toThrow('not followed by a block');
    expect(() => promisesOf('<!-- runs -->\n```ts\n1\n```')).toThrow('not run by a shell');
    expect(() => promisesOf('<!-- shows -->\n```json\n1\n```')).toThrow('Nothing ran');
  });

  test('one shell runs all blocks, so that a later one knows what an earlier one set', async () => {
    const shell = spawn('bash', ['-c', sessionOf(promisesOf(marked(RUNS, LATER)))]);
    let printed = '';
    shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    await once(shell, 'close');
    expect(outputsOf(printed)).toEqual(['Le Faou\n', '{"nom":"Faou","rang":[1,2,3]}']);
  });

  test('a block prints the problems that its comments announce, and no other', () => {
    const problem = (status: number) => JSON.stringify({ type: '/problems/x', title: 'X', status });
    expect(problemsIn(`{"id":"1"}\n${problem(403)}\n${problem(422)}\n`)).toEqual([403, 422]);
    expect(announced('curl a # 403: who may\ncurl b # then\ncurl c   # 422')).toEqual([403, 422]);
  });

  test('« … » stands for anything, nothing else does', () => {
    expect(missingLine('a\n  b 12 c\nd', 'b … c\n…\nd')).toBeNull();
    expect(missingLine('a\nb', 'b\na')).toBe('a');
    expect(missingLine('a.c', 'abc')).toBe('abc');
    const value = { nom: 'Faou', rang: [1, 2, 3], vu: null };
    for (const promised of [{ nom: 'Faou' }, { nom: 'F…u', rang: [1, '…'] }, { rang: [1, 2, 3], vu: '…' }])
      expect(isPromised(value, promised)).toBe(true);
    for (const promised of [{ nom: 'Fa' }, { rang: [1, 2] }, { absent: 1 }, { rang: [2, '…'] }, [1]])
      expect(isPromised(value, promised)).toBe(false);
  });
});
