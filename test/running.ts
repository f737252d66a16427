import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { readConfig } from '../apps/api/config.ts';
import { openControl } from '../apps/api/control.ts';
import { openProduct, type Product } from '../apps/api/product.ts';
import { createServer } from '../apps/api/server.ts';

/** A real server on a real folder and a free port, in this process, at the command line's orders, with a clock that the test sets. */
export type Running = {
  url: string;
  product: Product;
  /** What went wrong in the background; empty at the end of a good test. */
  alarms: string[];
  /** A demonstration token. */
  token(role: string, claims?: { sub?: string; nom?: string; org?: string }): Promise<string>;
  /** A request with a token; a body is sent as JSON. */
  call(
    token: string | null,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** Stops the server and, unless `keep`, removes the folder. */
  stop(keep?: 'keep'): Promise<void>;
};

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export type Answer = { status: number; headers: Headers; body: any; text: string };

export type RunningOptions = { folder?: string; now?: () => Date; env?: Record<string, string> };

/** Starts a server; `now` is the clock (real time when absent). */
export async function run({ folder, now = () => new Date(), env = {} }: RunningOptions = {}): Promise<Running> {
  const data = folder ?? mkdtempSync(join(tmpdir(), 'jalon-'));
  const config = readConfig({ PORT: '0', JALON_SAMPLE: 'none', LOG_LEVEL: 'silent', ...env });
  const alarms: string[] = [];
  const product = await openProduct(data, now, (what) => alarms.push(what), config);
  const log = pino({ level: 'silent' });
  const app = await createServer(product, config, log);
  await app.listen(0, '127.0.0.1');
  const closeControl = await openControl(product, log);
  product.leaving.deliver();
  const url = await app.getUrl();

  const call: Running['call'] = async (token, method, path, body, headers = {}) => {
    const sent: RequestInit = {
      method,
      headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
    };
    if (body !== undefined) {
      sent.body = typeof body === 'string' ? body : JSON.stringify(body);
      sent.headers = { 'content-type': 'application/json', ...sent.headers };
    }
    const response = await fetch(url + path, sent);
    const text = await response.text();
    const json = /\bjson\b/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text, text };
  };
  const token: Running['token'] = async (role, claims = {}) =>
    (await call(null, 'POST', '/api/demo/token', { role, ...claims })).body.access_token;
  const stop: Running['stop'] = async (keep) => {
    await closeControl();
    await app.close();
    await product.close();
    if (!keep) rmSync(data, { recursive: true, force: true });
  };
  return { url, product, alarms, token, call, stop };
}
