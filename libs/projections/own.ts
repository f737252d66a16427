import { type Catalogue, publicData, type ReadModel, type ReadModelRow, type ToldFact } from '@jalon/flow';
import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import { PAGE, type Page, type Place, pageOf, placeOf } from './pages.ts';
import type { Head, Projection, ReadFact } from './projection.ts';
import { type Sight, seenBy } from './sights.ts';
import type { ReadModelStore } from './store.ts';
import type { Row, Tables } from './tables.ts';

/** What is remembered of a dossier for a procedure's own read model. */
type Remembered = Head & { memory: unknown };

/**
 * The projection of a procedure's own read model: it is told of the facts that it hears, as the history now reads, and
 * its rows are kept with the version of the procedure that wrote them.
 * @throws TypeError when it hears a fact that no version of its procedure declares, or, being public, one that is withheld
 * from somebody
 */
export function ownProjection(model: ReadModel, catalogue: Catalogue): Projection<Remembered> {
  assertTellable(model, catalogue);
  const heads = `${model.name}_dossiers`;
  const hears = new Set(model.hears);
  return {
    name: model.name,
    version: model.version,
    heads,
    tables: {
      [heads]: { columns: { dossier: 'text', revision: 'integer', memory: 'text' }, key: ['dossier'] },
      [model.name]: {
        columns: { dossier: 'text', workflow: 'text', version: 'integer', ...model.columns },
        key: ['dossier', ...model.key],
        indexes: [placeColumns(model)],
      },
    },
    hears: ({ workflow, fact }) => workflow.name === model.workflow && hears.has(fact.type),
    toRow: ({ id, revision, memory }) => ({ dossier: id, revision, memory: JSON.stringify(memory) }),
    fromRow: ({ dossier, revision, memory }) => ({
      id: String(dossier),
      revision: Number(revision),
      memory: JSON.parse(memory as string),
    }),
    fold(head, read) {
      const { dossier: id, event, workflow, corrected, fact } = read;
      const { revision } = event.envelope;
      const memory = head?.memory ?? null;
      // A correction is heard whatever it corrects; what it annulled had no effect.
      if (corrected?.kind === 'annulled' || !hears.has(fact.type) || workflow.name !== model.workflow)
        return { head: { id, revision, memory } };
      const told = model.fold(memory, toldOf(model, read));
      const own = { dossier: id, workflow: workflow.name, version: workflow.version };
      const rows = (told.rows ?? []).map((row) => ({ ...row, ...own }));
      return { head: { id, revision, memory: told.memory }, rows: { [model.name]: rows } };
    },
  };
}

function toldOf(model: ReadModel, { dossier, event, fact, workflow, data, effectiveAt }: ReadFact): ToldFact {
  const { id, type, revision } = event.envelope;
  const declared = workflow.facts.get(type);
  return {
    dossier,
    id,
    type: fact.type,
    revision,
    effectiveAt,
    data: model.public ? publicData(declared ?? {}, data) : data,
  };
}

function assertTellable({ name, workflow, hears, public: open }: ReadModel, { workflows }: Catalogue): void {
  const versions = workflows.filter((one) => one.name === workflow);
  for (const type of hears) {
    const declared = versions.flatMap(({ facts }) => facts.get(type) ?? []);
    if (declared.length === 0) throw new TypeError(`${name} hears ${type}, which ${workflow} does not declare.`);
    if (open && declared.some(({ withheldFrom }) => withheldFrom !== undefined))
      throw new TypeError(`${name} is public and hears ${type}, which is withheld from some.`);
  }
}

/** Which rows of a procedure's own read model. All conditions hold together. */
export type OwnQuery = {
  /** Who reads; anybody may read a public read model. */
  sights?: readonly Sight[];
  /** Column -> the value that it must have. */
  where?: Readonly<Record<string, string | number>>;
};

/** Reads the rows of a procedure's own read model, in its order. */
export class OwnRows {
  readonly #place: readonly string[];

  constructor(
    private readonly store: Pick<ReadModelStore, 'reader'>,
    private readonly catalogue: Catalogue,
    readonly model: ReadModel,
  ) {
    this.#place = placeColumns(model);
  }

  /** A page of the rows that the reader may see. Pages go on from the last row seen. @throws CursorRefused */
  async page(query: OwnQuery & { cursor?: string; limit?: number }): Promise<Page<ReadModelRow>> {
    const { limit = PAGE.usual, cursor } = query;
    const { name } = this.model;
    const place = cursor === undefined ? null : placeOf(name, cursor, this.#place.length);
    const rows = await this.#rows(query, place, limit + 1);
    return pageOf(name, rows, limit, { item: (row) => row, place: (row) => this.#placeOf(row) });
  }

  /** Every row that matches, read page by page as it is consumed. */
  async *each(query: OwnQuery): AsyncGenerator<ReadModelRow> {
    let place: Place | null = null;
    let rows: Row[];
    do {
      rows = await this.#rows(query, place, PAGE.most);
      yield* rows;
      place = rows.length > 0 ? this.#placeOf(rows.at(-1) as Row) : null;
    } while (rows.length === PAGE.most);
  }

  async #rows({ sights, where = {} }: OwnQuery, place: Place | null, limit: number): Promise<Row[]> {
    let select = this.store.reader
      .selectFrom(`${this.model.name} as r`)
      .leftJoin('dossiers as d', 'd.id', 'r.dossier')
      .selectAll('r')
      .limit(limit);
    for (const column of this.#place) select = select.orderBy(`r.${column}`);
    for (const [column, value] of Object.entries(where)) select = select.where(`r.${column}`, '=', value);
    if (!this.model.public) select = select.where((eb) => this.#seen(sights ?? [], eb as never));
    if (place) {
      const columns = this.#place.map((column) => `r.${column}`) as [string, string];
      select = select.where(({ eb, refTuple, tuple }) =>
        eb(refTuple(...columns), '>', tuple(...(place as unknown as [string, string]))),
      );
    }
    return (await select.execute()) as Row[];
  }

  /** That the reader sees the dossier by a role from which nothing that the read model hears is withheld. */
  #seen(sights: readonly Sight[], where: ExpressionBuilder<Tables, string>): Expression<SqlBool> {
    const told = sights.filter(({ workflow, version, role }) => {
      const facts = this.catalogue.find(workflow, version)?.facts;
      return this.model.hears.every((type) => !facts?.get(type)?.withheldFrom?.includes(role));
    });
    return where.or(told.map((sight) => seenBy(sight, where, { row: 'r', dossier: 'd' })));
  }

  #placeOf(row: Row): Place {
    return this.#place.map((column) => String(row[column]));
  }
}

/** What the rows are ordered by, each of them at a place of its own. */
function placeColumns({ order, key }: ReadModel): string[] {
  return [...new Set([...order, 'dossier', ...key])];
}
