import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const APPENDER = fileURLToPath(new URL('./sample.appender.ts', import.meta.url));

/** A data folder for one test, and its end. */
export function temporaryFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'jalon-journal-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** sample.appender.ts in a process of its own, and what it said so far. */
export class Appender {
  readonly said: string[] = [];
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #heard: (() => void) | undefined;

  /** `fileLimit`: the size in KiB at which the system refuses to let a file grow (Linux). */
  constructor(folder: string, { size = 100, fileLimit }: { size?: number; fileLimit?: number } = {}) {
    const node = [process.execPath, '--import', '@swc-node/register/esm-register', APPENDER, folder, String(size)];
    const [command = '', ...args] =
      fileLimit === undefined ? node : ['bash', '-c', `ulimit -S -f ${fileLimit} && exec "$@"`, 'bash', ...node];
    this.#process = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    if (this.#process.stdout === null) throw new Error('The appender has no output.');
    const lines = createInterface(this.#process.stdout);
    lines.on('line', (line) => {
      this.said.push(line);
      this.#heard?.();
    });
    this.#ended = Promise.all([once(lines, 'close'), once(this.#process, 'exit')]).then(() => this.#heard?.());
  }

  /** Ids that it was told are stored. */
  get stored(): string[] {
    return this.said.filter((line) => line.startsWith('stored ')).map((line) => line.slice('stored '.length));
  }

  /** Lifts `fileLimit`. */
  makeRoom(): void {
    execFileSync('prlimit', ['--pid', String(this.#process.pid), '--fsize=unlimited:']);
  }

  /** Until `condition` holds of what it said; rejects when it ends before. */
  async until(condition: (appender: this) => boolean): Promise<void> {
    let over = false;
    void this.#ended.then(() => {
      over = true;
    });
    while (!condition(this)) {
      if (over) throw new Error(`The appender ended too early; it said: ${this.said.slice(-3).join(' / ')}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
