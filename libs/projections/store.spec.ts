import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EVERYTHING, IN_SQLITE, Site } from './site.ts';
import { describeStore } from './store.contract.ts';
import { deposit, ToyDossier } from './toy.ts';

describeStore(() => IN_SQLITE);

describe('the file of the read models', () => {
  let site: Site;
  let dossier: ToyDossier;
  let file: string;
  beforeEach(async () => {
    site = await Site.open(IN_SQLITE);
    file = join(site.folder, 'lectures.db');
    dossier = new ToyDossier(site.journal);
    await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
    await site.level();
    await site.stopProjecting();
  });
  afterEach(async () => {
    await site.close();
  });

  test.each([
    ['is no database any more', () => writeFileSync(file, 'du bruit '.repeat(2000))],
    ['is damaged in its middle', () => writeFileSync(file, readFileSync(file).fill(0xff, 8192, 40_000))],
    ['is cut short', () => writeFileSync(file, readFileSync(file).subarray(0, 6000))],
    ['is foreign', () => writeFileSync(file, readFileSync(join(site.folder, 'journal.db')))],
  ])('that %s is set aside loudly and derived again', async (_what, damage) => {
    damage();
    await site.startProjecting();
    await site.level();
    expect(site.said).toHaveLength(1);
    expect(site.said[0]).toContain('was set aside as lectures.db.ecartee');
    expect(await site.timelines.read(dossier.id, EVERYTHING)).toMatchObject({ revision: 0 });
    expect((await site.list.page({ today: '2026-06-15' })).items).toHaveLength(1);
  });
});
