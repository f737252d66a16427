import { giveWay, type StoredEvent } from '@jalon/journal';
import type { CompiledQuery, Kysely } from 'kysely';
import { GENERATIONS } from './bookkeeping.ts';
import {
  checkpointText,
  type GenerationRow,
  parkedIn,
  physicalName,
  recordParked,
  type StoodOn,
  standOn,
} from './generations.ts';
import type { Folded, Head, Parked, Projection } from './projection.ts';
import { type Arrival, isCorrection, type Readings } from './readings.ts';
import type { ReadModelStore } from './store.ts';
import { checkedValues, type SqlValue, type Table, TableAccess, type Tables } from './tables.ts';

/** Another process moved the checkpoint: two of them project into one database, and this one gives way. */
export class ProjectedElsewhere extends Error {
  override readonly name = 'ProjectedElsewhere';
  constructor(projection: string) {
    super(`Another process is writing the read model ${projection}.`);
  }
}

/** What a flush writes: everything and the checkpoint, or (while building) rows and the heads that memory cannot hold. */
export type Flush = 'checkpoint' | 'spill';

/** A table, and the values of the rows to write into it at the next flush, one row after the other. */
type Pending = { name: string; table: Table; access: TableAccess; values: SqlValue[] };

type Checked = { pending: Pending; values: SqlValue[] };

/** What memory holds of a dossier: its head, and whether the head is yet to be written. */
type Cell = { id: string; head: Head | null; dirty: boolean };

/** Heads held in memory per generation: those of a live one save a read per fact, those of one being built a write. */
const HEADS_HELD = { live: 2_000, building: 20_000 };

/**
 * One generation of a projection being fed: `digest` folds events in memory, `flush` writes what came of them within a
 * transaction, and `committed` says that it took. After a transaction that did not, a generation is opened again from
 * what the database says, and the same events give the same rows again.
 */
export class Generation {
  #digested: StoodOn | null;
  readonly #cells = new Map<string, Cell>();
  readonly #cleared = new Set<string>();
  readonly #pending = new Map<string, Pending>();
  readonly #parked = new Map<string, Parked>();
  readonly #move: CompiledQuery;
  #dirty: Cell[] = [];
  #rows = 0;
  #newlyParked: Parked[] = [];

  private constructor(
    readonly projection: Projection,
    readonly row: GenerationRow,
    private readonly readings: Readings,
    store: ReadModelStore,
  ) {
    this.#digested = row.stoodOn;
    // Compare and set: a second process that projects into the same tables is found out at its first transaction.
    this.#move = store.writer
      .updateTable(GENERATIONS)
      .set({ checkpoint: '' })
      .where('projection', '=', '')
      .where('generation', '=', 0)
      .where('checkpoint', '=', '')
      .compile();
    for (const [name, table] of Object.entries(projection.tables)) {
      const access = new TableAccess(store.writer, store.dialect, physicalName(name, row), table);
      this.#pending.set(name, { name, table, access, values: [] });
    }
  }

  /** Opens a generation where its checkpoint is, with the dossiers parked in it. */
  static async open(
    store: ReadModelStore,
    projection: Projection,
    row: GenerationRow,
    readings: Readings,
  ): Promise<Generation> {
    const generation = new Generation(projection, row, readings, store);
    for (const parked of await parkedIn(store.writer, row)) generation.#parked.set(parked.dossier, parked);
    return generation;
  }

  /** Position up to which its tables go. */
  get checkpoint(): bigint | null {
    return this.row.checkpoint;
  }

  /** Position up to which events are folded, written or not. */
  get digested(): bigint | null {
    return this.#digested?.position ?? null;
  }

  get parked(): Parked[] {
    return [...this.#parked.values()];
  }

  /** Whether memory holds as much as it may: so many rows waiting for a flush, or heads. */
  isFull(rows: number): boolean {
    return this.#rows >= rows || this.#cells.size > HEADS_HELD[this.row.live ? 'live' : 'building'];
  }

  /** Whether there is something to write. */
  get isBehind(): boolean {
    return this.#digested !== this.row.stoodOn;
  }

  /** Folds a page of events, those already digested left out. A dossier that cannot be followed is parked. */
  async digest(page: readonly Arrival[], db: Kysely<Tables>): Promise<void> {
    const seen = this.#digested?.position;
    const fresh = seen === undefined ? page : page.filter(({ event }) => event.position > seen);
    const last = fresh.at(-1);
    if (!last) return;
    const arrivals = this.projection.hears ? fresh.filter((arrival) => this.#hears(arrival)) : fresh;
    const cells = await this.#load(arrivals, db);
    const corrected = lastCorrections(arrivals);
    for (const [i, arrival] of arrivals.entries()) {
      const { dossier, event } = arrival;
      if (this.#parked.size > 0 && this.#parked.has(dossier)) continue;
      // A correction later in the page has the dossier folded again with it: n corrections cost one reading, not n.
      if (i < (corrected.get(dossier) ?? 0)) continue;
      await giveWay();
      const cell = cells[i] as Cell;
      try {
        if (isCorrection(event)) await this.#foldAgain(cell, event);
        else this.#foldOne(cell, arrival);
      } catch (error) {
        this.#park(dossier, event.envelope.revision, event.position, error);
      }
    }
    this.#digested = standOn(last.event);
  }

  /** Writes what was digested, within the transaction `db`. @throws ProjectedElsewhere */
  async flush(db: Kysely<Tables>, flush: Flush): Promise<void> {
    for (const cell of flush === 'checkpoint' ? this.#dirty : this.#excess()) if (cell.dirty) this.#writeHead(cell);
    if (this.#cleared.size > 0)
      for (const { access } of this.#pending.values()) await access.clear(db, [...this.#cleared]);
    for (const { access, values } of this.#pending.values()) if (values.length > 0) await access.upsert(db, values);
    for (const parked of this.#newlyParked) await recordParked(db, this.row, parked);
    if (flush === 'checkpoint' && this.isBehind) await this.#moveCheckpoint(db);
  }

  /** The transaction is committed. Gives the dossiers that were parked in it. */
  committed(flush: Flush): Parked[] {
    for (const pending of this.#pending.values()) pending.values = [];
    this.#rows = 0;
    this.#cleared.clear();
    if (flush === 'checkpoint') {
      for (const cell of this.#dirty) cell.dirty = false;
      this.#dirty = [];
      this.row.stoodOn = this.#digested;
      this.row.checkpoint = this.#digested?.position ?? null;
    }
    const leaving = this.#excess();
    for (const cell of leaving) {
      cell.dirty = false;
      this.#cells.delete(cell.id);
    }
    if (leaving.length > 0) this.#dirty = this.#dirty.filter(({ dirty }) => dirty);
    const parked = this.#newlyParked;
    this.#newlyParked = [];
    return parked;
  }

  /** What this build cannot read is heard by all: each of them parks the dossier. */
  #hears({ event, read }: Pick<Arrival, 'event' | 'read'>): boolean {
    return read === null || isCorrection(event) || (this.projection.hears?.(read) ?? true);
  }

  #foldOne(cell: Cell, arrival: Arrival): void {
    const { event, read } = arrival;
    if (!read) throw arrival.fault;
    this.#assertNext(cell, event);
    const folded = this.projection.fold(cell.head, read);
    this.#keep(cell, folded.head, this.#checked(folded));
  }

  /** A correction changes how the history reads: it is folded again from the first fact, and replaces what is there. */
  async #foldAgain(cell: Cell, event: StoredEvent): Promise<void> {
    this.#assertLater(cell, event);
    const written: Checked[] = [];
    let head: Head | null = null;
    for (const read of await this.readings.historyTo(event)) {
      if (!this.#hears({ event: read.event, read })) continue;
      const folded: Folded<Head> = this.projection.fold(head, read);
      written.push(...this.#checked(folded));
      head = folded.head;
    }
    for (const pending of this.#pending.values()) pending.values = pending.access.without(cell.id, pending.values);
    this.#cleared.add(cell.id);
    this.#keep(cell, head as Head, written);
  }

  #assertNext(cell: Cell, event: StoredEvent): void {
    const { expected, revision, type } = succession(cell, event);
    const follows = this.projection.hears ? revision >= expected : revision === expected;
    if (!follows) throw new Error(`revision ${revision} (${type}) arrived where ${expected} was expected`);
  }

  #assertLater(cell: Cell, event: StoredEvent): void {
    const { expected, revision, type } = succession(cell, event);
    if (revision < expected) throw new Error(`revision ${revision} (${type}) arrived where ${expected} was expected`);
  }

  /** The rows of a fold as values, checked before anything of the fold is kept: a fault parks this dossier alone. */
  #checked({ rows }: Folded<Head>): Checked[] {
    const checked: Checked[] = [];
    for (const name in rows) {
      const pending = this.#pending.get(name);
      if (!pending) throw new Error(`${this.projection.name} declares no table ${name}`);
      for (const row of rows[name] ?? []) checked.push({ pending, values: checkedValues(name, pending.table, row) });
    }
    return checked;
  }

  #keep(cell: Cell, head: Head, rows: readonly Checked[]): void {
    for (const { pending, values } of rows) pending.values.push(...values);
    this.#rows += rows.length;
    cell.head = head;
    if (cell.dirty) return;
    cell.dirty = true;
    this.#dirty.push(cell);
  }

  #park(dossier: string, revision: number, position: bigint, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const parked = { projection: this.projection.name, dossier, revision, position, error: reason };
    this.#parked.set(dossier, parked);
    this.#newlyParked.push(parked);
  }

  /** The cell of each arrival. Heads that memory does not hold are read. */
  async #load(arrivals: readonly Arrival[], db: Kysely<Tables>): Promise<Cell[]> {
    const wanted: string[] = [];
    const cells = arrivals.map(({ dossier, event }) => {
      let cell = this.#cells.get(dossier);
      if (!cell) {
        cell = { id: dossier, head: null, dirty: false };
        this.#cells.set(dossier, cell);
        if (event.envelope.revision > 0) wanted.push(dossier);
      }
      return cell;
    });
    if (wanted.length === 0) return cells;
    const { access } = this.#pending.get(this.projection.heads) as Pending;
    for (const row of await access.rows(db, wanted)) {
      const head = this.projection.fromRow(row);
      (this.#cells.get(head.id) as Cell).head = head;
    }
    return cells;
  }

  #writeHead({ id, head }: Cell): void {
    const { name, table, values } = this.#pending.get(this.projection.heads) as Pending;
    try {
      values.push(...checkedValues(name, table, this.projection.toRow(head as Head)));
    } catch (error) {
      this.#park(id, (head as Head).revision, this.#digested?.position ?? 0n, error);
    }
  }

  /** The cells held for longest, half of what memory may hold, once there are more. */
  #excess(): Cell[] {
    const held = HEADS_HELD[this.row.live ? 'live' : 'building'];
    return this.#cells.size > held ? [...this.#cells.values()].slice(0, this.#cells.size - held / 2) : [];
  }

  async #moveCheckpoint(db: Kysely<Tables>): Promise<void> {
    const { projection, generation, stoodOn } = this.row;
    const parameters = [checkpointText(this.#digested), projection, generation, checkpointText(stoodOn)];
    const { numAffectedRows } = await db.executeQuery({ ...this.#move, parameters });
    if (numAffectedRows !== 1n) throw new ProjectedElsewhere(projection);
  }
}

/** The revision that a dossier expects, and the one that arrives. */
function succession({ head }: Cell, { envelope }: StoredEvent): { expected: number; revision: number; type: string } {
  const { revision, type } = envelope;
  return { expected: head === null ? 0 : head.revision + 1, revision, type };
}

/** Where in a page the last correction of each dossier is, as far as this build can read what precedes it. */
function lastCorrections(page: readonly Arrival[]): Map<string, number> {
  const last = new Map<string, number>();
  const unreadable = new Set<string>();
  for (const [i, { dossier, event, read }] of page.entries()) {
    if (read === null) unreadable.add(dossier);
    else if (isCorrection(event) && !unreadable.has(dossier)) last.set(dossier, i);
  }
  return last;
}
