import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DeadlineFilter, FollowedDeadline } from './index.ts';
import { CursorRefused, sightsOf } from './index.ts';
import { type Keeping, Site } from './site.ts';
import { deposit, TOYS, ToyDossier } from './toy.ts';

const TODAY = '2026-06-15';
const CHARGE = sightsOf(TOYS, { roles: ['charge'] });
const PRESTATAIRE = sightsOf(TOYS, { roles: ['prestataire'], org: 'Nébuleuse' });

/** What the list of deadlines says, whatever keeps it. */
export function describeEcheances(keeping: () => Keeping): void {
  describe('les échéances', () => {
    let site: Site;
    let dossier: ToyDossier;
    beforeEach(async () => {
      site = await Site.open(keeping());
      dossier = await opened('Nébuleuse');
    });
    afterEach(async () => {
      await site.close();
      expect([...site.errors, ...site.parked]).toEqual([]);
    });

    async function opened(nom: string, siren?: string): Promise<ToyDossier> {
      const one = new ToyDossier(site.journal);
      await one.record('demande.deposee', deposit(nom, 'Nuage', siren));
      return one;
    }

    async function listed(filter: Partial<DeadlineFilter> = {}, today = TODAY): Promise<FollowedDeadline[]> {
      await site.level();
      return (await site.deadlines.page({ sights: CHARGE, today, ...filter })).items;
    }

    async function validated(reserves = [{ id: 'R1', avantLe: '2026-09-01' }]): Promise<string> {
      await dossier.record('j0.acceptee');
      return dossier.record('j1.validee', { valideJusquAu: '2028-01-01', reserves }, { effectiveAt: '2026-03-01' });
    }

    function rectify(fait: string, donnees: object, to?: string): Promise<string> {
      const data = { fait, donnees, motif: 'Erreur' };
      return dossier.record('dossier.fait-rectifie', data, { target: fait, ...(to === undefined ? {} : { to }) });
    }

    function annul(fait: string, to?: string): Promise<string> {
      const data = { fait, motif: 'Erreur' };
      return dossier.record('dossier.fait-annule', data, { target: fait, ...(to === undefined ? {} : { to }) });
    }

    test('disent ce qu’il faut faire, pour quand, où, et quel fait l’a fixé', async () => {
      const asked = await dossier.record('demande.complements-demandes', { avantLe: '2026-06-14' });
      expect(await listed()).toEqual([
        {
          id: `${asked}.0`,
          dossier: dossier.id,
          workflow: { name: 'essai', version: 1 },
          summary: { prestataire: 'Nébuleuse', siren: '552100554', offre: 'Nuage', referentiel: 'essai 1' },
          jalon: 'J0',
          label: 'Compléments à fournir',
          due: '2026-06-14',
          validity: false,
          fact: 'demande.complements-demandes',
          openedBy: asked,
          openedOn: '2026-01-02',
          open: true,
          overdue: true,
          sequence: 0,
          changedAt: '2026-01-02T00:00:00.000Z',
          knownAt: '2026-01-02T00:00:00.000Z',
        },
      ]);
    });

    test('comprennent chaque fin de validité, et le fait que sa date rend vrai', async () => {
      const valid = await validated();
      expect(await listed()).toMatchObject([
        { id: `${valid}.0.R1`, key: 'R1', due: '2026-09-01', validity: false, jalon: 'suivi' },
        { id: `${valid}.1`, due: '2028-01-01', validity: true, jalon: 'suivi', proposes: 'suivi.expiree' },
      ]);
      expect(await listed({ proposing: true })).toMatchObject([{ label: 'Fin de validité' }]);
    });

    test('se ferment par les faits déclarés, une à une quand elles ont une clé', async () => {
      await validated([
        { id: 'R1', avantLe: '2026-09-01' },
        { id: 'R2', avantLe: '2026-10-01' },
      ]);
      const lifted = await dossier.record('suivi.reserve-levee', { reserve: 'R2' }, { effectiveAt: '2026-04-01' });
      expect(await listed({ open: true })).toMatchObject([{ key: 'R1' }, { due: '2028-01-01' }]);
      expect(await listed({ open: false })).toMatchObject([
        { key: 'R2', open: false, overdue: false, closedBy: lifted, closedOn: '2026-04-01', sequence: 1 },
      ]);
      expect(await listed()).toHaveLength(3);
    });

    test('se ferment toutes à la fin du dossier', async () => {
      await validated();
      const end = await dossier.record('suivi.expiree', {}, { effectiveAt: '2028-01-02' });
      expect(await listed({ open: true })).toEqual([]);
      expect(await listed({ open: false })).toMatchObject([{ closedBy: end }, { closedBy: end, validity: true }]);
    });

    test('cèdent la place à une autre de même sorte', async () => {
      await dossier.record('j0.acceptee');
      await dossier.record('j1.avis-rendu', { avantLe: '2026-04-01' });
      const second = await dossier.record('j1.avis-rendu', { avantLe: '2026-08-01' });
      expect(await listed()).toMatchObject([
        { due: '2026-04-01', open: false, closedBy: second },
        { due: '2026-08-01', open: true, openedBy: second },
      ]);
    });

    describe('après une correction', () => {
      test('du fait qui les a fixées : la même échéance, déplacée', async () => {
        const asked = await dossier.record('demande.complements-demandes', { avantLe: '2026-04-01' });
        await dossier.record('dossier.note-ajoutee', {});
        await rectify(asked, { avantLe: '2026-05-01' });
        expect(await listed()).toMatchObject([
          {
            id: `${asked}.0`,
            due: '2026-05-01',
            open: true,
            sequence: 2,
            changedAt: '2026-01-04T00:00:00.000Z',
            knownAt: '2026-01-04T00:00:00.000Z',
          },
        ]);
      });

      test('qui ne touche pas la date : celle-ci est connue depuis le début', async () => {
        const asked = await dossier.record('demande.complements-demandes', { avantLe: '2026-04-01', motif: 'a' });
        await rectify(asked, { avantLe: '2026-04-01', motif: 'b' });
        expect(await listed()).toMatchObject([{ sequence: 1, knownAt: '2026-01-02T00:00:00.000Z' }]);
      });

      test('qui ajoute une date, ou la retire : une échéance de plus, ou une échéance close', async () => {
        const valid = await validated();
        const data = { valideJusquAu: '2028-01-01', reserves: [{ id: 'R2', avantLe: '2026-11-01' }] };
        const correction = await rectify(valid, data);
        expect(await listed()).toMatchObject([
          { id: `${valid}.0.R1`, open: false, closedBy: correction, closedOn: '2026-01-04', sequence: 1 },
          { id: `${valid}.0.R2`, open: true, due: '2026-11-01' },
          { id: `${valid}.1`, open: true },
        ]);
      });

      test('qui annule ce qui les a fixées : closes par l’annulation', async () => {
        const asked = await dossier.record('demande.complements-demandes', { avantLe: '2026-07-01' });
        const annulment = await annul(asked, 'demande.deposee');
        expect(await listed()).toMatchObject([{ id: `${asked}.0`, open: false, closedBy: annulment, sequence: 1 }]);
        await annul(annulment, 'demande.incomplete');
        expect(await listed()).toMatchObject([{ id: `${asked}.0`, open: true }]);
      });

      test('qui annule ce qui les a closes : rouvertes, et changées', async () => {
        await dossier.record('demande.complements-demandes', { avantLe: '2026-07-01' });
        const received = await dossier.record('demande.complements-recus');
        expect(await listed()).toMatchObject([{ open: false, sequence: 1 }]);
        await annul(received, 'demande.incomplete');
        expect(await listed()).toMatchObject([
          { open: true, sequence: 2, changedAt: '2026-01-04T00:00:00.000Z', knownAt: '2026-01-02T00:00:00.000Z' },
        ]);
      });

      test('qui lève une autre réserve que la première dite : l’une rouverte, l’autre close', async () => {
        await validated([
          { id: 'R1', avantLe: '2026-09-01' },
          { id: 'R2', avantLe: '2026-10-01' },
        ]);
        const lifted = await dossier.record('suivi.reserve-levee', { reserve: 'R1' });
        await rectify(lifted, { reserve: 'R2' });
        expect(await listed()).toMatchObject([
          { key: 'R1', open: true, sequence: 2 },
          { key: 'R2', open: false, closedBy: lifted, sequence: 2 },
          { validity: true, sequence: 0 },
        ]);
      });

      test('qui déplace une fin de validité après l’expiration : l’expiration ne compte plus', async () => {
        await dossier.record('j0.acceptee');
        const valid = await dossier.record('j1.validee', { valideJusquAu: '2026-02-01' });
        await dossier.record('suivi.expiree', {}, { effectiveAt: '2026-02-02' });
        expect(await listed({ open: true })).toEqual([]);
        await rectify(valid, { valideJusquAu: '2028-02-01' }, 'suivi.valide');
        expect(await listed()).toMatchObject([{ id: `${valid}.1`, due: '2028-02-01', open: true }]);
      });
    });

    describe('ne sont montrées', () => {
      test('qu’à qui voit le dossier : tous, les siens par l’une ou l’autre de ses désignations, ou aucun', async () => {
        await dossier.record('demande.complements-demandes', { avantLe: '2026-07-01' });
        const other = await opened('Éole', '732829320');
        await other.record('demande.complements-demandes', { avantLe: '2026-08-01' });
        const seen = async (roles: string[], org?: string) =>
          (await listed({ sights: sightsOf(TOYS, { roles, ...(org === undefined ? {} : { org }) }) })).map(
            ({ dossier: id }) => (id === dossier.id ? 'Nébuleuse' : 'Éole'),
          );
        expect(await seen(['charge'])).toEqual(['Nébuleuse', 'Éole']);
        expect(await seen(['prestataire'], 'Nébuleuse')).toEqual(['Nébuleuse']);
        expect(await seen(['prestataire'], '732829320')).toEqual(['Éole']);
        expect(await seen(['prestataire'], ' NÉBULEUSE')).toEqual(['Nébuleuse']);
        expect(await seen(['prestataire'], '732 829 320 00074')).toEqual(['Éole']);
        for (const org of ['Nebuleuse', 'Nébuleuse-', ' ', '']) expect(await seen(['prestataire'], org)).toEqual([]);
        expect(await seen(['prestataire'])).toEqual([]);
        expect(await seen(['abonne', 'inconnu', 'constructor'], 'Nébuleuse')).toEqual([]);
        expect(await seen(['prestataire', 'charge'], 'Nébuleuse')).toEqual(['Nébuleuse', 'Éole']);
      });

      test('pas à ceux à qui le fait qui les a fixées est tu', async () => {
        await dossier.record('j0.acceptee');
        await dossier.record('j1.avis-rendu', { avantLe: '2026-08-01' });
        expect(await listed()).toHaveLength(1);
        expect(await listed({ sights: PRESTATAIRE })).toEqual([]);
        const both = sightsOf(TOYS, { roles: ['prestataire', 'charge'], org: 'Nébuleuse' });
        expect(await listed({ sights: both })).toHaveLength(1);
      });

      test('closes qu’à ceux qui voient ce qui les a closes : rien n’en paraît aux autres, ni état, ni date, ni rang', async () => {
        await dossier.record('demande.visite-prevue', { avantLe: '2026-07-01' });
        const before = await listed({ sights: PRESTATAIRE });
        const opinion = await dossier.record('j1.avis-rendu');
        expect(await listed()).toMatchObject([{ open: false, closedBy: opinion, sequence: 1 }]);
        expect(await listed({ open: true })).toEqual([]);
        expect(await listed({ sights: PRESTATAIRE })).toEqual(before);
        expect(await listed({ sights: PRESTATAIRE, open: true })).toEqual(before);
        expect(await listed({ sights: PRESTATAIRE, open: false })).toEqual([]);
        const both = sightsOf(TOYS, { roles: ['prestataire', 'charge'], org: 'Nébuleuse' });
        expect(await listed({ sights: both, open: true })).toEqual([]);
        expect(await listed({ sights: both, open: false })).toHaveLength(1);

        await annul(opinion);
        expect(await listed()).toMatchObject([{ open: true, sequence: 2 }]);
        expect(await listed({ sights: PRESTATAIRE })).toEqual(before);

        await dossier.record('j1.avis-rendu');
        const decision = await dossier.record('j1.validee');
        expect(await listed({ sights: PRESTATAIRE, open: true })).toEqual([]);
        expect(await listed({ sights: PRESTATAIRE })).toMatchObject([{ open: false, closedBy: decision }]);
      });

      test('closes à tous par la fin du dossier, sans dire par quel fait tu', async () => {
        await dossier.record('demande.visite-prevue', { avantLe: '2026-07-01' });
        await dossier.record('j1.avis-rendu', {}, { to: 'retiree' });
        const [deadline] = await listed({ sights: PRESTATAIRE });
        expect(deadline).toMatchObject({ open: false, overdue: false });
        expect(deadline).not.toHaveProperty('closedBy');
        expect(deadline).not.toHaveProperty('closedOn');
        expect(await listed({ sights: PRESTATAIRE, open: true })).toEqual([]);
      });
    });

    test('se trient par date, et se choisissent par date, jalon et sorte', async () => {
      await dossier.record('demande.complements-demandes', { avantLe: '2026-07-01' });
      const other = await opened('Éole');
      await other.record('j0.acceptee');
      await other.record('j1.validee', {
        valideJusquAu: '2027-01-01',
        reserves: [{ id: 'R1', avantLe: '2026-06-01' }],
      });
      const due = async (filter: Partial<DeadlineFilter>) => (await listed(filter)).map((each) => each.due);
      expect(await due({})).toEqual(['2026-06-01', '2026-07-01', '2027-01-01']);
      expect(await due({ before: '2026-07-01' })).toEqual(['2026-06-01']);
      expect(await due({ before: '2026-07-02' })).toEqual(['2026-06-01', '2026-07-01']);
      expect(await due({ from: '2026-07-01' })).toEqual(['2026-07-01', '2027-01-01']);
      expect(await due({ jalon: 'J0' })).toEqual(['2026-07-01']);
      const span = { first: '2026-06-01', last: '2027-01-01' };
      expect(await due({ within: [{ ...span, validity: true }] })).toEqual(['2027-01-01']);
      expect(
        await due({
          within: [
            { ...span, validity: false },
            { ...span, validity: true },
          ],
        }),
      ).toHaveLength(3);
      expect(await due({ within: [] })).toEqual([]);
    });

    test('se lisent page par page, chacune une fois, et en entier', async () => {
      const dossiers = [dossier];
      for (let i = 0; i < 22; i += 1) dossiers.push(await opened(`Société ${i}`));
      for (const [i, each] of dossiers.entries())
        await each.record('demande.complements-demandes', { avantLe: `2026-0${1 + (i % 3)}-01` });
      await site.level();
      const all: string[] = [];
      let cursor: string | undefined;
      do {
        const query = { sights: CHARGE, today: TODAY, limit: 5, ...(cursor === undefined ? {} : { cursor }) };
        const page = await site.deadlines.page(query);
        all.push(...page.items.map(({ due, id }) => `${due} ${id}`));
        cursor = page.next;
      } while (cursor !== undefined);
      expect(new Set(all).size).toBe(23);
      const dates = all.map((each) => each.slice(0, 10));
      expect(dates).toEqual(dates.toSorted());
      const each: string[] = [];
      for await (const { due, id } of site.deadlines.each({ sights: CHARGE, today: TODAY })) each.push(`${due} ${id}`);
      expect(each).toEqual(all);
    });

    test.each(['nimporte', Buffer.from('["dossiers","a","b","c"]').toString('base64url')])(
      'refusent le curseur %s',
      async (cursor) => {
        const page = site.deadlines.page({ sights: CHARGE, today: TODAY, cursor });
        await expect(page).rejects.toBeInstanceOf(CursorRefused);
      },
    );
  });
}
