import { Disclosed } from '@jalon/journal';
import type { DossierItem, Timeline, TimelineView } from '@jalon/projections';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openProduct } from '../apps/api/product.ts';
import { peek } from './office.ts';
import { choice } from './proposals.ts';
import { walkToJ3 } from './walk.ts';
import { Wandering } from './wandering.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);
const DOSSIERS = process.env.JALON_TEST === 'long' ? 500 : 20;
const TODAY = '2027-01-15';

/** An auditor, and a company from which opinions, inquiries and notes are withheld. */
const VIEWS: readonly TimelineView[] = [[], ['j3.avis-rendu', 'j3.enquete-conclue', 'dossier.note-ajoutee']].map(
  (withheld) => ({
    today: TODAY,
    hidden: (type) => withheld.includes(type),
    disclose: async (asked) =>
      new Disclosed(
        asked,
        asked.names.map((each) => ({ ...each, name: `Nom de ${each.sub}` })),
        asked.payloads.map((id) => ({ id, data: { texte: id }, salt: '' })),
        true,
      ),
  }),
);

let wandering: Wandering;
const ids: string[] = [];
beforeAll(async () => {
  wandering = await Wandering.open();
  const arbitrary = fc.tuple(fc.nat(walkToJ3().length), fc.array(choice, { minLength: 5, maxLength: 60 }));
  for (const [start, choices] of fc.sample(arbitrary, { seed, numRuns: DOSSIERS })) {
    const { id, renewal } = await wandering.wander(start, choices);
    ids.push(id, renewal);
  }
}, 600_000);
afterAll(async () => {
  await wandering.close();
  expect(wandering.alarms).toEqual([]);
});

type Shown = { list: DossierItem[]; timelines: (Timeline | null)[]; rows: Record<string, unknown> };

/** Everything that the read models answer, and every row that they hold. */
async function shown(): Promise<Shown> {
  const { product, folder } = wandering;
  await product.projector.caughtUp(await product.journal.tip(), 20_000);
  const list: DossierItem[] = [];
  for await (const { item } of product.list.each({ today: TODAY, sort: 'openedAt' })) list.push(item);
  const timelines: (Timeline | null)[] = [];
  for (const id of ids) for (const view of VIEWS) timelines.push(await product.timelines.read(id, view));
  const rows: Record<string, unknown> = {};
  const tables = "select name from sqlite_schema where type in ('table', 'view') and name not like 'sqlite%'";
  for (const name of ['dossiers', 'chronologie', 'chronologie_faits']) {
    const found = peek(folder, 'lectures.db', `${tables} and name = ?`, name);
    expect(found).toEqual([{ name }]);
    rows[name] = peek(folder, 'lectures.db', `select * from ${name} order by 1, 2`);
  }
  return { list, timelines, rows };
}

describe(`Read models after proposals at random (seed ${seed}, again by JALON_SEED)`, () => {
  let live: Shown;
  test('say of every dossier what the engine says', async () => {
    live = await shown();
    expect(live.list.map(({ id }) => id).sort()).toEqual(ids.toSorted());
    for (const item of live.list) {
      const caller = { iss: 'urn:test', sub: 'a', roles: ['auditeur'] };
      const view = await wandering.product.engine.show(caller, item.id);
      const { id, revision, state, jalon, position } = view;
      expect(item).toMatchObject({ id, revision, state, jalon, position });
      const crossed = Object.entries(item.crossed).map(([name, when]) => ({ jalon: name, ...when }));
      expect(crossed).toEqual(view.crossed);
      const timeline = live.timelines.find((each) => each?.id === id)!;
      expect(timeline).toMatchObject({ revision, state, jalon, position });
      expect(timeline.entries).toHaveLength(revision + 1);
      const milestones = timeline.milestones.filter(({ effectiveAt }) => effectiveAt !== null);
      expect(milestones.map(({ jalon, effectiveAt, recordedAt }) => ({ jalon, effectiveAt, recordedAt }))).toEqual(
        view.crossed,
      );
    }
  });

  test('answer the same once rebuilt beside the live ones, row by row', async () => {
    await wandering.product.projector.rebuild('all', () => {});
    expect(await shown()).toEqual(live);
  });

  test('answer the same after a restart', async () => {
    await wandering.product.close();
    wandering.product = await openProduct(
      wandering.folder,
      () => wandering.now,
      (what) => wandering.alarms.push(what),
    );
    expect(await shown()).toEqual(live);
  });
});
