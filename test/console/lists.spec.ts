import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fact, upTo } from '../walk.ts';
import type { Window } from './browser.ts';
import { Stage } from './stage.ts';

const COUNT = 60;
let stage: Stage;
let window: Window;

beforeAll(async () => {
  stage = await Stage.open();
  const { charge } = await stage.tokens();
  const named = (rank: number) => `Prestataire ${String(rank).padStart(2, '0')}`;
  const open = (rank: number) => {
    const { type, data } = fact('candidature.deposee', { prestataire: { nom: named(rank) }, offre: '=1+1' });
    return stage.call(charge, 'POST', '/api/dossiers', { workflow: 'secnumcloud', fact: { type, data } });
  };
  const opened = await Promise.all(Array.from({ length: COUNT }, (_, rank) => open(rank)));
  expect(opened.every(({ status }) => status === 201)).toBe(true);
  await stage.lead(upTo('j0.acceptee'));
  window = await stage.window('Chargé de qualification');
}, 60_000);
afterAll(() => stage.close());

const rows = () => window.page.locator('tbody tr');
const first = () => rows().first().locator('th').textContent();

describe('the list of dossiers', () => {
  test('goes on page by page, and back', async () => {
    const { page } = window;
    await window.goto('/dossiers?sort=prestataire');
    await page.getByText('50 dossiers sur cette page').waitFor();
    expect([await first(), await page.locator('th[aria-sort=ascending]').textContent()]).toEqual([
      'Nuage de Brocéliande',
      'Prestataire',
    ]);
    await page.getByRole('button', { name: 'Page suivante' }).click();
    await page.getByText('11 dossiers sur cette page').waitFor();
    expect(await first()).toBe('Prestataire 49');
    const address = page.url();
    await page.getByRole('button', { name: 'Page précédente' }).click();
    await page.getByText('50 dossiers sur cette page').waitFor();
    await page.goto(address);
    await page.getByText('11 dossiers sur cette page').waitFor();
    await page.getByRole('button', { name: 'Première page' }).click();
    await page.getByText('50 dossiers sur cette page').waitFor();
  }, 30_000);

  test('is narrowed, by search and choices that the address keeps and that can be taken away', async () => {
    const { page } = window;
    await window.goto('/dossiers');
    await page.getByRole('searchbox').fill('prestataire 1');
    await page.keyboard.press('Enter');
    await page.getByText(/^10 dossiers/).waitFor();
    await page.getByLabel('Jalon').selectOption({ label: 'J1' });
    await page.getByText('Aucun dossier ne correspond').waitFor();
    await page.getByRole('button', { name: 'Retirer le filtre Recherche : prestataire 1' }).click();
    await page.getByText(/^1 dossier/).waitFor();
    expect([await first(), new URL(page.url()).search]).toEqual(['Nuage de Brocéliande', '?jalon=J1']);
    await page.reload();
    await page.getByText(/^1 dossier/).waitFor();
  }, 30_000);

  test('is exported whole, as text that no spreadsheet runs', async () => {
    const { page } = window;
    await window.goto('/dossiers?q=prestataire&sort=-prestataire');
    await page.getByText('50 dossiers sur cette page').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Exporter (CSV)' }).click(),
    ]);
    const lines = readFileSync(await download.path(), 'utf8').split('\r\n');
    expect(download.suggestedFilename()).toBe('dossiers.csv');
    expect(lines[0]).toMatch(/^\ufeffdossier;prestataire;siren;offre;/);
    expect(lines).toHaveLength(COUNT + 2);
    expect(lines[1]).toMatch(/^[0-9a-f-]{36};Prestataire 59;;'=1\+1;/);
  }, 30_000);
});

describe('a dossier on paper', () => {
  test('is what was recorded, with digests in full, without what one presses', async () => {
    const { page } = window;
    const { charge } = await stage.tokens();
    const { items } = (await stage.call(charge, 'GET', '/api/dossiers?jalon=J1')).body;
    await window.goto(`/dossiers/${items[0].id}`);
    await page.locator('.fait .contenu').first().waitFor();
    await page.emulateMedia({ media: 'print' });
    expect(await page.getByRole('banner').isVisible()).toBe(false);
    expect(await page.getByRole('button', { name: 'Imprimer' }).isVisible()).toBe(false);
    expect(await page.getByRole('heading', { name: 'Candidature acceptée' }).isVisible()).toBe(true);
    const digest = page.locator('.papier').first();
    expect([await digest.isVisible(), await digest.textContent()]).toEqual([
      true,
      expect.stringMatching(/^[0-9a-f]{64}$/),
    ]);
    await page.emulateMedia({ media: 'screen' });
    expect(await digest.isVisible()).toBe(false);
  }, 30_000);
});

test('nothing went wrong in any window', () => {
  expect(stage.faults).toEqual([]);
});
