import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** How long a process may take for what is waited for. */
const PATIENCE_MS = 20_000;

/** A script in a process of its own, and the lines that it said. */
export class Peer {
  readonly said: string[] = [];
  readonly #process: ChildProcess;
  #complaint = '';

  constructor(script: URL, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const path = fileURLToPath(script);
    this.#process = spawn(process.execPath, ['--import', '@swc-node/register/esm-register', path, ...args], {
      cwd: ROOT,
      env: { ...process.env, TS_NODE_PROJECT: `${ROOT}tsconfig.base.json`, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => this.said.push(...text.trim().split('\n')));
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint += text;
    });
  }

  /** Whether the last thing that it said is that it projects. */
  get projects(): boolean {
    return this.said.at(-1) === 'projects';
  }

  async until(condition: (peer: this) => boolean): Promise<void> {
    await until(
      () => {
        if (this.#process.exitCode !== null) throw new Error(`It ended: ${this.#complaint}`);
        return condition(this);
      },
      () => `${this.said.join('\n')}\n${this.#complaint}`,
    );
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(signal);
  }

  /** kill -9 */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'close');
    this.#process.kill('SIGKILL');
    await gone;
  }
}

/** Asks every few milliseconds, for twenty seconds at most. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  story: () => string = () => '',
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`What was waited for did not happen. ${story()}`);
    await pause(5);
  }
}
