import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../eventually.ts';
import { fact, upTo, walkToJ3 } from '../walk.ts';
import type { Window } from './browser.ts';
import { Stage } from './stage.ts';

let stage: Stage;
let chef: Window;

beforeAll(async () => {
  stage = await Stage.open();
  chef = await stage.window('Chef de bureau');
}, 60_000);
afterAll(() => stage.close());

/** The cells of the rows of a table, by its caption. */
const rowsOf = async (caption: string) => {
  const rows = chef.page.getByRole('table', { name: caption, exact: true }).locator('tbody tr');
  return Promise.all((await rows.all()).map((row) => row.locator('th, td').allTextContents()));
};
const section = (name: string) => chef.page.getByRole('region', { name });

describe('statistics', () => {
  test('of nothing say so', async () => {
    await chef.page.getByRole('navigation').getByRole('link', { name: 'Statistiques' }).click();
    await chef.page.getByText('Aucun dossier n’a encore été ouvert.').waitFor();
  });

  test('of few dossiers are told by numbers, and not drawn', async () => {
    await stage.lead(walkToJ3());
    await stage.lead(upTo('j1.strategie-validee'));
    await chef.page.getByText('2 dossiers en cours, aucun dossier terminé.').waitFor();
    await section('Durées entre jalons').getByText('2 durées : trop peu pour un tracé').first().waitFor();
    expect(await section('Durées entre jalons').locator('rect').count()).toBe(0);
    expect((await rowsOf('Durées, en jours'))[0]?.slice(0, 2)).toEqual(['Du dépôt à J0', '2']);
    await section('Dossiers ayant franchi').getByText('Moins de 3 dossiers : rien n’est tracé.').waitFor();
  });

  test('are drawn, and say the same as a table, as the API does', async () => {
    await stage.lead(upTo('j1.strategie-validee'));
    await stage.lead([fact('candidature.deposee', {}, { effectiveAt: '2026-03-02' })]);
    await chef.page.getByText('4 dossiers en cours').waitFor();
    const { chef: token } = await stage.tokens();
    const { body } = await stage.call(token, 'GET', '/api/statistics');
    const told = await rowsOf('Durées, en jours');
    const { durations: said } = body as { durations: ({ from: string; to: string } & Record<string, number>)[] };
    const whole = said.filter(({ from, to }) => from === 'depot' && to === 'J3');
    const wanted = said
      .filter((span) => !whole.includes(span))
      .concat(whole)
      .map(({ count, min, q1, median, q3, p90, max }) =>
        [count, min, q1, median, q3, p90, max].map((value) => Number(value).toLocaleString('fr-FR')),
      );
    expect(told.map(([, ...cells]) => cells)).toEqual(wanted);
    expect(told.map(([name]) => name)).toEqual([
      'Du dépôt à J0',
      'De J0 à J1',
      'De J1 à J2',
      'De J2 à J3',
      'Du dépôt à J3',
    ]);
    // Three dossiers crossed J0 and J1, one went further.
    const durations = section('Durées entre jalons');
    expect([await durations.locator('rect').count(), await durations.getByText('trop peu').count()]).toEqual([2, 3]);
    const overTime = section('Dossiers ayant franchi');
    expect(await overTime.locator('path').count()).toBe(5);
    await overTime.getByText('Les mêmes nombres en tableau').click();
    expect((await rowsOf('Dossiers ayant franchi chaque jalon, à la fin du mois'))[0]).toEqual([
      'Mars 2026',
      ...['4', '3', '3', '1', '1'],
    ]);
    expect((await rowsOf('Dossiers en cours')).map(([jalon, count]) => [jalon, count])).toEqual([
      ['Vers J0', '1'],
      ['Vers J2', '2'],
      ['Suivi', '1'],
    ]);
  }, 30_000);

  test('are named by the months in which they begin, wherever they are looked at', async () => {
    for (const zone of ['Europe/Paris', 'Pacific/Noumea', 'America/Martinique']) {
      const far = await stage.window('Chef de bureau', {}, { zone });
      await far.goto('/statistiques');
      const names = far.page.getByRole('img', { name: /franchi chaque jalon/ }).locator('text');
      const months = names.filter({ hasText: /^\p{Lu}\p{Ll}+ \d{4}$/u });
      await months.first().waitFor();
      const first = new Set((await months.allTextContents()).map((name) => name.replace(/ \d{4}$/, '')));
      // Quarters and halves of years begin in these.
      expect([zone, [...first].filter((name) => !['Janvier', 'Avril', 'Juillet', 'Octobre'].includes(name))]).toEqual([
        zone,
        [],
      ]);
    }
  }, 30_000);

  test('are told of one year, which the address keeps', async () => {
    const { page } = chef;
    await page.getByLabel('Année du second jalon').selectOption({ label: '2024' });
    await page.waitForURL(/annee=2024/);
    expect((await rowsOf('Durées, en jours')).map(([name]) => name)).toEqual(['Du dépôt à J0']);
    await page.reload();
    await page.getByRole('table', { name: 'Durées, en jours' }).waitFor();
    expect(await page.getByLabel('Année du second jalon').inputValue()).toBe('2024');
  });

  test('scroll within their frames on a small screen, by keyboard too', async () => {
    const { page } = chef;
    await page.setViewportSize({ width: 360, height: 800 });
    const frame = page.getByRole('region', { name: 'Durées, tracé qui défile' });
    await frame.focus();
    await page.keyboard.press('ArrowRight');
    await until(async () => (await frame.evaluate(({ scrollLeft }) => scrollLeft)) > 0);
    await page.setViewportSize({ width: 1280, height: 900 });
    await frame.waitFor({ state: 'detached' });
  });

  test('are offered to those who see all dossiers and to subscribed systems, and refused to others who force them', async () => {
    const abonne = await stage.window('Système abonné');
    await abonne.page.getByRole('navigation').getByRole('link', { name: 'Statistiques' }).click();
    await abonne.page.getByText('4 dossiers en cours').waitFor();
    const prestataire = await stage.window('Prestataire', { org: 'Nuage de Brocéliande' });
    const { page } = prestataire;
    await page.getByRole('navigation').getByRole('link', { name: 'Registre' }).waitFor();
    expect(await page.getByRole('navigation').getByRole('link', { name: 'Statistiques' }).count()).toBe(0);
    await prestataire.goto('/statistiques');
    await page.getByText('Les statistiques sont pour qui voit tous les dossiers').waitFor();
  }, 30_000);
});

test('nothing went wrong in any window', () => {
  expect(stage.faults).toEqual([]);
});
