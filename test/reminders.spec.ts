import type { FollowedDeadline } from '@jalon/projections';
import { describe, expect, test } from '@jest/globals';
import { recalledOn, remindersOf } from '../apps/api/reminders.ts';

const DEADLINE: FollowedDeadline = {
  id: '11111111-2222-4333-8444-555555555555.0',
  dossier: '22222222-2222-4333-8444-555555555555',
  workflow: { name: 'secnumcloud', version: 1 },
  summary: {},
  jalon: 'suivi',
  label: 'Fin de validité de la qualification',
  due: '2028-06-30',
  validity: true,
  fact: 'j3.qualification-accordee',
  openedBy: '11111111-2222-4333-8444-555555555555',
  openedOn: '2025-07-01',
  open: true,
  overdue: false,
  sequence: 0,
  changedAt: '2025-07-01T10:00:00.000Z',
  knownAt: '2025-07-01T10:00:00.000Z',
};
const VISIT: FollowedDeadline = { ...DEADLINE, validity: false, due: '2026-03-31', key: 'R1' };

const moments = (deadline: FollowedDeadline, today: string) =>
  remindersOf(deadline, today).map(({ moment, data }) => `${moment} ${data.delai}`);

/** Every moment at which a reminder of a deadline falls due, a clock looking at it each day from then on. */
function overTime(deadline: FollowedDeadline, from: string, until: string): string[] {
  const found = new Set<string>();
  for (let day = Date.parse(from); day <= Date.parse(until); day += 86_400_000) {
    const today = new Date(day).toISOString().slice(0, 10);
    for (const each of moments(deadline, today)) found.add(each);
    // Whatever is due is among what is looked at.
    const looked = recalledOn(today).some(
      ({ first, last, validity }) => validity === deadline.validity && first <= deadline.due && deadline.due <= last,
    );
    if (moments(deadline, today).length > 0) expect([today, looked]).toEqual([today, true]);
  }
  return [...found];
}

describe('une échéance se rappelle', () => {
  test('24, 12, 6, 3 et 1 mois avant la fin d’une validité, et le jour même', () => {
    expect(overTime(DEADLINE, '2025-07-01', '2028-09-01')).toEqual([
      '2026-06-30 P24M',
      '2027-06-30 P12M',
      '2027-12-30 P6M',
      '2028-03-30 P3M',
      '2028-05-30 P1M',
      '2028-06-30 P0D',
    ]);
  });

  test('30, 7 et 1 jours avant toute autre date', () => {
    expect(overTime(VISIT, '2025-07-01', '2026-06-01')).toEqual([
      '2026-03-01 P30D',
      '2026-03-24 P7D',
      '2026-03-30 P1D',
    ]);
  });

  test.each(['2026-02-28', '2028-02-29', '2026-03-31', '2026-12-31', '2027-01-30', '2027-08-31'])(
    'à chaque fois, que le mois soit long ou court : %s',
    (due) => {
      const known = { ...DEADLINE, due, knownAt: '2022-01-01T00:00:00.000Z' };
      expect(overTime(known, '2023-06-01', '2028-12-31')).toHaveLength(6);
    },
  );

  test('sans les moments qui étaient déjà passés quand la date a été connue', () => {
    const late = { ...DEADLINE, knownAt: '2027-12-30T22:30:00.000Z' };
    expect(overTime(late, '2025-07-01', '2028-09-01')).toEqual([
      '2027-12-30 P6M',
      '2028-03-30 P3M',
      '2028-05-30 P1M',
      '2028-06-30 P0D',
    ]);
    // Paris is a day ahead of UTC by then.
    const later = { ...DEADLINE, knownAt: '2027-12-30T23:30:00.000Z' };
    expect(overTime(later, '2025-07-01', '2028-09-01')[0]).toBe('2028-03-30 P3M');
  });

  test('tard, mais pas deux mois après', () => {
    expect(moments(DEADLINE, '2026-08-31')).toEqual(['2026-06-30 P24M']);
    expect(moments(DEADLINE, '2026-09-01')).toEqual([]);
  });

  test('toujours sous le même identifiant, que rien d’autre ne porte', () => {
    const [first] = remindersOf(DEADLINE, '2026-06-30');
    expect(remindersOf(DEADLINE, '2026-07-30')).toEqual([first]);
    const others = [
      ...remindersOf(DEADLINE, '2027-06-30'),
      ...remindersOf({ ...DEADLINE, due: '2028-06-29' }, '2026-06-30'),
      ...remindersOf({ ...DEADLINE, id: `${DEADLINE.openedBy}.1` }, '2026-06-30'),
    ];
    expect(new Set([first!.id, ...others.map(({ id }) => id)]).size).toBe(1 + others.length);
  });

  test('en disant quoi, pour quand, et quel fait l’a fixée', () => {
    expect(remindersOf(VISIT, '2026-03-01')[0]?.data).toEqual({
      dossier: VISIT.dossier,
      workflow: VISIT.workflow,
      libelle: VISIT.label,
      date: '2026-03-31',
      jalon: 'suivi',
      fait: VISIT.openedBy,
      type: VISIT.fact,
      cle: 'R1',
      echeance: VISIT.id,
      delai: 'P30D',
    });
  });
});
