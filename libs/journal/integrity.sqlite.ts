import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { LOCK } from './folder.sqlite.ts';

/**
 * What SQLite itself finds wrong with the databases of a data folder, a sentence each: pages, indexes, constraints. Also
 * beside the process that writes there.
 */
export function integrityFaults(folder: string): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.db') && file !== LOCK);
  return files.flatMap((file) => {
    let db: Database.Database | undefined;
    try {
      db = new Database(join(folder, file), { readonly: true, timeout: 5000 });
      const found = db.pragma('integrity_check(1)', { simple: true });
      return found === 'ok' ? [] : [`${file} est endommagé : ${found}`];
    } catch (error) {
      return [`${file} ne peut être lu : ${(error as Error).message}`];
    } finally {
      db?.close();
    }
  });
}
