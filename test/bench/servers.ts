import { type ChildProcess, fork, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { freePort } from '../free-port.ts';

/** A server under measure: a process of its own, so that the load does not run inside what it loads. */
export type Measured = { url: string; pid: number; stop(): Promise<void> };

/** Starts a floor, a script that says its port to its parent. */
export async function startFloor(script: string, ...args: string[]): Promise<Measured> {
  const execArgv = script.endsWith('.ts') ? ['--import', '@swc-node/register/esm-register'] : [];
  const child = fork(script, args, { execArgv });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message: { port: number }) => resolve(message.port));
    child.once('exit', (code) => reject(new Error(`${script} stopped with ${code}.`)));
  });
  return { url: `http://127.0.0.1:${port}`, pid: child.pid as number, stop: () => stopped(child) };
}

/** Starts Jalon as it is shipped, on a folder; resolves when it is ready, with how long that took in milliseconds. */
export async function startJalon(
  folder: string,
  env: Record<string, string> = {},
  /** Further options of Node. */
  ...options: string[]
): Promise<Measured & { readyMs: number }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const started = performance.now();
  const memory = ['--max-old-space-size=384', '--max-semi-space-size=8'];
  const child = spawn(process.execPath, [...memory, ...options, 'apps/api/start.mjs'], {
    env: { ...process.env, PORT: String(port), JALON_DATA: folder, JALON_SAMPLE: 'none', LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (;;) {
    if (child.exitCode !== null) throw new Error(`Jalon stopped with ${child.exitCode}.`);
    const answer = await fetch(`${url}/health/ready`).catch(() => null);
    if (answer?.status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { url, pid: child.pid as number, readyMs: performance.now() - started, stop: () => stopped(child) };
}

/** Resident memory of a process, in MiB. */
export function residentMiB(pid: number): number {
  const [, kib = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

async function stopped(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exit;
}
