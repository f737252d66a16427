import type { FollowedDeadline } from '@jalon/projections';
import ical, { ICalEventStatus, ICalEventTransparency } from 'ical-generator';

/** Media type of iCalendar (RFC 5545). */
export const CALENDAR_TYPE = 'text/calendar';

/** How often a calendar is worth asking for again, in seconds (RFC 7986, REFRESH-INTERVAL). */
const REFRESH_S = 3_600;

/**
 * Deadlines as a calendar to subscribe to (RFC 5545): an event of one day each, free time, whose UID stays the same and
 * whose SEQUENCE grows with every change; one that is closed is cancelled. The same deadlines always give the same text.
 */
export function calendarOf(deadlines: readonly FollowedDeadline[]): string {
  const calendar = ical({
    name: 'Échéances des dossiers (Jalon)',
    prodId: { company: 'Jalon', product: 'Échéances', language: 'FR' },
    ttl: REFRESH_S,
  });
  for (const deadline of deadlines) {
    const { id, label, due, open, dossier, jalon, openedOn, sequence, changedAt, summary } = deadline;
    const { offre, prestataire } = summary;
    const changed = new Date(changedAt);
    const whose = [offre, prestataire].filter(Boolean).join(', ');
    calendar.createEvent({
      id: `${id}@jalon`,
      sequence,
      stamp: changed,
      lastModified: changed,
      start: new Date(`${due}T00:00:00Z`),
      allDay: true,
      summary: whose === '' ? label : `${label} : ${whose}`,
      description: `Dossier ${dossier}, étape ${jalon}. Fixée le ${openedOn}.`,
      status: open ? ICalEventStatus.CONFIRMED : ICalEventStatus.CANCELLED,
      transparency: ICalEventTransparency.TRANSPARENT,
    });
  }
  return calendar.toString();
}
