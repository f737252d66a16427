import { constants, copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { House } from './house.ts';

/** Databases, and what SQLite has not moved into them yet. */
const STORES = /\.db(-wal)?$/;

/**
 * Reads a house of which the folder may be mounted, or given, for reading only: SQLite writes beside what it reads, so
 * that such a folder is read in a copy, for as long as `work` takes; the folder itself is left as it is.
 * @param mayWrite whether this process may write in a folder
 */
export async function readableHouse<T>(
  house: House,
  say: (line: string) => void,
  work: (house: House) => Promise<T>,
  mayWrite: (folder: string) => Promise<boolean> = isWritable,
): Promise<T> {
  if (await mayWrite(house.folder)) return work(house);
  const copy = mkdtempSync(join(tmpdir(), 'jalon-lecture-'));
  try {
    say(`${house.folder} ne peut être que lu : il l'est dans une copie.`);
    for (const file of readdirSync(house.folder).filter((name) => STORES.test(name)))
      copyFileSync(join(house.folder, file), join(copy, file));
    return await work({ ...house, copy });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Whether this process may write in a folder; one that is not there is told of elsewhere. */
async function isWritable(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK);
    return true;
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
