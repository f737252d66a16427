import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EVERYTHING, type Keeping, Site } from './site.ts';
import { deposit, ToyDossier } from './toy.ts';

/** What the store of the read models guarantees, whatever it is. */
export function describeStore(keeping: () => Keeping): void {
  describe('the store of the read models', () => {
    let site: Site;
    let dossier: ToyDossier;
    beforeEach(async () => {
      site = await Site.open(keeping());
      dossier = new ToyDossier(site.journal);
      await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
      await site.level();
      await site.stopProjecting();
    });
    afterEach(async () => {
      await site.close();
    });

    test('is found again as it was left', async () => {
      await site.startProjecting();
      expect(await site.timelines.read(dossier.id, EVERYTHING)).toMatchObject({ revision: 0 });
      expect(site.said).toEqual([]);
    });

    test('that was condemned while in use is set aside at the next opening, once', async () => {
      await site.startProjecting();
      await site.store.condemn();
      await site.stopProjecting();
      await site.startProjecting();
      await site.stopProjecting();
      await site.startProjecting();
      expect(site.said).toHaveLength(1);
    });

    test('shows readers what is committed while a transaction is open', async () => {
      await site.startProjecting({ following: false });
      await site.store.transact(async (db) => {
        await db.deleteFrom('dossiers_g1').execute();
        expect((await site.list.page({ today: '2026-06-15' })).items).toHaveLength(1);
      });
      expect((await site.list.page({ today: '2026-06-15' })).items).toHaveLength(0);
    });
  });
}
