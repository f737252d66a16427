import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Window } from './browser.ts';
import { Stage } from './stage.ts';

const ORG = 'Nuage de Brocéliande';
const CENTRE = 'Centre de Rennes';
let stage: Stage;
let dossier: string;
/** Who takes part, each in a window of their own. */
const at: Record<'prestataire' | 'charge' | 'chef' | 'centre' | 'directeur', Window> = {} as never;
const now = new Date();
const inYears = (years: number) =>
  new Date(Date.UTC(now.getUTCFullYear() + years, now.getUTCMonth(), now.getUTCDate() - 1)).toISOString().slice(0, 10);
const TODAY = inYears(0);

beforeAll(async () => {
  stage = await Stage.open();
  at.prestataire = await stage.window('Prestataire', { org: ORG, nom: 'Viviane Lac' });
  at.charge = await stage.window('Chargé de qualification', { nom: 'Camille Martin' });
  at.chef = await stage.window('Chef de bureau');
  at.centre = await stage.window("Centre d'évaluation", { org: CENTRE });
  at.directeur = await stage.window('Directeur général');
}, 60_000);
afterAll(() => stage.close());

/** Everyone turns to the same dossier. */
async function gather(): Promise<void> {
  for (const window of Object.values(at)) await window.goto(`/dossiers/${dossier}/agir`);
}

/** Shows what is possible now to somebody whose page was opened before others acted. */
async function turnTo(window: Window): Promise<Window> {
  await window.goto(`/dossiers/${dossier}/agir`);
  return window;
}

describe('a dossier from the application to the decision, by clicking', () => {
  test('a prestataire deposits an application, its documents known by digests that were computed in the browser', async () => {
    const { prestataire } = at;
    await prestataire.page.getByRole('navigation').getByRole('link', { name: 'Dossiers' }).click();
    await prestataire.page.getByRole('link', { name: 'Ouvrir un dossier' }).click();
    await prestataire.fill({
      'Prestataire, SIREN': '732829320',
      Offre: 'Brocéliande Cloud',
      'Services, Services 1, Identifiant': 'iaas',
      'Services, Services 1, Nom': 'Machines',
      'Services, Services 1, Type': 'IaaS',
    });
    expect(await prestataire.page.getByLabel('Raison sociale').inputValue()).toBe(ORG);
    const pieces = prestataire.page.getByRole('group', { name: 'Pièces', exact: true });
    const categories = ['Architecture', 'Mesures de sécurité', 'Réseaux', 'Équipements', 'Serveurs', 'Sous-traitants'];
    for (const [index, categorie] of categories.entries()) {
      await pieces.getByRole('button', { name: 'Ajouter : Pièces' }).click();
      const piece = pieces.getByRole('group', { name: `Pièces ${index + 1}`, exact: true });
      await piece.getByLabel('Catégorie').selectOption({ label: categorie });
      await piece
        .locator('input[type=file]')
        .setInputFiles({ name: `${categorie}.pdf`, mimeType: 'application/pdf', buffer: Buffer.from(categorie) });
      await piece.getByText(/» calculée/).waitFor();
    }
    await prestataire.send();
    await prestataire.heading(`${ORG} · Brocéliande Cloud`).waitFor();
    [, dossier = ''] = /dossiers\/([0-9a-f-]{36})/.exec(prestataire.page.url()) ?? [];
    const { charge } = await stage.tokens();
    const { body } = await stage.call(charge, 'GET', `/api/dossiers/${dossier}/facts`);
    expect(body.items[0].data.pieces.map((one: { document: { empreinte: string } }) => one.document.empreinte)).toEqual(
      categories.map((categorie) => createHash('sha256').update(categorie).digest('hex')),
    );
  }, 60_000);

  test('ANSSI acknowledges, designates, finds it complete and accepts it: J0', async () => {
    await gather();
    await at.charge.propose('Accusé de réception émis', { Référence: 'AR-118' });
    await (await turnTo(at.chef)).propose('Chargé de qualification désigné', { 'Chargé de qualification': 'c.martin' });
    await turnTo(at.charge);
    await at.charge.propose('Dossier de candidature complet');
    await at.charge.propose('Candidature acceptée', { Référence: 'J0-41', 'Notifiée le': TODAY });
    expect(await at.charge.page.getByRole('list', { name: 'Jalons' }).textContent()).toMatch(/J0\d+(er)? /);
  }, 60_000);

  test('a centre is chosen, proposes a strategy, and ANSSI validates it: J1', async () => {
    await (await turnTo(at.prestataire)).propose("Centre d'évaluation choisi", {
      Centre: CENTRE,
      'Agrément, Référence': 'CE-7',
      "Agrément, Valide jusqu'au": inYears(2),
    });
    const { centre } = at;
    await turnTo(centre);
    await centre.choose("Stratégie d'évaluation proposée");
    await centre.attach({ name: 'Stratégie.pdf', text: 'La stratégie' });
    await centre.fill({
      'Périmètre, Services': ['Machines (IaaS)'],
      'Phases, Phases 1, Identifiant': 'p1',
      'Phases, Phases 1, Objet': 'Exploitation',
      'Phases, Phases 1, Mode': 'Sur site',
    });
    await centre.send();
    await centre.page.getByText("Enregistré : Stratégie d'évaluation proposée").waitFor();
    await turnTo(at.charge);
    await at.charge.propose("Stratégie d'évaluation validée", { Référence: 'J1-3', 'Notifiée le': TODAY });
    await at.charge.choose("Plan d'évaluation validé");
    await at.charge.attach({ name: 'Plan.pdf', text: 'Le plan' });
    await at.charge.send();
    await at.charge.page.getByText("Enregistré : Plan d'évaluation validé").waitFor();
  }, 60_000);

  test('the centre audits and finds; the prestataire answers; ANSSI accepts the report: J2', async () => {
    const { centre, prestataire, charge } = at;
    await turnTo(centre);
    await centre.propose('Audit planifié', { Phase: 'P1 : Exploitation', Du: TODAY, Au: TODAY });
    await centre.propose('Audit ouvert', { Audit: 'A1 (phase p1)' });
    await centre.choose('Constat relevé');
    await centre.page.getByLabel('Chercher par numéro').fill("REVUE DES DROITS D'ACCES");
    await centre.fill({
      Audit: 'A1 (phase p1)',
      Exigence: '9.4.b · Revue des droits d’accès utilisateurs',
      Verdict: 'Non conforme',
      Gravité: 'Mineure',
      Description: 'Revue des droits en retard.',
    });
    await centre.send();
    await centre.page.getByText('Enregistré : Constat relevé').waitFor();
    await centre.propose('Audit clos', { Audit: 'A1 (phase p1)' });
    await (await turnTo(prestataire)).propose("Plan d'action remis", {
      Constat: 'C1 · 9.4.b · mineure',
      Mesures: 'Une revue chaque janvier.',
      'À mener avant le': inYears(1),
    });
    await turnTo(centre);
    await centre.choose("Rapport d'évaluation remis");
    await centre.attach({ name: 'Rapport.pdf', text: 'Le rapport' }, 'Rapport');
    await centre.send();
    await centre.page.getByText("Enregistré : Rapport d'évaluation remis").waitFor();
    await (await turnTo(charge)).propose("Rapport d'évaluation accepté", { Référence: 'J2-19', 'Notifié le': TODAY });
  }, 60_000);

  test('the head of office advises, the director general decides after a summary: J3', async () => {
    const { chef, directeur } = at;
    await (await turnTo(chef)).propose('Avis rendu', {
      Sens: 'Qualifier',
      'Motifs, Motifs 1': 'Un écart mineur subsiste.',
    });
    await turnTo(directeur);
    await directeur.choose('Qualification accordée');
    await directeur.fill({
      Décision: '2026-17',
      'Décidée le': new Date().toLocaleDateString('sv-SE', { timeZone: 'Europe/Paris' }),
      'Valide du': TODAY,
      "Valide jusqu'au": inYears(2),
      'Services qualifiés': ['Machines (IaaS)'],
    });
    await directeur.page.getByRole('button', { name: 'Enregistrer', exact: true }).click();
    const summary = directeur.page.getByRole('dialog', { name: 'Qualification accordée' });
    await summary.getByText('Ce fait franchit J3').waitFor();
    expect(await summary.textContent()).toContain('2026-17');
    await summary.getByRole('button', { name: 'Revenir à la saisie' }).click();
    await summary.waitFor({ state: 'hidden' });
    await directeur.page.getByRole('button', { name: 'Enregistrer', exact: true }).click();
    await summary.getByRole('button', { name: 'Confirmer et enregistrer' }).click();
    await directeur.page.getByText('Enregistré : Qualification accordée').waitFor();
    const { auditeur } = await stage.tokens();
    const { body } = await stage.call(auditeur, 'GET', `/api/dossiers/${dossier}`);
    expect([body.state, body.crossed.map(({ jalon }: { jalon: string }) => jalon)]).toEqual([
      'qualifiee.valide',
      ['J0', 'J1', 'J2', 'J3'],
    ]);
  }, 60_000);

  test('a prestataire is told that an opinion exists, and nothing of it', async () => {
    await at.prestataire.goto(`/dossiers/${dossier}`);
    const main = at.prestataire.page.getByRole('main');
    await main.getByText('Un fait de ce dossier ne vous est pas montré').waitFor();
    expect(await main.textContent()).not.toContain('Un écart mineur subsiste.');
    await at.chef.goto(`/dossiers/${dossier}`);
    await at.chef.page.getByRole('main').getByText('Un écart mineur subsiste.').waitFor();
  });

  test('nothing went wrong in any window, and nobody but this server was asked anything', () => {
    expect(stage.faults).toEqual([]);
  });
});
