import { sql } from 'kysely';
import type { ReadModelStore } from './store.ts';
import type { Row } from './tables.ts';

/** How long something took, in days: how often it did, the shortest and the longest, quartiles, and the ninth decile. */
export type Durations = {
  count: number;
  min: number;
  q1: number;
  median: number;
  q3: number;
  p90: number;
  max: number;
};

/** The durations between two milestones of a procedure (`depot`: the opening), in all and by the year of the second. */
export type Span = Durations & {
  workflow: string;
  from: string;
  to: string;
  years: (Durations & { year: number })[];
};

/** How many dossiers crossed a milestone (`depot`: were opened) in each month (`YYYY-MM`) in which some did, by effective date. */
export type Crossings = { workflow: string; jalon: string; months: { month: string; count: number }[] };

/** What is known of dossiers in their mass. */
export type Statistics = {
  durations: Span[];
  crossings: Crossings[];
  /** Dossiers that are not over, by the milestone that they are on their way to. */
  inProgress: { workflow: string; jalon: string; count: number }[];
  /** Dossiers that are over. */
  ended: { workflow: string; count: number }[];
};

/** So many durations of so many days. */
type Bin = { days: number; count: number };

/** Reads statistics. */
export class StatisticsReader {
  constructor(private readonly store: Pick<ReadModelStore, 'reader'>) {}

  /** The statistics of all dossiers, whoever's they are. */
  async read(): Promise<Statistics> {
    const { reader } = this.store;
    const count = sql<number>`count(*)`.as('count');
    const durations = await reader
      .selectFrom('statistiques_durees')
      .select(['workflow', 'since', 'until', 'month', 'days', count])
      .groupBy(['workflow', 'since', 'until', 'month', 'days'])
      .orderBy('workflow')
      .orderBy('until')
      .orderBy('since', 'desc')
      .orderBy('month')
      .orderBy('days')
      .execute();
    const openedIn = sql<string>`substr(opened_on, 1, 7)`;
    const opened = await reader
      .selectFrom('statistiques')
      .select(['workflow', sql<string>`'depot'`.as('until'), openedIn.as('month'), count])
      .groupBy(['workflow', openedIn])
      .orderBy('workflow')
      .orderBy(openedIn)
      .execute();
    const crossed = await reader
      .selectFrom('statistiques_durees')
      .select(['workflow', 'until', 'month', sql<number>`count(distinct dossier)`.as('count')])
      .groupBy(['workflow', 'until', 'month'])
      .orderBy('workflow')
      .orderBy('until')
      .orderBy('month')
      .execute();
    const places = await reader
      .selectFrom('statistiques')
      .select(['workflow', 'jalon', 'final', count])
      .groupBy(['workflow', 'jalon', 'final'])
      .orderBy('workflow')
      .orderBy('jalon')
      .execute();
    return {
      durations: spansOf(durations),
      crossings: crossingsOf([...opened, ...crossed]),
      inProgress: places
        .filter(({ final }) => Number(final) === 0)
        .map(({ workflow, jalon, count: n }) => ({
          workflow: String(workflow),
          jalon: String(jalon),
          count: Number(n),
        })),
      ended: places
        .filter(({ final }) => Number(final) === 1)
        .map(({ workflow, count: n }) => ({ workflow: String(workflow), count: Number(n) })),
    };
  }
}

function spansOf(rows: readonly Row[]): Span[] {
  const spans = new Map<string, { named: Pick<Span, 'workflow' | 'from' | 'to'>; years: Map<number, Bin[]> }>();
  for (const row of rows) {
    const named = { workflow: String(row.workflow), from: String(row.since), to: String(row.until) };
    const key = JSON.stringify(named);
    const span = spans.get(key) ?? { named, years: new Map<number, Bin[]>() };
    spans.set(key, span);
    const year = Number(String(row.month).slice(0, 4));
    const bins = span.years.get(year) ?? [];
    span.years.set(year, bins);
    bins.push({ days: Number(row.days), count: Number(row.count) });
  }
  return [...spans.values()].map(({ named, years }) => ({
    ...named,
    ...durationsOf([...years.values()].flat()),
    years: [...years].map(([year, bins]) => ({ year, ...durationsOf(bins) })),
  }));
}

function crossingsOf(rows: readonly Row[]): Crossings[] {
  const crossings = new Map<string, Crossings>();
  for (const { workflow, until, month, count } of rows) {
    const named = { workflow: String(workflow), jalon: String(until) };
    const key = JSON.stringify(named);
    const found = crossings.get(key) ?? { ...named, months: [] };
    crossings.set(key, found);
    found.months.push({ month: String(month), count: Number(count) });
  }
  return [...crossings.values()];
}

/**
 * The median is the middle duration, or half-way between the two that are; the quartiles and p90 the least duration that
 * at least one in four, three in four and nine in ten do not exceed (nearest rank).
 */
function durationsOf(bins: readonly Bin[]): Durations {
  const sorted = bins.toSorted((a, b) => a.days - b.days);
  const count = sorted.reduce((sum, bin) => sum + bin.count, 0);
  /** The n-th shortest duration, from 1. */
  const nth = (n: number) => {
    let seen = 0;
    for (const bin of sorted) {
      seen += bin.count;
      if (seen >= n) return bin.days;
    }
    return Number.NaN;
  };
  return {
    count,
    min: nth(1),
    q1: nth(Math.ceil(count / 4)),
    median: (nth(Math.floor((count + 1) / 2)) + nth(Math.ceil((count + 1) / 2))) / 2,
    q3: nth(Math.ceil((count * 3) / 4)),
    p90: nth(Math.ceil((count * 9) / 10)),
    max: nth(count),
  };
}
