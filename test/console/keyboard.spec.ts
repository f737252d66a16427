import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../eventually.ts';
import type { Window } from './browser.ts';
import { Stage } from './stage.ts';

let stage: Stage;
let window: Window;
let bleu: string;

beforeAll(async () => {
  stage = await Stage.open({ JALON_SAMPLE: 'public' });
  window = await stage.window('Chargé de qualification');
  const { charge } = await stage.tokens();
  bleu = (await stage.call(charge, 'GET', '/api/dossiers?q=bleu')).body.items[0].id;
}, 60_000);
afterAll(() => stage.close());

/** Presses Tab until what has the focus is called so. */
async function reach(name: string | RegExp): Promise<void> {
  const { page } = window;
  for (let count = 0; count < 120; count += 1) {
    await page.keyboard.press('Tab');
    const focused = (await page.evaluate(`(() => {
      const { activeElement: at } = document;
      const labels = [...(at.labels ?? [])].map(({ textContent }) => textContent);
      return at.getAttribute('aria-label') ?? labels[0] ?? at.textContent;
    })()`)) as string;
    if (typeof name === 'string' ? focused.trim() === name : name.test(focused)) return;
  }
  throw new Error(`Tab never reaches ${name}`);
}

/** What has the focus comes to be so. Asked from outside: the page's own policy lets no text be run as a script. */
const focusIs = (what: string) =>
  until(async () => Boolean(await window.page.evaluate(`Boolean(document.activeElement?.${what})`)));

describe('without a mouse', () => {
  test('a dossier is found, and a fact recorded in it', async () => {
    const { page } = window;
    await page.keyboard.press('g');
    await page.keyboard.press('d');
    await window.heading('Dossiers').waitFor();
    await focusIs('matches("h1")');
    await page.keyboard.press('/');
    await focusIs('matches("input[name=q]")');
    await page.keyboard.type('bleu');
    await page.keyboard.press('Enter');
    await page.getByRole('row').nth(2).waitFor({ state: 'detached' });
    await reach('Bleu');
    await page.keyboard.press('Enter');
    await window.heading(/^Bleu/).waitFor();
    await focusIs('matches("h1")');
    await reach('Agir');
    await page.keyboard.press('Enter');
    await reach("Plan d'évaluation validé");
    await page.keyboard.press('Enter');
    await focusIs('matches("h2")');
    await reach('Titre');
    await page.keyboard.type('Plan');
    await page.keyboard.press('Tab');
    await page.keyboard.type('PLAN-1');
    await page.keyboard.press('Tab');
    await page.keyboard.type('a1'.repeat(32));
    await reach('Enregistrer');
    await page.keyboard.press('Enter');
    await page.getByText("Enregistré : Plan d'évaluation validé").waitFor();
  }, 60_000);

  test('the summary before a decision keeps the focus, and Escape leaves it with nothing recorded', async () => {
    const { page } = window;
    await window.goto(`/dossiers/${bleu}/agir/dossier.retire`);
    await page.locator('#root_motif').fill('Essai.');
    await reach('Enregistrer');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Dossier retiré par le demandeur' });
    await dialog.getByText('Ce fait met fin au dossier').waitFor();
    await focusIs('closest("dialog")');
    for (let count = 0; count < 5; count += 1) {
      await page.keyboard.press('Tab');
      await focusIs('closest("dialog")');
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    const { charge } = await stage.tokens();
    expect((await stage.call(charge, 'GET', `/api/dossiers/${bleu}`)).body.state).toBe('j2.audits');
  }, 30_000);

  test('j and k go through the timeline; the skip link leads past the menu', async () => {
    const { page } = window;
    await window.goto(`/dossiers/${bleu}`);
    await page.locator('.frise > li').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    const second = await page.locator('.frise > li').nth(1).getAttribute('id');
    await focusIs(`id === '${second}'`);
    await page.keyboard.press('k');
    await focusIs('matches(".frise > li")');
    await window.goto('/procedures');
    await window.heading('Procédures').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await until(async () => (await page.evaluate('location.hash')) === '#contenu');
    await reach(/^Accueil$/);
    expect(await page.evaluate('document.activeElement.closest("main") !== null')).toBe(true);
  }, 30_000);

  test('the list of keys turns them off, for those whose tools type by themselves', async () => {
    const { page } = window;
    await page.keyboard.press('?');
    const dialog = page.getByRole('dialog', { name: 'Raccourcis du clavier' });
    await dialog.waitFor();
    await focusIs('closest("dialog")');
    await reach(/^Raccourcis d’une touche/);
    await page.keyboard.press('Space');
    await reach('Fermer');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await focusIs('closest("dialog") === null');
    await page.keyboard.press('g');
    await page.keyboard.press('d');
    await page.keyboard.press('?');
    await dialog.waitFor();
    expect(await window.heading('Procédures').isVisible()).toBe(true);
  }, 30_000);
});

describe('what is loaded', () => {
  test('the dossier page asks for less than 350 kB of JavaScript, and for no statechart nor form', async () => {
    const fresh = await stage.window('Chargé de qualification');
    const sizes = new Map<string, number>();
    await fresh.context.clearCookies();
    const page = await fresh.context.newPage();
    page.on('response', (response) => {
      if (!/\.js$/.test(response.url())) return;
      sizes.set(new URL(response.url()).pathname, Number(response.headers()['content-length']));
    });
    // What a client gets that knows gzip alone, as the budget is counted.
    await page.route('**/*.js', (route) =>
      route.continue({ headers: { ...route.request().headers(), 'accept-encoding': 'gzip' } }),
    );
    await page.goto(`${fresh.url}/dossiers/${bleu}`);
    await page.locator('.fait .contenu').first().waitFor();
    const names = [...sizes.keys()].map((path) => path.replace(/^\/assets\/(.*)-[\w-]{8}\.js$/, '$1'));
    expect(names).toEqual(expect.arrayContaining(['index', 'dossier', 'chronologie']));
    expect(names.filter((name) => /machine|statechart|proposal|form|rejouer/.test(name))).toEqual([]);
    const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThan(50_000);
    expect(total).toBeLessThan(350_000);
  }, 30_000);

  test('files are kept for ever by their name, the page is asked for anew, and scripts come from here alone', async () => {
    const page = await fetch(`${stage.server.url}/dossiers/${bleu}`);
    const html = await page.text();
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(
      /default-src 'none'; script-src 'self'; style-src 'self' 'sha256-[^;]*; .*frame-ancestors 'none'/,
    );
    expect(policy).not.toMatch(/unsafe/);
    expect(page.headers.get('cache-control')).toBe('no-cache');
    const [, script = ''] = /src="(\/assets\/[^"]+\.js)"/.exec(html) ?? [];
    const file = await fetch(stage.server.url + script);
    expect(file.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(html).not.toMatch(/<script(?![^>]* src=)|style=|https?:\/\//);
  });
});

test('nothing went wrong in any window', () => {
  expect(stage.faults).toEqual([]);
});
