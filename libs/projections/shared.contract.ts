import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Journal, openSqliteJournal } from '@jalon/journal';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import {
  Chronologie,
  openPostgresReadModels,
  type Parked,
  type PostgresReadModels,
  PROJECTIONS,
  ReadModelsBehind,
  type RebuildProgress,
  type SharedParts,
  SharedReadModels,
} from './index.ts';
import { Peer, until } from './peer.ts';
import { execute, inPostgres } from './scratch.ts';
import { EVERYTHING, rowsOf } from './site.ts';
import { deposit, TOYS, ToyDossier } from './toy.ts';

/** One of several that share the read models, in this process. */
type Member = { shared: SharedReadModels; store: PostgresReadModels; errors: unknown[]; parked: Parked[] };

/** How several processes share the read models of one database. */
export function describeSharing(database: () => string): void {
  describe('read models that several processes share', () => {
    let folder: string;
    let journal: Journal;
    let members: Member[];
    let peers: Peer[];
    beforeEach(async () => {
      await inPostgres(database()).clear();
      folder = mkdtempSync(join(tmpdir(), 'jalon-sharing-'));
      ({ journal } = await openSqliteJournal(folder));
      members = [];
      peers = [];
    });
    afterEach(async () => {
      await Promise.all(peers.map((peer) => peer.kill()));
      await Promise.all(members.map(leave));
      await journal.close();
      rmSync(folder, { recursive: true });
      expect(members.flatMap(({ errors, parked }) => [...errors, ...parked])).toEqual([]);
    });

    function joins({
      projecting = true,
      reading = journal,
    }: {
      projecting?: boolean;
      reading?: SharedParts['journal'];
    } = {}): Member {
      const errors: unknown[] = [];
      const parked: Parked[] = [];
      const store = openPostgresReadModels(database());
      const shared = new SharedReadModels({
        store,
        journal: reading,
        catalogue: TOYS,
        projections: PROJECTIONS,
        projecting,
        patienceMs: 1_500,
        onParked: (each) => parked.push(each),
        onError: (error) => errors.push(error),
      });
      const member = { shared, store, errors, parked };
      members.push(member);
      shared.start();
      return member;
    }

    async function leave({ shared, store }: Member): Promise<void> {
      await shared.stop();
      await store.close();
    }

    function startPeer(): Peer {
      const peer = new Peer(new URL('./peer.mjs', import.meta.url), [folder, database()]);
      peers.push(peer);
      return peer;
    }

    async function opened(): Promise<ToyDossier> {
      const dossier = new ToyDossier(journal);
      await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
      return dossier;
    }

    async function revisionShown({ store }: Member, { id }: ToyDossier): Promise<number | undefined> {
      return (await new Chronologie(store, TOYS).read(id, EVERYTHING))?.revision;
    }

    /** Every row is what a rebuild gives; `member` becomes the one that projects. */
    async function expectWhole(member: Member): Promise<void> {
      await member.shared.caughtUp(await journal.tip(), 20_000);
      const live = await rowsOf(member.store, PROJECTIONS);
      expect(live.dossiers?.length).toBeGreaterThan(0);
      await member.shared.rebuild('all', () => undefined);
      expect(await rowsOf(member.store, PROJECTIONS)).toEqual(live);
      expect(member.shared.parked()).toEqual([]);
    }

    /** Records facts of a few dossiers, over and over, until it is told to stop. */
    function recordMeanwhile(): () => Promise<number> {
      let going = true;
      let recorded = 0;
      const recording = (async () => {
        const dossiers = await Promise.all(Array.from({ length: 8 }, opened));
        while (going) {
          await Promise.all(dossiers.map((each) => each.record('demande.charge-designe', { charge: `a-${recorded}` })));
          recorded += dossiers.length;
        }
      })();
      return async () => {
        going = false;
        await recording;
        return recorded;
      };
    }

    /** Ends the sessions of this name, as a server that fails would. */
    async function cut(name: string): Promise<void> {
      const sessions = `pg_stat_activity where datname = current_database() and application_name = '${name}'`;
      await execute(database(), `select pg_terminate_backend(pid) from ${sessions}`);
    }

    test('whoever waits for facts on their way asks the log less and less often', async () => {
      const first = joins();
      await opened();
      await first.shared.caughtUp(await journal.tip(), 20_000);
      await leave(first);
      members = [];

      const asked: number[] = [];
      let arrive = () => {};
      const arrival = new Promise<void>((resolve) => {
        arrive = resolve;
      });
      const reading: SharedParts['journal'] = {
        read: (...given) => journal.read(...given),
        tip: () => journal.tip(),
        readAll: (...given) => {
          asked.push(performance.now());
          return journal.readAll(...given);
        },
        async *subscribe(...given) {
          await arrival;
          yield* journal.subscribe(...given);
        },
      };
      await opened();
      const { shared } = joins({ reading });
      const waiting = shared.caughtUp(await journal.tip(), 60_000);
      await until(async () => asked.length > 6);
      arrive();
      await waiting;
      // Pauses of 20 ms and so on, each twice the one before: a timer is never early.
      expect((asked[6] as number) - (asked[0] as number)).toBeGreaterThan(500);
    });

    test('are fed by one of them, and all show at once what any of them acknowledged', async () => {
      const all = [joins(), joins(), joins({ projecting: false })];
      const dossier = await opened();
      for (let revision = 0; revision < 10; revision += 1) {
        for (const member of all) {
          await member.shared.caughtUp(dossier.position, 5000);
          expect(await revisionShown(member, dossier)).toBe(revision);
        }
        await dossier.record('demande.charge-designe', { charge: `a-${revision}` });
      }
      expect(all.filter(({ shared }) => shared.isProjecting)).toHaveLength(1);
      expect(all[2]?.shared.isProjecting).toBe(false);
    });

    test('are shown within a few milliseconds to one that waits elsewhere: who projects is told to hurry', async () => {
      const [feeder, reader] = [joins(), joins({ projecting: false })];
      await until(() => feeder.shared.isProjecting);
      const dossier = await opened();
      const took: number[] = [];
      for (let i = 0; i < 20; i += 1) {
        const started = performance.now();
        await reader.shared.caughtUp(dossier.position, 5000);
        took.push(performance.now() - started);
        await dossier.record('demande.charge-designe', { charge: `a-${i}` });
      }
      // Facts that nobody waits for are held back for 100 ms.
      expect(took.toSorted((a, b) => a - b)[10]).toBeLessThan(60);
    });

    test('are begun by any number of processes at once', async () => {
      const stores = Array.from({ length: 6 }, () => openPostgresReadModels(database()));
      await Promise.all(stores.map((store) => store.prepare()));
      await Promise.all(stores.map((store) => store.close()));
    });

    test('tell a process that does not project how they stand, who is parked, and how far they are behind', async () => {
      const reader = joins({ projecting: false });
      const lost = await opened();
      await expect(reader.shared.caughtUp(lost.position, 50)).rejects.toThrow(ReadModelsBehind);
      expect(reader.shared.status().projections).toMatchObject(PROJECTIONS.map(() => ({ outdated: true })));
      await expect(reader.shared.rebuild(['chronologies'], () => undefined)).rejects.toThrow(RangeError);

      const feeder = joins();
      await lost.record('essai.inconnu');
      await reader.shared.caughtUp(lost.position, 5000);
      await feeder.shared.caughtUp(lost.position, 5000);
      expect(reader.shared.status()).toEqual({ ...feeder.shared.status(), failure: undefined });
      expect(reader.shared.parked()).toEqual(feeder.parked);
      expect(feeder.parked.splice(0)).toHaveLength(PROJECTIONS.length);
      await leave(feeder);
      members.splice(members.indexOf(feeder), 1);

      await lost.record('demande.charge-designe', { charge: 'a-17' });
      await opened();
      expect((await reader.shared.lag()).map(({ facts }) => facts)).toEqual(PROJECTIONS.map(() => 2));
    });

    /** The generations that are live, by projection. */
    const generationsOf = ({ shared }: Member) =>
      Object.fromEntries(shared.status().projections.map(({ projection, generation }) => [projection, generation]));

    test('are rebuilt at the order of any process by the one that projects, which tells how far it is', async () => {
      const feeder = joins();
      await until(() => feeder.shared.isProjecting);
      const reader = joins({ projecting: false });
      const dossiers = await Promise.all(Array.from({ length: 40 }, opened));
      await reader.shared.caughtUp(await journal.tip(), 5000);
      const [live, before] = [await rowsOf(reader.store, PROJECTIONS), generationsOf(feeder)];
      const told: RebuildProgress[] = [];
      await Promise.all([
        reader.shared.rebuild(['chronologie'], (progress) => told.push(progress)),
        // Two at once: one after the other.
        reader.shared.rebuild(['chronologie'], () => undefined),
      ]);
      expect(generationsOf(feeder)).toEqual({ ...before, chronologie: before.chronologie! + 2 });
      expect(await rowsOf(reader.store, PROJECTIONS)).toEqual(live);
      const tip = await journal.tip();
      expect(told.at(-1)).toEqual({ projections: ['chronologie'], facts: dossiers.length, position: tip });
      expect(await ordersLeft(reader)).toBe(0);
    });

    test('are rebuilt by the next that projects when the one that began to is gone', async () => {
      const first = startPeer();
      await first.until(({ projects }) => projects);
      const reader = joins({ projecting: false });
      const dossier = await opened();
      await reader.shared.caughtUp(dossier.position, 5000);
      first.signal('SIGSTOP');
      let done = false;
      const rebuilding = reader.shared
        .rebuild('all', () => undefined)
        .then(() => {
          done = true;
        });
      await until(async () => (await ordersLeft(reader)) === 1);
      expect(done).toBe(false);
      await first.kill();
      const heir = joins();
      await rebuilding;
      expect(Object.values(generationsOf(heir))).toEqual(PROJECTIONS.map(() => 2));
      expect(await ordersLeft(heir)).toBe(0);
    });

    test('are not rebuilt when nobody projects, or whoever does cannot: whoever asked is told, and the live ones stay', async () => {
      let broken = false;
      const reading: SharedParts['journal'] = {
        read: (...args) => journal.read(...args),
        subscribe: (...args) => journal.subscribe(...args),
        tip: () => journal.tip(),
        readAll: (...args) => {
          if (broken) throw new Error('the log cannot be read');
          return journal.readAll(...args);
        },
      };
      const reader = joins({ projecting: false });
      // Nobody ever was there to make the tables.
      await expect(reader.shared.rebuild('all', () => undefined)).rejects.toMatchObject({ name: 'ProjectedNowhere' });
      const feeder = joins({ reading });
      const dossier = await opened();
      await reader.shared.caughtUp(dossier.position, 5000);
      broken = true;
      const failing = reader.shared.rebuild('all', () => undefined);
      await expect(failing).rejects.toMatchObject({ name: 'RebuildFailed', message: 'the log cannot be read' });
      broken = false;
      expect(await revisionShown(reader, dossier)).toBe(0);
      await leave(feeder);
      members.splice(members.indexOf(feeder), 1);
      await expect(reader.shared.rebuild('all', () => undefined)).rejects.toMatchObject({ name: 'ProjectedNowhere' });
      expect(await ordersLeft(reader)).toBe(0);
      expect(feeder.errors).toEqual([]);
    });

    async function ordersLeft({ store }: Member): Promise<number> {
      return (await store.reader.selectFrom('rebuild_orders').selectAll().execute()).length;
    }

    test('know a position that is no dossier’s: other streams count too', async () => {
      joins();
      const reader = joins({ projecting: false });
      const dossier = await opened();
      const [event] = dossier.facts;
      const envelope = { ...event!.envelope, stream: 'acces-2026-06-n1', id: '00000000-0000-4000-8000-000000000001' };
      const { position } = await journal.append(envelope.stream, -1, [{ ...event!, envelope }]);
      await reader.shared.caughtUp(position, 5000);
      expect(await revisionShown(reader, dossier)).toBe(0);
    });

    test('pass to the next as soon as the one that projects stops', async () => {
      const first = joins();
      await until(() => first.shared.isProjecting);
      const second = joins();
      const dossier = await opened();
      await first.shared.stop();
      const started = performance.now();
      await second.shared.caughtUp(dossier.position, 5000);
      await until(() => second.shared.isProjecting);
      expect(performance.now() - started).toBeLessThan(2000);
      await expectWhole(second);
    });

    test('are left by one whose lock was lost with its connection, and taken up again', async () => {
      const member = joins();
      await until(() => member.shared.isProjecting);
      const stop = recordMeanwhile();
      for (let round = 0; round < 3; round += 1) {
        await cut('jalon projector');
        await until(() => !member.shared.isProjecting);
        await until(() => member.shared.isProjecting);
      }
      await stop();
      await expectWhole(member);
    });

    test('go on when their connections are cut in the middle of what they write', async () => {
      const member = joins();
      await until(() => member.shared.isProjecting);
      const stop = recordMeanwhile();
      for (let round = 0; round < 10; round += 1) {
        await cut('jalon projects');
        await member.shared.caughtUp(await journal.tip(), 10_000);
      }
      await stop();
      await expectWhole(member);
    });

    test('are taken over within five seconds when the one that projects is killed: nothing is lost, nothing twice', async () => {
      const first = startPeer();
      await first.until(({ projects }) => projects);
      const second = startPeer();
      await second.until(({ said }) => said.length > 0);
      const stop = recordMeanwhile();
      const took: number[] = [];
      let [holder, heir] = [first, second];
      for (let round = 0; round < 2; round += 1) {
        const reader = joins({ projecting: false });
        await reader.shared.caughtUp(await journal.tip(), 10_000);
        const killed = performance.now();
        await holder.kill();
        await heir.until(({ projects }) => projects);
        took.push(performance.now() - killed);
        await reader.shared.caughtUp(await journal.tip(), 10_000);
        [holder, heir] = [heir, startPeer()];
        await heir.until(({ said }) => said.length > 0);
      }
      expect(await stop()).toBeGreaterThan(0);
      for (const ms of took) expect(ms).toBeLessThan(5000);
      for (const { said } of peers)
        expect(said.filter((line) => line !== 'projects' && line !== 'follows')).toEqual([]);
      await Promise.all(peers.map((peer) => peer.kill()));
      await expectWhole(joins());
    }, 60_000);

    test('are taken over within five seconds from one that is frozen, and it changes nothing when it wakes', async () => {
      const frozen = startPeer();
      await frozen.until(({ projects }) => projects);
      const heir = joins();
      const stop = recordMeanwhile();
      await heir.shared.caughtUp(await journal.tip(), 10_000);
      const stopped = performance.now();
      frozen.signal('SIGSTOP');
      await until(() => heir.shared.isProjecting);
      expect(performance.now() - stopped).toBeLessThan(5000);
      frozen.signal('SIGCONT');
      await frozen.until(({ projects }) => !projects);
      await stop();
      expect(heir.shared.isProjecting).toBe(true);
      await expectWhole(heir);
    }, 60_000);

    test('are closed to one whose tenure is over', async () => {
      const store = openPostgresReadModels(database());
      await store.prepare();
      const first = store.during(await store.begin('projector'));
      await first.transact(async () => undefined);
      const second = store.during(await store.begin('projector'));
      await expect(first.transact(async () => undefined)).rejects.toMatchObject({ name: 'TenureOver' });
      await second.transact(async () => undefined);
      await store.close();
    });

    test('wait, before a tenure begins, for what the one before is writing', async () => {
      const store = openPostgresReadModels(database());
      await store.prepare();
      const first = store.during(await store.begin('projector'));
      const order: string[] = [];
      let beginning: Promise<unknown> = Promise.resolve();
      await first.transact(async (db) => {
        beginning = store.begin('projector').then(() => order.push('begun'));
        // Until the database says that the next one waits for this transaction.
        await until(async () => {
          const waiting = await sql`
            select 1 from pg_locks join pg_stat_activity using (pid)
            where not granted and datname = current_database()`.execute(db);
          return waiting.rows.length > 0;
        });
        order.push('written');
      });
      await beginning;
      expect(order).toEqual(['written', 'begun']);
      await store.close();
    });

    test('are derived again when somebody dropped them, loudly', async () => {
      const member = joins();
      const dossier = await opened();
      await member.shared.caughtUp(dossier.position, 5000);
      await inPostgres(database()).clear();
      await dossier.record('demande.charge-designe', { charge: 'a-17' });
      await member.shared.caughtUp(dossier.position, 10_000);
      expect(await revisionShown(member, dossier)).toBe(1);
      const told = member.errors.splice(0).map((error) => (error as Error).name);
      expect(new Set(told)).toEqual(new Set(['ReadModelsUnavailable']));
      await expectWhole(member);
    });

    test('are refused by a build older than the one that made them, and when somebody else made them', async () => {
      const store = openPostgresReadModels(database());
      await store.prepare();
      await store.writer.updateTable('layout').set({ version: 99 }).execute();
      await expect(store.prepare()).rejects.toThrow(/^A newer build of Jalon .*layout 99/);
      await inPostgres(database()).clear();
      await execute(database(), 'create schema jalon; create table jalon.autre (id int)');
      await expect(store.prepare()).rejects.toThrow(/^The schema jalon .* did not make/);
      await store.close();
    });
  });
}
