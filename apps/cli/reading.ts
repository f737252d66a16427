import { randomBytes, randomUUID } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type Directory, type Journal, JournalRefused } from '@jalon/journal';
import { Accesses, OPERATOR } from '../api/accesses.ts';
import { Config } from '../api/config.ts';
import type { Order } from '../api/control.ts';
import { nodeName } from '../api/node-name.ts';
import { SOFTWARE } from '../api/product.ts';
import { openProving } from '../api/proof.ts';
import { askServer } from './hold.ts';
import { type House, openForWriting } from './house.ts';

/** What is read past a server, as the log of accesses is told. */
export type Reading = Extract<Order, { command: 'reading' }>;

type Say = (line: string) => void;

/**
 * Tells the log of accesses that a folder is about to be read: by the server that runs on it, else in the folder itself.
 * Where that may not be written to it is read all the same, and said that nothing could be recorded.
 * @throws OrderFailed when the server could not record it
 */
export async function recordReading(house: House, reading: Reading, say: Say): Promise<void> {
  try {
    if (await recordedByServer(house, reading)) return;
    await assertWritable(house);
    await recordInFolder(house, reading, say);
  } catch (fault) {
    if (!isKeptOut(fault)) throw fault;
    say(`Cette lecture n'est pas inscrite au journal des accès : ${(fault as Error).message}`);
  }
}

/** Has the server that runs on the folder record a reading; false when none does. @throws OrderFailed */
export async function recordedByServer({ folder }: House, reading: Reading): Promise<boolean> {
  return (await askServer(folder, reading, () => undefined)) !== null;
}

const NO_WAY_IN = ['EACCES', 'EPERM', 'EROFS'];

function isKeptOut(fault: unknown): boolean {
  return fault instanceof JournalRefused || NO_WAY_IN.includes((fault as NodeJS.ErrnoException).code ?? '');
}

async function assertWritable({ folder, eventStore }: House): Promise<void> {
  const files = eventStore === undefined ? ['', 'journal.db', 'personnes.db'] : [''];
  for (const file of files.map((name) => join(folder, name)))
    if (existsSync(file)) await access(file, constants.R_OK | constants.W_OK);
}

async function recordInFolder(house: House, { type, data }: Reading, say: Say): Promise<void> {
  const { journal, directory, close } = await openForWriting(house);
  try {
    await covered(house, journal, say, async () => {
      const entropy = { uuid: randomUUID, salt: () => randomBytes(16).toString('hex') };
      const node = nodeName(house.folder);
      const parts = { journal, directory: directory as Directory, clock, entropy, software: SOFTWARE, node };
      await new Accesses(parts).record(type, OPERATOR, data);
    });
  } finally {
    await close();
  }
}

const clock = () => new Date();

/** Where the folder holds the proofs too, what is recorded is covered by a checkpoint before it is left alone again. */
async function covered({ folder, eventStore, database }: House, journal: Journal, say: Say, act: () => Promise<void>) {
  if (eventStore !== undefined || database !== undefined || !existsSync(join(folder, 'preuve.db'))) return act();
  const config = new Config();
  const { JALON_KEY_FILE, JALON_HEAD_FILE } = process.env;
  if (JALON_KEY_FILE) config.JALON_KEY_FILE = JALON_KEY_FILE;
  if (JALON_HEAD_FILE) config.JALON_HEAD_FILE = JALON_HEAD_FILE;
  const proving = await openProving({ folder, journal, clock, alarm: say, config, shared: undefined });
  try {
    await act();
  } finally {
    await proving.stop();
  }
}
