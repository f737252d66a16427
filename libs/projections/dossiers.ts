import { type CalendarDate, partyOf, searchable, sirenOf, summaryOf } from '@jalon/flow';
import { followDeadlines, type OpenDeadline } from './deadlines.ts';
import type { Projection, ReadFact } from './projection.ts';
import { endsDossier, stateAfter } from './readings.ts';
import { announcedTarget } from './targets.ts';

/** Columns that facts may give to the list by their `summary`; others a workflow declares are kept, not searched. */
export const SUMMARY_COLUMNS = ['prestataire', 'siren', 'offre', 'referentiel', 'charge', 'centre'] as const;
export type SummaryColumn = (typeof SUMMARY_COLUMNS)[number];

/** Those of them that name an organisation, by which a dossier may be somebody's own. */
export const PARTY_COLUMNS = ['prestataire', 'siren', 'centre'] as const satisfies readonly SummaryColumn[];
export type PartyColumn = (typeof PARTY_COLUMNS)[number];

/** What the list holds of a dossier. */
export type Listed = {
  id: string;
  revision: number;
  position: string;
  workflow: { name: string; version: number };
  state: string;
  jalon: string;
  final: boolean;
  openedAt: CalendarDate;
  updatedAt: { effectiveAt: CalendarDate; recordedAt: string };
  /** The same of the last fact that is withheld from none of those who see dossiers. */
  updatedForAll: { effectiveAt: CalendarDate; recordedAt: string };
  jalonSince: CalendarDate;
  summary: Readonly<Record<string, string>>;
  crossed: Readonly<Record<string, { effectiveAt: CalendarDate; recordedAt: string }>>;
  /** Milestone -> period. */
  targets: Readonly<Record<string, string>>;
  open: readonly OpenDeadline[];
};

/** Sorts after every date: a dossier with no deadline comes last. */
const NEVER = '9999-12-31';

/** The list: one row per dossier, of which the columns are what is sought and sorted by, and `body` all the rest. */
export const dossiers: Projection<Listed> = {
  name: 'dossiers',
  version: 5,
  heads: 'dossiers',
  tables: {
    dossiers: {
      columns: {
        id: 'text',
        workflow: 'text',
        state: 'text',
        jalon: 'text',
        prestataire: 'text?',
        siren: 'text?',
        offre: 'text?',
        referentiel: 'text?',
        charge: 'text?',
        centre: 'text?',
        // What an organisation is known by (`partyOf`), of each column that names one.
        prestataire_party: 'text?',
        siren_party: 'text?',
        centre_party: 'text?',
        prestataire_key: 'text',
        offre_key: 'text',
        opened_at: 'text',
        recorded_at: 'text',
        recorded_for_all: 'text',
        jalon_since: 'text',
        next_deadline: 'text',
        search: 'text',
        body: 'text',
      },
      key: ['id'],
      // Only for the usual order: each index costs every fact a page, and ten thousand rows are sorted in a millisecond.
      indexes: [['recorded_at', 'id']],
    },
  },
  toRow(head) {
    const { id, workflow, state, jalon, summary, openedAt, updatedAt, updatedForAll, jalonSince } = head;
    const columns = Object.fromEntries(SUMMARY_COLUMNS.map((column) => [column, summary[column] ?? null]));
    return {
      ...columns,
      id,
      workflow: workflow.name,
      state,
      jalon,
      ...sought(id, summary),
      opened_at: openedAt,
      recorded_at: updatedAt.recordedAt,
      recorded_for_all: updatedForAll.recordedAt,
      jalon_since: jalonSince,
      next_deadline: nextOf(head.open)?.due ?? NEVER,
      body: JSON.stringify(head),
    };
  },
  fromRow: ({ body }) => JSON.parse(body as string),
  fold(head, read) {
    const { dossier, event, workflow, effectiveAt } = read;
    const { revision, recordedAt, effectiveAt: recordedDate } = event.envelope;
    const { state, jalon, final } = stateAfter(read);
    const updatedAt = { effectiveAt: recordedDate, recordedAt };
    const forAll = seenByAllReaders(read);
    const updated = { updatedAt, updatedForAll: forAll ? updatedAt : (head?.updatedForAll ?? updatedAt) };
    const position = String(event.position);
    const procedure = { name: workflow.name, version: workflow.version };
    // The jalon stays that of before: an annulled fact did not lead anywhere.
    if (head && read.corrected?.kind === 'annulled')
      return { head: { ...head, revision, position, workflow: procedure, state, final, ...updated } };
    const target = forAll ? announcedTarget(read) : undefined;
    const before = head?.open ?? [];
    const ends = endsDossier(read);
    const next: Listed = {
      id: dossier,
      revision,
      position,
      workflow: procedure,
      state,
      jalon,
      final,
      openedAt: head?.openedAt ?? effectiveAt,
      ...updated,
      jalonSince: head?.jalon === jalon ? head.jalonSince : effectiveAt,
      summary: head?.summary ?? {},
      crossed: head?.crossed ?? {},
      targets: head?.targets ?? {},
      // The end of the dossier is seen by all, whatever fact brought it.
      open: forAll || ends ? followDeadlines(before, read, ends).open : before,
    };
    if (read.fact.summary) next.summary = { ...next.summary, ...summaryOf(read.fact, read.data) };
    if (read.crosses !== undefined) next.crossed = { ...next.crossed, [read.crosses]: { effectiveAt, recordedAt } };
    if (target) next.targets = { ...next.targets, [target.jalon]: target.periode };
    return { head: next };
  },
};

type Sought = Record<`${PartyColumn}_party`, string | null> & {
  prestataire_key: string;
  offre_key: string;
  search: string;
};

const soughtBySummary = new WeakMap<object, Sought>();

/** The columns by which a dossier is found and is somebody's. A summary rarely changes: its columns are remembered by identity. */
function sought(id: string, summary: Listed['summary']): Sought {
  let columns = soughtBySummary.get(summary);
  if (!columns) {
    const { prestataire = '', offre = '', charge = '', siren = '' } = summary;
    const party = (column: PartyColumn) => partyOf(summary[column] ?? '') || null;
    columns = {
      prestataire_party: party('prestataire'),
      siren_party: party('siren'),
      centre_party: party('centre'),
      prestataire_key: searchable(prestataire),
      offre_key: searchable(offre),
      search: [prestataire, offre, id, charge, sirenOf(siren) ?? siren].map(searchable).join('\n'),
    };
    soughtBySummary.set(summary, columns);
  }
  return columns;
}

/** The open deadline that is due first. */
export function nextOf(open: readonly OpenDeadline[]): OpenDeadline | undefined {
  let next = open[0];
  for (const deadline of open) if (next && deadline.due < next.due) next = deadline;
  return next;
}

/** A list is the same for all who see a dossier: what a fact tells only some of them stays out of it. */
function seenByAllReaders({ fact, workflow }: ReadFact): boolean {
  return !fact.withheldFrom?.some((role) => workflow.roles[role]?.sees !== 'none');
}
