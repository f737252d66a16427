import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEventStoreJournal } from '@jalon/journal';
import { build } from '../../build.mjs';
import { EventStoreProcess } from '../eventstore/child.ts';
import { PostgresServer } from '../postgres.ts';
import { measureAppends } from './appends.ts';
import { measureCatchUp } from './catch-up.ts';
import { fill, makeTemplates } from './copies.ts';
import { measureMemory } from './memory.ts';
import { type Line, table } from './table.ts';

const CATCH_UP = 100_000;
const LONG_LOG = 1_000_000;

/**
 * Appends and catch-up over the wire-level server of the tests, and over the server of ESDB_URL when it is set (an empty
 * one, which keeps what is written to it), into PostgreSQL (that of DATABASE_URL, else one of this bench's own).
 */
export async function benchEventStore(say: (line: string) => void): Promise<string> {
  await build({ force: false, silent: true });
  const root = mkdtempSync(join(tmpdir(), 'jalon-bench-'));
  const { ESDB_URL, DATABASE_URL } = process.env;
  const postgres = DATABASE_URL ? undefined : await PostgresServer.start({ durable: true });
  const database = postgres?.url ?? (DATABASE_URL as string);
  const stores: EventStoreProcess[] = [];
  const startStore = async (name: string) => {
    const store = await EventStoreProcess.start(join(root, name));
    stores.push(store);
    return store.connectionString;
  };
  try {
    const templates = await makeTemplates(say);
    const lines: Line[] = [];
    const servers: [string, () => Promise<string>][] = [['wire-level server', () => startStore('appends')]];
    if (ESDB_URL) servers.push(['ESDB_URL', async () => ESDB_URL]);
    for (const [name, url] of servers) lines.push(...(await measureAppends(name, await url(), templates, say)));
    for (const [name, url] of servers) {
      const journal = await openEventStoreJournal(name === 'ESDB_URL' ? await url() : await startStore('catch-up'));
      await fill(journal, templates, CATCH_UP, say);
      lines.push(...(await measureCatchUp(name, database, journal, CATCH_UP, say)));
      await journal.close();
    }
    const long = await startStore('long');
    const journal = await openEventStoreJournal(long);
    const milestones = await fill(journal, templates, LONG_LOG, say);
    await journal.close();
    const memory = await measureMemory(root, long, database, milestones, say);
    return `${table(lines)}\n\nMemory of a node (MiB) over ${LONG_LOG.toLocaleString('en-US')} facts:\n\n${memory}`;
  } finally {
    for (const store of stores) await store.stop();
    await postgres?.stop();
    rmSync(root, { recursive: true, force: true });
  }
}
