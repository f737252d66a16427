import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from './eventually.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** How long a process may take for what it is asked. */
const PATIENCE_MS = 20_000;

/** How long it may take to start where others are starting too, and clients wait. */
const LONG_MS = 90_000;

/** Bundles what the sources say now, as `npm start` does. */
export function buildProduct(): void {
  execFileSync(process.execPath, ['build.mjs'], { cwd: ROOT });
}

/** A program of the product in a process of its own, and what it printed so far. */
export class ProductProcess {
  stdout = '';
  stderr = '';
  /** Its exit code, null when a signal ended it; resolves once its output is complete. */
  readonly exit: Promise<number | null>;
  readonly #process: ChildProcess;
  #ended = false;
  #heard = () => {};

  constructor(script: string, args: readonly string[], env: Record<string, string>) {
    const quiet = { LOG_LEVEL: 'error', JALON_SAMPLE: 'none', PORT: '0' };
    // Nothing of the environment that tests run in but what every program needs.
    const { PATH = '', HOME = '', TMPDIR } = process.env;
    this.#process = spawn(process.execPath, [script, ...args], {
      cwd: ROOT,
      env: { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), ...quiet, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const name of ['stdout', 'stderr'] as const)
      this.#process[name]?.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text;
        this.#heard();
      });
    this.exit = once(this.#process, 'close').then(([code]) => {
      this.#ended = true;
      this.#heard();
      return code as number | null;
    });
  }

  /** The first match of what it prints, waiting for it; rejects when it ends before, or takes too long. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const match = pattern.exec(this.stdout);
      if (match) return match;
      const failed = this.#ended ? 'It ended' : Date.now() > deadline ? 'It took too long' : null;
      if (failed) throw new Error(`${failed} before it said ${pattern}: ${this.stdout}${this.stderr}`);
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, PATIENCE_MS);
        this.#heard = () => {
          clearTimeout(late);
          resolve();
        };
      });
    }
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): void {
    this.#process.kill(signal);
  }
}

/** The server on a data folder and a free port, in a process of its own. */
export class ServerProcess extends ProductProcess {
  url = '';

  /** Starts the bundled server, or another launcher of it, and waits until it listens. */
  static async start(
    folder: string,
    env: Record<string, string> = {},
    script = 'dist/api.mjs',
  ): Promise<ServerProcess> {
    const server = new ServerProcess(script, [], { JALON_DATA: folder, ...env });
    [, server.url = ''] = await server.says(/Jalon écoute sur (\S+)/);
    return server;
  }

  /** Starts one that says nothing once it listens, since others make its tokens, on this port; waits until it lives. */
  static async startOn(port: number, folder: string, env: Record<string, string>): Promise<ServerProcess> {
    const server = new ServerProcess('dist/api.mjs', [], { JALON_DATA: folder, ...env, PORT: String(port) });
    server.url = `http://127.0.0.1:${port}`;
    await until(async () => {
      if (server.hasEnded) throw new Error(`It ended before it lived: ${server.stdout}${server.stderr}`);
      return server.send('GET', '/health/live').then(
        ({ status }) => status === 200,
        () => false,
      );
    }, LONG_MS);
    return server;
  }

  /** A demonstration token. */
  async token(role: string): Promise<string> {
    const answer = await this.send('POST', '/api/demo/token', { body: { role } });
    return answer.body.access_token;
  }

  /** A request; `body` is sent as JSON. @throws NoAnswer */
  async send(
    method: string,
    path: string,
    { token, body, key }: { token?: string; body?: unknown; key?: string } = {},
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  ): Promise<{ status: number; body: any; headers: Headers }> {
    const request: RequestInit = {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key ? { 'idempotency-key': key } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    try {
      const response = await fetch(this.url + path, request);
      return { status: response.status, body: await response.json(), headers: response.headers };
    } catch (cause) {
      throw new NoAnswer(`${method} ${path}`, { cause });
    }
  }
}

/** The connection was refused, or cut before the answer was whole. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}
