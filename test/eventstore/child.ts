// Starts the server in a process of its own, which can be killed, stopped as by a debugger, and started again over
// the same log and port.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Faults } from './faults.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SERVER = fileURLToPath(new URL('./server.process.ts', import.meta.url));

/** The hooks that can be told to another process. */
export type RemoteHook =
  | 'refuseAppends'
  | 'refuseReads'
  | 'delayAnswers'
  | 'cutAppends'
  | 'dieAtAppend'
  | 'freeze'
  | 'thaw'
  | 'reset'
  | 'cutConnections'
  | 'dropSubscriptions';

/** A server in a process of its own. */
export class EventStoreProcess {
  /** Resolves when the process has ended, however it did. */
  readonly ended: Promise<unknown>;

  private constructor(
    readonly process: ChildProcess,
    readonly port: number,
  ) {
    this.ended = process.exitCode === null && process.signalCode === null ? once(process, 'exit') : Promise.resolve();
  }

  /** Starts one and waits until it listens. */
  static async start(folder: string, port = 0): Promise<EventStoreProcess> {
    const child = fork(SERVER, [folder, String(port)], {
      cwd: ROOT,
      execArgv: ['--import', '@swc-node/register/esm-register'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const ready = once(child, 'message') as Promise<[{ port: number }]>;
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`The server ended with ${code} before it listened.`);
    });
    const [{ port: listening }] = await Promise.race([ready, ended]);
    ended.catch(() => {});
    return new EventStoreProcess(child, listening);
  }

  get connectionString(): string {
    return `esdb://127.0.0.1:${this.port}?tls=false`;
  }

  /** Sets a hook, and waits until it is set. */
  async tell<Name extends RemoteHook>(hook: Name, ...args: Parameters<Faults[Name]>): Promise<void> {
    const done = once(this.process, 'message');
    this.process.send({ hook, args });
    await done;
  }

  /** SIGSTOP: connections stay, nothing answers, not even pings. */
  pause(): void {
    this.process.kill('SIGSTOP');
  }

  /** SIGCONT: goes on with all that arrived meanwhile. */
  resume(): void {
    this.process.kill('SIGCONT');
  }

  /** kill -9; what was acknowledged is on the disk. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  /** SIGTERM. */
  async stop(): Promise<void> {
    this.process.kill('SIGTERM');
    await this.ended;
  }
}
