import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  assertDatabaseFits,
  type Directory,
  DirectoryUnavailable,
  JournalRefused,
  openPostgresDirectory,
} from '@jalon/journal';
import { describeDirectory } from '@jalon/journal/contract';
import { execute, type Scratch, scratchDatabase } from '@jalon/projections/contract';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from './eventually.ts';
import { PostgresServer } from './postgres.ts';

const iss = 'https://connexion.example';
const person = { iss, sub: 'a-17', name: 'Camille Étienne', salt: '01'.repeat(16) };
const note = { id: 'note-1', data: { texte: 'À rappeler.' }, salt: '02'.repeat(16) };

let server: PostgresServer;
let database: Scratch;
const open: Directory[] = [];
const troubles: unknown[] = [];

async function joins(): Promise<Directory> {
  const directory = await openPostgresDirectory(database.url, (error) => troubles.push(error));
  open.push(directory);
  return directory;
}

beforeAll(async () => {
  server = await PostgresServer.start();
  database = await scratchDatabase(server.url);
}, 30_000);
afterEach(async () => {
  for (const directory of open.splice(0)) await directory.close();
  await execute(database.url, 'drop schema if exists jalon_personnes cascade');
  troubles.splice(0);
});
afterAll(() => server.stop());

describe('In PostgreSQL,', () => {
  describeDirectory(() => ({
    open: joins,
    clear: () => execute(database.url, 'drop schema if exists jalon_personnes cascade'),
  }));
});

test('a database that cannot hold every name is refused; one that can is not, nor one that is away', async () => {
  await execute(server.url, "create database latin encoding 'LATIN1' locale 'C' template template0");
  await assertDatabaseFits(database.url);
  await expect(assertDatabaseFits(server.url.replace(/postgres$/, 'latin'))).rejects.toThrow(
    /is encoded in LATIN1, and names need UTF-8/,
  );
  await assertDatabaseFits('postgres://jalon:jalon@127.0.0.1:1/jalon');
});

describe('a directory that several nodes share', () => {
  test('is made once by nodes that start at the same time', async () => {
    const nodes = await Promise.all(Array.from({ length: 8 }, joins));
    const commitments = await Promise.all(
      nodes.map((node, i) => node.commit({ ...person, salt: String(i).repeat(32) })),
    );
    expect(new Set(commitments).size).toBe(1);
    expect(troubles).toEqual([]);
  });

  test('gives rivals on all nodes one commitment, however often the person is forgotten meanwhile', async () => {
    const [one, two, three] = [await joins(), await joins(), await joins()];
    let salts = 0;
    for (let round = 0; round < 20; round += 1) {
      const commit = (node: Directory) => {
        salts += 1;
        return node.commit({ ...person, salt: String(salts).padStart(32, '0') });
      };
      await Promise.all([commit(one), commit(two), three.forget(iss, person.sub), commit(three), commit(one)]);
      await one.forget(iss, person.sub);
      // Each of them knows that it was: it hears so, or asks.
      await until(async () => {
        const made = await Promise.all([commit(one), commit(two), commit(three)]);
        const names = await Promise.all(made.map((commitment) => two.name(iss, person.sub, commitment)));
        return new Set(made).size === 1 && names.every((name) => name === person.name);
      });
    }
  });

  test('shows a name that another node kept, and as erased what another node erased', async () => {
    const [one, two] = [await joins(), await joins()];
    const commitment = await one.commit(person);
    const asked = { names: [{ iss, sub: person.sub, commitment }], payloads: [] };
    const shown = async () => (await two.disclose(asked)).name(iss, person.sub, commitment);
    expect(await shown()).toBe(person.name);
    const before = two.erasures;
    await one.forget(iss, person.sub);
    await until(async () => (await shown()) === null);
    expect(two.erasures).not.toBe(before);
    expect(await two.commit({ ...person, salt: '0c'.repeat(16) })).not.toBe(commitment);
  });

  test('notices an erasure of which nothing is heard', async () => {
    const [one, two] = [await joins(), await joins()];
    const commitment = await one.commit(person);
    const asked = { names: [{ iss, sub: person.sub, commitment }], payloads: [] };
    const shown = async () => (await two.disclose(asked)).name(iss, person.sub, commitment);
    expect(await shown()).toBe(person.name);
    // As a node does that dies before its notification leaves: by hand, without one.
    await execute(
      database.url,
      'begin; delete from jalon_personnes.persons; update jalon_personnes.erasures set number = number + 1; commit',
    );
    await until(async () => (await shown()) === null);
  });

  test('remembers nothing of what a back-up brought back or took away', async () => {
    const node = await joins();
    const commitment = await node.commit(person);
    await node.forget(iss, 'b-18');
    const asked = { names: [{ iss, sub: person.sub, commitment }], payloads: [] };
    const shown = async () => (await node.disclose(asked)).name(iss, person.sub, commitment);
    await until(async () => {
      const before = node.erasures;
      expect(await shown()).toBe(person.name);
      return before !== null && before === node.erasures;
    });
    await execute(
      database.url,
      'begin; delete from jalon_personnes.persons; update jalon_personnes.erasures set number = 0; commit',
    );
    await until(async () => (await shown()) === null);
  });

  test('keeps no statistics of what can be erased, and is durable before it answers whatever the server is set to', async () => {
    await execute(server.url, `alter database ${new URL(database.url).pathname.slice(1)} set synchronous_commit = off`);
    const node = await joins();
    expect(await node.durability()).toMatchObject({ adapter: 'postgresql', synchronous_commit: 'on' });
    for (let i = 0; i < 50; i += 1) await node.commit({ ...person, sub: `p-${i}`, name: 'Camille Étienne' });
    await node.keep(note);
    await execute(database.url, 'analyze jalon_personnes.persons, jalon_personnes.erasables');
    await expect(
      execute(
        database.url,
        `do $$ begin
           if exists (select 1 from pg_stats where schemaname = 'jalon_personnes'
                      and attname in ('name', 'salt', 'data', 'sub', 'key', 'person', 'commitment')) then
             raise 'statistics';
           end if;
         end $$`,
      ),
    ).resolves.toBeUndefined();
  });

  test('leaves no byte of what was erased in the files of its tables and indexes, once it was purged', async () => {
    const node = await joins();
    const names = Array.from({ length: 200 }, (_, i) => `Nom-Secret-${i}-de-Famille`);
    for (const [i, name] of names.entries()) await node.commit({ ...person, sub: `p-${i}`, name });
    await node.keep({ ...note, data: { texte: 'Texte-Secret-de-Note' } });
    await node.keep({ ...note, id: 'note-2', data: { texte: 'Texte-Qui-Reste' } });
    const held = async () => {
      // What is only in memory yet is written.
      await execute(server.url, 'checkpoint');
      const bytes = bytesBelow(join(server.folder, 'data/base'));
      return [...names, 'Texte-Secret-de-Note', 'Texte-Qui-Reste'].filter((text) => bytes.includes(text));
    };
    expect(await held()).toHaveLength(202);
    for (let i = 1; i < names.length; i += 1) await node.forget(iss, `p-${i}`);
    await node.drop(note.id);
    await node.purge();
    expect(await held()).toEqual(['Nom-Secret-0-de-Famille', 'Texte-Qui-Reste']);
    expect((await node.payload('note-2'))?.data).toEqual({ texte: 'Texte-Qui-Reste' });
  }, 30_000);

  test('is refused when a newer build made it, or somebody else', async () => {
    await (await joins()).commit(person);
    await execute(database.url, 'update jalon_personnes.layout set version = 99');
    await expect(openPostgresDirectory(database.url)).rejects.toThrow(JournalRefused);
    await execute(database.url, 'drop table jalon_personnes.layout');
    await expect(openPostgresDirectory(database.url)).rejects.toThrow(/did not make/);
  });
});

describe('a directory whose database goes away', () => {
  test('says so, pretends nothing, spares those who ask again, and is found when it is back', async () => {
    const node = await joins();
    const commitment = await node.commit(person);
    await node.keep(note);
    const asked = { names: [{ iss, sub: person.sub, commitment }], payloads: [note.id] };
    await server.pause();
    await until(async () => node.erasures === null);
    const shown = await node.disclose(asked);
    expect([shown.whole, shown.name(iss, person.sub, commitment), shown.payload(note.id)]).toEqual([
      false,
      undefined,
      undefined,
    ]);
    // Who is known is committed to; who is not, is not.
    expect(await node.commit(person)).toBe(commitment);
    await expect(node.commit({ ...person, sub: 'b-18' })).rejects.toThrow(DirectoryUnavailable);
    await expect(node.keep({ ...note, id: 'note-2' })).rejects.toThrow(DirectoryUnavailable);
    await expect(node.forget(iss, person.sub)).rejects.toThrow(DirectoryUnavailable);
    expect(troubles).toHaveLength(1);

    const late = await joins();
    await expect(late.commit(person)).rejects.toThrow(DirectoryUnavailable);
    await server.resume();
    await until(async () => (await node.disclose(asked)).whole && (await late.disclose(asked)).whole);
    expect((await late.disclose(asked)).payload(note.id)).toEqual(note);
    expect(await late.commit({ ...person, salt: '0d'.repeat(16) })).toBe(commitment);
  }, 30_000);

  test('is not made anew while it is in use: everything would seem erased', async () => {
    const node = await joins();
    const commitment = await node.commit(person);
    await execute(database.url, 'drop schema jalon_personnes cascade');
    await expect(node.name(iss, person.sub, commitment)).rejects.toThrow(DirectoryUnavailable);
    await expect(node.commit({ ...person, sub: 'b-18' })).rejects.toThrow(DirectoryUnavailable);
  });
});

/** Everything that the files below a folder hold. */
function bytesBelow(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join('\n');
}
