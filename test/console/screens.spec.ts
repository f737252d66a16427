import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Route } from 'playwright-core';
import { Receiver } from '../receiver.ts';
import { upTo } from '../walk.ts';
import type { Window } from './browser.ts';
import { Stage } from './stage.ts';

const REPORTS = fileURLToPath(new URL('../../reports/console', import.meta.url));
const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
let stage: Stage;
let window: Window;
let bleu: string;
/** A dossier led to J3, with findings open, planned and lifted. */
let evalue: string;
let receiver: Receiver;
let webhook: string;

beforeAll(async () => {
  stage = await Stage.open({ JALON_SAMPLE: 'public', JALON_WEBHOOK_ALLOW: '127.0.0.0/8' });
  receiver = await Receiver.open();
  window = await stage.window('Chargé de qualification', { nom: 'Camille Martin' });
  const { charge } = await stage.tokens();
  bleu = (await stage.call(charge, 'GET', '/api/dossiers?q=bleu')).body.items[0].id;
  webhook = (await stage.call(charge, 'POST', '/api/webhooks', { url: receiver.url })).body.id;
  evalue = await stage.lead(upTo('j3.qualification-accordee'));
}, 60_000);
afterAll(async () => {
  await stage.close();
  await receiver.close();
});

/** Every screen: its address, and what is there once it has loaded. */
const SCREENS: [name: string, path: string, loaded: string][] = [
  ['Connexion', '/connexion', 'h2:has-text("Directeur général")'],
  ['Tableau de bord', '/', 'h3:has-text("Bleu")'],
  ['Dossiers', '/dossiers', 'tbody tr'],
  ['Dossiers, none found', '/dossiers?q=introuvable', 'text=Aucun dossier ne correspond'],
  ['Ouvrir un dossier', '/dossiers/nouveau', '#root_offre'],
  ['Chronologie', '/dossiers/BLEU', '.fait .contenu'],
  ['Chronologie, on an axis of time', '/dossiers/BLEU?axe=temps', '.axe svg'],
  ['Agir', '/dossiers/BLEU/agir', '.carte'],
  ['a form', '/dossiers/BLEU/agir/j2.plan-valide', '#root_document_titre'],
  ['Machine', '/dossiers/BLEU/machine', '.etat--courant'],
  ['Constats', '/dossiers/EVALUE/constats', '.case--conforme'],
  ['Constats, of one requirement', '/dossiers/EVALUE/constats?exigence=9.5.b', 'h3:has-text("9.5.b")'],
  ['Constats, none', '/dossiers/BLEU/constats', 'text=Aucun constat'],
  ['Preuve', '/dossiers/BLEU/preuve', 'text=Vérifié par ce navigateur'],
  ['Rejouer', '/dossiers/BLEU/rejouer', '.memoire'],
  ['Rejouer, by effective date', '/dossiers/BLEU/rejouer?axe=effet&lecture=corrigee&pas=3', '.memoire'],
  ['Échéances', '/echeances', 'tbody tr'],
  ['Échéances, a month', '/echeances?mois=2026-11&etat=all', '.calendrier li'],
  ['Registre', '/registre', 'article'],
  ['Statistiques', '/statistiques', '.trace svg'],
  ['Abonnements', '/abonnements', 'tbody tr'],
  ['an abonnement, what was sent', '/abonnements/WEBHOOK', 'tbody tr'],
  ['Procédures', '/procedures', 'tbody tr'],
  ['a procedure', '/procedures/secnumcloud/1', '.declare'],
  ['Accessibilité', '/accessibilite', 'h2'],
  ['an address that leads nowhere', '/dossiers/BLEU/nulle-part', 'text=Rien n’existe à cette adresse'],
];

type Violation = { id: string; nodes: { html: string; failureSummary: string }[] };

async function violations(): Promise<string[]> {
  const found = (await window.page.evaluate(
    `${AXE}; axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)`,
  )) as Violation[];
  return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
}

/** What a screen looked like is left in reports/, for whoever wants to see it. */
async function picture(name: string, size: string): Promise<void> {
  const path = join(REPORTS, `${name.replaceAll(/[^\p{L}\d]+/gu, '-')}-${size}.png`);
  await window.page.screenshot({ path, animations: 'disabled' });
}

describe('every screen', () => {
  test.each(SCREENS)(
    '%s has nothing that axe objects to, in light nor dark, and fits in 360 pixels',
    async (name, path, loaded) => {
      const { page } = window;
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.emulateMedia({ colorScheme: 'light' });
      await window.goto(path.replace('BLEU', bleu).replace('EVALUE', evalue).replace('WEBHOOK', webhook));
      await page.locator(loaded).first().waitFor();
      const light = await violations();
      await picture(name, 'large');
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.locator('html[data-fr-theme=dark]').waitFor();
      const dark = await violations();
      await page.setViewportSize({ width: 360, height: 800 });
      await picture(name, '360');
      const wide = await page.evaluate('document.documentElement.scrollWidth');
      // An icon that the style sheet does not have shows as a filled square.
      const squares = await page.evaluate(`[...document.querySelectorAll('[class*="fr-icon-"]')]
        .filter((element) => ['::before', '::after'].every((part) => getComputedStyle(element, part).maskImage === 'none'))
        .map(({ className }) => className)`);
      expect({ light, dark, wide, squares }).toEqual({ light: [], dark: [], wide: 360, squares: [] });
    },
    30_000,
  );

  test.each([
    ...[
      '/echeances?mois=2025-13&etat=x&jalon=J9',
      '/echeances?mois=&cursor=x',
      '/registre?page=-1e9&statut=%00&q=%ED%A0%80',
    ],
    ...['/statistiques?annee=20&procedure=constructor', '/dossiers?jalon=J9&sort=__proto__&cursor=%00', '/dossiers/x'],
    ...[
      '/dossiers/BLEU?du=2025-13-45&au=2025-0&ordre=x&axe=temps&role=__proto__',
      '/dossiers/BLEU/rejouer?pas=NaN&axe=effet',
    ],
    ...['/dossiers/EVALUE/constats?exigence=__proto__&constat=%00', '/dossiers/BLEU/preuve?acces-depuis=2025-13-01'],
    ...['/dossiers/BLEU/agir/constructor?fait=x', '/procedures/constructor/1', '/procedures/secnumcloud/1e9'],
    ...['/abonnements/x', '/abonnements/WEBHOOK?etat=__proto__&cursor=%00', '/retour?code=%00&state=%00'],
  ])('%s, which asks for what is not, is answered in words', async (path) => {
    await window.goto(path.replace('BLEU', bleu).replace('EVALUE', evalue).replace('WEBHOOK', webhook));
    await window.page.locator('main h1, main .fr-alert').first().waitFor();
    await window.page.locator('.attente').first().waitFor({ state: 'detached' });
    expect(await window.page.getByText('ne peut pas être montrée').count()).toBe(0);
  });

  test.each([
    ['{', 'cut short'],
    ['null', 'empty'],
    ['{"data":null,"effectiveAt":7}', 'of another build'],
    ['{"data":{"document":{"titre":"\\ud800"}},"effectiveAt":"2025-13-4","behalf":"x"}', 'half typed'],
  ])('a form of which what was typed is kept as %s shows itself all the same: %s', async (kept) => {
    await window.page.evaluate(
      `sessionStorage.setItem('jalon.saisie.${bleu}.j2.plan-valide.', ${JSON.stringify(kept)})`,
    );
    await window.goto(`/dossiers/${bleu}/agir/j2.plan-valide`);
    await window.page.locator('#root_document_titre').waitFor();
  });

  test.each<[string, RegExp, (route: Route) => Promise<void>]>([
    // No server answers so: it stands for a fault of the view itself.
    ['that fails', /\/facts(\?|$)/, (route) => route.fulfill({ json: { items: [null] } })],
    ['of which the file is gone', /\/assets\/rejouer-/, (route) => route.abort()],
  ])('a view %s leaves what surrounds it, and is shown again without what made it fail', async (_, what, answer) => {
    const { page } = window;
    await window.goto(`/dossiers/${bleu}`);
    await page.route(what, answer);
    await window.view('Rejouer');
    const fallen = page.getByRole('heading', { level: 2, name: 'Erreur de la console' });
    await fallen.waitFor();
    expect(await page.getByRole('navigation', { name: 'Vues du dossier' }).isVisible()).toBe(true);
    await window.view('Machine');
    await page.locator('.etat--courant').first().waitFor();
    await page.unroute(what);
    await page.goto(`${stage.server.url}/dossiers/${bleu}/rejouer`);
    await page.locator('.memoire').first().waitFor();
    // The failure itself is told to whoever looks at the browser's own console.
    window.faults.length = 0;
  });

  test('nothing went wrong on any of them, and nobody but this server was asked anything', () => {
    expect(stage.faults).toEqual([]);
  });
});
