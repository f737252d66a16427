import { Disclosed } from '@jalon/journal';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { TimelineView } from './index.ts';
import { EVERYTHING, type Keeping, Site } from './site.ts';
import { deposit, ToyDossier } from './toy.ts';

const WITHHELD = new Set(['j1.avis-rendu', 'dossier.note-ajoutee']);
const FOR_THE_PRESTATAIRE: TimelineView = { ...EVERYTHING, hidden: (type) => WITHHELD.has(type) };

/** What the timeline tells, whatever keeps it. */
export function describeChronologie(keeping: () => Keeping): void {
  describe('la chronologie', () => {
    let site: Site;
    let dossier: ToyDossier;

    beforeEach(async () => {
      site = await Site.open(keeping());
      dossier = new ToyDossier(site.journal);
    });
    afterEach(async () => {
      await site.close();
      expect([...site.errors, ...site.parked]).toEqual([]);
    });

    async function timeline(view: TimelineView = EVERYTHING) {
      await site.level();
      const read = await site.timelines.read(dossier.id, view);
      if (!read) throw new Error('The dossier has no timeline.');
      return read;
    }

    test('raconte un dossier : jalons avec leurs dates et durées, et une entrée par fait', async () => {
      const opening = await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
      const acceptance = await dossier.record('j0.acceptee', { reference: 'R-1' }, { effectiveAt: '2026-01-20' });
      await dossier.record('j1.validee', {}, { effectiveAt: '2026-03-01' });

      expect(await timeline()).toMatchObject({
        id: dossier.id,
        workflow: { name: 'essai', version: 1 },
        revision: 2,
        position: String(dossier.position),
        state: 'suivi.valide',
        jalon: 'suivi',
        milestones: [
          { jalon: 'J0', effectiveAt: '2026-01-20', daysSincePrevious: null, daysSinceOpening: 19, fact: acceptance },
          { jalon: 'J1', effectiveAt: '2026-03-01', daysSincePrevious: 40, daysSinceOpening: 59 },
        ],
        entries: [
          {
            id: opening,
            revision: 0,
            type: 'demande.deposee',
            label: 'Demande déposée',
            jalon: 'J0',
            from: null,
            to: 'demande.deposee',
            data: deposit('Nébuleuse', 'Nuage'),
          },
          {
            id: acceptance,
            jalon: 'J0',
            from: 'demande.deposee',
            to: 'j1.examen',
            crosses: 'J0',
            data: { reference: 'R-1' },
          },
          { jalon: 'J1', crosses: 'J1', to: 'suivi.valide' },
        ],
      });
    });

    test('montre les jalons qui restent à franchir', async () => {
      await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
      const nothing = {
        effectiveAt: null,
        recordedAt: null,
        daysSincePrevious: null,
        daysSinceOpening: null,
        fact: null,
      };
      expect((await timeline()).milestones).toEqual([
        { jalon: 'J0', ...nothing },
        { jalon: 'J1', ...nothing },
      ]);
    });

    test("range les faits par date d'effet, même enregistrés après coup", async () => {
      await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'), { effectiveAt: '2026-01-10' });
      await dossier.record('j0.acceptee', {}, { effectiveAt: '2026-02-10' });
      await dossier.record('demande.charge-designe', { charge: 'a-17' }, { effectiveAt: '2026-01-15' });
      await dossier.record('demande.charge-designe', { charge: 'a-18' }, { effectiveAt: '2026-01-15' });
      expect((await timeline()).entries.map(({ revision }) => revision)).toEqual([0, 2, 3, 1]);
    });

    test("ne connaît pas un dossier qui n'existe pas", async () => {
      expect(await site.timelines.read('inconnu', EVERYTHING)).toBeNull();
    });

    describe('les personnes', () => {
      test('ne garde que l’engagement du nom, et montre le nom que donne l’annuaire', async () => {
        const actor = {
          iss: 'https://connexion.example',
          sub: 'a-17',
          role: 'charge',
          org: 'ANSSI',
          name: 'c'.repeat(64),
        };
        const onBehalfOf = { role: 'prestataire', org: 'Nébuleuse', name: 'd'.repeat(64) };
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'), { actor, onBehalfOf });
        const { name: _actorName, ...author } = actor;
        const { name: _partyName, ...party } = onBehalfOf;
        const names: TimelineView = {
          ...EVERYTHING,
          disclose: async (asked) => {
            const names = asked.names.map((each) => ({
              ...each,
              name: `${each.iss} ${each.sub} ${each.commitment[0]}`,
            }));
            return new Disclosed(asked, names, [], true);
          },
        };
        expect((await timeline(names)).entries[0]).toMatchObject({
          actor: { ...author, nom: 'https://connexion.example a-17 c' },
          onBehalfOf: { ...party, nom: 'pour-le-compte-de prestataire Nébuleuse d' },
        });
        expect((await timeline()).entries[0]).toMatchObject({
          actor: { ...author, nom: 'effacé' },
          onBehalfOf: { ...party, nom: 'effacé' },
        });
        const away: TimelineView = { ...EVERYTHING, disclose: async (asked) => new Disclosed(asked, [], [], false) };
        expect((await timeline(away)).entries[0]).toMatchObject({
          actor: { ...author, nom: 'indisponible' },
          onBehalfOf: { ...party, nom: 'indisponible' },
        });
      });

      test('n’écrit aucun nom quand aucun n’a été enregistré', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        expect((await timeline()).entries[0]?.actor).not.toHaveProperty('nom');
      });

      test('va chercher dans l’annuaire le contenu d’un fait effaçable, et dit quand il est effacé', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        const note = await dossier.record('dossier.note-ajoutee', { texte: 'À revoir' });
        await site.directory.keep({ id: note, data: { texte: 'À revoir' }, salt: '0'.repeat(32) });
        const view: TimelineView = { ...EVERYTHING, disclose: (asked) => site.directory.disclose(asked) };
        const shown = await timeline(view);
        expect(shown.entries[1]?.data).toEqual({ texte: 'À revoir' });
        expect(shown.entries[1]).not.toHaveProperty('erased');
        const away: TimelineView = { ...EVERYTHING, disclose: async (asked) => new Disclosed(asked, [], [], false) };
        const [, unknown] = (await timeline(away)).entries;
        expect(unknown).toMatchObject({ id: note, unavailable: true });
        expect(unknown).not.toHaveProperty('erased');
        expect(unknown).not.toHaveProperty('data');

        await site.directory.drop(note);
        const { entries } = await timeline(view);
        expect(entries[1]).toMatchObject({ id: note, erased: true });
        expect(entries[1]).not.toHaveProperty('data');
      });
    });

    describe('les cibles annoncées', () => {
      test.each([
        ['2026', '2026-12-31'],
        ['2026-S1', '2026-06-30'],
        ['2026-S2', '2026-12-31'],
        ['2026-T2', '2026-06-30'],
        ['2026-T4', '2026-12-31'],
        ['2028-02', '2028-02-29'],
        ['2026-06-15', '2026-06-15'],
      ])('« %s » court jusqu’au %s, ce jour compris', async (periode, until) => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('dossier.cible-annoncee', { jalon: 'J0', periode });
        const dayAfter = new Date(Date.parse(until) + 86_400_000).toISOString().slice(0, 10);
        expect((await timeline({ ...EVERYTHING, today: until })).targets).toMatchObject([
          { periode, until, missed: false },
        ]);
        expect((await timeline({ ...EVERYTHING, today: dayAfter })).targets).toMatchObject([{ missed: true }]);
      });

      test('sont manquées ou tenues selon le jour où le jalon a été franchi, une fois pour toutes', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('dossier.cible-annoncee', { jalon: 'J0', periode: '2026-01' });
        await dossier.record('dossier.cible-annoncee', { jalon: 'J0', periode: '2026-T1' });
        await dossier.record('j0.acceptee', {}, { effectiveAt: '2026-02-10' });
        expect((await timeline({ ...EVERYTHING, today: '2030-01-01' })).targets).toMatchObject([
          { periode: '2026-01', missed: true },
          { periode: '2026-T1', missed: false },
        ]);
      });
    });

    describe('les échéances', () => {
      test('sont ouvertes par un fait, dépassées le lendemain du jour dit, closes par un autre', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        const asked = await dossier.record('demande.complements-demandes', { avantLe: '2026-06-15' });
        const open = { label: 'Compléments à fournir', due: '2026-06-15', openedBy: asked, open: true };
        expect((await timeline()).deadlines).toMatchObject([{ ...open, overdue: false }]);
        expect((await timeline({ ...EVERYTHING, today: '2026-06-16' })).deadlines).toMatchObject([
          { ...open, overdue: true },
        ]);

        const received = await dossier.record('demande.complements-recus', {}, { effectiveAt: '2026-03-02' });
        expect((await timeline({ ...EVERYTHING, today: '2026-06-16' })).deadlines).toMatchObject([
          { due: '2026-06-15', open: false, closedBy: received, closedOn: '2026-03-02', overdue: false },
        ]);
      });

      test('cèdent la place quand un fait du même type en fixe une autre', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('j0.acceptee');
        await dossier.record('j1.avis-rendu', { avantLe: '2026-04-01' });
        const second = await dossier.record('j1.avis-rendu', { avantLe: '2026-08-01' });
        expect((await timeline()).deadlines).toMatchObject([
          { due: '2026-04-01', open: false, closedBy: second },
          { due: '2026-08-01', open: true, openedBy: second },
        ]);
      });

      test('se ferment une à une quand elles ont une clé', async () => {
        await validated();
        await dossier.record('suivi.reserve-levee', { reserve: 'R2' });
        expect((await timeline()).deadlines).toMatchObject([
          { label: 'Réserve à lever', key: 'R1', due: '2026-09-01', open: true },
          { label: 'Réserve à lever', key: 'R2', due: '2026-10-01', open: false },
          { label: 'Fin de validité', due: '2028-01-01', open: true },
        ]);
      });

      test('se ferment toutes quand le dossier prend fin, et un état final n’en ouvre aucune', async () => {
        await validated();
        const end = await dossier.record('suivi.expiree', {}, { effectiveAt: '2028-01-02' });
        const { deadlines } = await timeline();
        expect(deadlines).toHaveLength(3);
        for (const deadline of deadlines)
          expect(deadline).toMatchObject({ open: false, closedBy: end, closedOn: '2028-01-02' });
      });

      async function validated() {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('j0.acceptee');
        const reserves = [
          { id: 'R1', avantLe: '2026-09-01' },
          { id: 'R2', avantLe: '2026-10-01' },
        ];
        await dossier.record('j1.validee', { valideJusquAu: '2028-01-01', reserves });
      }
    });

    describe('ce qui est tu', () => {
      test('disparaît des entrées et des échéances de celui à qui on le tait', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('j0.acceptee');
        await dossier.record('j1.avis-rendu', { avantLe: '2026-04-01' });
        await dossier.record('dossier.note-ajoutee', { texte: 'À revoir' });
        expect((await timeline()).deadlines).toHaveLength(1);
        const shown = await timeline(FOR_THE_PRESTATAIRE);
        expect(shown.entries.map(({ type }) => type)).toEqual(['demande.deposee', 'j0.acceptee']);
        expect(shown.deadlines).toEqual([]);
        expect(shown.revision).toBe(3);
      });

      test('comprend les corrections de ce qui est tu', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('j0.acceptee');
        const avis = await dossier.record('j1.avis-rendu', { avantLe: '2026-04-01' });
        await dossier.record('dossier.fait-annule', { fait: avis, motif: 'Erreur' }, { target: avis });
        expect((await timeline()).entries.map(({ type }) => type)).toContain('dossier.fait-annule');
        const shown = await timeline(FOR_THE_PRESTATAIRE);
        expect(shown.entries.map(({ type }) => type)).toEqual(['demande.deposee', 'j0.acceptee']);
      });

      test('ne ferme une échéance visible que pour qui le voit ; pour les autres, ce qu’ils voient la fermera', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('j0.acceptee');
        await dossier.record('demande.visite-prevue', { avantLe: '2026-04-01' });
        const opinion = await dossier.record('j1.avis-rendu');
        const [seen] = (await timeline()).deadlines;
        expect(seen).toMatchObject({ label: 'Visite à faire', open: false, closedBy: opinion });
        const [open] = (await timeline(FOR_THE_PRESTATAIRE)).deadlines;
        expect(open).toMatchObject({ label: 'Visite à faire', open: true, overdue: true });
        expect(open).not.toHaveProperty('closedBy');

        const decision = await dossier.record('j1.validee');
        expect((await timeline()).deadlines).toMatchObject([{ open: false, closedBy: opinion }]);
        expect((await timeline(FOR_THE_PRESTATAIRE)).deadlines).toMatchObject([{ open: false, closedBy: decision }]);
      });

      test('ferme les échéances pour tous quand il met fin au dossier, sans se montrer', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('demande.complements-demandes', { avantLe: '2026-04-01' });
        await dossier.record('j1.avis-rendu', {}, { to: 'retiree' });
        const [deadline] = (await timeline(FOR_THE_PRESTATAIRE)).deadlines;
        expect(deadline).toMatchObject({ open: false, overdue: false });
        expect(deadline).not.toHaveProperty('closedBy');
        expect(deadline).not.toHaveProperty('closedOn');
      });
    });

    describe('les corrections', () => {
      test('une rectification change ce qui en découle ; le fait reste tel qu’enregistré et dit qu’il est rectifié', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        const asked = await dossier.record('demande.complements-demandes', { avantLe: '2026-04-01' });
        await dossier.record('demande.complements-recus');
        const accepted = await dossier.record('j0.acceptee', {}, { effectiveAt: '2026-03-01' });
        await rectify(asked, { avantLe: '2026-05-01' });
        const id = await rectify(accepted, {}, '2026-02-20');

        const shown = await timeline();
        expect(shown.milestones[0]).toMatchObject({ effectiveAt: '2026-02-20', fact: accepted });
        expect(shown.deadlines).toMatchObject([{ due: '2026-05-01', open: false }]);
        expect(shown.entries.find((entry) => entry.id === accepted)).toMatchObject({
          effectiveAt: '2026-03-01',
          corrected: { id, revision: 5, kind: 'rectified', effectiveAt: '2026-02-20' },
        });
      });

      test('une annulation retire un jalon, et l’annulation de l’annulation le rend', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        const accepted = await dossier.record('j0.acceptee', {}, { effectiveAt: '2026-03-01' });
        const annulment = await annul(accepted, 'demande.deposee');
        expect(await timeline()).toMatchObject({
          state: 'demande.deposee',
          milestones: [{ jalon: 'J0', effectiveAt: null }, { jalon: 'J1' }],
          entries: [{ revision: 0 }, { revision: 2 }, { id: accepted, corrected: { id: annulment, kind: 'annulled' } }],
        });
        await annul(annulment, 'j1.examen');
        expect(await timeline()).toMatchObject({
          state: 'j1.examen',
          milestones: [{ jalon: 'J0', effectiveAt: '2026-03-01' }, { jalon: 'J1' }],
        });
      });

      test('annuler ce qui fermait une échéance la rouvre', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('demande.complements-demandes', { avantLe: '2026-04-01' });
        const received = await dossier.record('demande.complements-recus');
        await annul(received, 'demande.incomplete');
        expect((await timeline()).deadlines).toMatchObject([{ due: '2026-04-01', open: true, overdue: true }]);
      });

      test('annuler ce qui avait mis fin au dossier rouvre ses échéances, même si des faits ont suivi la fin', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('demande.complements-demandes', { avantLe: '2026-07-01' });
        const retreat = await dossier.record('dossier.retire');
        await dossier.record('dossier.note-ajoutee', {});
        expect((await timeline()).deadlines).toMatchObject([{ open: false, closedBy: retreat }]);
        const annulment = await annul(retreat, 'demande.incomplete');
        expect((await timeline()).deadlines).toMatchObject([{ due: '2026-07-01', open: true }]);
        await dossier.record('demande.charge-designe', { charge: 'a-18' });
        await annul(annulment, 'retiree');
        expect((await timeline()).deadlines).toMatchObject([{ open: false, closedBy: retreat }]);
      });

      test('une fin de validité rectifiée annule l’expiration qu’elle rend fausse', async () => {
        await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
        await dossier.record('j0.acceptee');
        const valid = await dossier.record('j1.validee', { valideJusquAu: '2026-02-01' });
        const expiry = await dossier.record('suivi.expiree', {}, { effectiveAt: '2026-02-02' });
        await rectify(valid, { valideJusquAu: '2028-02-01' }, undefined, 'suivi.valide');
        const shown = await timeline();
        expect(shown).toMatchObject({ state: 'suivi.valide', deadlines: [{ due: '2028-02-01', open: true }] });
        expect(shown.entries.find(({ id }) => id === expiry)).toMatchObject({ corrected: { kind: 'annulled' } });
      });

      function rectify(fait: string, donnees: object, effectiveAt?: string, to?: string) {
        const data = { fait, donnees, motif: 'Erreur', ...(effectiveAt === undefined ? {} : { effectiveAt }) };
        return dossier.record('dossier.fait-rectifie', data, { target: fait, ...(to === undefined ? {} : { to }) });
      }

      function annul(fait: string, to: string) {
        return dossier.record('dossier.fait-annule', { fait, motif: 'Erreur' }, { target: fait, to });
      }
    });
  });
}
