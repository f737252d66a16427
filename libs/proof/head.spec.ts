import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { until } from '../../test/eventually.ts';
import { readCheckpoint } from './checkpoint.ts';
import { HeadFile, LogDiverged, ProofUnavailable, Sealer, TreeDamaged } from './index.ts';
import { IN_SQLITE, LogOnTest } from './log-on-test.ts';
import { leafOfFact } from './prover.ts';
import { rootByInclusion } from './tree.ts';

const DOSSIER = 'dossier-5f0c7a52-6d5e-4a27-9d7a-0c5c86f6f1a1';

let log: LogOnTest;
beforeEach(async () => {
  log = await LogOnTest.open(IN_SQLITE);
});
afterEach(() => log.close());

const inStore = <T>(file: string, act: (db: Database.Database) => T): T => {
  const db = new Database(join(log.folder, file));
  try {
    return act(db);
  } finally {
    db.close();
  }
};

/** Flips one bit of one hash of a tile, as a disk or an administrator might. */
function flip(level: number): void {
  inStore('preuve.db', (db) => {
    const { number, hashes } = db
      .prepare('select number, hashes from tiles where level = ? order by number')
      .get(level) as {
      number: number;
      hashes: Buffer;
    };
    hashes[5] = (hashes[5] as number) ^ 1;
    db.prepare('update tiles set hashes = ? where level = ? and number = ?').run(hashes, level, number);
  });
}

const notes = () =>
  inStore('preuve.db', (db) => db.prepare('select note from checkpoints order by size').pluck().all() as string[]);

/** Every checkpoint that was signed says what the journal says. */
async function expectTrue(): Promise<void> {
  for (const note of notes()) {
    const { size, root } = readCheckpoint(note);
    expect(root).toEqual(await log.rootOf(size));
  }
}

async function covered(position: bigint) {
  await until(async () => (await log.notary.covering(position).catch(() => null)) !== null);
  return log.notary.covering(position);
}

/** Keeps a store as it is now, and puts it back. */
function backUp(...files: string[]): () => void {
  const there = join(log.folder, `sauvegarde-${files.join('-')}`);
  mkdirSync(there);
  for (const file of files) cpSync(join(log.folder, file), join(there, file));
  return () => {
    for (const file of files) {
      for (const end of ['', '-wal', '-shm']) rmSync(join(log.folder, file + end), { force: true });
      cpSync(join(there, file), join(log.folder, file));
    }
  };
}

describe('the notary signs over nothing that was not checked', () => {
  test.each([0, 1])('a bit flipped at level %i while it was stopped: the tree is derived again', async (level) => {
    await log.record(DOSSIER, 40);
    await log.notary.covering(40n);
    await log.stop();
    flip(level);
    await log.start();
    await log.record(DOSSIER, 10);
    expect((await covered(50n)).size).toBe(50);
    await expectTrue();
  });

  test('a bit flipped at level 1 while it runs: no false root is signed, and the tree is derived again', async () => {
    await log.record(DOSSIER, 40);
    await log.notary.covering(40n);
    flip(1);
    await log.record(DOSSIER, 3);
    await expect(log.notary.covering(43n)).rejects.toThrow(TreeDamaged);
    expect((await covered(43n)).size).toBe(43);
    await expectTrue();
    expect(log.troubles).toEqual([expect.any(TreeDamaged)]);
  });

  test('a bit flipped at level 0 while it runs: no wrong proof leaves, and the tree is derived again', async () => {
    const facts = (await log.record(DOSSIER, 40)).map(({ envelope, position, hash }) => ({
      id: envelope.id,
      position,
      hash,
    }));
    await log.notary.covering(40n);
    flip(0);
    await expect(log.prover.inclusions(facts)).rejects.toThrow(ProofUnavailable);
    const entry = await log.prover.find(facts[3]?.id as string);
    await until(async () =>
      log.prover.inclusions(facts).then(
        () => true,
        () => false,
      ),
    );
    const { proofs, checkpoint } = await log.prover.inclusions(facts);
    const { root, size } = readCheckpoint(checkpoint.note);
    for (const [i, { leaf, hashes }] of proofs.entries())
      expect(rootByInclusion(leaf, size, leafOfFact(facts[i]?.hash as string), hashes)).toEqual(root);
    expect(entry).toMatchObject({ leaf: 3 });
  });

  test('a proof of consistency that would not hold does not leave either', async () => {
    await log.record(DOSSIER, 20);
    await log.notary.covering(20n);
    await log.record(DOSSIER, 30);
    await log.notary.covering(50n);
    flip(1);
    await expect(log.prover.consistency(20, 50)).rejects.toThrow(ProofUnavailable);
    await until(async () =>
      log.prover.consistency(20, 50).then(
        () => true,
        () => false,
      ),
    );
  });

  test('tiles and entries that are gone: derived again, and compared with what was signed', async () => {
    await log.record(DOSSIER, 40);
    await log.notary.covering(40n);
    await log.stop();
    inStore('preuve.db', (db) =>
      db.exec('delete from tiles; delete from entries; update log set size = 0, position = null'),
    );
    await log.start();
    await log.record(DOSSIER, 1);
    expect((await covered(41n)).size).toBe(41);
    await expectTrue();
  });

  test('an older store of proofs beside the journal catches up, and never signs less than was signed', async () => {
    await log.record(DOSSIER, 5);
    await log.stop();
    const restore = backUp('preuve.db');
    await log.start();
    await log.record(DOSSIER, 20);
    await log.notary.covering(25n);
    await log.stop();
    restore();
    await log.start();
    expect((await covered(25n)).size).toBe(25);
    expect(log.notary.diverged).toBeNull();
    await expectTrue();
  });

  test('killed between the head and the note: the same tree is signed when it starts again', async () => {
    await log.record(DOSSIER, 5);
    await log.notary.covering(5n);
    await log.record(DOSSIER, 5);
    await log.stop();
    inStore('preuve.db', (db) => db.exec('delete from checkpoints where size > 5'));
    await log.start();
    expect((await covered(10n)).size).toBe(10);
    await expectTrue();
  });

  test('a head that cannot be written: nothing is signed, and where to put it is said', async () => {
    await log.record(DOSSIER, 2);
    await log.notary.covering(2n);
    rmSync(join(log.folder, 'tete'));
    mkdirSync(join(log.folder, 'tete', 'occupe'), { recursive: true });
    await log.record(DOSSIER, 2);
    await expect(log.notary.covering(4n)).rejects.toThrow(/tete.*(cannot be read|cannot be written)/);
    rmSync(join(log.folder, 'tete'), { recursive: true });
    expect((await covered(4n)).size).toBe(4);
  });
});

describe('a log that does not extend what was signed', () => {
  const diverged = () => until(async () => log.notary.diverged !== null);

  async function expectNothingSigned(before: string[]): Promise<void> {
    await expect(log.notary.covering(null)).rejects.toThrow(ProofUnavailable);
    const { store, keys } = log;
    const origin = () => store.origin(() => 'journal.example');
    const sealer = new Sealer({ store, keys, origin, shared: false, assertExtends: () => log.notary.assertExtends() });
    await expect(sealer.seal('{"bundle":1}')).rejects.toThrow(/Nothing is signed nor sealed/);
    await log.stop();
    expect(notes()).toEqual(before);
    await log.start();
    await diverged();
  }

  test('a journal that was put back: found at once, though new facts make it as long again', async () => {
    await log.record(DOSSIER, 10);
    await log.stop();
    const restore = backUp('journal.db', 'personnes.db');
    await log.start();
    await log.record(DOSSIER, 10);
    await log.notary.covering(20n);
    await log.stop();
    restore();
    const before = notes();
    await log.start();
    await diverged();
    await log.record('dossier-0c7a5f52-6d5e-4a27-9d7a-0c5c86f6f1a1', 15);
    await expectNothingSigned(before);
  });

  test('facts that were changed and chained again, tiles, entries and checkpoints emptied: the head remembers', async () => {
    await log.record(DOSSIER, 10);
    await log.notary.covering(10n);
    await log.stop();
    inStore('journal.db', (db) => {
      // What an administrator would write anew: other facts, soundly chained, in the place of those that were signed.
      db.exec('delete from events');
    });
    inStore('preuve.db', (db) =>
      db.exec(
        'delete from checkpoints; delete from tiles; delete from entries; update log set size = 0, position = null',
      ),
    );
    log.forget();
    await log.start();
    await log.record(DOSSIER, 12);
    await diverged();
    await expectNothingSigned([]);
  });

  test('another store of proofs, with another origin: its key signs nothing that was not', async () => {
    await log.record(DOSSIER, 3);
    await log.notary.covering(3n);
    await log.stop();
    for (const end of ['', '-wal', '-shm']) rmSync(join(log.folder, `preuve.db${end}`), { force: true });
    await log.start({ origin: 'autre.example' });
    await diverged();
    expect(log.notary.diverged?.message).toContain('journal.example');
  });

  test('is mended by another origin: both heads are told first, the old notes are kept, and the key goes on', async () => {
    await expect(log.notary.reorigin('neuf.example', async () => undefined)).rejects.toThrow(RangeError);
    await log.record(DOSSIER, 10);
    await log.notary.covering(10n);
    await log.stop();
    const old = notes();
    for (const end of ['', '-wal', '-shm']) rmSync(join(log.folder, `journal.db${end}`), { force: true });
    log.forget();
    await log.start();
    await log.record(DOSSIER, 4);
    await diverged();

    const failing = log.notary.reorigin('neuf.example', async () => {
      throw new Error('The log cannot be written.');
    });
    await expect(failing).rejects.toThrow('The log cannot be written.');
    await diverged();
    expect(await log.store.closed()).toEqual([]);

    const heads: unknown[] = [];
    await log.notary.reorigin(
      'neuf.example',
      async (closed, now) => void heads.push(closed.size, closed.origin, now.size),
    );
    expect(heads).toEqual([10, 'journal.example', 4]);
    const checkpoint = await covered(4n);
    expect(readCheckpoint(checkpoint.note)).toMatchObject({
      origin: 'neuf.example',
      size: 4,
      root: await log.rootOf(4),
    });
    expect((await log.store.closed()).map(({ note }) => note)).toEqual(old);
    const [current, previous] = await log.keys.published();
    expect(current).toMatchObject({ name: 'neuf.example', until: null });
    expect(previous).toMatchObject({ name: 'journal.example', publicKey: current?.publicKey });
    expect(new HeadFile(join(log.folder, 'tete')).read()).toMatchObject({ origin: 'neuf.example', size: 4 });
    expect(log.troubles).toContainEqual(expect.any(LogDiverged));
    await log.stop();
    await log.start({ origin: 'neuf.example' });
    await log.record(DOSSIER, 1);
    expect((await covered(5n)).size).toBe(5);
  });
});
