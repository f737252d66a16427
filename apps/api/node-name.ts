import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { JournalRefused } from '@jalon/journal';

const NAME = /^n-[0-9a-f]{8}$/;

/**
 * The name of the node of a data folder, made once and kept in its file `noeud`.
 * @throws JournalRefused when the file holds something else
 */
export function nodeName(folder: string): string {
  const file = join(folder, 'noeud');
  if (!existsSync(file)) {
    // Under another name first: a kill in between leaves no half-written one. Who comes second takes the first's.
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, `n-${randomBytes(4).toString('hex')}\n`, { flush: true, mode: 0o600 });
    try {
      linkSync(draft, file);
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw fault;
    } finally {
      rmSync(draft);
    }
  }
  const name = readFileSync(file, 'utf8').trim();
  if (!NAME.test(name)) throw new JournalRefused(`${file} holds no name of a node: put it back, or remove it.`);
  return name;
}
