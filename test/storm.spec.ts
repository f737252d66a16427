import { setTimeout as pause } from 'node:timers/promises';
import {
  chainFault,
  type Directory,
  type Journal,
  openEventStoreJournal,
  openPostgresDirectory,
  type StoredEvent,
} from '@jalon/journal';
import { collect } from '@jalon/journal/contract';
import { openPostgresReadModels, type PostgresReadModels } from '@jalon/projections';
import { rowsOf } from '@jalon/projections/contract';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { projections } from '../apps/api/read-models.ts';
import { carryOut } from '../apps/cli/hold.ts';
import { Cluster } from './cluster.ts';
import { Crowd } from './crowd.ts';
import { until } from './eventually.ts';
import { replayed } from './replayed.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);
const LONG = process.env.JALON_TEST === 'long';
const STORM_MS = LONG ? 60_000 : 8_000;
const CLIENTS = 64;
const DOSSIERS = 50;

/** How long what was killed last may take to come back, clients to be answered and read models to catch up. */
const CALM_MS = 120_000;

let cluster: Cluster;
let crowd: Crowd;
let journal: Journal;
let directory: Directory;
let readModels: PostgresReadModels;
/** The facts of dossiers, and what was recorded beside them. */
let stored: StoredEvent[];
let beside: StoredEvent[];
const kills = new Map<string, number>();

beforeAll(async () => {
  cluster = await Cluster.start(3);
  crowd = new Crowd(cluster, seed);
  journal = await openEventStoreJournal(cluster.store.process.connectionString);
  directory = await openPostgresDirectory(cluster.postgres.url);
  readModels = openPostgresReadModels(cluster.postgres.url);
}, 60_000);
afterAll(async () => {
  await journal?.close();
  await directory?.close();
  await readModels?.close();
  await cluster?.stop();
}, 60_000);

/** A process that is killed once so many more proposals were accepted and so long passed, and stays away a while. */
const blow = fc.record({
  victim: fc.nat(),
  accepted: fc.constantFrom(0, 0, 5, 30),
  after: fc.integer({ min: 50, max: 1_000 }),
  // Longer than the journal tries again: clients are told to come back later.
  away: fc.oneof({ arbitrary: fc.nat(1_200), weight: 9 }, { arbitrary: fc.constant(6_500), weight: LONG ? 1 : 0 }),
});

/** Kills processes and starts them again, several at a time, until the storm is over and all are there. */
async function storm(): Promise<void> {
  const { mortals } = cluster;
  const blows = fc.sample(blow, { seed, numRuns: 1_000 });
  const [everyone = []] = fc.sample(fc.shuffledSubarray(mortals, { minLength: mortals.length }), { seed, numRuns: 1 });
  const away = new Map<string, Promise<void>>();
  const end = performance.now() + STORM_MS;
  // At least once each, however slow the machine.
  for (let i = 0; performance.now() < end || i < everyone.length; i += 1) {
    const { victim, accepted, after, away: awayMs } = blows[i % blows.length]!;
    const wanted = crowd.accepted + accepted;
    await pause(after);
    await until(async () => crowd.accepted >= wanted);
    const mortal = everyone[i] ?? mortals[victim % mortals.length]!;
    if (away.has(mortal.name)) continue;
    kills.set(mortal.name, (kills.get(mortal.name) ?? 0) + 1);
    const back = async () => {
      await mortal.kill();
      await pause(awayMs);
      await mortal.start();
    };
    away.set(
      mortal.name,
      back().finally(() => away.delete(mortal.name)),
    );
  }
  await Promise.all(away.values());
}

const node = () => cluster.nodes[0]!.process;
const auditeur = () => cluster.token('auditeur', 'auditeur');

describe(`${CLIENTS} clients advance ${DOSSIERS} dossiers while nodes, projector and EventStoreDB are killed, PostgreSQL stopped (seed ${seed}, again by JALON_SEED)`, () => {
  test(
    'every proposal is answered at last, by acceptance or by a refusal that says why',
    async () => {
      await crowd.begin(CLIENTS, DOSSIERS, LONG ? 28 : 8);
      await storm();
      await crowd.finish();
      const log = await collect(journal.readAll(null));
      stored = log.filter(({ envelope }) => envelope.stream.startsWith('dossier-'));
      beside = log.filter(({ envelope }) => !envelope.stream.startsWith('dossier-'));
      const statuses = crowd.sent.flatMap(({ answers }) => answers.map(({ status }) => status));
      expect(statuses.filter((status) => ![201, 403, 404, 409, 422].includes(status))).toEqual([]);
      expect(crowd.wrong).toEqual([]);
      expect(cluster.complaints).toEqual([]);
    },
    2 * STORM_MS + CALM_MS,
  );

  test('it was a storm: each was killed, connections were cut, and still much was accepted', () => {
    expect([...kills.keys()].sort()).toEqual(cluster.mortals.map(({ name }) => name).sort());
    expect(crowd.counted.cut).toBeGreaterThan(0);
    expect(crowd.counted.read).toBeGreaterThan(0);
    expect(stored.length).toBeGreaterThan(2 * DOSSIERS);
  });

  test('each acknowledged fact is there once, as acknowledged, and none whose proposer was told 4xx', () => {
    const acknowledged = new Map<string, string>();
    for (const { correlationId, answers } of crowd.sent) {
      const accepted = answers.filter(({ status }) => status === 201);
      // Who sent it to two nodes at once is told the same by both, or by one that it came too early.
      const said = accepted.map(({ body: { id, revision, position, event } }) =>
        [event.id, `dossier-${id}`, revision, position, event.meta.hash].join(' '),
      );
      expect(new Set(said).size).toBeLessThan(2);
      if (said[0] !== undefined) acknowledged.set(correlationId, said[0]);
    }
    const there = stored.map(({ envelope, position, hash }) => [
      envelope.correlationId,
      [envelope.id, envelope.stream, envelope.revision, position, hash].join(' '),
    ]);
    expect(there.toSorted()).toEqual([...acknowledged].toSorted());
  });

  test('revisions have no gap, every chain verifies, every state is what a replay gives', async () => {
    const streams = crowd.dossiers.map((id) => `dossier-${id}`);
    expect(stored.filter(({ envelope }) => !streams.includes(envelope.stream))).toEqual([]);
    for (const id of crowd.dossiers)
      await replayed(
        id,
        stored.filter(({ envelope }) => envelope.stream === `dossier-${id}`),
        directory,
      );
  });

  test('denials are recorded beside them, in chains without a gap', () => {
    for (const stream of new Set(beside.map(({ envelope }) => envelope.stream))) {
      expect(stream).toMatch(/^acces-(registre$|\d{4}-\d{2}-n-)/);
      const events = beside.filter(({ envelope }) => envelope.stream === stream);
      for (const [i, event] of events.entries()) expect(chainFault(event, events[i - 1] ?? null)).toBeNull();
    }
    const denials = beside.filter(({ envelope }) => envelope.type === 'acces.refuse');
    expect(denials.length).toBeGreaterThan(0);
  });

  test('every node shows each dossier as it was left', async () => {
    const left = new Map(stored.map(({ envelope }) => [envelope.stream, envelope]));
    for (const { process } of cluster.nodes)
      for (const id of crowd.dossiers) {
        const { body } = await process.send('GET', `/api/dossiers/${id}`, { token: await auditeur() });
        const { revision, to } = left.get(`dossier-${id}`)!;
        expect([body.revision, body.state]).toEqual([revision, to]);
      }
  }, 30_000);

  test(
    'read models catch up by themselves, park nothing, and are what a rebuild gives',
    async () => {
      const last = stored.at(-1)!.position;
      const path = `/api/dossiers?limit=200&min-position=${last}`;
      const token = await auditeur();
      await until(async () => (await node().send('GET', path, { token })).status === 200);
      expect((await node().send('GET', path, { token })).body.items).toHaveLength(DOSSIERS);
      const before = await rowsOf(readModels, projections);
      const health = async () => (await node().send('GET', '/health/ready')).body.readModels.projections;
      expect(await health()).toMatchObject(projections.map(({ name }) => ({ projection: name, behind: 0, parked: 0 })));
      await carryOut(cluster.nodes[0]!.folder, { command: 'rebuild' }, () => undefined);
      expect(await rowsOf(readModels, projections)).toEqual(before);
    },
    CALM_MS,
  );
});
