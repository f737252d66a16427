/** A calendar date, `YYYY-MM-DD`. Dates of the procedure are dates in Europe/Paris, never instants. */
export type CalendarDate = string;

const SHAPE = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;

/** Whether a text is a date that exists (2025-02-29 does not), between the years 1900 and 2199. */
export function isCalendarDate(text: unknown): boolean {
  if (typeof text !== 'string' || !SHAPE.test(text)) return false;
  const year = Number(text.slice(0, 4));
  if (year < 1900 || year > 2199) return false;
  return new Date(`${text}T00:00:00Z`).toISOString().startsWith(text);
}

const PARIS = new Intl.DateTimeFormat('en-CA', {
  timeZone: 'Europe/Paris',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
});
let lastHour = Number.NaN;
let lastDate = '';

/** The date it is in Paris at an instant. Midnight falls on a whole hour of UTC, so one answer holds for the hour. */
export function parisDate(instant: Date): CalendarDate {
  const hour = Math.floor(instant.getTime() / 3_600_000);
  if (hour !== lastHour) {
    lastDate = PARIS.format(instant);
    lastHour = hour;
  }
  return lastDate;
}

/** The date `days` later (earlier when negative). */
export function addDays(date: CalendarDate, days: number): CalendarDate {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** The same day `months` later (earlier when negative), or the last of a month that has no such day. */
export function addMonths(date: CalendarDate, months: number): CalendarDate {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number);
  const last = new Date(Date.UTC(year, month + months, 0));
  return addDays(last.toISOString().slice(0, 10), Math.min(day, last.getUTCDate()) - last.getUTCDate());
}

/** The same day `years` later; 29 February becomes 28 February in a common year. */
export function addYears(date: CalendarDate, years: number): CalendarDate {
  const moved = `${String(Number(date.slice(0, 4)) + years).padStart(4, '0')}${date.slice(4)}`;
  return isCalendarDate(moved) ? moved : moved.replace(/-29$/, '-28');
}

/** Days from one date to another, negative when `to` comes first. */
export function daysBetween(from: CalendarDate, to: CalendarDate): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000);
}
