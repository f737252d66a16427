import { setImmediate } from 'node:timers/promises';
import type { FollowedDeadline } from '@jalon/projections';
import ical, { foldLines, ICalEvent, type ICalEventData, ICalEventStatus, ICalEventTransparency } from 'ical-generator';

/** Media type of iCalendar (RFC 5545). */
export const CALENDAR_TYPE = 'text/calendar';

/** How often a calendar is worth asking for again, in seconds (RFC 7986, REFRESH-INTERVAL). */
const REFRESH_S = 3_600;

/** Events written before others get their turn. */
const BREATH = 50;

/** The octets that the library leaves on a line, at most. */
const WIDTH = 74;

/**
 * Deadlines as a calendar to subscribe to (RFC 5545), piece by piece: an event of one day each, free time, whose UID stays
 * the same and whose SEQUENCE grows with every change; one that is closed is cancelled. The same deadlines always give the
 * same text.
 */
export async function* calendarOf(deadlines: AsyncIterable<FollowedDeadline>): AsyncGenerator<string> {
  const calendar = ical({
    name: 'Échéances des dossiers (Jalon)',
    prodId: { company: 'Jalon', product: 'Échéances', language: 'FR' },
    ttl: REFRESH_S,
  });
  const [head, end] = around(calendar.toString());
  yield head;
  let events = 0;
  let written = '';
  for await (const deadline of deadlines) {
    written += folded(new ICalEvent(eventOf(deadline), calendar).toString());
    events += 1;
    if (events % BREATH > 0) continue;
    yield written;
    written = '';
    await setImmediate();
  }
  yield written + end;
}

function eventOf(deadline: FollowedDeadline): ICalEventData {
  const { id, label, due, open, dossier, jalon, openedOn, sequence, changedAt, summary } = deadline;
  const { offre, prestataire } = summary;
  const changed = new Date(changedAt);
  const whose = [offre, prestataire].filter(Boolean).join(', ');
  return {
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
  };
}

const END = 'END:VCALENDAR';

/** What comes before and after the events of a calendar. */
function around(empty: string): [head: string, end: string] {
  const at = empty.lastIndexOf(END);
  return [empty.slice(0, at), empty.slice(at)];
}

/** Lines that are too long are continued on the next (section 3.1); the others, nearly all, cost nothing. */
function folded(text: string): string {
  return text
    .split('\r\n')
    .map((line) => (Buffer.byteLength(line) > WIDTH ? foldLines(line) : line))
    .join('\r\n');
}
