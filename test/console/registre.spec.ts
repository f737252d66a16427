import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Step, walkToJ3, wayTo } from '../walk.ts';
import type { Window } from './browser.ts';
import { Stage } from './stage.ts';

let stage: Stage;
let visitor: Window;

/** The same way for another company, for which an officer records. */
const named = (steps: readonly Step[], nom: string, offre: string): Step[] =>
  steps.map((step) => ({
    ...step,
    ...(step.role === 'prestataire' ? { role: 'charge-de-qualification' } : {}),
    ...(step.type === 'candidature.deposee' ? { data: { ...step.data, prestataire: { nom }, offre } } : {}),
  }));

beforeAll(async () => {
  stage = await Stage.open();
  await stage.lead(walkToJ3());
  await stage.lead(named(wayTo('qualifiee.suspendue'), 'Ancre', 'Ancre Coffre'));
  await stage.lead(named(wayTo('qualifiee.mise-en-cause'), 'Éole', '=1+1'));
  await stage.lead(named(wayTo('j3.instruction'), 'Calme', 'Calme'));
  visitor = await stage.visitor();
}, 60_000);
afterAll(() => stage.close());

const names = () => visitor.page.getByRole('main').getByRole('heading', { level: 2 }).allTextContents();
const card = (name: string) => visitor.page.getByRole('article').filter({ hasText: name });

describe('the register of qualified services', () => {
  test('is read by anybody: who, which services, until when, under which conditions, and what became of it', async () => {
    const { page } = visitor;
    await visitor.goto('/registre');
    await page.getByText('3 qualifications.').waitFor();
    expect(await names()).toEqual(['Ancre · Ancre Coffre', 'Éole · =1+1', 'Nuage de Brocéliande · Brocéliande Cloud']);
    const told = (await card('Brocéliande Cloud').textContent()) ?? '';
    for (const part of [
      'Valide',
      'du 1er juillet 2025 au 30 juin 2028',
      'SecNumCloud 3.2',
      'Brocéliande Machines (IaaS)',
    ])
      expect(told).toContain(part);
    expect(told).toContain('Les clients activent le chiffrement des sauvegardes.');
    const history = card('Ancre').getByRole('listitem').filter({ hasText: 'à partir du' });
    expect(await history.allTextContents()).toEqual([
      expect.stringMatching(/^Valide à partir du/),
      expect.stringMatching(/^Suspendue à partir du/),
    ]);
  });

  test('costs a visitor who comes for the first time a handful of what is limited', async () => {
    const newcomer = await stage.visitor();
    const asked: string[] = [];
    newcomer.page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await newcomer.goto('/registre');
    await newcomer.page.getByText('3 qualifications.').waitFor();
    const limited = asked.filter((path) => !path.startsWith('/assets/'));
    expect(limited.length).toBeLessThanOrEqual(5);
    expect(limited).toContain('/api/register');
    await newcomer.close();
  });

  test('does not tell the public what is not: reserves, what calls a qualification into question, the dossier itself', async () => {
    const told = (await visitor.page.getByRole('main').textContent()) ?? '';
    expect(told).not.toMatch(/réserve|mise en cause|Voir le dossier/i);
    expect(await card('Éole').getByText('Valide', { exact: true }).first().isVisible()).toBe(true);
    await visitor.page.getByRole('navigation').getByRole('link', { name: 'Registre' }).waitFor();
    expect(await visitor.page.getByRole('navigation').getByRole('link', { name: 'Dossiers' }).count()).toBe(0);
  });

  test('is narrowed by words, status and type, which the address keeps', async () => {
    const { page } = visitor;
    await page.getByRole('searchbox').fill('eole');
    await page.keyboard.press('Enter');
    await page.getByText('1 qualification.').waitFor();
    expect(await names()).toEqual(['Éole · =1+1']);
    await page.getByLabel('Statut').focus();
    await page.getByLabel('Statut').selectOption({ label: 'Suspendue' });
    await page.getByText('Aucune qualification ne correspond.').waitFor();
    expect(await page.evaluate('document.activeElement.tagName')).toBe('SELECT');
    await page.getByRole('searchbox').fill('');
    await page.keyboard.press('Enter');
    await page.getByText('1 qualification.').waitFor();
    expect([await names(), new URL(page.url()).search]).toEqual([['Ancre · Ancre Coffre'], '?statut=suspendue']);
    await page.reload();
    await page.getByText('1 qualification.').waitFor();
    await page.getByLabel('Statut').selectOption({ label: 'Tous' });
    await page.getByLabel('Type de service').selectOption({ label: 'CaaS' });
    await page.getByText('3 qualifications.').waitFor();
  });

  test('is exported as it is narrowed, a line per service, as text that no spreadsheet runs', async () => {
    const { page } = visitor;
    await visitor.goto('/registre?q=eole');
    await page.getByText('1 qualification.').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Exporter (CSV)' }).click(),
    ]);
    const lines = readFileSync(await download.path(), 'utf8').split('\r\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^\ufeffdossier;prestataire;offre;/);
    expect(lines[1]).toMatch(
      /^[0-9a-f-]{36};Éole;'=1\+1;SecNumCloud 3\.2;Brocéliande Machines;IaaS;Valide;2025-07-01;/,
    );
  });

  test('leads to the dossier whoever may see it, and shows what is granted meanwhile', async () => {
    const charge = await stage.window('Chargé de qualification');
    await charge.page.getByRole('navigation').getByRole('link', { name: 'Registre' }).click();
    await charge.page.getByText('3 qualifications.').waitFor();
    await stage.lead(named(walkToJ3(), 'Zéphyr', 'Zéphyr Calcul'));
    await charge.page.getByText('4 qualifications.').waitFor();
    await charge.page.getByRole('link', { name: 'Voir le dossier de Zéphyr Calcul' }).click();
    await charge.heading('Zéphyr · Zéphyr Calcul').waitFor();
  }, 30_000);
});

test('nothing went wrong in any window', () => {
  expect(stage.faults).toEqual([]);
});
