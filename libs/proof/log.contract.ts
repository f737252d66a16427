import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openCheckpoint, readCheckpoint } from './checkpoint.ts';
import { KeyNotHeld, LogDiverged, noteKeyOf, ProofUnavailable, type StoredCheckpoint } from './index.ts';
import { type Keeping, LogOnTest } from './log-on-test.ts';
import { leafOfFact } from './prover.ts';
import { isConsistent, rootByInclusion } from './tree.ts';

const DOSSIER = 'dossier-5f0c7a52-6d5e-4a27-9d7a-0c5c86f6f1a1';

/** How a log is kept level with its journal and signed, whatever it is kept in. */
export function describeLog(keeping: () => Keeping): void {
  describe('a log of proofs', () => {
    let log: LogOnTest;
    let expected: unknown[];
    beforeEach(async () => {
      log = await LogOnTest.open(keeping());
      expected = [];
    });
    afterEach(async () => {
      await log.close();
      expect(log.troubles).toEqual(expected);
    });

    const checkpoints = async () => {
      const all: StoredCheckpoint[] = [];
      for await (const checkpoint of log.store.checkpoints()) all.push(checkpoint);
      return all;
    };

    test('has every fact of every kind of stream as a leaf, in global order, and proves each', async () => {
      for (const stream of [DOSSIER, 'acces-2026-03-a', DOSSIER, 'rappels-2026-03', DOSSIER])
        await log.record(stream, 3);
      const facts = await log.facts();
      const { checkpoint } = await log.prover.inclusions(
        facts.map(({ envelope, position, hash }) => ({ id: envelope.id, position, hash })),
      );
      expect(checkpoint.size).toBe(15);
      const [key] = (await log.keys.published()).map(noteKeyOf);
      const head = openCheckpoint(checkpoint.note, [key!]);
      expect(head).toMatchObject({ origin: 'journal.example', size: 15, root: await log.rootOf(15) });
      for (const [index, { envelope, hash }] of facts.entries()) {
        const entry = await log.prover.find(envelope.id);
        expect(entry).toMatchObject({ leaf: index, stream: envelope.stream, revision: envelope.revision });
        const { leaf, hashes } = await log.prover.inclusion(entry!, hash);
        expect(rootByInclusion(leaf, 15, leafOfFact(hash), hashes)).toEqual(head.root);
      }
      expect(await log.prover.find('0d6a2f4e-3a1b-4c5d-8e9f-a0b1c2d3e4f5')).toBeNull();
    });

    test('goes on where it stopped, and its end is covered by a checkpoint', async () => {
      await log.record(DOSSIER, 20);
      await log.stop();
      await log.start();
      expect(await log.store.latestCheckpoint()).toMatchObject({ size: 20 });
      await log.record(DOSSIER, 21);
      const { size, position } = await log.notary.covering((await log.journal.tip())!);
      expect({ size, position }).toEqual({ size: 41, position: 41n });
      // One in between may cover what was written while it started.
      const cut = (await checkpoints()).map(({ note }) => readCheckpoint(note));
      const [old, now] = [20, 41].map((covered) => cut.find((head) => head.size === covered));
      expect([old?.size, now?.size]).toEqual([20, 41]);
      expect(now!.root).toEqual(await log.rootOf(41));
      expect(isConsistent(old!, now!, await log.prover.consistency(20, 41))).toBe(true);
    });

    test('takes in a journal that grows faster than it is written', async () => {
      await log.stop();
      await log.start({ pace: { flushAfter: 600_000 } });
      await log.record(DOSSIER, 600);
      const { size } = await log.notary.covering(600n);
      expect(size).toBe(600);
      expect(readCheckpoint((await log.store.latestCheckpoint())!.note).root).toEqual(await log.rootOf(600));
    });

    test('gets a checkpoint a while after something was written, though nobody asks', async () => {
      await log.stop();
      await log.start({ pace: { cutAfter: 20 } });
      await log.record(DOSSIER);
      while ((await log.store.latestCheckpoint())?.size !== 1) await new Promise(setImmediate);
      await log.record(DOSSIER);
      while ((await log.store.latestCheckpoint())?.size !== 2) await new Promise(setImmediate);
      expect((await checkpoints()).map(({ size }) => size).slice(-2)).toEqual([1, 2]);
    });

    test('gets the checkpoints that are asked for at most so often, one for all who ask meanwhile', async () => {
      await log.stop();
      await log.start({ pace: { apart: 150 } });
      await log.notary.covering(null);
      const before = (await checkpoints()).length;
      const began = performance.now();
      const asked = [];
      for (let i = 0; i < 5; i += 1) {
        const [fact] = await log.record(DOSSIER);
        asked.push(log.notary.covering(fact!.position));
      }
      for (const [i, { size }] of (await Promise.all(asked)).entries()) expect(size).toBeGreaterThan(i);
      const cuts = (await checkpoints()).length - before;
      expect(cuts).toBeLessThanOrEqual(Math.floor((performance.now() - began) / 150) + 1);
      expect(await log.notary.covering(3n)).toEqual(await log.store.latestCheckpoint());
    });

    test('gives the first checkpoint of an empty journal when it is asked for', async () => {
      const checkpoint = await log.prover.latest();
      expect(checkpoint).toMatchObject({ size: 0, position: null });
      expect(await log.prover.latest()).toEqual(checkpoint);
    });

    test('does not wait for ever for a fact that the journal does not have', async () => {
      await log.stop();
      await log.start({ pace: { patience: 50 } });
      await log.record(DOSSIER);
      await expect(log.notary.covering(7n)).rejects.toThrow(ProofUnavailable);
    });

    test('is derived anew to the same roots', async () => {
      await log.record(DOSSIER, 30);
      const before = await log.notary.covering(30n);
      const said: number[] = [];
      await log.notary.rebuild((facts) => said.push(facts));
      expect(said.at(-1)).toBe(30);
      await log.record(DOSSIER, 3);
      const after = await log.notary.covering(33n);
      expect(readCheckpoint(after.note).root).toEqual(await log.rootOf(33));
      expect(
        isConsistent(readCheckpoint(before.note), readCheckpoint(after.note), await log.prover.consistency(30, 33)),
      ).toBe(true);
    });

    test('keeps its old checkpoints when the key is replaced; both keys sign that the one follows the other', async () => {
      await log.record(DOSSIER, 2);
      const first = await log.notary.covering(2n);
      await log.notary.rotate();
      const [current, previous, ...others] = await log.keys.published();
      expect(others).toEqual([]);
      expect(previous!.until).toBe(current!.since);
      const between = (await log.store.latestCheckpoint())!;
      expect(
        openCheckpoint(
          between.note,
          [current, previous].map((key) => noteKeyOf(key!)),
        ).by,
      ).toHaveLength(2);
      await log.record(DOSSIER);
      const last = await log.notary.covering(3n);
      expect(openCheckpoint(last.note, [noteKeyOf(current!)]).size).toBe(3);
      expect(() => openCheckpoint(last.note, [noteKeyOf(previous!)])).toThrow('No key that is trusted');
      expect(openCheckpoint(first.note, [noteKeyOf(previous!)]).size).toBe(2);

      await log.stop();
      await log.start();
      await log.record(DOSSIER);
      expect(openCheckpoint((await log.notary.covering(4n)).note, [noteKeyOf(current!)]).size).toBe(4);
    });

    test('finishes a replacement of the key that a crash interrupted', async () => {
      await log.notary.covering(null);
      const path = join(log.folder, 'cle.pem');
      const old = readFileSync(path);
      await log.notary.rotate();
      // As if it had ended after the log knew the new key and before the file had it.
      writeFileSync(`${path}.suivante`, readFileSync(path), { mode: 0o600 });
      writeFileSync(path, old);
      await log.stop();
      await log.start();
      await log.record(DOSSIER);
      const [current] = await log.keys.published();
      expect(openCheckpoint((await log.notary.covering(1n)).note, [noteKeyOf(current!)]).size).toBe(1);
    });

    test('makes its key readable by its owner only, and does not use one that everybody may read', async () => {
      await log.notary.covering(null);
      const path = join(log.folder, 'cle.pem');
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(readFileSync(path, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
      chmodSync(path, 0o644);
      await log.record(DOSSIER);
      await expect(log.notary.covering(1n)).rejects.toThrow('may be read by every user');
      chmodSync(path, 0o640);
      expect(await log.notary.covering(1n)).toMatchObject({ size: 1 });
    });

    if (!keeping().shared) {
      test('goes on growing without its private key, and signs again once the key is replaced', async () => {
        await log.record(DOSSIER);
        const known = await log.notary.covering(1n);
        rmSync(join(log.folder, 'cle.pem'));
        await log.record(DOSSIER);
        await expect(log.notary.covering(2n)).rejects.toThrow(KeyNotHeld);
        expect(await log.notary.covering(1n)).toEqual(known);
        await log.notary.rotate();
        expect(await log.notary.covering(2n)).toMatchObject({ size: 2 });
      });

      test('says that the journal was put back to an earlier state, and signs nothing over it', async () => {
        await log.record(DOSSIER, 4);
        await log.notary.covering(4n);
        await log.stop();
        for (const end of ['', '-wal', '-shm']) rmSync(join(log.folder, `journal.db${end}`), { force: true });
        await log.start({ pace: { patience: 50 } });
        while (log.troubles.length === 0) await new Promise(setImmediate);
        expect(log.troubles[0]).toBeInstanceOf(LogDiverged);
        expected = [expect.any(LogDiverged)];
        await expect(log.notary.covering(null)).rejects.toThrow(ProofUnavailable);
        expect(await log.prover.latest()).toMatchObject({ size: 4 });
      });
    }
  });
}
