import { addDays, type CalendarDate, isCalendarDate, valueAt } from '@jalon/flow';
import type { ReadFact } from './projection.ts';

/** An announcement of when a milestone should be reached. Announcements are history, never deadlines. */
export type Target = {
  jalon: string;
  periode: string;
  fact: string;
  type: string;
  effectiveAt: string;
  recordedAt: string;
};

/** The target that a fact announces, if it does. */
export function announcedTarget({ event, fact, data, effectiveAt }: ReadFact): Target | undefined {
  if (!fact.announces) return undefined;
  const jalon = valueAt(data, fact.announces.jalon);
  const periode = valueAt(data, fact.announces.periode);
  if (typeof jalon !== 'string' || typeof periode !== 'string') return undefined;
  const { id, type, recordedAt } = event.envelope;
  return { jalon, periode, fact: id, type, effectiveAt, recordedAt };
}

/** The last day of an announced period: `2026`, `2026-S1`, `2026-T2`, `2026-06` or a date; null for another form. */
export function periodEnd(periode: string): CalendarDate | null {
  if (isCalendarDate(periode)) return periode;
  const [, year, half, quarter, month] = /^(\d{4})(?:-S([12])|-T([1-4])|-(0[1-9]|1[0-2]))?$/.exec(periode) ?? [];
  if (year === undefined) return null;
  const last = half ? Number(half) * 6 : quarter ? Number(quarter) * 3 : month ? Number(month) : 12;
  const next =
    last === 12
      ? `${String(Number(year) + 1).padStart(4, '0')}-01-01`
      : `${year}-${String(last + 1).padStart(2, '0')}-01`;
  return addDays(next, -1);
}

/** Whether a target was missed: the milestone was crossed after the period, or is not yet and the period is over. */
export function isMissed(periode: string, crossedOn: CalendarDate | undefined, today: CalendarDate): boolean {
  const end = periodEnd(periode);
  return end !== null && (crossedOn ?? today) > end;
}
