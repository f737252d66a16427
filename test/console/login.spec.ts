import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { freePort } from '../free-port.ts';
import { buildProduct, ProductProcess } from '../server-process.ts';
import { openBrowser, Window } from './browser.ts';

const folder = mkdtempSync(join(tmpdir(), 'jalon-login-'));
const AUDIENCE = 'https://jalon.example';
let browser: Browser;
let provider: ChildProcess;
let server: ProductProcess;
let url: string;
let issuer: string;

beforeAll(async () => {
  buildProduct();
  const [port, issuing] = [await freePort(), await freePort()];
  url = `http://127.0.0.1:${port}`;
  issuer = `http://127.0.0.1:${issuing}`;
  provider = fork(fileURLToPath(new URL('./login.mjs', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  });
  provider.send({ port: issuing, audience: AUDIENCE, console: url });
  await once(provider, 'message');
  const oidc = { OIDC_ISSUER: issuer, OIDC_AUDIENCE: AUDIENCE, OIDC_CLIENT_ID: 'console' };
  server = new ProductProcess('dist/api.mjs', [], {
    JALON_DATA: folder,
    PORT: String(port),
    LOG_LEVEL: 'info',
    ...oidc,
  });
  [browser] = await Promise.all([openBrowser(), server.says(/"msg":"ready"/)]);
}, 60_000);
afterAll(async () => {
  await browser.close();
  server.kill('SIGTERM');
  await server.exit;
  provider.kill();
  rmSync(folder, { recursive: true, force: true });
});

describe('with an OpenID Connect provider', () => {
  test('one logs in by authorization code with PKCE, and arrives where one was going, with one’s roles', async () => {
    const window = await Window.open(browser, url);
    const { page } = window;
    const asked: URL[] = [];
    page.on('request', (request) => asked.push(new URL(request.url())));
    await window.goto('/dossiers?jalon=J1');
    await page.getByRole('button', { name: 'Se connecter' }).click();
    await page.getByPlaceholder('Enter any login').fill('c.martin');
    await page.getByPlaceholder('and password').fill('un mot de passe');
    await page.getByRole('button', { name: 'Sign-in' }).click();
    await page.getByRole('button', { name: 'Continue' }).click();
    await window.heading('Dossiers').waitFor();
    expect(page.url()).toBe(`${url}/dossiers?jalon=J1`);
    expect(await page.getByRole('banner').textContent()).toContain(
      'Chargé de qualification, Chef de bureau · Agent c.martin',
    );
    expect(await page.getByText('Démonstration', { exact: true }).count()).toBe(0);

    const authorization = asked.find(({ pathname }) => pathname === '/auth')?.searchParams;
    expect(Object.fromEntries(authorization ?? [])).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      resource: AUDIENCE,
      state: expect.any(String),
    });
    // Only the issuer was asked anything, beside this server: where it is, and for the token.
    const elsewhere = asked.filter(({ origin, protocol }) => protocol === 'http:' && origin !== url);
    expect(new Set(elsewhere.map(({ origin }) => origin))).toEqual(new Set([issuer]));
    // The provider's own pages want a font from elsewhere.
    const theirs = new RegExp(`^asks (${issuer}|https://fonts\\.)|^says Failed to load resource: net::`);
    expect(window.faults.filter((fault) => !theirs.test(fault))).toEqual([]);
    // The token is not left on the disk of this machine, nor in the address.
    expect(await page.evaluate('Object.keys(localStorage).filter((key) => /jalon\\.session/.test(key))')).toEqual([]);

    // A tab that is opened from here is logged in as well; logging out concerns both.
    const other = await window.context.newPage();
    await other.goto(`${url}/procedures`);
    await other.getByRole('link', { name: 'Tableau de bord' }).click();
    await other.getByRole('heading', { level: 1, name: 'Tableau de bord' }).waitFor();
    await other.getByRole('button', { name: 'Se déconnecter' }).click();
    await window.heading('Connexion').waitFor();
    await window.close();
  }, 60_000);

  test('an answer that was not asked for here logs nobody in', async () => {
    const window = await Window.open(browser, url);
    await window.goto('/retour?code=abc&state=def');
    await window.page.getByRole('alert').getByText('n’a pas été demandée dans cet onglet').waitFor();
    await window.goto('/dossiers');
    await window.heading('Connexion').waitFor();
    await window.close();
  }, 30_000);
});
