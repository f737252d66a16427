/** What the log of a data folder, or of a database, is kept in. Column names are those of the rows. */
export type Tables = {
  /** One row: which log this is, how far it goes, and up to which position a checkpoint is asked for. */
  log: { id: number; origin: string; size: number; position: string | null; wanted: string | null };
  tiles: { level: number; number: number; hashes: Buffer };
  /** Where each fact is in the tree, and in the journal. */
  entries: { leaf: number; id: string; stream: string; revision: number };
  /** Every checkpoint that was cut; `position` is that of its last fact. */
  checkpoints: { size: number; position: string | null; note: string; cut_at: string };
  /** Checkpoints of origins that were closed, because the log did not extend what was signed under them. */
  closed: { origin: string; size: number; note: string; cut_at: string };
  /** Bundles that a process without the private key asks to be sealed, and their seals once there are. */
  seals: { id: string; text: string; kid: string | null; signature: string | null };
  /** Public halves; the one without an end is the current one. */
  keys: { id: string; name: string; public_key: string; since: string; until: string | null };
};

/** How a database writes what the tables are made of. */
export type Types = { bytes: string; count: string; end: string };

export const IN_SQLITE: Types = { bytes: 'blob', count: 'integer', end: ' strict' };
export const IN_POSTGRES: Types = { bytes: 'bytea', count: 'bigint', end: '' };

/** The statements that create the tables, positions being texts because those of EventStoreDB have 64 bits. */
export function schemaFor({ bytes, count, end }: Types): string {
  return `
    create table log (
      id ${count} primary key,
      origin text not null,
      size ${count} not null,
      position text,
      wanted text
    )${end};
    create table tiles (
      level ${count} not null,
      number ${count} not null,
      hashes ${bytes} not null,
      primary key (level, number)
    )${end};
    create table entries (
      leaf ${count} primary key,
      id text not null,
      stream text not null,
      revision ${count} not null
    )${end};
    create index entries_by_id on entries (id);
    create table checkpoints (
      size ${count} primary key,
      position text,
      note text not null,
      cut_at text not null
    )${end};
    create table closed (
      origin text not null,
      size ${count} not null,
      note text not null,
      cut_at text not null,
      primary key (origin, size)
    )${end};
    create table seals (
      id text primary key,
      text text not null,
      kid text,
      signature text
    )${end};
    create table keys (
      id text primary key,
      name text not null,
      public_key text not null,
      since text not null,
      until text
    )${end};`;
}
