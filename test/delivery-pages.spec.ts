import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type EventStore, startEventStore } from './eventstore/server.ts';
import { until } from './eventually.ts';
import { freePort } from './free-port.ts';
import { lead, parties, propose, type Tokens } from './parties.ts';
import { announced, missingLine, outputsOf, problemsIn, promisesOf, sessionOf } from './readme.ts';
import { type Running, run } from './running.ts';
import { upTo, walkToJ3 } from './walk.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const page = readFileSync(join(ROOT, 'libs/delivery/README.md'), 'utf8');
const CONSUMER = /^<!-- consumer: ([\w.]+) -->\n+```\w+\n([\s\S]*?)^```$/gm;
const consumers = new Map([...page.matchAll(CONSUMER)].map(([, name, text]) => [name as string, text as string]));

/** What runs a consumer, by the end of its name; Node is always there. */
const RUNNERS: Readonly<Record<string, readonly string[]>> = {
  ts: [process.execPath, '--import', '@swc-node/register/esm-register'],
  py: ['python3'],
  sh: ['bash'],
};
const answers = (program: string) => spawnSync(program, ['--version']).status === 0;
const missing = ['python3', 'curl'].filter((program) => !answers(program));
if (missing.length > 0) process.stdout.write(`delivery-pages: ${missing.join(' and ')} do not answer: not run.\n`);
const runs = (name: string) => !missing.some((program) => name.endsWith(program === 'curl' ? '.sh' : '.py'));

/** Consumers are looked for packages from where they lie: within the repository, in a folder that git ignores. */
const scratch = mkdtempSync(join(mkdirp(join(ROOT, 'reports')), 'consumers-'));

function mkdirp(folder: string): string {
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** A consumer of the page in a process of its own, in a folder where it keeps its place, and what it printed. */
class Consumer {
  printed = '';
  #complaint = '';
  readonly #ended: Promise<unknown>;

  constructor(
    name: string,
    folder: string,
    env: Record<string, string>,
    private readonly child: ChildProcess = Consumer.#start(name, folder, env),
  ) {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.printed += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint += text;
    });
    this.#ended = once(child, 'close');
  }

  static #start(name: string, folder: string, env: Record<string, string>): ChildProcess {
    const file = join(folder, name);
    writeFileSync(file, consumers.get(name) as string);
    const [program = '', ...args] = RUNNERS[name.split('.')[1] as string] as readonly string[];
    const { PATH = '', HOME = '' } = process.env;
    const own = { PATH, HOME, TS_NODE_PROJECT: join(ROOT, 'tsconfig.base.json') };
    // A shell's consumer is several processes: they end together.
    return spawn(program, [...args, file], { cwd: folder, env: { ...own, ...env }, detached: true });
  }

  /** Until it printed so many lines that match. */
  async says(pattern: RegExp, count = 1): Promise<void> {
    const found = () => this.printed.split('\n').filter((line) => pattern.test(line)).length;
    await until(async () => {
      if (this.child.exitCode !== null && found() < count)
        throw new Error(`It ended (${this.child.exitCode}): ${this.printed}${this.#complaint}`);
      return found() >= count;
    });
  }

  get lines(): string[] {
    return this.printed.split('\n').filter((line) => /^J\d /.test(line));
  }

  async stop(): Promise<void> {
    try {
      process.kill(-(this.child.pid as number), 'SIGKILL');
    } catch {
      // It has ended.
    }
    await this.#ended;
  }
}

let server: Running;
let tokens: Tokens;
let id: string;
let started: Consumer[] = [];

beforeAll(async () => {
  server = await run({
    now: () => new Date(),
    env: { JALON_WEBHOOK_ALLOW: '127.0.0.0/8' },
  });
  tokens = await parties(server);
  id = await lead(server, tokens, upTo('j0.acceptee'));
});
afterEach(async () => {
  for (const consumer of started) await consumer.stop();
  started = [];
});
afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

function consume(name: string, folder: string, env: Record<string, string>): Consumer {
  const consumer = new Consumer(name, folder, env);
  started.push(consumer);
  return consumer;
}

/** Opens a dossier that is about to cross J0, and gives what crosses it. */
async function readyForJ0(): Promise<{ dossier: string; cross: () => Promise<unknown> }> {
  const walk = upTo('j0.acceptee');
  const dossier = await lead(server, tokens, walk.slice(0, -1));
  return { dossier, cross: () => propose(server, tokens, dossier, walk.at(-1) as never) };
}

const crossings = () => walkToJ3().slice(7, 11);
const J0 = (dossier: string) => `J0 2024-10-15 ${dossier}`;
const J1 = (dossier: string) => `J1 2025-01-13 ${dossier}`;

test('the page has a consumer in each language for each way, and no other block is taken for one', () => {
  const ways = ['stream', 'feed', 'webhook'].flatMap((way) => ['ts', 'py', 'sh'].map((end) => `${way}.${end}`));
  expect([...consumers.keys()]).toEqual([...ways, 'eventstore.ts']);
  expect([...page.matchAll(/<!-- consumer/g)]).toHaveLength(consumers.size);
});

describe('the example of the page, pasted into a shell beside a server', () => {
  const promises = promisesOf(page);
  (runs('.sh') ? test : test.skip)(
    'shows what it promises',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'jalon-page-'));
      const { PATH = '', HOME = '' } = process.env;
      const script = `set -m\n${sessionOf(promises)}`;
      const shell = spawn('bash', ['-c', script], { cwd: folder, env: { PATH, HOME, BASE: server.url } });
      let printed = '';
      shell.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
      let complaint = '';
      shell.stderr.setEncoding('utf8').on('data', (text: string) => {
        complaint += text;
      });
      const [code] = await once(shell, 'close');
      rmSync(folder, { recursive: true, force: true });
      expect([code, code === 0 ? '' : complaint]).toEqual([0, '']);
      const outputs = outputsOf(printed);
      for (const [i, { script: block, shows }] of promises.entries()) {
        const output = outputs[i] ?? '';
        expect({ problems: problemsIn(output), output }).toEqual({ problems: announced(block), output });
        for (const { text } of shows)
          expect({ missing: missingLine(output, text), output }).toEqual({ missing: null, output });
        // Exactly: J0 once, J1 once.
        expect(output.trim().split('\n')).toHaveLength(2);
      }
    },
    60_000,
  );
});

describe.each(['stream.ts', 'stream.py', 'stream.sh'])('%s', (name) => {
  (runs(name) ? test : test.skip)(
    'is told at once, and after an absence goes on where it was',
    async () => {
      const folder = mkdtempSync(join(scratch, 'c-'));
      const env = { JALON: server.url, TOKEN: tokens.abonne };
      const first = consume(name, folder, env);
      await first.says(/^listening$/);
      const { dossier, cross } = await readyForJ0();
      await cross();
      await first.says(/^J0 /);
      await until(async () => existsSync(join(folder, 'cursor')) && readFileSync(join(folder, 'cursor')).length > 0);
      await first.stop();
      expect(first.lines).toEqual([J0(dossier)]);
      for (const step of crossings()) await propose(server, tokens, dossier, step);
      const second = consume(name, folder, env);
      await second.says(/^J1 /);
      expect(second.lines).toEqual([J1(dossier)]);
    },
    60_000,
  );
});

describe.each(['feed.ts', 'feed.py', 'feed.sh'])('%s', (name) => {
  (runs(name) ? test : test.skip)(
    'gets everything from the first fact on, and goes on with nothing but a cursor',
    async () => {
      const folder = mkdtempSync(join(scratch, 'c-'));
      const env = { JALON: server.url, TOKEN: tokens.abonne };
      const first = consume(name, folder, env);
      await first.says(/^J0 /);
      expect(first.lines[0]).toBe(J0(id));
      const { dossier, cross } = await readyForJ0();
      await cross();
      await first.says(new RegExp(`^${J0(dossier)}$`));
      const kept = () => (existsSync(join(folder, 'next')) ? readFileSync(join(folder, 'next'), 'utf8') : '');
      const place = kept();
      await until(async () => kept() !== place || kept().includes('after='));
      const end = await server.call(tokens.abonne, 'GET', '/api/feed?limit=200');
      const { next } = { next: /after=([^&>]+)/.exec(end.headers.get('link') ?? '')?.[1] };
      await until(async () => kept().includes(String(next)));
      await first.stop();
      for (const step of crossings()) await propose(server, tokens, dossier, step);
      const second = consume(name, folder, env);
      await second.says(/^J1 /);
      expect(second.lines).toEqual([J1(dossier)]);
    },
    60_000,
  );
});

describe.each(['webhook.ts', 'webhook.py'])('%s', (name) => {
  (runs(name) && runs('.sh') ? test : test.skip)(
    'receives what webhook.sh set up, verifies it, and takes it once',
    async () => {
      const folder = mkdtempSync(join(scratch, 'c-'));
      const port = await freePort();
      const secret = `whsec_${Buffer.alloc(32, name.length).toString('base64')}`;
      const receiver = consume(name, folder, { SECRET: secret, PORT: String(port) });
      await receiver.says(/^listening$/);
      const url = `http://127.0.0.1:${port}/`;
      const setUp = consume('webhook.sh', folder, {
        JALON: server.url,
        TOKEN: tokens.abonne,
        SECRET: secret,
        URL: url,
      });
      await setUp.says(/^webhook /);
      expect(setUp.printed).toMatch(/^test: \{"delivered":true,"status":204\}$/m);
      const webhook = /^webhook (\S+)$/m.exec(setUp.printed)?.[1];
      await receiver.says(new RegExp(`^${J0(id)}$`));
      const { dossier, cross } = await readyForJ0();
      await cross();
      await receiver.says(new RegExp(`^${J0(dossier)}$`));
      expect(receiver.lines).toEqual([...new Set(receiver.lines)]);
      // Whoever does not know the secret is turned away.
      const forged = await fetch(url, {
        method: 'POST',
        headers: { 'webhook-id': 'x', 'webhook-timestamp': '1', 'webhook-signature': 'v1,AAAA' },
        body: '{}',
      });
      expect(forged.status).toBe(401);
      await server.call(tokens.abonne, 'DELETE', `/api/webhooks/${webhook}`);
    },
    60_000,
  );
});

describe('eventstore.ts', () => {
  let store: EventStore;
  let beside: Running;
  beforeAll(async () => {
    store = await startEventStore({ folder: join(scratch, 'eventstore') });
    beside = await run({ env: { ESDB_URL: store.connectionString } });
  }, 60_000);
  afterAll(async () => {
    await beside.stop();
    await store.stop();
  });

  test('reads the same facts with the official client, and goes on where it was', async () => {
    const folder = mkdtempSync(join(scratch, 'c-'));
    const theirs = await parties(beside);
    const dossier = await lead(beside, theirs, upTo('j0.acceptee'));
    const env = { ESDB_URL: store.connectionString };
    const first = consume('eventstore.ts', folder, env);
    await first.says(new RegExp(`^${J0(dossier)}$`));
    await until(async () => existsSync(join(folder, 'position')));
    await first.stop();
    for (const step of crossings()) await propose(beside, theirs, dossier, step);
    const second = consume('eventstore.ts', folder, env);
    await second.says(/^J1 /);
    expect(second.lines).toEqual([J1(dossier)]);
  }, 60_000);
});
