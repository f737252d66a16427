import { describe, expect, test } from '@jest/globals';
import { addDays, addMonths, addYears, daysBetween, isCalendarDate, parisDate } from './dates.ts';

describe('une date', () => {
  test.each(['2024-02-29', '2000-02-29', '2025-12-31', '1900-01-01', '2199-12-31'])('%s existe', (date) => {
    expect(isCalendarDate(date)).toBe(true);
  });

  test.each([
    ...['2025-02-29', '1900-02-29', '2100-02-29', '2025-04-31', '2025-13-01', '2025-00-10', '2025-01-00', '2025-01-32'],
    ...['1899-12-31', '2200-01-01', '0000-01-01', '2025-1-1', '25-01-01', '2025/01/01', '2025-01-01T00:00:00Z', ''],
    ...[' 2025-01-01', '2025-01-01\n', '+002025-01-01', 20250101, null, undefined, new Date(), ['2025-01-01']],
  ])("%p n'en est pas une", (value) => {
    expect(isCalendarDate(value)).toBe(false);
  });
});

describe('le jour à Paris', () => {
  test.each([
    ["l'hiver, une heure avant minuit UTC", '2025-01-14T22:59:59.999Z', '2025-01-14'],
    ["l'hiver, à minuit de Paris", '2025-01-14T23:00:00.000Z', '2025-01-15'],
    ["l'été, deux heures avant minuit UTC", '2025-07-14T21:59:59.999Z', '2025-07-14'],
    ["l'été, à minuit de Paris", '2025-07-14T22:00:00.000Z', '2025-07-15'],
    ["la veille du passage à l'heure d'été", '2025-03-29T22:59:59Z', '2025-03-29'],
    ["le jour du passage à l'heure d'été", '2025-03-29T23:00:00Z', '2025-03-30'],
    ["le soir du passage à l'heure d'été", '2025-03-30T21:59:59Z', '2025-03-30'],
    ["le lendemain du passage à l'heure d'été", '2025-03-30T22:00:00Z', '2025-03-31'],
    ["la veille du retour à l'heure d'hiver", '2025-10-25T21:59:59Z', '2025-10-25'],
    ["le jour du retour à l'heure d'hiver", '2025-10-25T22:00:00Z', '2025-10-26'],
    ["le soir du retour à l'heure d'hiver", '2025-10-26T22:59:59Z', '2025-10-26'],
    ["le lendemain du retour à l'heure d'hiver", '2025-10-26T23:00:00Z', '2025-10-27'],
    ["au changement d'année", '2025-12-31T23:00:00Z', '2026-01-01'],
    ['un 29 février', '2024-02-28T23:00:00Z', '2024-02-29'],
  ])('%s', (_, instant, date) => {
    expect(parisDate(new Date(instant))).toBe(date);
  });

  test('ne se trompe pas en passant d’un instant à l’autre, dans un sens ou dans l’autre', () => {
    const instants = Array.from(
      { length: 500 },
      (_, n) => new Date(Date.UTC(2025, 9, 20) + ((n * 7919) % 500) * 1_800_000),
    );
    const direct = new Intl.DateTimeFormat('fr-CA', { timeZone: 'Europe/Paris', dateStyle: 'short' });
    for (const instant of instants) expect(parisDate(instant)).toBe(direct.format(instant));
  });
});

describe('le calcul', () => {
  test('de jours passe les mois, les années et les changements d’heure', () => {
    expect(addDays('2024-02-28', 1)).toBe('2024-02-29');
    expect(addDays('2025-02-28', 1)).toBe('2025-03-01');
    expect(addDays('2025-12-31', 1)).toBe('2026-01-01');
    expect(addDays('2025-03-29', 2)).toBe('2025-03-31');
    expect(addDays('2025-10-26', -1)).toBe('2025-10-25');
    expect(addDays('2025-01-01', 0)).toBe('2025-01-01');
  });

  test('de jours entre deux dates en est l’inverse', () => {
    for (const days of [-800, -1, 0, 1, 31, 365, 1096])
      expect(daysBetween('2025-03-01', addDays('2025-03-01', days))).toBe(days);
  });

  test("d'années ramène un 29 février au 28", () => {
    expect(addYears('2024-02-29', 3)).toBe('2027-02-28');
    expect(addYears('2024-02-29', 4)).toBe('2028-02-29');
    expect(addYears('2025-07-01', 3)).toBe('2028-07-01');
    expect(addYears('2025-12-31', -1)).toBe('2024-12-31');
  });

  test.each([
    ['2026-03-31', -1, '2026-02-28'],
    ['2024-03-31', -1, '2024-02-29'],
    ['2026-01-31', 1, '2026-02-28'],
    ['2026-12-15', 1, '2027-01-15'],
    ['2028-06-30', -24, '2026-06-30'],
    ['2026-01-01', -1, '2025-12-01'],
    ['2026-05-31', 0, '2026-05-31'],
  ])('%s et %i mois font %s, le dernier jour d’un mois plus court au besoin', (date, months, expected) => {
    expect(addMonths(date, months)).toBe(expected);
  });
});
