import type { CalendarDate, Catalogue } from '@jalon/flow';
import { type Expression, type ExpressionBuilder, type SqlBool } from 'kysely';
import { deadlineLabel } from './deadlines.ts';
import { SUMMARY_COLUMNS, type SummaryColumn } from './dossiers.ts';
import { type Change, type Closing, OPEN, type StoredDeadline } from './echeances.ts';
import { PAGE, type Page, type Place, pageOf, placeOf } from './pages.ts';
import { isTold, namesRole, rolesSeeing, type Sight, seenBy } from './sights.ts';
import type { ReadModelStore } from './store.ts';
import type { Row, Tables } from './tables.ts';

/** A deadline as one viewer sees it. */
export type DeadlineItem = {
  /** The same for ever, whatever becomes of it. */
  id: string;
  dossier: string;
  workflow: { name: string; version: number };
  /** What lists show of the dossier. */
  summary: Partial<Record<SummaryColumn, string>>;
  /** The milestone worked towards when it was set. */
  jalon: string;
  label: string;
  due: CalendarDate;
  /** The end of a validity rather than something to be done by then. */
  validity: boolean;
  /** Type of the fact that set it. */
  fact: string;
  key?: string;
  openedBy: string;
  openedOn: CalendarDate;
  open: boolean;
  /** Absent, with `closedOn`, when the fact that ended the dossier is withheld from the viewer. */
  closedBy?: string;
  closedOn?: CalendarDate;
  overdue: boolean;
};

/** A deadline with what those ask who keep it elsewhere: calendars, the clock. */
export type FollowedDeadline = DeadlineItem & {
  /** How far it changed, as the viewer sees it: never less after a change than before, 0 as it was set. */
  sequence: number;
  /** When that change was recorded. */
  changedAt: string;
  /** When the system knew the present date. */
  knownAt: string;
  /** Type of the fact that the passing of the date makes true. */
  proposes?: string;
};

/** Which deadlines, of those that the viewer may see. All conditions hold together. */
export type DeadlineFilter = {
  sights: readonly Sight[];
  /** Only those that are open, or closed, to the viewer; absent: both. */
  open?: boolean;
  jalon?: string;
  /** Due on this day or later. */
  from?: CalendarDate;
  /** Due before this day. */
  before?: CalendarDate;
  /** Only those that make a fact true. */
  proposing?: true;
  /** Due, the first and the last day included, in one of these spans, and the end of a validity or not. */
  within?: readonly { first: CalendarDate; last: CalendarDate; validity: boolean }[];
};

const LIST = 'echeances';

/** The columns that say who sees a row. */
const SEEING = ['workflow', 'version', ...SUMMARY_COLUMNS] as const;

/** Reads deadlines, in the order of their dates. */
export class DeadlineList {
  constructor(
    private readonly store: Pick<ReadModelStore, 'reader'>,
    private readonly catalogue: Catalogue,
  ) {}

  /**
   * A page of the deadlines that the viewer may see: those set by a fact that is not withheld from them, open as long as
   * nothing that they may see closed them. Pages go on from the last item seen.
   * @throws CursorRefused
   */
  async page(
    query: DeadlineFilter & { today: CalendarDate; cursor?: string; limit?: number },
  ): Promise<Page<FollowedDeadline>> {
    const { limit = PAGE.usual, today, cursor } = query;
    const rows = await this.#rows(query, cursor === undefined ? null : placeOf(LIST, cursor, 3), limit + 1);
    return pageOf(LIST, rows, limit, { item: (row) => this.#item(row, query.sights, today), place: placeOfRow });
  }

  /** Every deadline that matches, read page by page as it is consumed. */
  async *each(query: DeadlineFilter & { today: CalendarDate }): AsyncGenerator<FollowedDeadline> {
    let place: Place | null = null;
    let rows: Row[];
    do {
      rows = await this.#rows(query, place, PAGE.most);
      for (const row of rows) yield this.#item(row, query.sights, query.today);
      place = rows.length > 0 ? placeOfRow(rows.at(-1) as Row) : null;
    } while (rows.length === PAGE.most);
  }

  async #rows(filter: DeadlineFilter, place: Place | null, limit: number): Promise<Row[]> {
    let select = this.store.reader
      .selectFrom('echeances as e')
      // A dossier that the list could not follow has its deadlines all the same, for who sees every dossier.
      .leftJoin('dossiers as d', 'd.id', 'e.dossier')
      .selectAll('e')
      .select(SUMMARY_COLUMNS.map((column) => `d.${column}` as const))
      .where((where) => where.and(conditionsOf(filter, where as never)))
      .orderBy('e.due')
      .orderBy('e.dossier')
      .orderBy('e.id')
      .limit(limit);
    if (place)
      select = select.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('e.due', 'e.dossier', 'e.id'), '>', tuple(...(place as [string, string, string]))),
      );
    return (await select.execute()) as Row[];
  }

  #item(row: Row, sights: readonly Sight[], today: CalendarDate): FollowedDeadline {
    const seeing = rolesSeeing(sights, Object.fromEntries(SEEING.map((column) => [column, row[column] ?? null])));
    const { fact, setOn, spec, key, knownAt, changes, closings }: StoredDeadline = JSON.parse(row.body as string);
    const name = String(row.workflow);
    const version = Number(row.version);
    const type = String(row.type);
    const due = String(row.due);
    const closing = closings.find(({ ended, withheldFrom }) => ended || isTold(withheldFrom, seeing));
    const known: Change[] = changes.filter(({ withheldFrom }) => isTold(withheldFrom, seeing));
    if (closing) known.push(closing);
    const last = known.reduce((latest, each) => (each.revision > latest.revision ? each : latest));
    return {
      id: String(row.id),
      dossier: String(row.dossier),
      workflow: { name, version },
      summary: Object.fromEntries(
        SUMMARY_COLUMNS.flatMap((column) => (typeof row[column] === 'string' ? [[column, row[column]]] : [])),
      ),
      jalon: String(row.jalon),
      label: deadlineLabel(this.catalogue.find(name, version), { type, spec }),
      due,
      validity: Number(row.validity) === 1,
      fact: type,
      ...(key === undefined ? {} : { key }),
      openedBy: fact,
      openedOn: setOn,
      open: closing === undefined,
      ...closedBy(closing, seeing),
      overdue: closing === undefined && today > due,
      sequence: last.revision - (changes[0] as Change).revision,
      changedAt: last.at,
      knownAt,
      ...(row.proposes == null ? {} : { proposes: String(row.proposes) }),
    };
  }
}

function closedBy(
  closing: Closing | undefined,
  seeing: readonly string[],
): Pick<DeadlineItem, 'closedBy' | 'closedOn'> {
  if (!closing || !isTold(closing.withheldFrom, seeing)) return {};
  return { closedBy: closing.fact, closedOn: closing.on };
}

function placeOfRow({ due, dossier, id }: Row): Place {
  return [String(due), String(dossier), String(id)];
}

type Where = ExpressionBuilder<Tables, string>;

function conditionsOf(filter: DeadlineFilter, where: Where): Expression<SqlBool>[] {
  const { sights, open, jalon, from, before, proposing, within } = filter;
  const conditions: Expression<SqlBool>[] = [where.or(sights.map((sight) => told(sight, where)))];
  if (open === true) conditions.push(openTo(sights, where));
  if (open === false) conditions.push(where.not(openTo(sights, where)));
  if (jalon !== undefined) conditions.push(where('e.jalon', '=', jalon));
  if (from !== undefined) conditions.push(where('e.due', '>=', from));
  if (before !== undefined) conditions.push(where('e.due', '<', before));
  if (proposing) conditions.push(where('e.proposes', 'is not', null));
  if (within)
    conditions.push(
      where.or(
        within.map(({ first, last, validity }) =>
          where.and([
            where('e.due', '>=', first),
            where('e.due', '<=', last),
            where('e.validity', '=', validity ? 1 : 0),
          ]),
        ),
      ),
    );
  return conditions;
}

const AT = { row: 'e', dossier: 'd' };

/** That who sees a dossier in this way is told of the fact that set the deadline. */
function told(sight: Sight, where: Where): Expression<SqlBool> {
  return where.and([seenBy(sight, where, AT), where.not(namesRole('e.withheld', sight.role))]);
}

/** Open to everybody, or to every role by which the viewer sees the dossier. */
function openTo(sights: readonly Sight[], where: Where): Expression<SqlBool> {
  const toEach = sights.map((sight) =>
    where.or([where.not(seenBy(sight, where, AT)), namesRole('e.open_to', sight.role)]),
  );
  return where.or([where('e.open_to', '=', OPEN), where.and([where('e.open_to', '!=', ''), ...toEach])]);
}
