import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CalendarTokens } from './calendar-tokens.ts';
import type { KeptStore } from './kept.ts';
import { type Keeping, Site } from './site.ts';

const CAMILLE = { iss: 'https://connexion.example', sub: 'c.martin', roles: ['charge'] };
const NUAGE = { iss: 'https://connexion.example', sub: 'nuage', roles: ['prestataire'], org: 'Nébuleuse' };

/** What is promised of the tokens of calendars, whatever keeps them. */
export function describeCalendarTokens(keeping: () => Keeping): void {
  describe('the tokens of calendars', () => {
    let site: Site;
    let store: KeptStore;
    let tokens: CalendarTokens;
    const open = async () => {
      store = await keeping().kept(site.folder);
      tokens = new CalendarTokens(store);
    };
    beforeEach(async () => {
      site = await Site.open(keeping());
      await open();
    });
    afterEach(async () => {
      await store.close();
      await site.close();
    });

    const one = { id: 'a', owner: CAMILLE, createdAt: '2026-01-01T00:00:00.000Z' };
    const two = { id: 'b', owner: NUAGE, label: 'Téléphone', createdAt: '2026-01-02T00:00:00.000Z' };

    test('are found again by their digest, each with its owner, after a restart too', async () => {
      await tokens.keep(one, '1'.repeat(64));
      await tokens.keep(two, '2'.repeat(64));
      await store.close();
      await open();
      expect(await tokens.find('1'.repeat(64))).toEqual(one);
      expect(await tokens.find('2'.repeat(64))).toEqual(two);
      expect(await tokens.find('3'.repeat(64))).toBeNull();
    });

    test('are listed for one owner, or all of them', async () => {
      await tokens.keep(two, '2'.repeat(64));
      await tokens.keep(one, '1'.repeat(64));
      expect(await tokens.list(NUAGE)).toEqual([two]);
      expect(await tokens.list()).toEqual([one, two]);
      expect(await tokens.list({ iss: 'urn:autre', sub: NUAGE.sub })).toEqual([]);
    });

    test('are revoked once, by their owner or by whoever may revoke all', async () => {
      await tokens.keep(one, '1'.repeat(64));
      await tokens.keep(two, '2'.repeat(64));
      expect(await tokens.revoke('a', NUAGE)).toBe(false);
      expect(await tokens.revoke('a', CAMILLE)).toBe(true);
      expect(await tokens.revoke('a', CAMILLE)).toBe(false);
      expect(await tokens.find('1'.repeat(64))).toBeNull();
      expect(await tokens.revoked('1'.repeat(64))).toEqual(one);
      expect(await tokens.revoked('2'.repeat(64))).toBeNull();
      expect(await tokens.revoke('b')).toBe(true);
      expect(await tokens.list()).toEqual([]);
    });

    test('outlive the read models, set aside and rebuilt', async () => {
      await tokens.keep(one, '1'.repeat(64));
      await site.projector.rebuild('all', () => undefined);
      await site.store.condemn();
      await site.stopProjecting();
      await site.startProjecting();
      expect(site.said).toHaveLength(1);
      expect(await tokens.list()).toEqual([one]);
      await store.close();
      await open();
      expect(await tokens.list()).toEqual([one]);
    });
  });
}
