import { execute, type Scratch, scratchDatabase } from '@jalon/projections/contract';
import { openPostgresProof, ProofStore, ProofUnavailable, readCheckpoint } from '@jalon/proof';
import { describeLog, IN_SQLITE, type Keeping, LogOnTest } from '@jalon/proof/contract';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { somePostgres } from './postgres.ts';

// Over the server that DATABASE_URL names, when it is set, else over one of this file's own.
let server: Awaited<ReturnType<typeof somePostgres>>;
let database: Scratch;

beforeAll(async () => {
  server = await somePostgres();
  database = await scratchDatabase(server.url);
}, 30_000);
afterAll(async () => {
  await database.drop();
  await server.stop();
});

const DOSSIER = 'dossier-5f0c7a52-6d5e-4a27-9d7a-0c5c86f6f1a1';

const inDatabase: Keeping = {
  open: () => openPostgresProof(database.url),
  clear: () => execute(database.url, 'drop schema if exists jalon_preuve cascade'),
  shared: true,
};

describe('In PostgreSQL,', () => {
  describeLog(() => inDatabase);

  describe('a log that several processes share', () => {
    let first: LogOnTest;
    let others: LogOnTest[];
    beforeEach(async () => {
      first = await LogOnTest.open(inDatabase, { pace: { patience: 2_000 } });
      others = [];
    });
    afterEach(async () => {
      for (const other of others) await other.close();
      await first.close();
    });
    const join = async (options = {}) => {
      const other = await first.join(options);
      others.push(other);
      return other;
    };

    test('has one key: who does not hold it stops by itself, and asks the one who does', async () => {
      await first.record(DOSSIER, 3);
      await first.notary.covering(3n);
      const other = await join();
      await other.ended();
      expect(other.troubles).toEqual([]);
      const [fact] = await first.record(DOSSIER);
      const { checkpoint } = await other.prover.inclusions([
        { id: fact!.envelope.id, position: fact!.position, hash: fact!.hash },
      ]);
      expect(checkpoint).toMatchObject({ size: 4, position: 4n });
      expect(await other.prover.latest()).toEqual(await first.store.latestCheckpoint());
      expect((await other.prover.find(fact!.envelope.id))?.leaf).toBe(3);
    });

    test('is written to by one: who wrote at the same moment finds it changed, and derives the same', async () => {
      await first.notary.covering(null);
      const other = await join({ keyFile: `${first.folder}/cle.pem` });
      await first.record(DOSSIER, 200);
      const asked = await Promise.allSettled([first, other].map(({ notary }) => notary.covering(200n)));
      expect(asked.some(({ status }) => status === 'fulfilled')).toBe(true);
      const { size, note } = (await first.store.latestCheckpoint())!;
      expect(size).toBe(200);
      expect(readCheckpoint(note).root).toEqual(await first.rootOf(200));
      // Whoever was slower says so, and goes on from what is there.
      for (const trouble of [...first.troubles, ...other.troubles]) expect(trouble).toMatchObject({ name: 'LogMoved' });
    });

    test('passes on when the key is replaced elsewhere: whoever signed before stops by itself', async () => {
      await first.record(DOSSIER);
      await first.notary.covering(1n);
      const other = await join();
      await other.ended();
      await other.notary.rotate();
      await first.ended();
      await other.start({ journal: first.journal });
      await first.record(DOSSIER);
      expect(await other.notary.covering(2n)).toMatchObject({ size: 2 });
      expect(await first.keys.published()).toHaveLength(2);
    });

    test('when nobody signs, says so after a while, and goes on once somebody does', async () => {
      await first.record(DOSSIER);
      await first.notary.covering(1n);
      const other = await join({ pace: { patience: 500 } });
      await other.ended();
      const [fact] = await first.record(DOSSIER);
      const asked = { id: fact!.envelope.id, position: fact!.position + 5n, hash: fact!.hash };
      await expect(other.prover.inclusions([asked])).rejects.toThrow(ProofUnavailable);
      expect(await other.prover.inclusions([{ ...asked, position: fact!.position }])).toMatchObject({
        checkpoint: { size: 2 },
      });
    });

    test('takes over what lay in a folder: origin, keys and checkpoints; the tree is derived from the journal again', async () => {
      const folder = await LogOnTest.open(IN_SQLITE);
      await folder.record(DOSSIER, 5);
      const { note } = await folder.notary.covering(5n);
      await first.stop();
      await inDatabase.clear();
      const store = new ProofStore(inDatabase.open(''));
      for (let times = 0; times < 2; times += 1) await store.adopt(folder.store);
      expect(await store.latestCheckpoint()).toEqual({ size: 5, position: null, note });
      expect(await store.keys()).toEqual(await folder.keys.published());
      expect(await store.origin(() => 'autre.example')).toBe('journal.example');
      await store.close();
      await first.start({ keyFile: `${folder.folder}/cle.pem`, journal: folder.journal });
      expect(await first.notary.covering(5n)).toEqual({ size: 5, position: 5n, note });
      await folder.record(DOSSIER);
      expect(await first.notary.covering(6n)).toMatchObject({ size: 6 });
      await first.stop();
      await first.start();
      await folder.close();
    });

    test('keeps one key however many begin at once', async () => {
      const some = await Promise.all([1, 2, 3].map(() => join({ pace: { patience: 500 } })));
      const asked = await Promise.allSettled([first, ...some].map(({ notary }) => notary.covering(null)));
      expect(await first.keys.published()).toHaveLength(1);
      for (const result of asked)
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(ProofUnavailable);
    });
  });
});
