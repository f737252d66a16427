import type { StoredEvent } from './envelope.ts';
import type { JournalReader } from './journal.ts';

/** One event of a stream, or null when the stream is shorter. @throws JournalUnavailable */
export async function eventAt(
  journal: Pick<JournalReader, 'read'>,
  stream: string,
  revision: number,
): Promise<StoredEvent | null> {
  for await (const [event] of journal.read(stream, { from: revision, to: revision })) return event ?? null;
  return null;
}

/**
 * The last event of a stream of any length, in about twice as many reads of one event as its length has binary digits; null
 * for an unknown stream. @throws JournalUnavailable
 */
export async function tailOf(journal: Pick<JournalReader, 'read'>, stream: string): Promise<StoredEvent | null> {
  let last = await eventAt(journal, stream, 0);
  let beyond = 1;
  for (let next = last; next; beyond *= 2) {
    next = await eventAt(journal, stream, beyond);
    if (!next) break;
    last = next;
  }
  while (last && beyond - last.envelope.revision > 1) {
    const middle = Math.floor((last.envelope.revision + beyond) / 2);
    const event = await eventAt(journal, stream, middle);
    if (event) last = event;
    else beyond = middle;
  }
  return last;
}
