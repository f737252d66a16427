import { sql } from 'kysely';
import type { ReadModelStore } from './store.ts';
import type { Row } from './tables.ts';

/** How long something took, in days: how often it did, the middle duration, and the one that nine in ten do not exceed. */
export type Durations = { count: number; median: number; p90: number };

/** The durations between two milestones of a procedure (`depot`: the opening), in all and by the year of the second. */
export type Span = Durations & {
  workflow: string;
  from: string;
  to: string;
  years: (Durations & { year: number })[];
};

/** What is known of dossiers in their mass. */
export type Statistics = {
  durations: Span[];
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
      .select(['workflow', 'since', 'until', 'year', 'days', count])
      .groupBy(['workflow', 'since', 'until', 'year', 'days'])
      .orderBy('workflow')
      .orderBy('until')
      .orderBy('since', 'desc')
      .orderBy('year')
      .orderBy('days')
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
    const year = Number(row.year);
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

/**
 * The median is the middle duration, or half-way between the two that are; p90 the least duration that at least nine in
 * ten do not exceed (nearest rank).
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
    median: (nth(Math.floor((count + 1) / 2)) + nth(Math.ceil((count + 1) / 2))) / 2,
    p90: nth(Math.ceil((count * 9) / 10)),
  };
}
