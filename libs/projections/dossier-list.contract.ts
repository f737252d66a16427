import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DOSSIER_SORTS, type DossierItem, type DossierQuery } from './index.ts';
import { type Keeping, Site } from './site.ts';
import { deposit, ToyDossier } from './toy.ts';

const TODAY = { today: '2026-06-15' };

/** What the list of dossiers finds, whatever keeps it. */
export function describeDossierList(keeping: () => Keeping): void {
  describe('la liste des dossiers', () => {
    let site: Site;
    beforeEach(async () => {
      site = await Site.open(keeping());
    });
    afterEach(async () => {
      await site.close();
      expect([...site.errors, ...site.parked]).toEqual([]);
    });

    async function opened(nom: string, offre = 'Nuage', siren?: string): Promise<ToyDossier> {
      const dossier = new ToyDossier(site.journal);
      await dossier.record('demande.deposee', deposit(nom, offre, siren));
      return dossier;
    }

    async function found(query: Partial<DossierQuery>): Promise<(string | undefined)[]> {
      await site.level();
      const { items } = await site.list.page({ ...TODAY, sort: 'prestataire', ...query });
      return items.map(({ summary }) => summary.prestataire);
    }

    test('dit de chaque dossier où il en est', async () => {
      const dossier = await opened('Nébuleuse', 'Étoile');
      await dossier.record('demande.charge-designe', { charge: 'a-17' });
      await dossier.record('dossier.cible-annoncee', { jalon: 'J0', periode: '2025' });
      await dossier.record('dossier.cible-annoncee', { jalon: 'J1', periode: '2026-T1' });
      await dossier.record('dossier.cible-annoncee', { jalon: 'J1', periode: '2026-T2' });
      await dossier.record('j0.acceptee', {}, { effectiveAt: '2026-02-10' });
      const reserves = [
        { id: 'R1', avantLe: '2026-05-01' },
        { id: 'R2', avantLe: '2026-10-01' },
      ];
      await dossier.record('j1.validee', { valideJusquAu: '2028-01-01', reserves }, { effectiveAt: '2026-04-02' });
      await dossier.record('dossier.note-ajoutee', {}, { effectiveAt: '2026-04-01' });
      await site.level();

      const { items } = await site.list.page(TODAY);
      expect(items).toEqual([
        {
          id: dossier.id,
          workflow: { name: 'essai', version: 1 },
          revision: 7,
          position: String(dossier.position),
          state: 'suivi.valide',
          label: 'Valide',
          jalon: 'suivi',
          final: false,
          openedAt: '2026-01-01',
          updatedAt: { effectiveAt: '2026-04-01', recordedAt: '2026-01-08T00:00:00.000Z' },
          jalonSince: '2026-04-02',
          summary: {
            prestataire: 'Nébuleuse',
            siren: '552100554',
            offre: 'Étoile',
            referentiel: 'essai 1',
            charge: 'a-17',
          },
          crossed: {
            J0: { effectiveAt: '2026-02-10', recordedAt: '2026-01-06T00:00:00.000Z' },
            J1: { effectiveAt: '2026-04-02', recordedAt: '2026-01-07T00:00:00.000Z' },
          },
          targets: { J0: { periode: '2025', missed: true }, J1: { periode: '2026-T2', missed: false } },
          nextDeadline: { label: 'Réserve à lever', due: '2026-05-01', overdue: true },
        },
      ]);
    });

    test('ne montre à personne une échéance que certains lecteurs doivent ignorer', async () => {
      const dossier = await opened('Nébuleuse');
      await dossier.record('j0.acceptee');
      await dossier.record('j1.avis-rendu', { avantLe: '2026-04-01' });
      await site.level();
      expect((await site.list.page(TODAY)).items).toMatchObject([{ revision: 2, nextDeadline: null }]);
    });

    test('garde à tous une échéance que seul clôt un fait que certains lecteurs doivent ignorer', async () => {
      const dossier = await opened('Nébuleuse');
      await dossier.record('demande.visite-prevue', { avantLe: '2026-04-01' });
      await dossier.record('j1.avis-rendu');
      await site.level();
      const nextDeadline = { label: 'Visite à faire', due: '2026-04-01', overdue: true };
      expect((await site.list.page(TODAY)).items).toMatchObject([{ revision: 2, nextDeadline }]);
    });

    describe('cherche', () => {
      beforeEach(async () => {
        await opened('Nébuleuse & Fils', 'Étoile du Nord', '552100554');
        await opened('Œuvres numériques', 'Nuage 100% local', '732829320');
        const third = await opened('Zéphyr', 'Étoile_filante', '443061841');
        await third.record('demande.charge-designe', { charge: 'helene-dupre' });
        await third.record('j0.acceptee');
      });

      test.each([
        ['une partie du nom du prestataire', 'buleuse', ['Nébuleuse & Fils']],
        ['sans tenir compte de la casse ni des accents', 'NEBULEUSE', ['Nébuleuse & Fils']],
        ['avec des accents là où il n’y en a pas', 'zéphÿr', ['Zéphyr']],
        ['les ligatures écrites en deux lettres', 'oeuvres', ['Œuvres numériques']],
        ['une partie de l’offre', 'étoile', ['Nébuleuse & Fils', 'Zéphyr']],
        ['le chargé', 'helene', ['Zéphyr']],
        ['un pour-cent à la lettre', '100%', ['Œuvres numériques']],
        ['un pour-cent qui ne veut pas dire « n’importe quoi »', '1%l', []],
        ['un souligné à la lettre', 'etoile_', ['Zéphyr']],
        ['une barre oblique inverse à la lettre', '\\', []],
        ['tout, quand la recherche est vide', '  ', ['Nébuleuse & Fils', 'Œuvres numériques', 'Zéphyr']],
      ])('%s', async (_what, q, expected) => {
        expect(await found({ q })).toEqual(expected);
      });

      test('un identifiant, en entier ou en partie', async () => {
        const other = await opened('Autre');
        expect(await found({ q: other.id.slice(0, 13) })).toEqual(['Autre']);
      });

      test.each([
        ['jalon', { jalon: 'J1' }, ['Zéphyr']],
        ['état', { state: 'demande.deposee' }, ['Nébuleuse & Fils', 'Œuvres numériques']],
        ['prestataire', { prestataire: 'zephyr' }, ['Zéphyr']],
        ['SIREN', { prestataire: '732829320' }, ['Œuvres numériques']],
        ['chargé', { charge: 'helene-dupre' }, ['Zéphyr']],
        ['référentiel', { referentiel: 'essai 2' }, []],
        ['procédure', { workflow: 'autre' }, []],
        ['plusieurs conditions à la fois', { state: 'demande.deposee', q: 'etoile' }, ['Nébuleuse & Fils']],
      ])('par %s', async (_what, query, expected) => {
        expect(await found(query)).toEqual(expected);
      });

      test.each([
        ['par son nom, à la lettre', { prestataire: ['Zéphyr'] }, ['Zéphyr']],
        ['et rien pour un nom qui n’est que ressemblant', { prestataire: ['zephyr'] }, []],
        [
          'par l’un ou l’autre de ses noms',
          { prestataire: ['Zéphyr'], siren: ['552100554'] },
          ['Nébuleuse & Fils', 'Zéphyr'],
        ],
        ['et rien pour qui n’est partie à aucun', {}, []],
      ])('les seuls dossiers d’une organisation, %s', async (_what, own, expected) => {
        expect(await found({ own })).toEqual(expected);
      });
    });

    describe('page après page', () => {
      const names = Array.from({ length: 23 }, (_, i) => `Société ${String((i * 7) % 10)}`);

      async function allPages(sort: string, between: () => Promise<unknown>): Promise<DossierItem[]> {
        const items: DossierItem[] = [];
        let cursor: string | undefined;
        do {
          const page = await site.list.page({ ...TODAY, sort, limit: 5, ...(cursor === undefined ? {} : { cursor }) });
          items.push(...page.items);
          cursor = page.next;
          await between();
          await site.level();
        } while (cursor !== undefined);
        return items;
      }

      test.each(DOSSIER_SORTS)(
        'donne chaque dossier une fois, trié par %s, même quand d’autres arrivent',
        async (sort) => {
          const dossiers: ToyDossier[] = [];
          for (const name of names) dossiers.push(await opened(name, name));
          for (const dossier of dossiers.slice(0, 9))
            await dossier.record('demande.complements-demandes', {
              avantLe: `2026-0${1 + (dossiers.indexOf(dossier) % 3)}-01`,
            });
          await site.level();
          const whole = await site.list.page({ ...TODAY, sort, limit: 200 });
          expect(whole.items).toHaveLength(names.length);
          expect(whole).not.toHaveProperty('next');

          const items = await allPages(sort, () => opened('Société 3', 'Société 3'));
          const before = new Set<string>(dossiers.map(({ id }) => id));
          expect(items.filter(({ id }) => before.has(id)).map(({ id }) => id)).toEqual(whole.items.map(({ id }) => id));
          expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
        },
      );

      test('range les dossiers sans échéance après les autres', async () => {
        await opened('Sans');
        const late = await opened('Tard');
        await late.record('demande.complements-demandes', { avantLe: '2026-09-01' });
        const soon = await opened('Tôt');
        await soon.record('demande.complements-demandes', { avantLe: '2026-03-01' });
        expect(await found({ sort: 'nextDeadline' })).toEqual(['Tôt', 'Tard', 'Sans']);
      });

      test('range les noms sans tenir compte de la casse ni des accents', async () => {
        for (const name of ['zinc', 'Étain', 'fer', 'Cuivre']) await opened(name);
        expect(await found({ sort: 'prestataire' })).toEqual(['Cuivre', 'Étain', 'fer', 'zinc']);
        expect(await found({ sort: '-prestataire' })).toEqual(['zinc', 'fer', 'Étain', 'Cuivre']);
      });

      test('se parcourt en entier, chaque dossier avec le curseur qui le suit', async () => {
        for (const name of names) await opened(name);
        await site.level();
        const seen: DossierItem['id'][] = [];
        let cursor = '';
        for await (const each of site.list.each({ ...TODAY, sort: 'offre' })) {
          seen.push(each.item.id);
          if (seen.length === 7) cursor = each.cursor;
        }
        expect(new Set(seen).size).toBe(names.length);
        const { items } = await site.list.page({ ...TODAY, sort: 'offre', cursor });
        expect(items.map(({ id }) => id)).toEqual(seen.slice(7));
      });
    });

    test.each([
      ['sort', { sort: 'etat' }],
      ['sort', { sort: 'constructor' }],
      ['sort', { sort: '--updatedAt' }],
      ['limit', { limit: 0 }],
      ['limit', { limit: 201 }],
      ['cursor', { cursor: 'nimporte' }],
      ['cursor', { cursor: Buffer.from('["offre","a","b"]').toString('base64url') }],
      ['cursor', { cursor: Buffer.from('["-updatedAt","\\u0000","b"]').toString('base64url') }],
    ])('refuse %s : %j', async (field, query) => {
      await expect(site.list.page({ ...TODAY, ...query })).rejects.toMatchObject({
        name: 'DossierQueryRefused',
        field,
      });
    });

    test('suit les corrections : le jalon est de nouveau celui d’avant, depuis le même jour', async () => {
      const dossier = await opened('Nébuleuse');
      const acceptance = await dossier.record('j0.acceptee', {}, { effectiveAt: '2026-02-10' });
      const data = { fait: acceptance, motif: 'Erreur' };
      await dossier.record('dossier.fait-annule', data, { target: acceptance, to: 'demande.deposee' });
      await site.level();
      const { items } = await site.list.page(TODAY);
      expect(items).toMatchObject([
        { state: 'demande.deposee', jalon: 'J0', jalonSince: '2026-01-01', crossed: {}, revision: 2 },
      ]);
    });
  });
}
