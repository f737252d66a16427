import { type Kysely, sql } from 'kysely';
import { createBookkeeping } from './bookkeeping.ts';
import { createTable, POSTGRES, type Tables } from './tables.ts';

/** Being the one process of a role, until another begins: who was deposed without knowing it writes nothing more. */
export type Tenure = { role: string; number: number };

/** Another process took over: nothing was written. */
export class TenureOver extends Error {
  override readonly name = 'TenureOver';
  constructor({ role, number }: Tenure) {
    super(`Tenure ${number} of the ${role} is over: another process took over.`);
  }
}

/** The database holds what this build must not touch, and why; nothing was changed. */
export class ReadModelsRefused extends Error {
  override readonly name = 'ReadModelsRefused';
}

/** Rebuilds that one process asks for and the one that projects carries out. */
export const ORDERS = 'rebuild_orders';

type Step = (db: Kysely<Tables>) => Promise<void>;

/** From each layout of the bookkeeping to the next. Projections have versions of their own, and are built anew. */
const STEPS: readonly Step[] = [
  async (db) => {
    await createTable(db, POSTGRES, 'layout', {
      columns: { id: 'integer', version: 'integer', condemned: 'integer' },
      key: ['id'],
    });
    await createTable(db, POSTGRES, 'tenures', { columns: { role: 'text', number: 'integer' }, key: ['role'] });
    await db.insertInto('layout').values({ id: 1, version: 0, condemned: 0 }).execute();
    await createBookkeeping(db, POSTGRES, []);
  },
  (db) =>
    createTable(db, POSTGRES, ORDERS, {
      columns: {
        ...{ id: 'text', projections: 'text', state: 'text', asked: 'integer', awaited: 'integer' },
        ...{ beat: 'integer', facts: 'integer', position: 'text', error: 'text' },
      },
      key: ['id'],
    }),
];

type Layout = { version: number; condemned: boolean };

/**
 * Brings the schema `jalon` to the layout of this build, one process at a time; what was condemned is set aside first.
 * @throws ReadModelsRefused when a newer build made it, or somebody else
 */
export async function prepareLayout(db: Kysely<Tables>, onSetAside: (sentence: string) => void): Promise<void> {
  const found = await layoutOf(db);
  if (found?.version === STEPS.length && !found.condemned) return;
  const setAside = await db.transaction().execute(async (locked) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('jalon layout', 0))`.execute(locked);
    let layout = await layoutOf(locked);
    const condemned = layout?.condemned === true;
    if (condemned) {
      await sql`drop schema if exists jalon_ecartee cascade`.execute(locked);
      await sql`alter schema jalon rename to jalon_ecartee`.execute(locked);
      layout = undefined;
    }
    const version = layout?.version ?? 0;
    if (version > STEPS.length)
      throw new ReadModelsRefused(
        `A newer build of Jalon keeps its read models in this database (layout ${version}, this build knows ${STEPS.length}).`,
      );
    if (!layout) await createSchema(locked);
    for (const step of STEPS.slice(version)) await step(locked);
    await locked.updateTable('layout').set({ version: STEPS.length }).execute();
    return condemned;
  });
  if (setAside)
    onSetAside(
      'The schema jalon was set aside as jalon_ecartee (it failed while it was in use): the read models are being derived again.',
    );
}

/** Has the schema set aside when it is prepared next. */
export async function condemn(db: Kysely<Tables>): Promise<void> {
  await db.updateTable('layout').set({ condemned: 1 }).execute();
}

/** Begins a tenure. Waits for what the one before it is writing; what it writes from then on fails. */
export async function beginTenure(db: Kysely<Tables>, role: string): Promise<Tenure> {
  return db.transaction().execute(async (tx) => {
    // Its number must never be given again, whatever happens to the server.
    await sql`set local synchronous_commit = on`.execute(tx);
    const { rows } = await sql<{ number: number }>`
      insert into tenures as held (role, number) values (${role}, 1)
      on conflict (role) do update set number = held.number + 1 returning number`.execute(tx);
    return { role, number: (rows[0] as { number: number }).number };
  });
}

/** Makes sure, until the transaction ends, that no other tenure begins. @throws TenureOver */
export async function assertTenure(db: Kysely<Tables>, tenure: Tenure): Promise<void> {
  const { rows } = await sql<object>`
    select 1 from tenures where role = ${tenure.role} and number = ${tenure.number} for share`.execute(db);
  if (rows.length === 0) throw new TenureOver(tenure);
}

/** The layout of the schema; undefined when it has none of ours. */
async function layoutOf(db: Kysely<Tables>): Promise<Layout | undefined> {
  // Not to_regclass, which may remember within a transaction what was so before it waited for the lock.
  const { rows } = await sql<object>`
    select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'jalon' and c.relname = 'layout'`.execute(db);
  if (rows.length === 0) return undefined;
  const { version, condemned } = await db.selectFrom('layout').selectAll().executeTakeFirstOrThrow();
  return { version: Number(version), condemned: condemned === 1 };
}

/** The schema may have been made by an administrator, since not everybody may; it then holds nothing yet. */
async function createSchema(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ tables: number }>`
    select count(c.oid) as tables from pg_namespace n left join pg_class c on c.relnamespace = n.oid
    where n.nspname = 'jalon' group by n.oid`.execute(db);
  if (rows.length === 0) await sql`create schema jalon`.execute(db);
  else if (rows[0]?.tables !== 0)
    throw new ReadModelsRefused('The schema jalon of this database holds tables that Jalon did not make.');
}
