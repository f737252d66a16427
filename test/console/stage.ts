import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { lead, parties, type Tokens } from '../parties.ts';
import type { Running } from '../running.ts';
import { buildProduct, ServerProcess } from '../server-process.ts';
import type { Step } from '../walk.ts';
import { type Look, openBrowser, Window } from './browser.ts';

/** The server in a process of its own on an empty folder, and one browser in which everybody has their window. */
export class Stage {
  readonly windows: Window[] = [];
  #tokens: Tokens | undefined;

  private constructor(
    readonly server: ServerProcess,
    readonly browser: Browser,
    private readonly folder: string,
  ) {}

  static async open(env: Record<string, string> = {}): Promise<Stage> {
    buildProduct();
    const folder = mkdtempSync(join(tmpdir(), 'jalon-console-'));
    const [browser, server] = await Promise.all([openBrowser(), ServerProcess.start(folder, env)]);
    return new Stage(server, browser, folder);
  }

  /** A window of somebody who chose a role; `url` when the server is reached some other way. */
  async window(role: string, who: { org?: string; nom?: string } = {}, look: Look = {}, url = this.server.url) {
    const window = await this.visitor(look, url);
    await window.logIn(role, who);
    return window;
  }

  /** A window of somebody who is not logged in. */
  async visitor(look: Look = {}, url = this.server.url): Promise<Window> {
    const window = await Window.open(this.browser, url, look);
    this.windows.push(window);
    return window;
  }

  /** A request with a token of the tests' own. */
  readonly call: Running['call'] = async (token, method, path, body, headers = {}) => {
    const sent: RequestInit = {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    const response = await fetch(this.server.url + path, sent);
    const text = await response.text();
    const json = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text, text };
  };

  async tokens(): Promise<Tokens> {
    this.#tokens ??= await parties(this.#running());
    return this.#tokens;
  }

  /** Opens a dossier and leads it through facts, past the console; gives its id. */
  async lead(steps: readonly Step[]): Promise<string> {
    return lead(this.#running(), await this.tokens(), steps);
  }

  #running(): Running {
    const token: Running['token'] = async (role, claims = {}) =>
      (await this.call(null, 'POST', '/api/demo/token', { role, ...claims })).body.access_token;
    return { url: this.server.url, call: this.call, token } as Running;
  }

  /** What went wrong in any window. */
  get faults(): string[] {
    return this.windows.flatMap(({ faults }) => faults);
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.server.kill('SIGTERM');
    await this.server.exit;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
