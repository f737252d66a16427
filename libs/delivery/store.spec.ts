import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { DeliveriesRefused, openDeliveries, Registry } from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jalon-deliveries-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = () => join(folder, 'livraisons.db');

/** What the file holds, changed by hand. */
function change(sql: string): void {
  const db = new Database(file());
  db.exec(sql);
  db.close();
}

const list = async () => {
  const store = openDeliveries(folder);
  try {
    return await new Registry(store).list();
  } finally {
    await store.close();
  }
};

describe('The file of the deliveries', () => {
  test('is made when it is first asked, and found again, for nobody else to read', async () => {
    expect(await list()).toEqual([]);
    expect(await list()).toEqual([]);
    expect(statSync(file()).mode & 0o077).toBe(0);
  });

  test('of an earlier build is brought to the layout of this one, and keeps what it holds', async () => {
    await list();
    change('drop index deliveries_by_state; drop table secrets; update layout set version = 1');
    change("insert into deliveries values ('w', 'e', 1, 1, 'd', 'dossier-d', 0, 't', 'start', 'dead', 3, 1, 0, 5)");
    const store = openDeliveries(folder);
    expect(await new Registry(store).backlog()).toEqual({ pending: 0, dead: 1 });
    await store.close();
    const db = new Database(file(), { readonly: true });
    expect(db.prepare('select version from layout').pluck().all()).toEqual([3]);
    expect(db.prepare("select count(*) from sqlite_schema where name = 'deliveries_by_state'").pluck().get()).toBe(1);
    db.close();
  });

  test('of a newer build is refused, and left as it is', async () => {
    await list();
    change('update layout set version = 99');
    await expect(list()).rejects.toThrow(DeliveriesRefused);
    const db = new Database(file(), { readonly: true });
    expect(db.prepare('select version from layout').pluck().get()).toBe(99);
    db.close();
  });

  test.each<[string, () => void]>([
    ['that is none', () => writeFileSync(file(), 'du texte, et pas une base'.repeat(100))],
    ['that is somebody else’s', () => change('create table ailleurs (a)')],
  ])('%s is refused in one line, and left as it is', async (_, make) => {
    make();
    const before = statSync(file()).size;
    expect(() => openDeliveries(folder)).toThrow(DeliveriesRefused);
    expect(() => openDeliveries(folder)).toThrow(/^[^\n]*livraisons\.db[^\n]*$/);
    expect(statSync(file()).size).toBe(before);
  });
});
