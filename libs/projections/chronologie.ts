import { type CalendarDate, type Catalogue, daysBetween, type PublishedWorkflow, summaryOf } from '@jalon/flow';
import { type Asked, behalfPerson, type Disclosed, type Source, shownName } from '@jalon/journal';
import { type CompiledQuery, sql } from 'kysely';
import { type ClosedDeadline, deadlineLabel, followDeadlines, type OpenDeadline } from './deadlines.ts';
import { milestoneNames } from './milestones.ts';
import type { Correction, Projection, ReadFact } from './projection.ts';
import { endsDossier, stateAfter } from './readings.ts';
import type { ReadModelStore } from './store.ts';
import { announcedTarget, isMissed, periodEnd, type Target } from './targets.ts';

/** A milestone: when it was crossed, in the world and to the system's knowledge; nulls while it is not. */
export type Milestone = {
  jalon: string;
  effectiveAt: CalendarDate | null;
  recordedAt: string | null;
  /** Days since the milestone crossed before it; null for the first. */
  daysSincePrevious: number | null;
  daysSinceOpening: number | null;
  /** Id of the fact that crossed it. */
  fact: string | null;
};

/** A person as shown: the name from the directory, or « effacé », or « indisponible »; absent when none was recorded. */
export type ShownPerson = { role: string; org?: string; nom?: string };

/** One fact of the timeline. */
export type TimelineEntry = {
  id: string;
  revision: number;
  type: string;
  label: string;
  effectiveAt: CalendarDate;
  recordedAt: string;
  actor: ShownPerson & { iss: string; sub: string };
  onBehalfOf?: ShownPerson;
  /** The milestone worked towards when it happened. */
  jalon: string;
  from: string | null;
  to: string;
  crosses?: string;
  /** The latest correction that touched it, with the effective date it gave; the entry itself stays as recorded. */
  corrected?: Correction & { effectiveAt?: CalendarDate };
  source?: Source;
  data?: Record<string, unknown>;
  /** Its payload lay in the directory and was destroyed. */
  erased?: true;
  /** Its payload lies in the directory, which is away. */
  unavailable?: true;
};

/** An announced target, in the order of announcements. `until` is the last day of the period. */
export type ShownTarget = {
  jalon: string;
  periode: string;
  until: CalendarDate | null;
  effectiveAt: CalendarDate;
  recordedAt: string;
  fact: string;
  missed: boolean;
};

/** A deadline, open or closed. Overdue: still open after the day it was due. */
export type ShownDeadline = {
  label: string;
  due: CalendarDate;
  /** Type of the fact that set it. */
  fact: string;
  key?: string;
  openedBy: string;
  /** To who may not see what closed it, it is open until something visible closes it, or the dossier ends. */
  open: boolean;
  /** Absent, with `closedOn`, when the fact that ended the dossier is withheld from the viewer. */
  closedBy?: string;
  closedOn?: CalendarDate;
  overdue: boolean;
};

/** The history of a dossier as a person reads it. */
export type Timeline = {
  id: string;
  workflow: { name: string; version: number };
  revision: number;
  position: string;
  state: string;
  jalon: string;
  milestones: Milestone[];
  entries: TimelineEntry[];
  targets: ShownTarget[];
  deadlines: ShownDeadline[];
};

/** For whom a timeline is read, and when. */
export type TimelineView = {
  today: CalendarDate;
  /** Whether facts of this type are withheld from the viewer. */
  hidden: (type: string) => boolean;
  /** What the directory has of the names and payloads that are to be shown. */
  disclose: (asked: Asked) => Promise<Disclosed>;
  /** Is told of every fact that is shown: its revision, and the type of what it is, or corrects in the end. */
  onShown?: (revision: number, type: string) => void;
};

/** What the timeline holds of a dossier besides its facts: where it stands, and what decides who may see it. */
export type Standing = {
  id: string;
  revision: number;
  position: string;
  workflow: { name: string; version: number };
  state: string;
  jalon: string;
  /** The columns that facts give to the summary, by which parties are known. */
  summary: Readonly<Record<string, string>>;
  openedOn: CalendarDate;
  crossed: readonly { jalon: string; effectiveAt: string; recordedAt: string; fact: string; type: string }[];
  targets: readonly Target[];
  open: readonly OpenDeadline[];
};

/**
 * An entry as stored: what is shown, to which reading adds what is declared (the label) and what can be erased (names,
 * payload), and beside it what tells how.
 */
type StoredEntry = [
  shown: Omit<TimelineEntry, 'label'> & { label?: string },
  beside: {
    version: number;
    about?: string;
    erasable?: true;
    name?: string;
    partyName?: string;
    /** The deadlines that it closed. */
    closes?: readonly ClosedDeadline[];
  },
];

/** The timeline: one row per dossier, one per fact. */
export const chronologie: Projection<Standing> = {
  name: 'chronologie',
  version: 3,
  heads: 'chronologie',
  tables: {
    chronologie: { columns: { id: 'text', body: 'text' }, key: ['id'] },
    chronologie_faits: {
      columns: { dossier: 'text', revision: 'integer', body: 'text' },
      key: ['dossier', 'revision'],
    },
  },
  toRow: (head) => ({ id: head.id, body: JSON.stringify(head) }),
  fromRow: ({ body }) => JSON.parse(body as string),
  fold(head, read) {
    const { dossier, event, workflow } = read;
    const { revision } = event.envelope;
    const { state, jalon } = stateAfter(read);
    const annulled = read.corrected?.kind === 'annulled';
    const deadlines = annulled
      ? { open: head?.open ?? [], closed: [] }
      : followDeadlines(head?.open ?? [], read, endsDossier(read));
    const entry = entryOf(read, head?.jalon ?? jalon, deadlines.closed);
    const target = annulled ? undefined : announcedTarget(read);
    const next: Standing = {
      id: dossier,
      revision,
      position: String(event.position),
      workflow: { name: workflow.name, version: workflow.version },
      state,
      jalon,
      summary:
        read.fact.summary && !annulled
          ? { ...head?.summary, ...summaryOf(read.fact, read.data) }
          : (head?.summary ?? {}),
      openedOn: head?.openedOn ?? read.effectiveAt,
      crossed:
        read.crosses === undefined ? (head?.crossed ?? []) : [...(head?.crossed ?? []), crossing(read, read.crosses)],
      targets: target ? [...(head?.targets ?? []), target] : (head?.targets ?? []),
      open: deadlines.open,
    };
    return { head: next, rows: { chronologie_faits: [{ dossier, revision, body: JSON.stringify(entry) }] } };
  },
};

function crossing({ event, effectiveAt }: ReadFact, jalon: string): Standing['crossed'][number] {
  const { id, type, recordedAt } = event.envelope;
  return { jalon, effectiveAt, recordedAt, fact: id, type };
}

function entryOf(read: ReadFact, jalon: string, closes: readonly ClosedDeadline[]): StoredEntry {
  const { envelope, data, salt } = read.event;
  const { id, revision, type, effectiveAt, recordedAt, onBehalfOf, from = null, to = '', source } = envelope;
  const { name, ...actor } = envelope.actor;
  const shown: StoredEntry[0] = { id, revision, type, effectiveAt, recordedAt, actor, jalon, from, to };
  const beside: StoredEntry[1] = { version: read.workflow.version };
  if (name !== undefined) beside.name = name;
  if (onBehalfOf) {
    const { name: partyName, ...party } = onBehalfOf;
    shown.onBehalfOf = party;
    if (partyName !== undefined) beside.partyName = partyName;
  }
  if (read.crosses !== undefined) shown.crosses = read.crosses;
  if (read.corrected)
    shown.corrected =
      read.effectiveAt === effectiveAt ? read.corrected : { ...read.corrected, effectiveAt: read.effectiveAt };
  if (read.about !== undefined) beside.about = read.about;
  if (source) shown.source = source;
  if (closes.length > 0) beside.closes = closes;
  // The salt of an erasable fact lies in the directory, with its payload.
  if (salt === undefined) beside.erasable = true;
  else shown.data = data;
  return [shown, beside];
}

type Part = { part: number; body: string };

/** Reads timelines. */
export class Chronologie {
  readonly #query: CompiledQuery<Part>;
  readonly #standing: CompiledQuery<{ body: string }>;

  constructor(
    private readonly store: Pick<ReadModelStore, 'reader'>,
    private readonly catalogue: Catalogue,
  ) {
    const { reader } = store;
    const part = (table: string, key: string, number: number) =>
      reader
        .selectFrom(table)
        .select([sql<number>`${sql.lit(number)}`.as('part'), sql<string>`body`.as('body')])
        .where(key, '=', '');
    this.#standing = reader
      .selectFrom('chronologie')
      .select('body')
      .where('id', '=', '')
      .$castTo<{ body: string }>()
      .compile();
    // One statement, so that both parts are of one moment.
    this.#query = part('chronologie', 'id', 0)
      .unionAll(part('chronologie_faits', 'dossier', 1))
      .compile();
  }

  /** Where a dossier stands, without its facts; null when the read model has no such dossier. */
  async standing(id: string): Promise<Standing | null> {
    const { rows } = await this.store.reader.executeQuery<{ body: string }>({ ...this.#standing, parameters: [id] });
    return rows[0] ? JSON.parse(rows[0].body) : null;
  }

  /** The timeline of a dossier for one viewer, or null when the read model has no such dossier. */
  async read(id: string, view: TimelineView): Promise<Timeline | null> {
    const { rows } = await this.store.reader.executeQuery<Part>({ ...this.#query, parameters: [id, id] });
    const parsed = JSON.parse(`[${rows.map(({ body }) => body).join()}]`);
    let standing: Standing | undefined;
    const entries: StoredEntry[] = [];
    for (const [i, { part }] of rows.entries())
      if (part === 0) standing = parsed[i];
      else entries.push(parsed[i]);
    if (!standing) return null;

    const { workflow, revision, position, state, jalon } = standing;
    const present = this.catalogue.find(workflow.name, workflow.version);
    return {
      id,
      workflow,
      revision,
      position,
      state,
      jalon,
      milestones: milestonesOf(present, standing, view),
      entries: await this.#entries(workflow.name, entries, view),
      targets: targetsOf(standing, view),
      deadlines: deadlinesOf(present, standing.open, entries, view),
    };
  }

  async #entries(name: string, entries: StoredEntry[], view: TimelineView): Promise<TimelineEntry[]> {
    const { hidden, disclose, onShown } = view;
    const visible = entries
      .sort(byEffectiveDate)
      .filter(([{ type }, { about }]) => !hidden(type) && (about === undefined || !hidden(about)));
    const disclosed = await disclose(askedOf(visible));
    const shown: TimelineEntry[] = [];
    let workflow: PublishedWorkflow | undefined;
    let version = Number.NaN;
    for (const entry of visible) {
      const [{ type, revision }, beside] = entry;
      onShown?.(revision, beside.about ?? type);
      if (beside.version !== version) {
        version = beside.version;
        workflow = this.catalogue.find(name, version);
      }
      shown.push(completed(entry, workflow?.facts.get(type)?.label ?? type, disclosed));
    }
    return shown;
  }
}

function byEffectiveDate([a]: StoredEntry, [b]: StoredEntry): number {
  return a.effectiveAt < b.effectiveAt ? -1 : a.effectiveAt > b.effectiveAt ? 1 : a.revision - b.revision;
}

/** What is to be asked of the directory for these entries to be shown. */
function askedOf(entries: readonly StoredEntry[]): Asked {
  const asked: Asked = { names: [], payloads: [] };
  for (const [{ id, actor, onBehalfOf }, { name, partyName, erasable }] of entries) {
    if (name !== undefined) asked.names.push({ iss: actor.iss, sub: actor.sub, commitment: name });
    if (partyName !== undefined) asked.names.push({ ...behalfPerson(onBehalfOf as Party), commitment: partyName });
    if (erasable) asked.payloads.push(id);
  }
  return asked;
}

type Party = { role: string; org: string };

function completed([shown, beside]: StoredEntry, label: string, disclosed: Disclosed): TimelineEntry {
  const { actor, onBehalfOf } = shown;
  const named = ({ iss, sub }: { iss: string; sub: string }, commitment: string) =>
    shownName(disclosed.name(iss, sub, commitment));
  if (beside.name !== undefined) actor.nom = named(actor, beside.name);
  if (onBehalfOf && beside.partyName !== undefined)
    onBehalfOf.nom = named(behalfPerson(onBehalfOf as Party), beside.partyName);
  if (beside.erasable) {
    const kept = disclosed.payload(shown.id);
    if (kept) shown.data = kept.data;
    else if (kept === null) shown.erased = true;
    else shown.unavailable = true;
  }
  shown.label = label;
  return shown as TimelineEntry;
}

function milestonesOf(workflow: PublishedWorkflow | undefined, standing: Standing, view: TimelineView): Milestone[] {
  const { crossed, openedOn } = standing;
  let previous: CalendarDate | null = null;
  return (workflow ? milestoneNames(workflow) : crossed.map(({ jalon }) => jalon)).map((jalon) => {
    const crossing = crossed.find((each) => each.jalon === jalon);
    if (!crossing)
      return {
        jalon,
        effectiveAt: null,
        recordedAt: null,
        daysSincePrevious: null,
        daysSinceOpening: null,
        fact: null,
      };
    const { effectiveAt, recordedAt, fact, type } = crossing;
    const daysSincePrevious = previous === null ? null : daysBetween(previous, effectiveAt);
    previous = effectiveAt;
    const daysSinceOpening = daysBetween(openedOn, effectiveAt);
    return {
      jalon,
      effectiveAt,
      recordedAt,
      daysSincePrevious,
      daysSinceOpening,
      fact: view.hidden(type) ? null : fact,
    };
  });
}

function targetsOf({ targets, crossed }: Standing, { hidden, today }: TimelineView): ShownTarget[] {
  return targets
    .filter(({ type }) => !hidden(type))
    .map(({ type: _type, ...target }) => {
      const crossedOn = crossed.find(({ jalon }) => jalon === target.jalon)?.effectiveAt;
      return { ...target, until: periodEnd(target.periode), missed: isMissed(target.periode, crossedOn, today) };
    });
}

function deadlinesOf(
  workflow: PublishedWorkflow | undefined,
  open: readonly OpenDeadline[],
  entries: readonly StoredEntry[],
  { hidden, today }: TimelineView,
): ShownDeadline[] {
  const shown: ShownDeadline[] = [];
  for (const [deadline, closings] of withClosings(open, entries)) {
    const { type, due, key, fact: openedBy } = deadline;
    if (hidden(type)) continue;
    const closing = closings.find(({ closedByType, ended }) => ended || !hidden(closedByType));
    shown.push({
      label: deadlineLabel(workflow, deadline),
      due,
      fact: type,
      ...(key === undefined ? {} : { key }),
      openedBy,
      open: closing === undefined,
      ...(closing === undefined || hidden(closing.closedByType)
        ? {}
        : { closedBy: closing.closedBy, closedOn: closing.closedOn }),
      overdue: closing === undefined && today > due,
    });
  }
  return shown;
}

/** Every deadline of a dossier by its date, with what closed it, in the order in which it did. */
function withClosings(
  open: readonly OpenDeadline[],
  entries: readonly StoredEntry[],
): [OpenDeadline, ClosedDeadline[]][] {
  const closings = entries.flatMap(([{ revision }, { closes = [] }]) =>
    closes.map((closing) => ({ revision, closing })),
  );
  const all = new Map<string, [OpenDeadline, ClosedDeadline[]]>();
  for (const deadline of open) all.set(`${deadline.fact} ${deadline.n}`, [deadline, []]);
  for (const { closing } of closings.sort((a, b) => a.revision - b.revision)) {
    const known = all.get(`${closing.fact} ${closing.n}`);
    if (known) known[1].push(closing);
    else all.set(`${closing.fact} ${closing.n}`, [closing, [closing]]);
  }
  return [...all.values()].sort(([a], [b]) => (a.due < b.due ? -1 : a.due > b.due ? 1 : a.revision - b.revision));
}
