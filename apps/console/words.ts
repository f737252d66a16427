/**
 * French words for what the API says in codes: dates, durations, periods. Everything is said in the time of Paris. What is
 * half typed, or is no such thing, comes back as it is: none of these ever throws.
 */

const day = new Intl.DateTimeFormat('fr-FR', { dateStyle: 'long', timeZone: 'UTC' });
const shortDay = new Intl.DateTimeFormat('fr-FR', { dateStyle: 'short', timeZone: 'UTC' });
const instant = new Intl.DateTimeFormat('fr-FR', { dateStyle: 'long', timeStyle: 'short', timeZone: 'Europe/Paris' });
const time = new Intl.DateTimeFormat('fr-FR', { timeStyle: 'short', timeZone: 'Europe/Paris' });
const month = new Intl.DateTimeFormat('fr-FR', { month: 'long', year: 'numeric', timeZone: 'UTC' });
const isoDay = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeZone: 'Europe/Paris' });

/** « 1er juillet 2025 », of `2025-07-01`. */
export function inWords(date: string): string {
  return isDate(date) ? day.format(new Date(date)).replace(/^1 /, '1er ') : date;
}

/** « 01/07/2025 », of `2025-07-01`. */
export function short(date: string): string {
  return isDate(date) ? shortDay.format(new Date(date)) : date;
}

/** « 1er juillet 2025 à 14:02 », of an instant. */
export function momentInWords(iso: string): string {
  return exists(iso) ? instant.format(new Date(iso)).replace(/^1 /, '1er ') : iso;
}

/** « 14:02 », of an instant. */
export function hourOf(moment: Date): string {
  return time.format(moment);
}

/** The calendar date in Paris, of an instant. */
export function dayOf(moment: string | Date): string {
  return exists(moment) ? isoDay.format(new Date(moment)) : String(moment);
}

/** The instant at which a calendar date begins in Paris, RFC 3339 in UTC: from when something happened on that day. */
export function startOfDay(date: string): string {
  // Paris is one or two hours ahead of UTC, and its day never begins while the clocks change.
  const midnight = (hours: number) => new Date(Date.parse(date) - hours * 3_600_000);
  return (dayOf(midnight(2)) === date ? midnight(2) : midnight(1)).toISOString();
}

/** The date so many days later, earlier when negative. */
export function addDays(date: string, count: number): string {
  return new Date(Date.parse(date) + count * 86_400_000).toISOString().slice(0, 10);
}

/** Today in Paris. */
export function today(): string {
  return dayOf(new Date());
}

/** « 1 jour », « 142 jours ». */
export function days(count: number): string {
  return `${count.toLocaleString('fr-FR')} jour${Math.abs(count) > 1 ? 's' : ''}`;
}

/** Whole days from a date to another, both `YYYY-MM-DD`. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000);
}

/** « 2e trimestre 2026 », of `2026-T2`; `2026-S1`, `2026-06`, `2026` and dates likewise. */
export function periodInWords(period: string): string {
  const [, year, part, rank] = /^(\d{4})-(T(?=[1-4])|S(?=[12]))(\d)$/.exec(period) ?? [];
  if (year) return `${rank === '1' ? '1er' : `${rank}e`} ${part === 'T' ? 'trimestre' : 'semestre'} ${year}`;
  return isMonth(period) ? month.format(new Date(`${period}-01`)) : inWords(period);
}

/** « Sous-traitants », of « sous-traitants ». */
export function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase('fr-FR') + text.slice(1);
}

/** « 3 dossiers », « 1 dossier », « aucun dossier ». */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  if (count === 0) return `aucun ${noun}`;
  return `${count.toLocaleString('fr-FR')} ${count > 1 ? plural : noun}`;
}

const exists = (moment: string | Date) => !Number.isNaN(new Date(moment).getTime());

/** Whether a text is a date that exists: `2025-02-29` is none. */
export function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && exists(text) && new Date(text).toISOString().startsWith(text);
}

/** Whether a text is a month: `2026-13` is none. */
export function isMonth(text: string): boolean {
  return /^\d{4}-(0[1-9]|1[0-2])$/.test(text);
}

/** What a milestone worked towards is called: J0 to J3, « Suivi » once qualified, « Terminé » at the end. */
export function jalonInWords(jalon: string): string {
  return { suivi: 'Suivi', fin: 'Terminé' }[jalon] ?? jalon;
}

const WORDS: Readonly<Record<string, string>> = {
  'mesures-de-securite': 'Mesures de sécurité',
  reseaux: 'Réseaux',
  equipements: 'Équipements',
  defavorable: 'Défavorable',
  'sous-traitants': 'Sous-traitants',
};

/** A word of a closed list as it is said: « Non conforme », of `non-conforme`. */
export function wordOf(code: string): string {
  return WORDS[code] ?? capital(code.replaceAll('-', ' '));
}

const countries = new Intl.DisplayNames('fr', { type: 'region' });

/** « France », of `FR`. */
export function countryOf(code: string): string {
  return /^[A-Z]{2}$/.test(code) ? (countries.of(code) ?? code) : code;
}

const LETTERS: Readonly<Record<string, string>> = {
  œ: 'oe',
  æ: 'ae',
  ß: 'ss',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ħ: 'h',
  ı: 'i',
};

/** A text as it is searched, here as by the API: without accents nor capitals, hyphens and apostrophes as spaces. */
export function plain(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[œæßøłđðþħı]/g, (letter) => LETTERS[letter] as string)
    .replace(/[\p{Pd}\u2212\u00ad'’‘ʼ‛`´\s]+/gu, ' ')
    .trim();
}

/** « Novembre 2026 », of `2026-11`. */
export function monthInWords(of: string): string {
  return isMonth(of) ? capital(month.format(new Date(`${of}-01`))) : of;
}

/** The month so many months later, or earlier: `2027-01` is two after `2026-11`. */
export function addMonths(of: string, count: number): string {
  if (!isMonth(of)) return of;
  const [year = 0, rank = 1] = of.split('-').map(Number);
  return new Date(Date.UTC(year, rank - 1 + count, 1)).toISOString().slice(0, 7);
}

/** The weeks that a month touches, from Monday to Sunday, each day `YYYY-MM-DD`. */
export function weeksOf(of: string): string[][] {
  if (!isMonth(of)) return [];
  const first = new Date(`${of}-01`);
  const monday = first.getTime() - ((first.getUTCDay() + 6) % 7) * 86_400_000;
  const day = (offset: number) => new Date(monday + offset * 86_400_000).toISOString().slice(0, 10);
  const weeks: string[][] = [];
  for (let offset = 0; offset === 0 || day(offset).startsWith(of); offset += 7)
    weeks.push(Array.from({ length: 7 }, (_, index) => day(offset + index)));
  return weeks;
}
