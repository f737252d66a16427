import { addDays, isCalendarDate } from '@jalon/flow';
import { Disclosed } from '@jalon/journal';
import {
  type DossierItem,
  type FollowedDeadline,
  sightsOf,
  type Timeline,
  type TimelineView,
} from '@jalon/projections';
import { catalogue, inscriptionAu } from '@jalon/workflows';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openProduct } from '../apps/api/product.ts';
import { projections } from '../apps/api/read-models.ts';
import { peek } from './office.ts';
import { PRESTATAIRE } from './parties.ts';
import { choice } from './proposals.ts';
import { unsealed } from './unsealed.ts';
import { walkToJ3 } from './walk.ts';
import { Wandering } from './wandering.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);
const DOSSIERS = process.env.JALON_TEST === 'long' ? 500 : 20;
const TODAY = '2027-01-15';
const AUDITEUR = { iss: 'urn:test', sub: 'a', roles: ['auditeur'] };

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
let corrected = 0;
beforeAll(async () => {
  wandering = await Wandering.open();
  const arbitrary = fc.tuple(fc.nat(walkToJ3().length), fc.array(choice, { minLength: 5, maxLength: 60 }));
  for (const [start, choices] of fc.sample(arbitrary, { seed, numRuns: DOSSIERS })) {
    const { id, renewal } = await wandering.wander(start, choices);
    ids.push(id, renewal);
  }
  corrected = await correctAtRandom();
}, 600_000);
afterAll(async () => {
  await wandering.close();
  expect(wandering.alarms).toEqual([]);
});

/** Rectifies and annuls facts at random, as far as the procedure allows; gives how often it did. */
async function correctAtRandom(): Promise<number> {
  const { engine } = wandering.product;
  const draw = fc.record({
    id: fc.nat(),
    fact: fc.nat(),
    annuls: fc.boolean(),
    days: fc.integer({ min: -40, max: 400 }),
  });
  let accepted = 0;
  for (const { id, fact, annuls, days } of fc.sample(draw, { seed, numRuns: 12 * DOSSIERS })) {
    const dossier = ids[id % ids.length] as string;
    const history = (await unsealed(engine).history(AUDITEUR, dossier, -1, 500)).flatMap((each) =>
      'data' in each ? [each] : [],
    );
    const touched = history[fact % history.length]!;
    const { role, org } = touched.meta.actor;
    const caller = { iss: 'urn:test', sub: `${role} corrige`, roles: [role], ...(org === undefined ? {} : { org }) };
    const body = annuls
      ? { type: 'dossier.fait-annule', data: { fait: touched.id, motif: 'Au hasard' } }
      : {
          type: 'dossier.fait-rectifie',
          data: { fait: touched.id, donnees: shifted(touched.data, days), motif: 'Au hasard' },
        };
    try {
      await engine.advance(caller, dossier, body, { route: 'corrections' });
      accepted += 1;
    } catch (fault) {
      expect((fault as Error).name).toMatch(/^(Refused|Forbidden|InvalidProposal)$/);
    }
  }
  return accepted;
}

/** A payload with every date in it moved by so many days. */
function shifted(data: unknown, days: number): unknown {
  if (typeof data === 'string') return isCalendarDate(data) ? addDays(data, days) : data;
  if (Array.isArray(data)) return data.map((each) => shifted(each, days));
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, shifted(value, days)]));
}

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
  for (const name of projections.flatMap(({ tables: declared }) => Object.keys(declared))) {
    const found = peek(folder, 'lectures.db', `${tables} and name = ?`, name);
    expect(found).toEqual([{ name }]);
    rows[name] = peek(folder, 'lectures.db', `select * from ${name} order by 1, 2`);
  }
  return { list, timelines, rows };
}

describe(`Read models after proposals at random (seed ${seed}, again by JALON_SEED)`, () => {
  let live: Shown;
  test('read histories of which facts were rectified and annulled', () => {
    expect(corrected).toBeGreaterThan(DOSSIERS / 2);
  });

  test('say of every dossier what the engine says', async () => {
    live = await shown();
    expect(live.list.map(({ id }) => id).sort()).toEqual(ids.toSorted());
    for (const item of live.list) {
      const view = await unsealed(wandering.product.engine).show(AUDITEUR, item.id);
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

  /** The deadlines of all dossiers as a role sees them, by dossier, as the timeline shows them. */
  async function deadlinesFor(role: string): Promise<Map<string, FollowedDeadline[]>> {
    const sights = sightsOf(catalogue, { roles: [role], org: PRESTATAIRE });
    const byDossier = new Map<string, FollowedDeadline[]>();
    for await (const each of wandering.product.deadlines.each({ sights, today: TODAY }))
      byDossier.set(each.dossier, [...(byDossier.get(each.dossier) ?? []), each]);
    return byDossier;
  }

  test.each([
    ['auditeur', 0],
    ['prestataire', 1],
  ])('list the deadlines of every dossier as its timeline does, to the %s', async (role, view) => {
    const all = await deadlinesFor(role);
    let compared = 0;
    for (const [i, timeline] of live.timelines.entries()) {
      if (!timeline || i % VIEWS.length !== view) continue;
      const corrections = new Set(
        timeline.entries.flatMap(({ id, type }) => (/^dossier\.fait-/.test(type) ? [id] : [])),
      );
      const told = (all.get(timeline.id) ?? [])
        // What a correction took away is told to be closed, where the timeline says nothing of it any more.
        .filter(({ closedBy }) => closedBy === undefined || !corrections.has(closedBy))
        .map(({ label, due, fact, key, openedBy, open, closedBy, closedOn, overdue }) => ({
          ...{ label, due, fact, openedBy, open, overdue },
          ...(key === undefined ? {} : { key }),
          ...(closedBy === undefined ? {} : { closedBy, closedOn }),
        }));
      const order = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
      const same = (each: object) => Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
      expect(told.map(same).sort(order)).toEqual(timeline.deadlines.map(same).sort(order));
      compared += told.length;
    }
    expect(compared).toBeGreaterThan(0);
  });

  test('register what the procedure qualified, as it stands', async () => {
    const states: Record<string, RegExp> = {
      'qualifiee.valide': /^(valide|expiree)$/,
      'qualifiee.mise-en-cause': /^(valide|suspendue|expiree)$/,
      'qualifiee.suspendue': /^(suspendue|expiree)$/,
      abrogee: /^(valide|suspendue|abrogee)$/,
    };
    const registered = new Map<string, string>();
    for await (const row of wandering.product.register.each({}))
      registered.set(String(row.dossier), inscriptionAu(row, TODAY).statut);
    for (const item of live.list) {
      const granted = item.crossed.J3 !== undefined && item.state !== 'refusee-j3';
      expect([item.id, registered.has(item.id)]).toEqual([item.id, granted]);
      if (granted) expect(registered.get(item.id)).toMatch(states[item.state] ?? new RegExp(`^${item.state}$`));
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
