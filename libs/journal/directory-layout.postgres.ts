import { JournalRefused } from './journal.ts';
import type { Connections, PooledSession } from './pool.postgres.ts';

/** A schema of its own: that of the read models may be set aside or dropped, since they can be derived again. */
export const SCHEMA = 'jalon_personnes';

/**
 * From each layout to the next. The keys are digests, since an index takes no text of any length, nor may it tell what was
 * erased; and the server keeps no statistics of what can be erased: they would be samples of it.
 */
const STEPS: readonly (readonly string[])[] = [
  [
    'create table layout (version integer not null)',
    'insert into layout values (0)',
    `create table persons (
      key text primary key,
      person text not null,
      iss text not null,
      sub text not null,
      name text not null,
      salt text not null,
      commitment text not null
    )`,
    'create index persons_of on persons (person)',
    'create index persons_by on persons (commitment)',
    'create table erasables (id text primary key, data text not null, salt text not null)',
    'create table erasures (id integer primary key, number bigint not null)',
    'insert into erasures values (1, 0)',
    ...['key', 'person', 'sub', 'name', 'salt', 'commitment'].map(
      (column) => `alter table persons alter column ${column} set statistics 0`,
    ),
    ...['data', 'salt'].map((column) => `alter table erasables alter column ${column} set statistics 0`),
  ],
];

/**
 * Brings the directory's schema to the layout of this build, one process at a time.
 * @throws JournalRefused when a newer build made it, or somebody else; DatabaseUnavailable
 */
export async function prepareDirectory(pool: Connections): Promise<void> {
  if ((await pool.with(layoutOf)) === STEPS.length) return;
  await pool.transact(async (session) => {
    await session.query(`select pg_advisory_xact_lock(hashtextextended('jalon directory', 0))`);
    const version = (await layoutOf(session)) ?? 0;
    if (version > STEPS.length)
      throw new JournalRefused(
        `A newer build of Jalon keeps its directory in this database (layout ${version}, this build knows ${STEPS.length}).`,
      );
    if (version === 0) await createSchema(session);
    for (const statement of STEPS.slice(version).flat()) await session.query(statement);
    await session.query(`update layout set version = ${STEPS.length}`);
  });
}

/** The layout of the schema; undefined when it has none of ours. */
async function layoutOf(session: PooledSession): Promise<number | undefined> {
  // Not to_regclass, which may remember within a transaction what was so before it waited for the lock.
  const there = await session.query(
    'select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2',
    [SCHEMA, 'layout'],
  );
  if (there.rows.length === 0) return undefined;
  return (await session.query<{ version: number }>('select version from layout')).rows[0]?.version;
}

/** The schema may have been made by an administrator, since not everybody may; it then holds nothing yet. */
async function createSchema(session: PooledSession): Promise<void> {
  const { rows } = await session.query<{ tables: number }>(
    `select count(c.oid) as tables from pg_namespace n left join pg_class c on c.relnamespace = n.oid
     where n.nspname = $1 group by n.oid`,
    [SCHEMA],
  );
  if (rows.length === 0) await session.query(`create schema ${SCHEMA}`);
  else if (rows[0]?.tables !== 0)
    throw new JournalRefused(`The schema ${SCHEMA} of this database holds tables that Jalon did not make.`);
}
