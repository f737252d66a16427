import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What a fresh process, somewhere on earth, makes of this expression over the console's and the libraries' dates. */
function somewhere(zone: string, expression: string): unknown {
  const script = `
    import { timeScale, ticksOf } from './apps/console/plot-time.ts';
    import * as words from './apps/console/words.ts';
    import * as dates from './libs/flow/dates.ts';
    import { calendarOf } from './apps/api/calendar.ts';
    process.stdout.write(JSON.stringify(await (${expression})));`;
  const args = ['--import', '@swc-node/register/esm-register', '--input-type=module', '-e', script];
  const env = { ...process.env, TZ: zone, TS_NODE_PROJECT: 'tsconfig.json', NODE_NO_WARNINGS: '1' };
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' }));
}

const EXPRESSION = `(async () => {
  const due = { id: 'x', label: 'L', due: '2025-03-01', open: true, dossier: 'd', jalon: 'J0', openedOn: '2025-01-01',
    sequence: 0, changedAt: '2025-01-01T00:00:00Z', summary: {} };
  let calendar = '';
  for await (const part of calendarOf((async function* () { yield due; })())) calendar += part;
  const year = timeScale('2025-01-01', '2025-12-31', [0, 364]);
  const week = timeScale('2025-10-24', '2025-10-28', [0, 400]);
  return {
    months: ticksOf(year, 6),
    nice: timeScale('2025-01-09', '2025-11-20', [0, 1]).nice().domain().map((day) => day.toISOString()),
    days: ticksOf(week, 4).map(({ label }) => label),
    said: [
      words.inWords('2025-03-01'), words.short('2025-12-31'), words.monthInWords('2025-01'),
      words.periodInWords('2026-06'), words.dayOf('2025-06-30T22:00:00Z'), words.dayOf('2025-12-31T22:59:59Z'),
      words.momentInWords('2025-06-30T22:00:00Z'), words.addMonths('2025-12', 1), words.addDays('2025-03-29', 2),
    ],
    begins: ['2025-01-15', '2025-07-15', '2025-03-30', '2025-03-31', '2025-10-26', '2025-10-27'].map(words.startOfDay),
    calendar: calendar.match(/DTSTART.*/)?.[0].trim(),
    weeks: words.weeksOf('2025-03').map(([first]) => first),
    dates: [
      dates.parisDate(new Date('2025-06-30T22:00:00Z')), dates.addDays('2025-03-29', 2),
      dates.addMonths('2025-01-31', 1), dates.daysBetween('2025-03-29', '2025-03-31'), dates.isCalendarDate('2025-03-30'),
    ],
  };
})()`;

describe.each(['Europe/Paris', 'Pacific/Noumea', 'America/Martinique'])('in %s', (zone) => {
  test('a date is the day that is written, on plots and in words', () => {
    const told = somewhere(zone, EXPRESSION) as Record<string, never[]>;
    expect(told).toEqual({
      months: [
        { at: 0, label: 'Janvier 2025' },
        { at: 90, label: 'Avril 2025' },
        { at: 181, label: 'Juillet 2025' },
        { at: 273, label: 'Octobre 2025' },
      ],
      nice: ['2025-01-01T00:00:00.000Z', '2025-12-01T00:00:00.000Z'],
      days: ['24/10/2025', '25/10/2025', '26/10/2025', '27/10/2025', '28/10/2025'],
      said: [
        ...['1er mars 2025', '31/12/2025', 'Janvier 2025', 'juin 2026', '2025-07-01', '2025-12-31'],
        ...['1er juillet 2025 à 00:00', '2026-01', '2025-03-31'],
      ],
      begins: [
        ...['2025-01-14T23:00:00.000Z', '2025-07-14T22:00:00.000Z', '2025-03-29T23:00:00.000Z'],
        ...['2025-03-30T22:00:00.000Z', '2025-10-25T22:00:00.000Z', '2025-10-26T23:00:00.000Z'],
      ],
      calendar: 'DTSTART;VALUE=DATE:20250301',
      weeks: ['2025-02-24', '2025-03-03', '2025-03-10', '2025-03-17', '2025-03-24', '2025-03-31'],
      dates: ['2025-07-01', '2025-03-31', '2025-02-28', 2, true],
    });
  }, 30_000);
});
