import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { JournalRefused, JournalUnavailable } from './journal.ts';
import { openSqliteJournal, readSqliteJournal } from './open.sqlite.ts';
import { Appender, temporaryFolder } from './sample.process.ts';
import { collect, sampleChain, sampleFact } from './sample.ts';

describe('A data folder', () => {
  let folder: string;
  let remove: () => void;
  let log: string;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
    log = join(folder, 'journal.db');
  });
  afterEach(() => remove());

  /** A closed folder with 40 streams of 10 events. */
  async function fill(): Promise<void> {
    const { journal } = await openSqliteJournal(folder);
    const streams = Array.from({ length: 40 }, (_, i) => `dossier-${i}`);
    await Promise.all(streams.map((stream) => journal.append(stream, -1, sampleChain(stream, 10))));
    await journal.close();
  }

  /** Does something to journal.db that Jalon would not. */
  function tamper(sql: string, file = log): void {
    const db = new Database(file);
    db.exec(sql);
    db.pragma('journal_mode = DELETE');
    db.close();
  }

  /** Expects that the folder is refused with this line, and that no byte in it was changed. */
  async function refused(line: RegExp, open: (folder: string) => Promise<unknown> = openSqliteJournal): Promise<void> {
    const before = contents(folder);
    const opening = open(folder);
    await expect(opening).rejects.toThrow(JournalRefused);
    await expect(opening).rejects.toThrow(line);
    expect(contents(folder)).toEqual(before);
  }

  test('is created when absent, with its parents, and opened again', async () => {
    const deep = join(folder, 'a', 'b');
    const { journal } = await openSqliteJournal(deep);
    expect(await journal.tip()).toBeNull();
    await journal.close();
    await (await openSqliteJournal(deep)).journal.close();
    expect(readdirSync(deep).sort()).toEqual(['journal.db', 'lock.db', 'personnes.db']);
  });

  test('is its owner’s alone, and so is all that lies in it, also what an earlier build left open', async () => {
    const made = join(folder, 'neuf');
    const { journal } = await openSqliteJournal(made);
    await journal.append('dossier-0', -1, sampleChain('dossier-0', 2));
    expect(modes(made)).toEqual([0o700, 0o600]);
    expect(readdirSync(made)).toContain('journal.db-wal');
    await journal.close();
    for (const file of readdirSync(made)) chmodSync(join(made, file), 0o644);
    const again = await openSqliteJournal(made);
    expect(modes(made)).toEqual([0o700, 0o600]);
    await again.journal.close();
  });

  /** The mode of a folder, and those of what lies in it, each once. */
  function modes(path: string): number[] {
    const paths = [path, ...readdirSync(path).map((file) => join(path, file))];
    return [...new Set(paths.map((each) => statSync(each).mode & 0o777))];
  }

  test('is refused when it is a file or cannot be written', async () => {
    const file = join(folder, 'fichier');
    writeFileSync(file, 'texte');
    await expect(openSqliteJournal(file)).rejects.toThrow(/fichier cannot be used as a data folder/);
    await expect(openSqliteJournal(join(file, 'dessous'))).rejects.toThrow(JournalRefused);
  });

  test('begins anew after a kill between the creation of its files', async () => {
    writeFileSync(`${log}.new`, 'à moitié');
    const { journal } = await openSqliteJournal(folder);
    await journal.append('dossier-1', -1, sampleChain('dossier-1', 1));
    await journal.close();
  });

  describe('has one writing process', () => {
    const busy = /Another Jalon process is already writing in .*: stop it or choose another JALON_DATA/;

    test('so that a second one is refused until the first is killed', async () => {
      const appender = new Appender(folder);
      await appender.until(({ stored }) => stored.length > 0);
      await expect(openSqliteJournal(folder)).rejects.toThrow(busy);
      await appender.kill();
      await (await openSqliteJournal(folder)).journal.close();
    }, 30_000);

    test('so that a second opening is refused, in this process and in another, until the first is closed', async () => {
      const { journal, directory } = await openSqliteJournal(folder);
      await expect(openSqliteJournal(folder)).rejects.toThrow(busy);
      const appender = new Appender(folder);
      await appender.until(({ said }) => said.length > 0);
      expect(appender.said[0]).toMatch(busy);
      await journal.append('dossier-1', -1, sampleChain('dossier-1', 1));
      await directory.close();
      await (await openSqliteJournal(folder)).journal.close();
    }, 30_000);
  });

  describe('is read beside its writer', () => {
    test('from another process, up to what was acknowledged', async () => {
      const appender = new Appender(folder);
      await appender.until(({ stored }) => stored.length > 50);
      const { journal, directory } = await readSqliteJournal(folder);
      for (let i = 0; i < 20; i += 1) {
        const acknowledged = appender.stored;
        const ids = new Set((await collect(journal.readAll(null))).map(({ envelope }) => envelope.id));
        expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
      }
      await appender.kill();
      expect((await collect(journal.readAll(null))).length).toBeGreaterThanOrEqual(appender.stored.length);
      await journal.close();
      await directory.close();
    }, 30_000);

    test('and after its writer was killed, before anyone opens it again', async () => {
      const appender = new Appender(folder);
      await appender.until(({ stored }) => stored.length > 50);
      await appender.kill();
      const { journal, directory } = await readSqliteJournal(folder);
      expect((await collect(journal.readAll(null))).length).toBeGreaterThanOrEqual(appender.stored.length);
      await journal.close();
      await directory.close();
      await expect(journal.tip()).rejects.toThrow(JournalUnavailable);
    }, 30_000);

    test('with the name of every stream, and no row whose columns are not those of its envelope', async () => {
      const { journal } = await openSqliteJournal(folder);
      for (const stream of ['dossier-2', 'acces-2026-03-a', 'dossier-1'])
        await journal.append(stream, -1, sampleChain(stream, 2));
      await journal.close();
      const beside = await readSqliteJournal(folder);
      expect([...beside.journal.streams()]).toEqual(['acces-2026-03-a', 'dossier-1', 'dossier-2']);
      const db = new Database(log);
      db.exec("update events set type = 'autre.fait' where position = 3");
      db.close();
      await expect(collect(beside.journal.read('acces-2026-03-a'))).rejects.toThrow('position 3 are not those');
      await beside.journal.close();
      await beside.directory.close();
    });

    test('only where there is a journal of ours', async () => {
      await refused(/journal\.db does not exist/, readSqliteJournal);
      tamper('create table autre (a)');
      await refused(/journal\.db cannot be opened: no such table/, readSqliteJournal);
    });
  });

  describe('is refused, and left as it was, when its journal', () => {
    test('is not an SQLite file', async () => {
      writeFileSync(log, 'Ceci n’est pas une base de données. '.repeat(100));
      await refused(/journal\.db is not an SQLite file/);
    });

    test('is empty', async () => {
      writeFileSync(log, '');
      await refused(/journal\.db is not an SQLite file/);
    });

    test('belongs to another application', async () => {
      tamper('create table comptes (a); pragma application_id = 42');
      await refused(/journal\.db was not written by Jalon/);
    });

    test('is the directory of another folder', async () => {
      await fill();
      writeFileSync(log, readFileSync(join(folder, 'personnes.db')));
      await refused(/journal\.db was not written by Jalon/);
    });

    test('has a layout that this build does not know', async () => {
      await fill();
      tamper('pragma user_version = 2');
      await refused(/journal\.db has layout 2, this build knows layout 1/);
    });

    test('is truncated', async () => {
      await fill();
      truncateSync(log, Math.floor(readFileSync(log).length / 2));
      await refused(/journal\.db is truncated/);
    });

    test('is missing beside its WAL', async () => {
      await fill();
      rmSync(log);
      writeFileSync(`${log}-wal`, 'x');
      await refused(/journal\.db is missing but .*journal\.db-wal is there/);
    });

    test('has bytes overwritten in its pages', async () => {
      await fill();
      const bytes = readFileSync(log);
      const db = new Database(log, { readonly: true });
      const page = db.prepare<[string, string], number>(
        'select pageno from dbstat where name = ? and pagetype = ? order by path desc limit 1',
      );
      const pages = [
        page.pluck().get('events', 'leaf'),
        page.pluck().get('events', 'internal'),
        page.pluck().get('sqlite_autoindex_events_2', 'internal'),
      ];
      db.close();
      for (const number of pages) {
        expect(number).toBeGreaterThan(1);
        const end = Number(number) * 4096;
        writeFileSync(log, Buffer.from(bytes).fill(0xa5, end - 4096, end));
        await refused(/journal\.db cannot be read: database disk image is malformed/);
      }
    });

    const last = '(select max(position) from events)';
    const tampered: [what: string, sql: string, line: RegExp][] = [
      ['holds a rewritten payload', `update events set data = '{"rang":999}' where position = ${last} - 5`, /payload/],
      [
        'holds a rewritten envelope',
        `update events set meta = replace(meta, 'a-17', 'b-18') where position = ${last}`,
        /hash/,
      ],
      ['lacks an event', `delete from events where position = ${last} - 3`, /position is missing/],
      [
        'lacks an event and was renumbered',
        `delete from events where position = 397; update events set position = 397 where position = 398;
         update events set position = 398 where position = 399; update events set position = 399 where position = 400`,
        /missing|follow/,
      ],
      [
        'says another type in its columns',
        `update events set type = 'j3.qualifiee' where position = ${last}`,
        /columns/,
      ],
      [
        'says another stream in its columns',
        `update events set stream = 'dossier-x' where position = ${last}`,
        /columns|previous/,
      ],
      ['holds text that is not JSON', `update events set meta = '{' where position = ${last}`, /is not JSON/],
    ];
    test.each(tampered)('%s', async (_, sql, line) => {
      await fill();
      tamper(sql);
      await refused(line);
      await refused(/journal\.db (is damaged|cannot be read): .*Restore a backup/);
    });
  });

  test('is refused when a short log lacks its first event, and when a long tail of large payloads was touched', async () => {
    const { journal } = await openSqliteJournal(folder);
    const facts = [sampleFact('dossier-1')];
    for (let i = 1; i < 60; i += 1)
      facts.push(sampleFact('dossier-1', { data: { texte: 'x'.repeat(100_000) }, previous: facts.at(-1) ?? null }));
    await journal.append('dossier-1', -1, facts);
    await journal.close();
    const intact = readFileSync(log);
    tamper(`update events set data = '{}' where position = 60`);
    await refused(/position 60.*payload/);
    writeFileSync(log, intact);
    tamper('delete from events where position = 1');
    await refused(/a position is missing before it/);
  });

  test('is refused when its directory is foreign', async () => {
    await fill();
    writeFileSync(join(folder, 'personnes.db'), 'autre chose');
    await refused(/personnes\.db is not an SQLite file/);
  });

  test('is checked at its end only when opened: older damage is found by reading, and named', async () => {
    await fill();
    tamper(`update events set meta = 'perdu' where position = 7; delete from events where position = 12`);
    const { journal } = await openSqliteJournal(folder);
    await expect(collect(journal.readAll(null))).rejects.toThrow(/journal\.db cannot be read: position 7 is not JSON/);
    await expect(collect(journal.readAll(7n))).rejects.toThrow(/1 positions are missing/);
    await journal.append('dossier-suite', -1, sampleChain('dossier-suite', 1));
    await journal.close();
  });
});

/** Digest of every file of a folder, by name; without the WAL and its index, which reading alone may make, empty. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder).filter((file) => !/-(wal|shm)$/.test(file));
  return Object.fromEntries(
    files.map((file) => [
      file,
      createHash('sha256')
        .update(readFileSync(join(folder, file)))
        .digest('hex'),
    ]),
  );
}
