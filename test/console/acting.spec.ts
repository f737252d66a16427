import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../eventually.ts';
import { CENTRE, PRESTATAIRE } from '../parties.ts';
import { Receiver } from '../receiver.ts';
import { upTo, walkToJ3, wayTo } from '../walk.ts';
import type { Window } from './browser.ts';
import { Stage } from './stage.ts';
import { Wire } from './wire.ts';

let stage: Stage;
let charge: Window;
let chef: Window;

beforeAll(async () => {
  stage = await Stage.open({ JALON_WEBHOOK_ALLOW: '127.0.0.0/8' });
  charge = await stage.window('Chargé de qualification', { nom: 'Camille Martin' });
  chef = await stage.window('Chef de bureau');
}, 60_000);
afterAll(() => stage.close());

const countOf = async (id: string): Promise<number> => {
  const { auditeur } = await stage.tokens();
  return (await stage.call(auditeur, 'GET', `/api/dossiers/${id}`)).body.revision + 1;
};

describe('two people at the same dossier', () => {
  test('who comes second is shown what happened meanwhile, and loses nothing of what was typed', async () => {
    const id = await stage.lead(upTo('candidature.charge-designe'));
    await charge.goto(`/dossiers/${id}/agir`);
    await charge.choose('Compléments demandés');
    await charge.fill({
      'Pièces demandées': ['Réseaux'],
      'À fournir avant le': '2030-01-31',
      Motif: 'Le plan de réseau manque.',
    });
    await chef.goto(`/dossiers/${id}/agir`);
    await chef.propose('Note ajoutée', { Texte: 'Vu avec le prestataire.' });
    await charge.send();
    const told = charge.page.getByRole('alert');
    await told.getByText('Le dossier a changé pendant que vous saisissiez').waitFor();
    await told.getByText('Note ajoutée, par Chef de bureau').waitFor();
    expect(await countOf(id)).toBe(4);

    await told.getByRole('button', { name: 'J’ai lu, reprendre ma saisie' }).click();
    expect(await charge.page.getByLabel('Motif').inputValue()).toBe('Le plan de réseau manque.');
    expect(await charge.page.getByRole('checkbox', { name: 'Réseaux' }).isChecked()).toBe(true);
    await charge.send();
    await charge.page.getByText('Enregistré : Compléments demandés').waitFor();
    expect(await countOf(id)).toBe(5);
  }, 30_000);

  test('who comes too late is told that the fact is no longer expected, and by which rules', async () => {
    const id = await stage.lead(upTo('candidature.completee'));
    await charge.goto(`/dossiers/${id}/agir`);
    await charge.choose('Candidature acceptée');
    await charge.fill({ Référence: 'J0-1', 'Notifiée le': '2025-01-01' });
    const { charge: token } = await stage.tokens();
    await stage.call(token, 'POST', `/api/dossiers/${id}/facts`, {
      type: 'candidature.refusee',
      data: { motifs: ['Hors champ.'] },
    });
    await charge.send();
    const told = charge.page.getByRole('alert').filter({ hasText: 'Le dossier a changé' });
    await told.getByText('ce fait n’est plus attendu').waitFor();
    await told.getByRole('button', { name: 'J’ai lu, reprendre ma saisie' }).click();
    await charge.send();
    await charge.page.getByRole('alert').getByText('Refusé : rien n’a été enregistré').waitFor();
  }, 30_000);

  test('what somebody records shows at once where others look', async () => {
    const id = await stage.lead(upTo('candidature.deposee'));
    await chef.goto(`/dossiers/${id}`);
    await chef.page.getByText('1 fait.').waitFor();
    await charge.goto(`/dossiers/${id}/agir`);
    await charge.propose('Accusé de réception émis', { Référence: 'AR-7' });
    await chef.page.getByText('2 faits.').waitFor();
    await chef.page.getByRole('heading', { name: 'Accusé de réception émis' }).waitFor();
  }, 30_000);
});

describe('what is refused', () => {
  test('a role is offered what it may do, and refused what it forces by the address', async () => {
    const id = await stage.lead(upTo('j3.enquete-conclue'));
    await charge.goto(`/dossiers/${id}/agir`);
    await charge.page.getByRole('heading', { name: 'Ce que d’autres peuvent enregistrer' }).waitFor();
    expect(await charge.page.getByRole('main').getByRole('link', { name: 'Avis rendu' }).count()).toBe(0);
    await charge.goto(`/dossiers/${id}/agir/j3.avis-rendu`);
    await charge.fill({ Sens: 'Qualifier', 'Motifs, Motifs 1': 'Parce que.' });
    const before = await countOf(id);
    await charge.send();
    await charge.page.getByRole('alert').getByText('Action interdite').waitFor();
    expect(await countOf(id)).toBe(before);
  }, 30_000);

  test('a refusal names every rule, takes the focus, and leads to the field in question', async () => {
    const id = await stage.lead(upTo('candidature.deposee'));
    await charge.goto(`/dossiers/${id}/agir`);
    await charge.choose('Dossier de candidature complet');
    await charge.send();
    const told = charge.page.getByRole('alert');
    await told.getByText('Refusé : rien n’a été enregistré').waitFor();
    expect(await told.getByRole('listitem').allTextContents()).toEqual(
      expect.arrayContaining([
        '1 catégorie de pièces manque : sous-traitants.',
        "L'accusé de réception n'a pas encore été émis.",
        "Aucun chargé de qualification n'est désigné.",
      ]),
    );
    expect(await charge.page.evaluate('document.activeElement.contains(document.querySelector("[role=alert]"))')).toBe(
      true,
    );

    await charge.goto(`/dossiers/${id}/agir/candidature.accuse-emis`);
    await charge.send();
    await charge.page.getByRole('alert').getByRole('link', { name: 'Référence' }).click();
    expect(await charge.page.evaluate('document.activeElement.id')).toBe('root_reference');
    expect(await charge.page.locator('#root_reference').getAttribute('aria-invalid')).toBe('true');
  }, 30_000);

  test('a refusal says what is wrong, and leads to the findings that it names', async () => {
    const open = upTo('j2.rapport-remis').filter(({ type }) => type !== 'j2.ecart-leve');
    const id = await stage.lead(open);
    await charge.goto(`/dossiers/${id}/agir/j2.rapport-accepte`);
    const wrong = '1 non-conformité majeure est ouverte : C3 (13.2.a).';
    await charge.page
      .getByRole('listitem')
      .filter({ hasText: `Manque : ${wrong}` })
      .waitFor();
    await charge.fill({ Référence: 'J2-1', 'Notifié le': '2025-06-01' });
    await charge.send();
    const told = charge.page.getByRole('alert');
    expect(await told.getByRole('listitem').first().textContent()).toBe(wrong);
    await told.getByRole('link', { name: 'C3 (13.2.a)' }).click();
    await charge.page.getByRole('heading', { name: 'Constat C3' }).waitFor();
    expect(await charge.page.getByRole('main').getByRole('table').last().getByRole('row').count()).toBe(2);
  }, 30_000);

  test('a document that was touched is withdrawn, and an optional one that is empty is not sent', async () => {
    const id = await stage.lead(walkToJ3());
    const { page } = charge;
    await charge.goto(`/dossiers/${id}/agir/suivi.modification-notifiee`);
    await charge.fill({ Description: 'Nouvel hyperviseur.' });
    await charge.attach({ name: 'plan.txt', text: 'Plan' }, 'Document (facultatif)');
    expect(await page.getByLabel('Titre').inputValue()).toBe('plan');
    await page.getByRole('button', { name: 'Retirer ce document' }).click();
    expect(await page.locator('#root_document_empreinte').inputValue()).toBe('');
    expect(await page.getByRole('button', { name: 'Retirer ce document' }).count()).toBe(0);
    await page.getByLabel('Titre').fill('Brouillon');
    await page.getByLabel('Titre').fill('');
    await charge.send();
    await page.getByText('Enregistré : Modification du service notifiée').waitFor();
    const { auditeur } = await stage.tokens();
    const { body } = await stage.call(auditeur, 'GET', `/api/dossiers/${id}/facts?limit=200`);
    expect(body.items.at(-1)).toMatchObject({ data: { description: 'Nouvel hyperviseur.' } });
    expect(body.items.at(-1).data).not.toHaveProperty('document');
  }, 30_000);

  test('an auditeur reads and is offered nothing; a prestataire does not see the dossier of another', async () => {
    const id = await stage.lead(upTo('candidature.accuse-emis'));
    const auditeur = await stage.window('Auditeur');
    await auditeur.goto(`/dossiers/${id}/agir`);
    await auditeur.page.getByText('Un auditeur lit et vérifie').waitFor();
    const autre = await stage.window('Prestataire', { org: 'Nuage de Paimpont' });
    await autre.goto(`/dossiers/${id}`);
    await autre.heading('Dossier introuvable').waitFor();
    await autre.goto('/dossiers');
    await autre.page.getByText('Aucun dossier pour le moment').waitFor();
    const abonne = await stage.window('Système abonné');
    expect(await abonne.page.getByRole('navigation').getByRole('link', { name: 'Dossiers' }).count()).toBe(0);
  }, 30_000);

  test('the board of an accused prestataire asks for observations; of a healthy qualification it asks nothing', async () => {
    const org = PRESTATAIRE;
    await stage.lead(walkToJ3());
    const accused = await stage.lead(wayTo('qualifiee.mise-en-cause'));
    const prestataire = await stage.window('Prestataire', { org });
    const board = prestataire.page.getByRole('region', { name: 'À traiter' });
    const cards = board.getByRole('listitem').filter({ hasText: 'Qualification' });
    await cards.getByText('Des observations sur les griefs sont à présenter.').waitFor();
    expect(await cards.count()).toBe(1);
    expect(await cards.getByRole('link').allTextContents()).toEqual([
      'Nuage de Brocéliande · Brocéliande Cloud',
      'Observations présentées',
    ]);
    await cards.getByRole('link', { name: 'Observations présentées' }).click();
    await prestataire.page.getByRole('heading', { level: 2, name: 'Observations présentées' }).waitFor();
    await prestataire.goto(`/dossiers/${accused}/agir`);
    const first = prestataire.page.getByRole('main').locator('.carte').first();
    expect(await first.textContent()).toContain('Attendu de vous Des observations sur les griefs sont à présenter.');
  }, 30_000);

  test('a prestataire and a centre are offered what is theirs', async () => {
    const id = await stage.lead(upTo('j0.acceptee'));
    const prestataire = await stage.window('Prestataire', { org: PRESTATAIRE });
    await prestataire.goto(`/dossiers/${id}/agir`);
    await prestataire.page.getByRole('link', { name: "Centre d'évaluation choisi" }).waitFor();
    const centre = await stage.window("Centre d'évaluation", { org: CENTRE });
    await centre.goto(`/dossiers/${id}`);
    await centre.heading('Dossier introuvable').waitFor();
  }, 30_000);
});

describe('the past of a dossier', () => {
  test('a rectification shows both readings, and changes the corrected one of the past', async () => {
    const id = await stage.lead(upTo('j1.centre-choisi'));
    await charge.goto(`/dossiers/${id}`);
    await charge.page.getByRole('link', { name: "Rectifier : Centre d'évaluation choisi" }).click();
    await charge.fill({ 'Données rectifiées, Centre': 'Centre de Lannion', Motif: 'Une coquille.' });
    await charge.send();
    await charge.page.getByText('Enregistré : Fait rectifié').waitFor();
    await charge.view('Chronologie');
    const entry = charge.page.getByRole('article').filter({ hasText: 'Tel que rectifié' });
    expect(await entry.textContent()).toMatch(new RegExp(`${CENTRE}.*Tel que rectifié.*Centre de Lannion`));
    expect(await charge.page.getByRole('main').textContent()).toContain('Centre d’évaluationCentre de Lannion');

    const revision = upTo('j1.centre-choisi').length - 1;
    const memory = charge.page.locator('.memoire div').filter({ has: charge.page.getByText(/^centre( \(|$)/) });
    await charge.goto(`/dossiers/${id}/rejouer?pas=${revision}`);
    await memory.getByText(CENTRE).waitFor();
    await charge.page.getByText('corrigée', { exact: true }).click();
    await memory.getByText('Centre de Lannion').waitFor();
  }, 30_000);

  test('an annulment strikes the fact out, and says where it was annulled', async () => {
    const id = await stage.lead(upTo('candidature.accuse-emis'));
    await charge.goto(`/dossiers/${id}`);
    await charge.page.getByRole('link', { name: 'Annuler : Accusé de réception émis' }).click();
    await charge.fill({ Motif: 'Émis par erreur.' });
    await charge.send();
    await charge.page.getByText('Enregistré : Fait annulé').waitFor();
    await charge.view('Chronologie');
    await charge.page.locator('del').getByText('Accusé de réception émis').waitFor();
    await charge.page.getByText('Annulé depuis').waitFor();
  }, 30_000);

  test('every step of the slider is the state that the API gives, and its state is the one that is lit', async () => {
    const id = await stage.lead(upTo('j3.qualification-accordee'));
    const { charge: token } = await stage.tokens();
    const last = (await countOf(id)) - 1;
    await charge.goto(`/dossiers/${id}/rejouer?pas=0`);
    const slider = charge.page.getByRole('slider', { name: 'Étape' });
    await slider.focus();
    const shown: string[] = [];
    const expected: string[] = [];
    for (let revision = 0; revision <= last; revision += 1) {
      const { body } = await stage.call(token, 'GET', `/api/dossiers/${id}/state?revision=${revision}`);
      expected.push(`${body.state} ${body.stateHash}`);
      await charge.page.locator('main').getByText(body.stateHash).waitFor();
      const lit = await charge.page.locator('.etat--courant').getAttribute('id');
      shown.push(`${lit} ${await charge.page.locator('main code.coupe').textContent()}`);
      await charge.page.keyboard.press('ArrowRight');
    }
    expect(shown).toEqual(expected);
    await charge.page.keyboard.press('Home');
    await charge.page.getByText(`1 / ${last + 1}`).waitFor();
    expect(new URL(charge.page.url()).searchParams.get('pas')).toBe('0');
  }, 60_000);
});

describe('what an evaluation found', () => {
  test('is found by requirement, with what became of it', async () => {
    const id = await stage.lead(upTo('j2.rapport-remis'));
    await charge.goto(`/dossiers/${id}`);
    await charge.view('Constats');
    const { page } = charge;
    await page.getByText('1 écart mineur ouvert, avec plan').waitFor();
    await page.getByText('1 écart levé').first().waitFor();
    await page.getByText('275 exigences non examinées').waitFor();
    await page.getByRole('link', { name: '13.2.a : écart levé' }).click();
    await page.getByRole('heading', { name: 'Constats sur l’exigence 13.2.a' }).waitFor();
    const row = page.getByRole('row').filter({ hasText: 'C3' });
    expect(await row.textContent()).toMatch(/écart levé.*Plan remis le 4 avril 2025.*Levé le 28 avril 2025/);
    expect(new URL(page.url()).search).toBe('?exigence=13.2.a');
  }, 30_000);
});

describe('a connection that breaks', () => {
  test('is told with its hour; when it is back, what happened meanwhile is there, and that is told', async () => {
    const id = await stage.lead(upTo('candidature.deposee'));
    const wire = await Wire.to(stage.server.url);
    const far = await stage.window('Chef de bureau', {}, {}, wire.url);
    await far.goto(`/dossiers/${id}`);
    await far.page.getByText('1 fait.').waitFor();
    wire.cut();
    await far.page.getByText(/^Connexion perdue à \d\d:\d\d, reprise en cours/).waitFor();
    await charge.goto(`/dossiers/${id}/agir`);
    await charge.propose('Accusé de réception émis', { Référence: 'AR-9' });
    wire.mend();
    await far.page.getByText('2 faits.').waitFor();
    await far.page.getByText('Connexion perdue').waitFor({ state: 'detached' });
    await far.page.getByRole('status').filter({ hasText: 'Connexion rétablie à' }).waitFor();
    // The browser itself complains of the connection that was cut.
    expect(far.faults.filter((fault) => !/net::ERR_/.test(fault))).toEqual([]);
    far.faults.length = 0;
    await far.close();
    await wire.close();
  }, 60_000);

  test('a tab goes on listening when the one that listened for all is closed', async () => {
    const id = await stage.lead(upTo('candidature.deposee'));
    const listening = await stage.window('Directeur général');
    await listening.goto(`/dossiers/${id}`);
    await listening.page.getByText('1 fait.').waitFor();
    const streams: string[] = [];
    listening.context.on('response', (answer) => {
      if (answer.url().endsWith('/api/events')) streams.push(answer.url());
    });
    const [other] = await Promise.all([
      listening.context.waitForEvent('page'),
      listening.page.evaluate(`window.open('/dossiers/${id}')`),
    ]);
    await other.getByText('1 fait.').waitFor();
    expect(streams).toEqual([]);
    await listening.page.close();
    await until(async () => streams.length === 1);
    await charge.goto(`/dossiers/${id}/agir`);
    await charge.propose('Accusé de réception émis', { Référence: 'AR-10' });
    await other.getByText('2 faits.').waitFor();
    await listening.close();
  }, 30_000);

  test('a session that is over asks to log in again, and comes back to where one was', async () => {
    const id = await stage.lead(upTo('candidature.deposee'));
    const away = await stage.window('Chef de bureau', { nom: 'Dominique' });
    await away.goto(`/dossiers/${id}`);
    await away.page.getByText('1 fait.').waitFor();
    // The token is no longer accepted: so the server says when the stream is asked for again.
    await away.page.evaluate(`sessionStorage.setItem('jalon.session',
      JSON.stringify({ ...JSON.parse(sessionStorage.getItem('jalon.session')), token: 'x.y.z' }))`);
    await away.page.reload();
    await away.page.getByText('Votre session a expiré').waitFor();
    const card = away.page.getByRole('listitem').filter({ hasText: 'Chef de bureau' });
    await card.getByRole('button').click();
    await away.page.getByText('1 fait.').waitFor();
    expect(new URL(away.page.url()).pathname).toBe(`/dossiers/${id}`);
    await away.close();
  }, 30_000);

  /** The server hears the next proposal, and its answer is lost. */
  const loseAnswer = (window: Window, path: string) =>
    window.page.route(
      `**${path}`,
      async (route) => {
        await route.fetch();
        await route.abort('connectionreset');
      },
      { times: 1 },
    );
  const forgiveReset = () =>
    charge.faults.splice(
      0,
      charge.faults.length,
      ...charge.faults.filter((fault) => !/ERR_CONNECTION_RESET/.test(fault)),
    );

  test('a proposal that got no answer, then corrected, tells what was recorded and offers to correct it', async () => {
    const id = await stage.lead(upTo('candidature.deposee'));
    const { page } = charge;
    await charge.goto(`/dossiers/${id}/agir/candidature.accuse-emis`);
    await charge.fill({ Référence: 'AR-ERRONÉ' });
    await loseAnswer(charge, `/api/dossiers/${id}/facts`);
    await charge.send();
    await page.getByRole('alert').getByText('Serveur injoignable').waitFor();
    // What was sent, and under which key, is remembered even by a page that is loaded again.
    await page.reload();
    expect(await page.locator('#root_reference').inputValue()).toBe('AR-ERRONÉ');
    await charge.fill({ Référence: 'AR-12' });
    await charge.send();
    const told = page.getByRole('alert').filter({ hasText: 'Votre premier envoi avait été enregistré' });
    await told.getByText('AR-ERRONÉ').waitFor();
    expect(await countOf(id)).toBe(2);

    await told.getByRole('button', { name: 'Rectifier ce fait par ma saisie' }).click();
    await page.getByRole('heading', { level: 2, name: 'Fait rectifié' }).waitFor();
    expect(await page.getByLabel('Référence').inputValue()).toBe('AR-12');
    await charge.fill({ Motif: 'Faute de frappe.' });
    await charge.send();
    await page.getByText('Enregistré : Fait rectifié').waitFor();
    const { auditeur } = await stage.tokens();
    const { body } = await stage.call(auditeur, 'GET', `/api/dossiers/${id}/facts`);
    expect(body.items.slice(1).map(({ type, data }: { type: string; data: unknown }) => [type, data])).toEqual([
      ['candidature.accuse-emis', { reference: 'AR-ERRONÉ' }],
      ['dossier.fait-rectifie', { fait: body.items[1].id, donnees: { reference: 'AR-12' }, motif: 'Faute de frappe.' }],
    ]);
    forgiveReset();
  }, 30_000);

  test('what is typed is of one person and one session: logging out in one tab ends it in all', async () => {
    const id = await stage.lead(upTo('candidature.deposee'));
    const someone = await stage.window('Chargé de qualification', { nom: 'Camille' });
    const form = `/dossiers/${id}/agir/candidature.accuse-emis`;
    const drafts = `Object.keys(sessionStorage).filter((key) => key.startsWith('jalon.saisie.')).length`;
    await someone.goto(form);
    await someone.fill({ Référence: 'À moi' });
    expect(await someone.page.evaluate(drafts)).toBe(1);
    // Once the token expired, whoever comes back finds what they typed.
    await someone.page.evaluate(`sessionStorage.setItem('jalon.session',
      JSON.stringify({ ...JSON.parse(sessionStorage.getItem('jalon.session')), expiresAt: 0 }))`);
    await someone.page.reload();
    await someone.heading('Connexion').waitFor();
    const card = (role: string) => someone.page.getByRole('listitem').filter({ hasText: role }).getByRole('button');
    await card('Chargé de qualification').click();
    await until(async () => (await someone.page.locator('#root_reference').inputValue()) === 'À moi');

    const [other] = await Promise.all([
      someone.context.waitForEvent('page'),
      someone.page.evaluate(`window.open('${form}')`),
    ]);
    await other.locator('#root_reference').fill('À moi aussi');
    await other.getByRole('button', { name: 'Se déconnecter' }).click();
    await someone.heading('Connexion').waitFor();
    await until(async () => (await someone.page.evaluate(drafts)) === 0);
    await until(async () => (await other.evaluate(drafts)) === 0);
    await card('Chargé de qualification').click();
    await someone.heading('Tableau de bord').waitFor();
    await someone.goto(form);
    await someone.page.locator('#root_reference').waitFor();
    expect(await someone.page.locator('#root_reference').inputValue()).toBe('');

    // Who takes another role in the same tab is somebody else.
    await someone.fill({ Référence: 'Encore à moi' });
    await someone.logIn('Chef de bureau');
    expect(await someone.page.evaluate(drafts)).toBe(0);
    await someone.close();
  }, 60_000);

  test('a proposal that got no answer is sent again under the same key, and is recorded once', async () => {
    const id = await stage.lead(upTo('candidature.deposee'));
    await charge.goto(`/dossiers/${id}/agir`);
    await charge.choose('Accusé de réception émis');
    await charge.fill({ Référence: 'AR-11' });
    await loseAnswer(charge, `/api/dossiers/${id}/facts`);
    await charge.send();
    await charge.page.getByRole('alert').getByText('Serveur injoignable').waitFor();
    await charge.send();
    await charge.page.getByText('Enregistré : Accusé de réception émis').waitFor();
    expect(await countOf(id)).toBe(2);
    forgiveReset();
  }, 30_000);
});

describe('subscriptions', () => {
  test('a webhook is set up, its secret shown once, tested, suspended, resumed and removed', async () => {
    const receiver = await Receiver.open();
    await charge.goto('/abonnements');
    await charge.fill({ Adresse: receiver.url, 'Types de faits': 'candidature.*' });
    await charge.page.getByRole('button', { name: 'Créer l’abonnement' }).click();
    await charge.page.getByText(/^whsec_/).waitFor();
    const id = await stage.lead(upTo('candidature.deposee'));
    await charge.page.getByRole('row').filter({ hasText: receiver.url }).getByRole('link').click();
    await charge.heading('Abonnement').waitFor();
    await charge.page
      .getByRole('row')
      .filter({ hasText: 'Dossier de candidature déposé' })
      .getByText('Envoyé')
      .waitFor();
    expect(receiver.events.map(({ subject }) => subject)).toContain(id);
    await charge.page.getByRole('button', { name: 'Envoyer un essai' }).click();
    await charge.page.getByText(/^Essai réussi : réponse 204/).waitFor();
    await charge.page.getByRole('button', { name: 'Suspendre' }).click();
    await charge.page.getByText('Suspendu', { exact: true }).waitFor();
    await charge.page.getByRole('button', { name: 'Reprendre' }).click();
    await charge.page.getByText('En service').waitFor();
    await charge.page.getByRole('button', { name: 'Supprimer' }).click();
    await charge.page.getByRole('dialog').getByRole('button', { name: 'Supprimer' }).click();
    await charge.page.getByText('Aucun abonnement pour le moment.').waitFor();
    await receiver.close();
  }, 30_000);

  test('an address that does not agree is told, as is what is wrong field by field, and what was typed is kept', async () => {
    const receiver = await Receiver.open();
    const { page } = charge;
    receiver.agrees = { status: 405 };
    await charge.goto('/abonnements');
    await charge.fill({ Adresse: receiver.url, 'Types de faits': 'j9.*' });
    await page.getByRole('button', { name: 'Créer l’abonnement' }).click();
    await page.getByText('On attend un type de fait').waitFor();
    await charge.fill({ 'Types de faits': 'candidature.*' });
    await page.getByRole('button', { name: 'Créer l’abonnement' }).click();
    await page
      .getByRole('alert')
      .filter({ hasText: /poignée de main|OPTIONS/ })
      .waitFor();
    expect(await page.getByLabel(/^Adresse/).inputValue()).toBe(receiver.url);
    receiver.agrees = { status: 200, headers: { 'webhook-allowed-origin': '*' } };
    await page.getByRole('button', { name: 'Créer l’abonnement' }).click();
    await page.getByText('L’adresse a accepté la poignée de main').waitFor();
    await receiver.close();
  }, 30_000);

  test('a webhook is changed, its secret replaced, and what was recorded is sent again; each attempt is in the log', async () => {
    const receiver = await Receiver.open();
    const { page } = charge;
    await charge.goto('/abonnements');
    await charge.fill({ Adresse: receiver.url, 'Types de faits': 'j0.*' });
    await page.getByRole('button', { name: 'Créer l’abonnement' }).click();
    const secret = page.getByText(/^whsec_/);
    const first = await secret.textContent();
    await page.getByRole('row').filter({ hasText: receiver.url }).getByRole('link').click();
    await page.getByRole('button', { name: 'Modifier' }).click();
    await charge.fill({ 'Types de faits': 'candidature.accuse-emis' });
    await page.getByRole('button', { name: 'Enregistrer les changements' }).click();
    await page.getByText('L’abonnement est modifié.').waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Modifier');
    await page.getByRole('definition').filter({ hasText: 'candidature.accuse-emis' }).waitFor();
    await page.getByRole('button', { name: 'Changer le secret' }).click();
    await secret.waitFor();
    expect(await secret.textContent()).not.toBe(first);

    receiver.answer = (_, count) => ({ status: count === 1 ? 503 : 204 });
    const id = await stage.lead(upTo('candidature.accuse-emis'));
    const sent = page.getByRole('row').filter({ hasText: 'Accusé de réception émis' }).first();
    await sent.getByText('Envoyé').waitFor({ timeout: 20_000 });
    expect(await sent.textContent()).toMatch(/503.*204/s);
    const before = receiver.events.filter(({ subject }) => subject === id).length;
    await page.getByLabel('Quoi').selectOption({ label: 'Tout, depuis le début' });
    await page.getByRole('button', { name: 'Envoyer de nouveau' }).click();
    await page.getByText('Les envois sont repris.').waitFor();
    await until(async () => receiver.events.filter(({ subject }) => subject === id).length > before);
    await page.getByRole('button', { name: 'Supprimer' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Supprimer' }).click();
    await charge.heading('Abonnements').waitFor();
    await receiver.close();
  }, 60_000);

  test('an administrateur suspends and removes what others set up, and changes nothing else of it', async () => {
    const { page } = await stage.window('Administrateur');
    await page.getByRole('navigation').getByRole('link', { name: 'Abonnements' }).click();
    await page.getByRole('row').getByRole('link').first().click();
    await page.getByRole('button', { name: 'Suspendre' }).click();
    await page.getByText('L’abonnement est suspendu.').waitFor();
    for (const name of ['Modifier', 'Changer le secret', 'Envoyer un essai', 'Envoyer de nouveau'])
      expect(await page.getByRole('button', { name }).count()).toBe(0);
    await page.getByRole('button', { name: 'Supprimer' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Supprimer' }).click();
    await page.getByText('Aucun abonnement pour le moment.').waitFor();
  }, 30_000);

  test('a calendar program is given an address that answers, until it is revoked', async () => {
    await charge.goto('/echeances');
    await charge.fill({ Nom: 'Téléphone' });
    await charge.page.getByRole('button', { name: 'Obtenir une adresse' }).click();
    const url = await charge.page.locator('code').filter({ hasText: '/api/deadlines.ics?token=' }).textContent();
    const calendar = await fetch(url as string);
    expect([calendar.status, calendar.headers.get('content-type')]).toEqual([
      200,
      expect.stringMatching(/^text\/calendar/),
    ]);
    await charge.page.getByRole('button', { name: 'Révoquer Téléphone' }).click();
    await charge.page.getByRole('button', { name: 'Révoquer Téléphone' }).waitFor({ state: 'detached' });
    expect((await fetch(url as string)).status).toBe(401);
  }, 30_000);
});

test('nothing else went wrong in any window', () => {
  expect(stage.faults).toEqual([]);
});
