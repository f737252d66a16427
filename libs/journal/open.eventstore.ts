import type { EventStoreSettings } from './journal.eventstore.ts';
import type { Journal } from './journal.ts';

const DEFAULTS: EventStoreSettings = {
  streams: ['dossier-', 'acces-', 'rappels-'],
  timeoutMs: 5_000,
  held: 2_000,
  onTrouble: () => undefined,
};

/**
 * Opens a journal in EventStoreDB (22.6 or later) or KurrentDB: `esdb://host:2113?tls=false`, or with TLS, credentials
 * and discovery `esdb+discover://user:password@cluster:2113`. The credentials must be allowed to read `$all`. Nothing is
 * asked of the server yet: `durability` tells whether it is there. One such journal per process is meant: it has one
 * connection and any number of subscriptions below a hundred.
 * @throws JournalRefused when `url` is no connection string
 */
export async function openEventStoreJournal(url: string, settings: Partial<EventStoreSettings> = {}): Promise<Journal> {
  // Loaded only here: the client costs 20 MB and 80 ms, and most installations never need it.
  const { EventStoreJournal } = await import('./journal.eventstore.ts');
  return new EventStoreJournal(url, { ...DEFAULTS, ...settings });
}
