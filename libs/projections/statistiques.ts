import { type CalendarDate, daysBetween } from '@jalon/flow';
import { milestoneNames } from './milestones.ts';
import type { Projection } from './projection.ts';
import { stateAfter } from './readings.ts';
import type { Row } from './tables.ts';

/** What is counted of a dossier: when it was opened and crossed each milestone, and towards which it is on its way. */
export type Counted = {
  id: string;
  revision: number;
  workflow: string;
  jalon: string;
  final: boolean;
  openedOn: CalendarDate;
  crossed: Readonly<Record<string, CalendarDate>>;
};

/** What a duration is counted from when it is not a milestone. */
const DEPOSIT = 'depot';

/** How long dossiers took from one milestone to the next, and from the opening to the first and the last of them. */
export const statistiques: Projection<Counted> = {
  name: 'statistiques',
  version: 2,
  heads: 'statistiques',
  tables: {
    statistiques: {
      columns: {
        dossier: 'text',
        revision: 'integer',
        workflow: 'text',
        jalon: 'text',
        final: 'integer',
        opened_on: 'text',
        crossed: 'text',
      },
      key: ['dossier'],
    },
    statistiques_durees: {
      columns: {
        dossier: 'text',
        since: 'text',
        until: 'text',
        workflow: 'text',
        month: 'text',
        days: 'integer',
      },
      key: ['dossier', 'since', 'until'],
    },
  },
  hears: (read) => {
    if (read.fact.opens || read.crosses !== undefined) return true;
    const { jalon, final } = stateAfter(read);
    const before = read.workflow.states.get(read.event.envelope.from ?? null);
    return before?.jalon !== jalon || before.final !== final;
  },
  toRow: ({ id, openedOn, final, crossed, ...counted }) => ({
    ...counted,
    dossier: id,
    final: final ? 1 : 0,
    opened_on: openedOn,
    crossed: JSON.stringify(crossed),
  }),
  fromRow: (row) => ({
    id: String(row.dossier),
    revision: Number(row.revision),
    workflow: String(row.workflow),
    jalon: String(row.jalon),
    final: Number(row.final) === 1,
    openedOn: String(row.opened_on),
    crossed: JSON.parse(String(row.crossed)),
  }),
  fold(head, read) {
    const { dossier: id, event, workflow, effectiveAt, corrected, crosses } = read;
    const { revision } = event.envelope;
    if (head && corrected?.kind === 'annulled') return { head: { ...head, revision } };
    const { jalon, final } = stateAfter(read);
    const counted: Counted = {
      id,
      revision,
      workflow: workflow.name,
      jalon,
      final,
      openedOn: head?.openedOn ?? effectiveAt,
      crossed: { ...head?.crossed, ...(crosses === undefined ? {} : { [crosses]: effectiveAt }) },
    };
    if (crosses === undefined) return { head: counted };
    return { head: counted, rows: { statistiques_durees: durationsUntil(counted, crosses, milestoneNames(workflow)) } };
  },
};

/** From the milestone before it, or from the opening when it is the first; and from the opening when it is the last. */
function durationsUntil({ id, workflow, openedOn, crossed }: Counted, jalon: string, names: readonly string[]): Row[] {
  const until = crossed[jalon] as CalendarDate;
  const place = names.indexOf(jalon);
  const spans = new Map<string, CalendarDate | undefined>();
  if (place > 0) spans.set(names[place - 1] as string, crossed[names[place - 1] as string]);
  if (place === 0 || place === names.length - 1) spans.set(DEPOSIT, openedOn);
  return [...spans].flatMap(([since, from]) =>
    from === undefined
      ? []
      : [
          {
            dossier: id,
            since,
            until: jalon,
            workflow,
            month: until.slice(0, 7),
            days: daysBetween(from, until),
          },
        ],
  );
}
