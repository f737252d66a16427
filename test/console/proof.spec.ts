import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Route } from 'playwright-core';
import { PRESTATAIRE } from '../parties.ts';
import { upTo } from '../walk.ts';
import type { Window } from './browser.ts';
import { Stage } from './stage.ts';

let stage: Stage;
let auditeur: Window;
let id: string;

beforeAll(async () => {
  stage = await Stage.open();
  id = await stage.lead(upTo('j3.qualification-accordee'));
  auditeur = await stage.window('Auditeur');
}, 60_000);
afterAll(() => stage.close());

const result = (window: Window, what: string) => window.page.getByRole('row').filter({ hasText: what });

describe('the proof of a dossier', () => {
  test('is verified by the browser: chain, place in the tree, signature', async () => {
    await auditeur.goto(`/dossiers/${id}/preuve`);
    await auditeur.page.getByText(/^Vérifié par ce navigateur à \d\d:\d\d/).waitFor();
    for (const what of ['Chaînage des faits', 'Place dans le journal entier', 'Signature du point de contrôle'])
      expect(await result(auditeur, what).textContent()).toContain('Vérifié');
  }, 30_000);

  test('is verified by who is not shown every fact', async () => {
    const prestataire = await stage.window('Prestataire', { org: PRESTATAIRE });
    await prestataire.goto(`/dossiers/${id}/preuve`);
    await prestataire.page.getByText(/^Vérifié par ce navigateur/).waitFor();
    await prestataire.page.locator('summary').click();
    expect(await prestataire.page.getByText('Non montré', { exact: true }).count()).toBe(2);
  }, 30_000);

  // What a server that lies would answer: one digit of a digest, of the path to the root, of the signature.
  test.each<[string, string, RegExp, (text: string) => string]>([
    ['Chaînage des faits', 'a fact', /\/facts/, (text) => text.replace(/"previousHash":"(?!null)(.)/, turned)],
    ['Place dans le journal entier', 'the path', /\/inclusion/, (text) => text.replace(/"hashes":\["(.)/, turned)],
    ['Signature du point de contrôle', 'the root', /\/inclusion/, (text) => text.replace(/\\n\d+\\n(.)/, turned)],
  ])('%s is found false when %s was changed', async (what, _, address, change) => {
    const lie = async (route: Route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: change(await answer.text()) });
    };
    await auditeur.page.route(address, lie);
    await auditeur.goto(`/dossiers/${id}/preuve`);
    await auditeur.page.getByText('n’est pas prouvé').waitFor();
    expect(await result(auditeur, what).textContent()).toContain('Faux');
    await auditeur.page.unroute(address, lie);
  });

  test('is taken away in a file that the command line verifies', async () => {
    const { page } = auditeur;
    await auditeur.goto(`/dossiers/${id}/preuve`);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Emporter le dossier' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`dossier-${id}.bundle.json`);
    const printed = execFileSync(process.execPath, ['dist/cli.mjs', 'verify', await download.path()], {
      encoding: 'utf8',
    });
    expect(printed).toMatch(new RegExp(id));
  }, 30_000);
});

describe('accesses to a dossier', () => {
  test('are told to an auditeur, from a day on: who read what, who was denied', async () => {
    const { charge, autre } = await stage.tokens();
    await stage.call(charge, 'GET', `/api/dossiers/${id}/timeline`);
    await stage.call(autre, 'GET', `/api/dossiers/${id}`);
    await auditeur.goto(`/dossiers/${id}/preuve`);
    const row = (text: string) => auditeur.page.getByRole('row').filter({ hasText: text });
    await row('/api/dossiers/:id/timeline').filter({ hasText: 'Chargé de qualification' }).waitFor();
    const denied = row('Accès refusé').filter({ hasText: 'ailleurs' });
    expect(await denied.textContent()).toContain('Nuage de Paimpont');
    await auditeur.page.getByLabel('À partir du').fill('2090-01-01');
    await auditeur.page.getByText('Personne, depuis ce jour').waitFor();
    expect(new URL(auditeur.page.url()).search).toBe('?acces-depuis=2090-01-01');
  }, 30_000);

  test('are not offered to others', async () => {
    const charge = await stage.window('Chargé de qualification');
    await charge.goto(`/dossiers/${id}/preuve`);
    await charge.page.getByText(/^Vérifié par ce navigateur/).waitFor();
    expect(await charge.page.getByText('Accès à ce dossier').count()).toBe(0);
  }, 30_000);
});

function turned(match: string, digit: string): string {
  return match.slice(0, -1) + (digit === '0' ? '1' : '0');
}

test('nothing went wrong in any window', () => {
  expect(stage.faults).toEqual([]);
});
