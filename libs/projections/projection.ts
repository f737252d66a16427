import type { Fact, PublishedWorkflow } from '@jalon/flow';
import type { StoredEvent } from '@jalon/journal';
import type { Row, Table } from './tables.ts';

/** What a correction did to an earlier fact. */
export type Correction = { id: string; revision: number; kind: 'rectified' | 'annulled' };

/** What is declared of a fact, as far as read models ask. */
export type DeclaredFact = Pick<
  Fact,
  'type' | 'label' | 'opens' | 'crosses' | 'deadlines' | 'withheldFrom' | 'summary' | 'announces'
>;

/** A fact as a projection receives it: the stored event, what is declared of it, and what corrections made of it. */
export type ReadFact = {
  /** Id of the dossier. */
  dossier: string;
  event: StoredEvent;
  workflow: PublishedWorkflow;
  fact: DeclaredFact;
  /** The payload as it now reads: that of the latest rectification, else the recorded one. */
  data: Readonly<Record<string, unknown>>;
  /** The effective date as it now reads. */
  effectiveAt: string;
  /** The milestone it crosses, as the history now reads. */
  crosses?: string;
  /** The correction that touched it. An annulled fact stays on record and has no effect. */
  corrected?: Correction;
  /** When that correction was effective, and recorded. */
  correctedAt?: { effectiveAt: string; recordedAt: string };
  /** For a correction: type of the fact that it touches in the end, whose visibility it shares. */
  about?: string;
};

/** What a projection remembers of a dossier between two facts. */
export type Head = { readonly id: string; readonly revision: number };

/** What a fact made of a head, and the rows to write beside it. */
export type Folded<H extends Head> = { head: H; rows?: Readonly<Record<string, readonly Row[]>> };

/**
 * A read model: pure functions and the shape of its tables. The mechanism does the rest: batches, transactions,
 * checkpoints, parking, rebuilding.
 *
 * Every row belongs to one dossier, whose id is the first column of the key of every table. A dossier's facts arrive in
 * the order of their revisions, each exactly once (of a projection that `hears` only some, those). When a correction is
 * recorded, the dossier's rows are cleared and its history arrives again, from a null head, as it now reads.
 */
export type Projection<H extends Head = Head> = {
  name: string;
  /** Raised whenever the tables or the meaning of a row change: the projection is then rebuilt at the next start. */
  version: number;
  tables: Readonly<Record<string, Table>>;
  /** Which of the tables holds one row per dossier, its head. */
  heads: string;
  /** Which facts it is told of, corrections always being; absent: all. What it does not hear costs it nothing. */
  hears?(fact: ReadFact): boolean;
  toRow(head: H): Row;
  fromRow(row: Row): H;
  /**
   * Never changes `head`: a new one comes back.
   * @throws Error when the fact cannot be digested: the dossier is parked in this projection at its last good fact.
   */
  fold(head: H | null, fact: ReadFact): Folded<H>;
};

/** A dossier that a projection could not follow any further, and why. */
export type Parked = { projection: string; dossier: string; revision: number; position: bigint; error: string };
