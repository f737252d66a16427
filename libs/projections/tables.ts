import { setImmediate } from 'node:timers/promises';
import { type CompiledQuery, type Kysely, sql } from 'kysely';

/** What a column may hold in every database we write to: booleans are 0 and 1, structures are JSON text. */
export type SqlValue = string | number | null;

/** A row by column name; every declared column is there. */
export type Row = Readonly<Record<string, SqlValue>>;

/** Tables whose names are only known at run time. */
export type Tables = Record<string, Record<string, SqlValue>>;

/** A column's type; a question mark says that it may be null. */
export type Column = 'text' | 'integer' | 'text?' | 'integer?';

/** A table of a read model. The first column of `key` is the id of the dossier. */
export type Table = {
  columns: Readonly<Record<string, Column>>;
  key: readonly string[];
  indexes?: readonly (readonly string[])[];
};

/** Everything in which databases differ, in one place. */
export type Dialect = {
  /** Type of a column of text, compared byte by byte, so that cursors and indexes agree on an order. */
  text: 'text' | ReturnType<typeof sql>;
  /** Whether one statement may write the same key twice, the last row being the one that stays. */
  sameKeyTwice: boolean;
};

export const SQLITE: Dialect = { text: 'text', sameKeyTwice: true };

export const POSTGRES: Dialect = { text: sql`text collate "C"`, sameKeyTwice: false };

/** Rows per statement, at most: few enough for any database's limit of parameters, enough to forget the overhead. */
const CHUNK = 128;

/** Rows after which a long write lets the event loop breathe. */
const BREATH = 1_024;

/** Creates one table with its indexes. */
export async function createTable(db: Kysely<Tables>, dialect: Dialect, name: string, table: Table): Promise<void> {
  let create = db.schema.createTable(name);
  for (const [column, type] of Object.entries(table.columns))
    create = create.addColumn(column, type.startsWith('text') ? (dialect.text as 'text') : 'bigint', (definition) =>
      type.endsWith('?') ? definition : definition.notNull(),
    );
  await create.addPrimaryKeyConstraint(`${name}_key`, [...table.key] as never[]).execute();
  for (const [i, columns] of (table.indexes ?? []).entries())
    await db.schema
      .createIndex(`${name}_${i}`)
      .on(name)
      .columns([...columns])
      .execute();
}

/** @throws TypeError naming the first column of a row that does not hold what the table declares. */
export function checkedValues(name: string, table: Table, row: Row): SqlValue[] {
  const values: SqlValue[] = [];
  for (const column in table.columns) {
    const value = row[column];
    const type = table.columns[column] as Column;
    const fits =
      value === null ? type.endsWith('?') : type.startsWith('text') ? isText(value) : Number.isSafeInteger(value);
    if (!fits) throw new TypeError(`${name}.${column} (${type}) cannot hold ${JSON.stringify(value)}.`);
    values.push(value as SqlValue);
  }
  return values;
}

// PostgreSQL stores no NUL in a text.
function isText(value: unknown): boolean {
  return typeof value === 'string' && !value.includes('\u0000');
}

/**
 * The three statements that the mechanism needs on a table, compiled once per size and reused: building them costs more
 * than running them.
 */
export class TableAccess {
  readonly #compiled = new Map<string, CompiledQuery>();
  readonly #columns: string[];
  readonly #keys: number[];

  constructor(
    private readonly db: Kysely<Tables>,
    private readonly dialect: Dialect,
    private readonly physical: string,
    private readonly table: Table,
  ) {
    this.#columns = Object.keys(table.columns);
    this.#keys = table.key.map((key) => this.#columns.indexOf(key));
  }

  /** Writes rows, the values of all of them one after the other, replacing those of the same key. */
  async upsert(db: Kysely<Tables>, values: readonly SqlValue[]): Promise<void> {
    const width = this.#columns.length;
    const rows = this.dialect.sameKeyTwice ? values : this.#lastOfEachKey(values);
    let since = 0;
    for (const [start, size] of pieces(rows.length / width)) {
      await db.executeQuery(this.#statement('upsert', size, rows.slice(start * width, (start + size) * width)));
      since += size;
      if (since < BREATH) continue;
      // SQLite answers on this thread: others get their turn in between.
      await setImmediate();
      since = 0;
    }
  }

  /** Deletes every row of these dossiers. */
  async clear(db: Kysely<Tables>, dossiers: readonly string[]): Promise<void> {
    for (const [start, size] of pieces(dossiers.length))
      await db.executeQuery(this.#statement('clear', size, dossiers.slice(start, start + size)));
  }

  /** The rows of these dossiers. */
  async rows(db: Kysely<Tables>, dossiers: readonly string[]): Promise<Row[]> {
    const found: Row[] = [];
    for (const [start, size] of pieces(dossiers.length)) {
      const query = this.#statement('rows', size, dossiers.slice(start, start + size)) as CompiledQuery<Row>;
      found.push(...(await db.executeQuery(query)).rows);
    }
    return found;
  }

  /** The same values without the rows of the dossier. */
  without(dossier: string, values: readonly SqlValue[]): SqlValue[] {
    return this.#split(values)
      .filter((row) => row[this.#keys[0] as number] !== dossier)
      .flat();
  }

  #lastOfEachKey(values: readonly SqlValue[]): SqlValue[] {
    const rows = this.#split(values).map(
      (row) => [JSON.stringify(this.#keys.map((place) => row[place])), row] as const,
    );
    return [...new Map(rows).values()].flat();
  }

  #split(values: readonly SqlValue[]): SqlValue[][] {
    const width = this.#columns.length;
    return Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));
  }

  #statement(kind: 'upsert' | 'clear' | 'rows', size: number, parameters: readonly SqlValue[]): CompiledQuery {
    const name = `${kind} ${size}`;
    let compiled = this.#compiled.get(name);
    if (!compiled) {
      compiled = kind === 'upsert' ? this.#compileUpsert(size) : this.#compileByDossier(kind, size);
      this.#compiled.set(name, compiled);
    }
    return { ...compiled, parameters };
  }

  #compileUpsert(size: number): CompiledQuery {
    const blank = Object.fromEntries(this.#columns.map((column) => [column, '']));
    const updated = this.#columns.filter((column) => !this.table.key.includes(column));
    return this.db
      .insertInto(this.physical)
      .values(Array.from({ length: size }, () => blank))
      .onConflict((conflict) =>
        conflict
          .columns([...this.table.key])
          .doUpdateSet(() => Object.fromEntries(updated.map((column) => [column, sql.ref(`excluded.${column}`)]))),
      )
      .compile();
  }

  #compileByDossier(kind: 'clear' | 'rows', size: number): CompiledQuery {
    const dossier = this.table.key[0] as string;
    const blanks = Array.from({ length: size }, () => '');
    return kind === 'clear'
      ? this.db.deleteFrom(this.physical).where(dossier, 'in', blanks).compile()
      : this.db.selectFrom(this.physical).selectAll().where(dossier, 'in', blanks).compile();
  }
}

/** Where pieces of rows start and how many they hold: powers of two, so that few statements serve any number of rows. */
function* pieces(rows: number): Generator<[start: number, size: number]> {
  let start = 0;
  while (start < rows) {
    let size = CHUNK;
    while (size > rows - start) size /= 2;
    yield [start, size];
    start += size;
  }
}
