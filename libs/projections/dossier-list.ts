import { type CalendarDate, type Catalogue, isStorable, partyOf, searchable, sirenOf } from '@jalon/flow';
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import { deadlineLabel } from './deadlines.ts';
import { type Listed, nextOf, PARTY_COLUMNS, type PartyColumn } from './dossiers.ts';
import { containing } from './search.ts';
import type { ReadModelStore } from './store.ts';
import type { Tables } from './tables.ts';
import { isMissed } from './targets.ts';

/** What a list can be sorted by, and the column that holds it; `-` in front of the name sorts downwards. */
const SORTS: Readonly<Record<string, string>> = {
  updatedAt: 'recorded_at',
  openedAt: 'opened_at',
  jalonSince: 'jalon_since',
  nextDeadline: 'next_deadline',
  prestataire: 'prestataire_key',
  offre: 'offre_key',
};

/** The values of `sort`, for the documentation and the validation of requests. */
export const DOSSIER_SORTS: readonly string[] = Object.keys(SORTS).flatMap((sort) => [sort, `-${sort}`]);

/** A dossier in a list. */
export type DossierItem = {
  id: string;
  workflow: { name: string; version: number };
  revision: number;
  position: string;
  state: string;
  /** The state as an evaluator calls it. */
  label: string;
  jalon: string;
  final: boolean;
  openedAt: CalendarDate;
  /** Of the last fact that the reader may see. */
  updatedAt: { effectiveAt: CalendarDate; recordedAt: string };
  /** Date on which the present jalon began. */
  jalonSince: CalendarDate;
  summary: Readonly<Record<string, string>>;
  /** Milestones crossed. */
  crossed: Readonly<Record<string, { effectiveAt: CalendarDate; recordedAt: string }>>;
  /** The last target announced per milestone. */
  targets: Readonly<Record<string, { periode: string; missed: boolean }>>;
  nextDeadline: { label: string; due: CalendarDate; overdue: boolean } | null;
};

/** Which dossiers. All conditions hold together. */
export type DossierFilter = {
  workflow?: string;
  jalon?: string;
  state?: string;
  /** Its name, as names are searched, or its SIREN or SIRET. */
  prestataire?: string;
  charge?: string;
  referentiel?: string;
  centre?: string;
  /** Part of the name of the prestataire or of the offre, of the id, of the SIREN or of the officer, as texts are searched. */
  q?: string;
  /** Only dossiers of which one of these columns names one of these organisations; `{}` is none at all. */
  own?: Partial<Record<PartyColumn, readonly string[]>>;
};

/** A page of the list. `sort` is `-updatedAt` when absent, `limit` 50. */
export type DossierQuery = DossierFilter & { sort?: string; cursor?: string; limit?: number; today: CalendarDate };

/** A page, and where the next one starts; no `next` on the last. */
export type DossierPage = { items: DossierItem[]; next?: string };

/** A query that cannot be answered, and which of its members is wrong. */
export class DossierQueryRefused extends Error {
  override readonly name = 'DossierQueryRefused';
  constructor(
    readonly field: 'sort' | 'cursor' | 'limit',
    message: string,
  ) {
    super(message);
  }
}

const LIMIT = { usual: 50, most: 200 };

type Order = { name: string; column: string; down: boolean };
type Place = { value: string; id: string };
type ListedRow = { id: string; value: string; body: string };

/** Reads lists of dossiers. */
export class DossierList {
  constructor(
    private readonly store: Pick<ReadModelStore, 'reader'>,
    private readonly catalogue: Catalogue,
  ) {}

  /**
   * A page of the dossiers that match. Pages go on from the last item seen (keyset): what is recorded meanwhile neither
   * repeats nor shifts the others. A dossier whose own place moves may be met again, or no more.
   * @throws DossierQueryRefused for an unknown sort, a cursor of another list, or a limit out of 1..200.
   */
  async page(query: DossierQuery): Promise<DossierPage> {
    const { limit = LIMIT.usual } = query;
    if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT.most)
      throw new DossierQueryRefused('limit', `limit is a whole number from 1 to ${LIMIT.most}.`);
    const order = orderOf(query);
    const rows = await this.#rows(
      query,
      order,
      query.cursor === undefined ? null : placeOf(query.cursor, order),
      limit + 1,
    );
    const items = rows.slice(0, limit).map((row) => this.#item(row, query));
    const last = rows[limit - 1];
    return rows.length > limit && last ? { items, next: cursorOf(order, last) } : { items };
  }

  /**
   * Every dossier that matches, each with the cursor that goes on after it: for conditions that only the caller can
   * evaluate. Read page by page as it is consumed.
   * @throws DossierQueryRefused as `page` does.
   */
  async *each(query: Omit<DossierQuery, 'limit'>): AsyncGenerator<{ item: DossierItem; cursor: string }> {
    const order = orderOf(query);
    let place = query.cursor === undefined ? null : placeOf(query.cursor, order);
    let rows: ListedRow[];
    do {
      rows = await this.#rows(query, order, place, LIMIT.most);
      for (const row of rows) yield { item: this.#item(row, query), cursor: cursorOf(order, row) };
      place = rows.at(-1) ?? null;
    } while (rows.length === LIMIT.most);
  }

  async #rows(
    filter: DossierFilter,
    { column, down }: Order,
    place: Place | null,
    limit: number,
  ): Promise<ListedRow[]> {
    const direction = down ? 'desc' : 'asc';
    let select = this.store.reader
      .selectFrom('dossiers')
      .select(['id', 'body', sql<string>`${sql.ref(column)}`.as('value')])
      .where((where) => where.and(conditionsOf(filter, where)))
      .orderBy(column, direction)
      .orderBy('id', direction)
      .limit(limit);
    if (place)
      select = select.where(({ eb, refTuple, tuple }) =>
        eb(refTuple(column, 'id'), down ? '<' : '>', tuple(place.value, place.id)),
      );
    return (await select.execute()) as ListedRow[];
  }

  #item({ body }: ListedRow, { today, own }: Pick<DossierQuery, 'today' | 'own'>): DossierItem {
    const { open, targets, updatedForAll, ...listed }: Listed = JSON.parse(body);
    const workflow = this.catalogue.find(listed.workflow.name, listed.workflow.version);
    const next = nextOf(open);
    return {
      ...listed,
      ...(own ? { updatedAt: updatedForAll } : {}),
      label: workflow?.states.get(listed.state)?.label ?? listed.state,
      targets: Object.fromEntries(
        Object.entries(targets).map(([jalon, periode]) => [
          jalon,
          { periode, missed: isMissed(periode, listed.crossed[jalon]?.effectiveAt, today) },
        ]),
      ),
      nextDeadline: next ? { label: deadlineLabel(workflow, next), due: next.due, overdue: today > next.due } : null,
    };
  }
}

const EQUAL = ['workflow', 'jalon', 'state', 'charge', 'referentiel'] as const;

function conditionsOf(filter: DossierFilter, where: ExpressionBuilder<Tables, 'dossiers'>): Expression<SqlBool>[] {
  const conditions: Expression<SqlBool>[] = [];
  for (const column of EQUAL) if (filter[column] !== undefined) conditions.push(where(column, '=', filter[column]));
  const { prestataire, centre, q, own } = filter;
  if (centre !== undefined) conditions.push(where('centre_party', '=', partyOf(centre)));
  if (prestataire !== undefined)
    conditions.push(
      where.or([
        where('prestataire_key', '=', searchable(prestataire)),
        where('siren_party', '=', partyOf(prestataire)),
      ]),
    );
  if (q !== undefined && searchable(q) !== '') {
    // Numbers are typed in groups: « 732 829 320 », or a SIRET.
    const number = /^[\d\s]+$/.test(q) ? [sirenOf(q) ?? q.replace(/\s/g, '')] : [];
    const contains = [q, ...number].map(
      (text) => sql<SqlBool>`search like ${containing(text)} escape ${sql.lit('\\')}`,
    );
    conditions.push(where.or(contains));
  }
  if (own)
    conditions.push(
      where.or(
        PARTY_COLUMNS.flatMap((column) => {
          const values = (own[column] ?? []).map(partyOf).filter(Boolean);
          return values.length === 0 ? [] : [where(`${column}_party`, 'in', values)];
        }),
      ),
    );
  return conditions;
}

function orderOf({ sort = '-updatedAt', own }: Pick<DossierQuery, 'sort' | 'own'>): Order {
  const down = sort.startsWith('-');
  const column = new Map(Object.entries(SORTS)).get(down ? sort.slice(1) : sort);
  if (column === undefined) throw new DossierQueryRefused('sort', `sort is one of ${DOSSIER_SORTS.join(', ')}.`);
  // Who sees only their own is withheld some facts: neither their date nor their place among others may tell of them.
  const seen = own && column === 'recorded_at' ? 'recorded_for_all' : column;
  return { name: sort, column: seen, down };
}

function cursorOf({ name }: Order, { value, id }: Place): string {
  return Buffer.from(JSON.stringify([name, value, id])).toString('base64url');
}

function placeOf(cursor: string, { name }: Order): Place {
  const [sort, value, id] = parsedCursor(cursor);
  if (sort !== name || typeof value !== 'string' || typeof id !== 'string' || !isStorable(value + id))
    throw new DossierQueryRefused('cursor', 'cursor is not one that this list, sorted so, gave.');
  return { value, id };
}

function parsedCursor(cursor: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    // Whatever is not ours is refused by the caller, in one sentence.
    return [];
  }
}
