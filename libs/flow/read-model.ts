import type { CalendarDate } from './dates.ts';

/** A fact as a read model of a procedure's own is told of it: as the history now reads, annulled facts left out. */
// biome-ignore lint/suspicious/noExplicitAny: the type of the fact says what its payload is
export type ToldFact<D = any> = {
  /** UUID of the dossier. */
  dossier: string;
  id: string;
  type: string;
  revision: number;
  effectiveAt: CalendarDate;
  /** The payload as it now reads; to a public read model, its public fields. */
  data: D;
};

/** A column's type; a question mark says that it may be null. */
export type ReadModelColumn = 'text' | 'integer' | 'text?' | 'integer?';

/** A row by column name: every declared column is there. Booleans are 0 and 1, structures are JSON text. */
export type ReadModelRow = Readonly<Record<string, string | number | null>>;

/**
 * A read model of a procedure's own, beside those that any procedure has: pure functions and the shape of one table. It
 * serves every version of the procedure, and is no part of what is frozen with one: it can be derived anew.
 */
// biome-ignore lint/suspicious/noExplicitAny: what a read model remembers is its own affair
export type ReadModel<M = any> = {
  /** Its name, and that of its table. */
  name: string;
  /** Raised whenever the table or the meaning of a row change: it is then derived again. */
  version: number;
  /** Name of the procedure whose dossiers it reads. */
  workflow: string;
  /** Types of the facts that it is told of. Who may not see all of them is shown nothing. */
  hears: readonly string[];
  /** Anybody may read it: it is told only of facts that are withheld from nobody, and only their public fields. */
  public?: true;
  /** The columns besides `dossier`, which comes first of all; and those that tell the rows of a dossier apart. */
  columns: Readonly<Record<string, ReadModelColumn>>;
  key: readonly string[];
  /** The columns by which it is listed, all of them texts; the key follows. */
  order: readonly string[];
  /** What a fact makes of what is remembered of a dossier (JSON; null: nothing yet), and the rows to write. */
  fold(memory: M | null, fact: ToldFact): { memory: M; rows?: readonly ReadModelRow[] };
};
