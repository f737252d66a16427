import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildProduct, ServerProcess } from '../server-process.ts';
import { openBrowser, Window } from './browser.ts';

/** Takes the pictures of the README: six screens of the console over the public cases. */
const pictures = fileURLToPath(new URL('../../apps/console/captures/', import.meta.url));

buildProduct();
mkdirSync(pictures, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'jalon-captures-'));
const server = await ServerProcess.start(folder, { JALON_SAMPLE: 'public' });
const browser = await openBrowser();
const charge = await Window.open(browser, server.url, { width: 1080 });
await charge.logIn('Chargé de qualification', { nom: 'Camille Martin' });
const token = await server.token('charge-de-qualification');
const idOf = async (name: string): Promise<string> =>
  (await server.send('GET', `/api/dossiers?q=${name}`, { token })).body.items[0].id;
const bleu = await idOf('bleu');
const s3ns = await idOf('s3ns');
const numspot = await idOf('numspot');

async function capture(name: string, path: string, loaded: string, prepare?: () => Promise<void>) {
  const { page } = charge;
  await charge.goto(path);
  await page.locator(loaded).first().waitFor();
  await prepare?.();
  await page.evaluate('document.fonts.ready.then(() => true)');
  await page.setViewportSize({ width: 1080, height: 760 });
  await page.screenshot({ path: `${pictures}${name}.png`, animations: 'disabled' });
}

/** Scrolls so that what one came for is at the top, past the header. */
const upTo = (text: string) => async () => {
  await charge.page
    .getByRole('heading', { name: text })
    .first()
    .evaluate((heading) => heading.scrollIntoView());
};

await capture('tableau', '/', 'h3:has-text("Bleu")');
await capture('chronologie', `/dossiers/${s3ns}`, '.fait .contenu');
await capture('agir', `/dossiers/${bleu}/agir`, '.carte');
await capture('refus', `/dossiers/${numspot}/agir/candidature.completee`, '.regles', async () => {
  await charge.send();
  await charge.page.getByText('Refusé : rien n’a été enregistré').waitFor();
  await upTo('Dossier de candidature complet')();
});
await capture('rejouer', `/dossiers/${s3ns}/rejouer?pas=9`, '.etat--courant', upTo('Rejouer'));
await capture('machine', `/dossiers/${bleu}/machine`, '.etat--courant', async () => {
  for (const _ of 'ab') await charge.page.getByRole('button', { name: 'Réduire' }).click();
  await upTo('Où en est')();
});
await browser.close();
server.kill('SIGTERM');
await server.exit;
rmSync(folder, { recursive: true, force: true });
