import {
  type ClosedDeadline,
  closesSome,
  type DeadlinesAfter,
  deadlinesSet,
  followDeadlines,
  type OpenDeadline,
} from './deadlines.ts';
import type { Projection, ReadFact } from './projection.ts';
import { endsDossier, stateAfter } from './readings.ts';
import { rolesText } from './sights.ts';
import type { Row } from './tables.ts';

/** Something that changed a deadline: the revision and the instant at which it was recorded, and who is not told of it. */
export type Change = { revision: number; at: string; withheldFrom: readonly string[] };

/** What closed a deadline. `ended`: the end of the dossier, which everybody sees. */
export type Closing = Change & { fact: string; type: string; on: string; ended?: true };

/** A deadline as its row keeps it, besides the columns by which it is found. */
export type StoredDeadline = {
  /** Id of the fact that set it, and on which date that was effective. */
  fact: string;
  setOn: string;
  spec: number;
  key?: string;
  /** When the system knew the present date. */
  knownAt: string;
  /** Its setting first, then what moved it or opened it again. */
  changes: readonly Change[];
  closings: readonly Closing[];
};

/** What is followed of a dossier: its open deadlines, and the row of each. */
export type Agenda = {
  id: string;
  revision: number;
  open: readonly OpenDeadline[];
  rows: Readonly<Record<string, Row>>;
};

/** What `open_to` says: open to everybody, to nobody, or to the roles that it names. */
export const OPEN = '*';

/**
 * Every deadline that facts declare, one row each, open or closed. Its id stays the same whatever becomes of it: a
 * correction of the fact that set it moves it, closes it when it takes the date away, and opens what was closed by mistake.
 */
export const echeances: Projection<Agenda> = {
  name: 'echeances',
  version: 2,
  heads: 'echeances_dossiers',
  tables: {
    echeances_dossiers: { columns: { dossier: 'text', revision: 'integer', body: 'text' }, key: ['dossier'] },
    echeances: {
      columns: {
        dossier: 'text',
        id: 'text',
        due: 'text',
        workflow: 'text',
        version: 'integer',
        /** The milestone worked towards when it was set. */
        jalon: 'text',
        /** Type of the fact that set it. */
        type: 'text',
        /** Roles from which that fact is withheld. */
        withheld: 'text',
        open_to: 'text',
        validity: 'integer',
        proposes: 'text?',
        body: 'text',
      },
      key: ['dossier', 'id'],
      indexes: [['due', 'dossier', 'id']],
    },
  },
  hears: (read) => read.fact.deadlines !== undefined || closesSome(read.workflow, read.fact.type) || endsDossier(read),
  toRow: ({ id, revision, open, rows }) => ({ dossier: id, revision, body: JSON.stringify({ open, rows }) }),
  fromRow: ({ dossier, revision, body }) => ({
    id: String(dossier),
    revision: Number(revision),
    ...(JSON.parse(body as string) as Pick<Agenda, 'open' | 'rows'>),
  }),
  fold(head, read) {
    const before = head?.open ?? [];
    const now = effectOf(before, read);
    const written = new Map<string, Row>();
    const rows: Record<string, Row> = {};
    const held = (deadline: OpenDeadline) => written.get(placeOf(deadline)) ?? (head?.rows[placeOf(deadline)] as Row);

    for (const deadline of reopened(before, read, now))
      written.set(placeOf(deadline), withChange(held(deadline), correctionOf(read)));
    for (const closed of now.closed) written.set(placeOf(closed), withClosing(held(closed), closed, read));
    const ids = new Set<string>();
    for (const deadline of now.open.filter(({ fact }) => fact === read.event.envelope.id)) {
      const row = rowOf(deadline, read, ids);
      written.set(placeOf(deadline), row);
    }
    const gone = removed(read, ids);
    for (const deadline of now.open) rows[placeOf(deadline)] = held(deadline);
    const next: Agenda = { id: read.dossier, revision: read.event.envelope.revision, open: now.open, rows };
    return { head: next, rows: { echeances: [...written.values(), ...gone] } };
  },
};

/** A fact that was annulled neither closes nor sets anything. */
function effectOf(before: readonly OpenDeadline[], read: ReadFact): DeadlinesAfter {
  return read.corrected?.kind === 'annulled'
    ? { open: before, closed: [] }
    : followDeadlines(before, read, endsDossier(read));
}

/** What a fact closed as it was recorded, and does not as it now reads. */
function reopened(before: readonly OpenDeadline[], read: ReadFact, now: DeadlinesAfter): OpenDeadline[] {
  if (!read.corrected) return [];
  const recorded = followDeadlines(before, asRecorded(read), endsDossier(read));
  const closed = new Set(now.closed.map(placeOf));
  return recorded.closed.filter((deadline) => !closed.has(placeOf(deadline)));
}

/** Rows, closed, of the deadlines that a fact set as it was recorded, and does not as it now reads. */
function removed(read: ReadFact, present: ReadonlySet<string>): Row[] {
  if (!read.corrected || !read.fact.deadlines || endsDossier(read)) return [];
  const { id: fact, kind } = read.corrected;
  const type = kind === 'annulled' ? 'dossier.fait-annule' : 'dossier.fait-rectifie';
  const on = read.correctedAt?.effectiveAt ?? read.effectiveAt;
  const recorded = asRecorded(read);
  const ids = new Set<string>();
  return deadlinesSet(recorded)
    .map((deadline) => rowOf(deadline, recorded, ids))
    .filter(({ id }) => !present.has(String(id)))
    .map((row) => closedRow(row, { ...correctionOf(read), fact, type, on }, ''));
}

function asRecorded(read: ReadFact): ReadFact {
  const { corrected: _corrected, ...recorded } = read;
  return { ...recorded, data: read.event.data, effectiveAt: read.event.envelope.effectiveAt };
}

/** Between two facts a deadline is told by the fact that set it and its place there. */
function placeOf({ revision, n }: OpenDeadline): string {
  return `${revision}.${n}`;
}

function rowOf(deadline: OpenDeadline, read: ReadFact, ids: Set<string>): Row {
  const { fact, type, spec, due, key } = deadline;
  const { event, workflow, effectiveAt, corrected, correctedAt } = read;
  const declared = read.fact.deadlines?.[spec];
  const { revision, recordedAt } = event.envelope;
  const wasDue = corrected ? deadlinesSet(asRecorded(read)).find((each) => sameKind(each, deadline))?.due : due;
  const body: StoredDeadline = {
    fact,
    setOn: effectiveAt,
    spec,
    ...(key === undefined ? {} : { key }),
    knownAt: wasDue === due ? recordedAt : (correctedAt?.recordedAt ?? recordedAt),
    changes: [{ revision, at: recordedAt, withheldFrom: [] }, ...(corrected ? [correctionOf(read, [])] : [])],
    closings: [],
  };
  return {
    dossier: read.dossier,
    id: idOf(deadline, ids),
    due,
    workflow: workflow.name,
    version: workflow.version,
    jalon: stateAfter(read).jalon,
    type,
    withheld: rolesText(read.fact.withheldFrom ?? []),
    open_to: OPEN,
    validity: declared?.validity ? 1 : 0,
    proposes: declared?.proposes ?? null,
    body: JSON.stringify(body),
  };
}

function sameKind(one: OpenDeadline, other: OpenDeadline): boolean {
  return one.spec === other.spec && one.key === other.key;
}

/** Of the fact that set it, of the declaration and of the key: no correction of the payload changes it. */
function idOf({ fact, spec, key }: OpenDeadline, ids: Set<string>): string {
  const kind = key === undefined ? `${fact}.${spec}` : `${fact}.${spec}.${encodeURIComponent(key)}`;
  let id = kind;
  for (let twin = 2; ids.has(id); twin += 1) id = `${kind}~${twin}`;
  ids.add(id);
  return id;
}

/** The correction that touched a fact, as visible as that fact. */
function correctionOf(
  { corrected, correctedAt, event, fact }: ReadFact,
  withheldFrom = fact.withheldFrom ?? [],
): Change {
  const { revision, recordedAt } = event.envelope;
  return { revision: corrected?.revision ?? revision, at: correctedAt?.recordedAt ?? recordedAt, withheldFrom };
}

function withChange(row: Row, change: Change): Row {
  const body: StoredDeadline = JSON.parse(row.body as string);
  return { ...row, body: JSON.stringify({ ...body, changes: [...body.changes, change] }) };
}

function withClosing(row: Row, closed: ClosedDeadline, read: ReadFact): Row {
  const { closedBy: fact, closedByType: type, closedOn: on, ended } = closed;
  const closing: Closing = { ...correctionOf(read), fact, type, on, ...(ended ? { ended } : {}) };
  return closedRow(row, closing, rolesText(closed.openTo ?? []));
}

function closedRow(row: Row, closing: Closing, openTo: string): Row {
  const body: StoredDeadline = JSON.parse(row.body as string);
  return { ...row, open_to: openTo, body: JSON.stringify({ ...body, closings: [...body.closings, closing] }) };
}
