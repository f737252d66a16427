import { addDays, addMonths, type CalendarDate, parisDate } from '@jalon/flow';
import type { DeadlineFilter, FollowedDeadline } from '@jalon/projections';
import { v5 } from 'uuid';

/** Type of the fact that a reminder is recorded as. */
export const REMINDER = 'echeance.rappel';

/**
 * The payload of a reminder, all of which may leave: it leaves as the CloudEvent `fr.jalon.echeance.rappel.v1`, whose
 * subject is the dossier, to those who may see the fact that set the deadline (`fait`, of this `type`, of this procedure)
 * and who named `echeance.rappel`. Its envelope is one without procedure nor state, in the stream `rappels-<year-month>` of
 * its moment; `effectiveAt` is that moment, `causationId` the fact that set the deadline.
 */
export type Reminder = {
  /** UUID of the dossier. */
  dossier: string;
  workflow: { name: string; version: number };
  /** What is to be done, or what ends: « Réserve à lever ». */
  libelle: string;
  /** The date of the deadline, as it now reads. */
  date: CalendarDate;
  /** The milestone worked towards when it was set. */
  jalon: string;
  /** Id and type of the fact that set it. */
  fait: string;
  type: string;
  /** What tells it from others that the same fact set: the id of a reserve. */
  cle?: string;
  /** Its id among the deadlines (`GET /api/deadlines`). */
  echeance: string;
  /** How long before the date (ISO 8601): `P24M`, `P12M`, `P6M`, `P3M`, `P1M`, `P30D`, `P7D`, `P1D`, `P0D` on the day. */
  delai: string;
};

/** A reminder that is due: on which day, and the id by which it is recorded once. */
export type DueReminder = { id: string; moment: CalendarDate; deadline: FollowedDeadline; data: Reminder };

type Delay = { delai: string; months?: number; days?: number };

/** When the end of a validity is recalled, and when any other deadline is. */
const BEFORE_AN_END: readonly Delay[] = [
  { delai: 'P24M', months: 24 },
  { delai: 'P12M', months: 12 },
  { delai: 'P6M', months: 6 },
  { delai: 'P3M', months: 3 },
  { delai: 'P1M', months: 1 },
  { delai: 'P0D' },
];
const BEFORE_A_DATE: readonly Delay[] = [
  { delai: 'P30D', days: 30 },
  { delai: 'P7D', days: 7 },
  { delai: 'P1D', days: 1 },
];

/** How long after its moment a reminder is still worth recording: the clock may have been stopped. */
const REMEMBERED_DAYS = 62;

/** Namespace (RFC 9562) of the ids of reminders. Never to be changed: each is recorded once by its id. */
const NAMESPACE = '6a1d1c0e-0a6f-4b3e-9a54-0d1f7b9f4c52';

/** Within which dates lie the deadlines of which a reminder may be due. */
export function recalledOn(today: CalendarDate): NonNullable<DeadlineFilter['within']> {
  const span = (validity: boolean) => (delay: Delay) => ({
    // A month's end stands for several days of a longer one.
    first: addDays(after(addDays(today, -REMEMBERED_DAYS), delay), -3),
    last: addDays(after(today, delay), 3),
    validity,
  });
  return [...BEFORE_AN_END.map(span(true)), ...BEFORE_A_DATE.map(span(false))];
}

/**
 * The reminders of a deadline that are due by now: those whose moment came lately, and had not passed yet when the system
 * knew the date. The same deadline, date and delay always give the same id.
 */
export function remindersOf(deadline: FollowedDeadline, today: CalendarDate): DueReminder[] {
  const { id: echeance, dossier, workflow, label, due, jalon, openedBy, fact, key, validity } = deadline;
  const known = parisDate(new Date(deadline.knownAt));
  return (validity ? BEFORE_AN_END : BEFORE_A_DATE).flatMap((delay): DueReminder[] => {
    const { delai } = delay;
    const moment = before(due, delay);
    if (moment > today || moment < known || moment < addDays(today, -REMEMBERED_DAYS)) return [];
    const data: Reminder = {
      ...{ dossier, workflow, libelle: label, date: due, jalon, fait: openedBy, type: fact },
      ...(key === undefined ? {} : { cle: key }),
      ...{ echeance, delai },
    };
    return [{ id: v5(JSON.stringify([echeance, due, delai]), NAMESPACE), moment, deadline, data }];
  });
}

function before(date: CalendarDate, { months = 0, days = 0 }: Delay): CalendarDate {
  return addDays(addMonths(date, -months), -days);
}

function after(date: CalendarDate, { months = 0, days = 0 }: Delay): CalendarDate {
  return addDays(addMonths(date, months), days);
}
