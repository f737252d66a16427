import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { openPostgresReadModels } from './index.ts';
import { openPostgresKept } from './kept.ts';
import type { Keeping } from './site.ts';

/** A database for specs, beside others on a server. */
export type Scratch = { url: string; drop(): Promise<void> };

/** Creates an empty database on the server of `url`, where its role may do so. */
export async function scratchDatabase(url: string): Promise<Scratch> {
  const name = `jalon_${randomUUID().replaceAll('-', '')}`;
  const own = new URL(url);
  own.pathname = `/${name}`;
  await execute(url, `create database ${name} template template0 encoding 'UTF8'`);
  return { url: own.href, drop: () => execute(url, `drop database ${name} with (force)`) };
}

/** Read models in a PostgreSQL database, which holds nothing else. */
export function inPostgres(url: string): Keeping {
  return {
    open: (_folder, onSetAside) => openPostgresReadModels(url, onSetAside),
    kept: async () => openPostgresKept(url),
    clear: () => execute(url, 'drop schema if exists jalon, jalon_ecartee, jalon_reglages cascade'),
    env: { DATABASE_URL: url },
  };
}

/** Runs one statement, with all the rights of the role of `url`. */
export async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    // What is dropped may be said not to be there.
    await client.query('set client_min_messages = error');
    await client.query(statement);
  } finally {
    await client.end();
  }
}
