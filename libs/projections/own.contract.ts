import type { ReadModel } from '@jalon/flow';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CursorRefused, OwnRows, ownProjection, PROJECTIONS, type Projection, sightsOf } from './index.ts';
import { type Keeping, Site } from './site.ts';
import { deposit, TOYS, ToyDossier } from './toy.ts';

/** Reserves of the toy, as a procedure would declare a read model of its own. */
const reserves: ReadModel<Record<string, string>> = {
  name: 'reserves',
  version: 1,
  workflow: 'essai',
  hears: ['j1.validee', 'suivi.reserve-levee'],
  columns: { reserve: 'text', since: 'text', open: 'integer' },
  key: ['reserve'],
  order: ['since'],
  fold(memory, { type, effectiveAt, data }) {
    if (type === 'j1.validee') {
      const ids: string[] = data.reserves.map(({ id }: { id: string }) => id);
      return {
        memory: Object.fromEntries(ids.map((id) => [id, effectiveAt])),
        rows: ids.map((reserve) => ({ reserve, since: effectiveAt, open: 1 })),
      };
    }
    const since = memory?.[data.reserve];
    if (since === undefined) return { memory: memory ?? {} };
    return { memory: memory ?? {}, rows: [{ reserve: data.reserve, since, open: 0 }] };
  },
};

/** What a public read model is told, kept as it is. */
const annonces: ReadModel<null> = {
  name: 'annonces',
  version: 1,
  workflow: 'essai',
  hears: ['demande.deposee'],
  public: true,
  columns: { told: 'text' },
  key: [],
  order: [],
  fold: (_, { data }) => ({ memory: null, rows: [{ told: JSON.stringify(data) }] }),
};

const MODELS = [reserves, annonces].map((model) => ownProjection(model, TOYS) as Projection);
const CHARGE = sightsOf(TOYS, { roles: ['charge'] });
const RESERVES = [
  { id: 'R1', avantLe: '2026-09-01' },
  { id: 'R2', avantLe: '2026-10-01' },
];

/** What holds of the read models that procedures have of their own, whatever keeps them. */
export function describeOwn(keeping: () => Keeping): void {
  describe("a procedure's own read model", () => {
    let site: Site;
    beforeEach(async () => {
      site = await Site.open(keeping(), [...PROJECTIONS, ...MODELS]);
    });
    afterEach(async () => {
      await site.close();
      expect([...site.errors, ...site.parked]).toEqual([]);
    });

    async function opened(nom = 'Nébuleuse'): Promise<ToyDossier> {
      const dossier = new ToyDossier(site.journal);
      await dossier.record('demande.deposee', deposit(nom, 'Nuage'));
      return dossier;
    }

    async function validated(nom?: string): Promise<{ dossier: ToyDossier; valid: string }> {
      const dossier = await opened(nom);
      await dossier.record('j0.acceptee');
      return { dossier, valid: await dossier.record('j1.validee', { reserves: RESERVES }) };
    }

    const rows = (model = reserves as ReadModel) => new OwnRows(site.store, TOYS, model);
    async function shown(where: Record<string, string | number> = {}, sights = CHARGE): Promise<string[]> {
      await site.level();
      const { items } = await rows().page({ sights, where });
      return items.map(({ reserve, open }) => `${reserve} ${Number(open) === 1 ? 'open' : 'lifted'}`);
    }

    test('holds the rows that the facts it hears make, and goes on over a restart', async () => {
      const { dossier } = await validated();
      expect(await shown()).toEqual(['R1 open', 'R2 open']);
      await site.stopProjecting();
      await dossier.record('demande.charge-designe', { charge: 'a-18' });
      await dossier.record('suivi.reserve-levee', { reserve: 'R1' });
      await site.startProjecting();
      expect(await shown()).toEqual(['R1 lifted', 'R2 open']);
      expect(await shown({ open: 1 })).toEqual(['R2 open']);
      expect(await shown({ dossier: dossier.id, reserve: 'R1' })).toEqual(['R1 lifted']);
      expect(await shown({ dossier: 'inconnu' })).toEqual([]);
    });

    test('follows corrections of what it hears, and is left as it is by others', async () => {
      const { dossier, valid } = await validated();
      const lifted = await dossier.record('suivi.reserve-levee', { reserve: 'R1' });
      const correct = (type: string, fait: string, donnees = {}) =>
        dossier.record(type, { fait, donnees, motif: 'Erreur' }, { target: fait });
      await correct('dossier.fait-annule', lifted);
      expect(await shown()).toEqual(['R1 open', 'R2 open']);
      await correct('dossier.fait-rectifie', valid, { reserves: [{ id: 'R3', avantLe: '2026-09-01' }] });
      expect(await shown()).toEqual(['R3 open']);
      await correct('dossier.fait-rectifie', dossier.facts[0]!.envelope.id, deposit('Nébuleuse', 'Autre'));
      expect(await shown()).toEqual(['R3 open']);
    });

    test('is shown of the dossiers that one sees, by a role that is told all that it hears', async () => {
      await validated('Nébuleuse');
      await validated('Éole');
      const as = (role: string, org?: string) =>
        shown({}, sightsOf(TOYS, { roles: [role], ...(org === undefined ? {} : { org }) }));
      expect(await as('charge')).toHaveLength(4);
      expect(await as('prestataire', 'Éole')).toHaveLength(2);
      expect(await as('prestataire', 'Autre')).toEqual([]);
      expect(await as('abonne')).toEqual([]);

      await site.level();
      const opinions = { ...reserves, hears: [...reserves.hears, 'j1.avis-rendu'] };
      const read = (sights: typeof CHARGE) => rows(opinions).page({ sights });
      expect((await read(CHARGE)).items).toHaveLength(4);
      expect((await read(sightsOf(TOYS, { roles: ['prestataire'], org: 'Éole' }))).items).toEqual([]);
      expect((await rows().page({})).items).toEqual([]);
    });

    test('that is public is shown to anybody, and told public fields only', async () => {
      const { id } = await opened();
      await site.level();
      expect((await rows(annonces).page({})).items).toEqual([
        { dossier: id, workflow: 'essai', version: 1, told: JSON.stringify({ prestataire: { nom: 'Nébuleuse' } }) },
      ]);
    });

    test('is read page by page, each row once, and as a whole', async () => {
      for (let i = 0; i < 12; i += 1) await validated(`Société ${i}`);
      await site.level();
      const key = ({ dossier, reserve }: Record<string, unknown>) => `${dossier} ${reserve}`;
      const all: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await rows().page({ sights: CHARGE, limit: 5, ...(cursor === undefined ? {} : { cursor }) });
        all.push(...page.items.map(key));
        cursor = page.next;
      } while (cursor !== undefined);
      expect(new Set(all).size).toBe(24);
      const each: string[] = [];
      for await (const row of rows().each({ sights: CHARGE })) each.push(key(row));
      expect(each).toEqual(all);
      for (const cursor of ['nimporte', Buffer.from('["essai","\\u0000","a","b"]').toString('base64url')])
        await expect(rows().page({ sights: CHARGE, cursor })).rejects.toBeInstanceOf(CursorRefused);
    });

    test('is rebuilt to the same rows, by its name', async () => {
      const { dossier, valid } = await validated();
      await dossier.record('suivi.reserve-levee', { reserve: 'R1' });
      await dossier.record('dossier.fait-annule', { fait: valid }, { target: valid });
      await validated('Éole');
      await site.level();
      const live = await site.rows();
      await site.projector.rebuild(['reserves', 'annonces'], () => undefined);
      expect(await site.rows()).toEqual(live);
      expect(live.reserves).toHaveLength(2);
    });
  });

  test.each([
    ['hears what its procedure does not declare', { ...reserves, hears: ['j1.valide'] }, 'essai does not declare'],
    ['is of no procedure', { ...reserves, workflow: 'autre' }, 'autre does not declare'],
    ['is public and hears what is withheld', { ...annonces, hears: ['j1.avis-rendu'] }, 'withheld from some'],
  ])('a read model that %s is refused', (_, model, fault) => {
    expect(() => ownProjection(model as ReadModel, TOYS)).toThrow(fault);
  });
}
