import type { Kysely } from 'kysely';
import { createTable, type Dialect, type Table, type Tables } from './tables.ts';

/** Which generations there are of each projection, and how far each goes. */
export const GENERATIONS = 'projection_generations';

/** The dossiers that a generation could not follow. */
export const PARKED = 'projection_parked';

const BOOKKEEPING: Readonly<Record<string, Table>> = {
  [GENERATIONS]: {
    columns: {
      projection: 'text',
      generation: 'integer',
      version: 'integer',
      checkpoint: 'text',
      live: 'integer',
      tables: 'text',
    },
    key: ['projection', 'generation'],
  },
  [PARKED]: {
    columns: {
      projection: 'text',
      generation: 'integer',
      dossier: 'text',
      revision: 'integer',
      position: 'text',
      error: 'text',
    },
    key: ['projection', 'generation', 'dossier'],
  },
};

/** Creates the tables in which projections are kept account of, but those that are there. */
export async function createBookkeeping(db: Kysely<Tables>, dialect: Dialect, there: readonly string[]): Promise<void> {
  for (const [name, table] of Object.entries(BOOKKEEPING))
    if (!there.includes(name)) await createTable(db, dialect, name, table);
}
