import { EventStoreDBClient } from '@eventstore/db-client';
import { JournalRefused } from './journal.ts';

/** Settings that the client knows; it prints the whole connection string, password included, at any other. */
const SETTINGS = [
  ...['tls', 'tlsCAFile', 'userCertFile', 'userKeyFile', 'nodePreference', 'connectionName', 'defaultDeadline'],
  ...['maxDiscoverAttempts', 'discoveryInterval', 'gossipTimeout', 'keepAliveInterval', 'keepAliveTimeout'],
].map((name) => name.toLowerCase());

/** What the client keeps protected, and what is asked of it here beside its public methods. */
type Inside = {
  supports: (...asked: unknown[]) => Promise<boolean>;
  handleError: (...about: unknown[]) => Promise<void>;
  getChannel: () => Promise<{ close(): void }>;
  readonly capabilities: Promise<{ serverVersion: string }>;
};

/** How long the end of a connection may take. */
const FAREWELL_MS = 1_000;

/**
 * A client for a connection string; it connects when it is first asked something.
 *
 * Two of its habits are switched off, since each can end the whole process:
 * - Multiplexed appends. They share one table of answers among all streams of the process, which the error of any
 *   stream empties; the answer to an append of another, living one then throws in an event handler. Queued writes that
 *   fail are rejections that nobody can handle. One call for each append has neither, and keeps its deadline.
 * - Reconnecting while no node is found. The rejected promise of a discovery is awaited where nobody catches it.
 *
 * @throws JournalRefused when `url` is no connection string, without repeating what may hold a password
 */
export function openClient(url: string): EventStoreDBClient {
  const settings = url.includes('?') ? url.slice(url.indexOf('?') + 1).split('&') : [];
  for (const setting of settings) {
    const [name = ''] = setting.split('=');
    if (!SETTINGS.includes(name.trim().toLowerCase().replace(/[_-]/g, '')))
      throw new JournalRefused(`The connection string to EventStoreDB has a setting that is not known: ${name}.`);
  }
  const client = parsed(url);
  const inside = insideOf(client);
  const { handleError } = inside;
  inside.supports = async () => false;
  inside.handleError = (...about) => handleError(...about).catch(() => undefined);
  return client;
}

/** Until the client knows which node it speaks to; it is asked of the cluster when there are several. */
export async function connected(client: EventStoreDBClient): Promise<void> {
  await insideOf(client).getChannel();
}

/** The version that the server says it has. */
export async function serverVersion(client: EventStoreDBClient): Promise<string> {
  return (await insideOf(client).capabilities).serverVersion;
}

/** Ends every call of `client` and its connection. */
export async function closeClient(client: EventStoreDBClient): Promise<void> {
  const closed = client
    .dispose()
    .then(() => insideOf(client).getChannel())
    .then((channel) => channel.close());
  let timer: NodeJS.Timeout | undefined;
  const farewell = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FAREWELL_MS);
  });
  // A connection that cannot be found any more needs no closing.
  await Promise.race([closed.catch(() => undefined), farewell]);
  clearTimeout(timer);
}

function insideOf(client: EventStoreDBClient): Inside {
  return client as unknown as Inside;
}

function parsed(url: string): EventStoreDBClient {
  try {
    return EventStoreDBClient.connectionString(url);
  } catch (error) {
    const { message } = error as Error;
    const [shown = ''] =
      /^(Failed to load|userCertFile|Invalid keepAlive|Invalid defaultDeadline).*/.exec(message) ?? [];
    throw new JournalRefused(
      shown || 'The connection string to EventStoreDB must look like esdb://user:password@host:2113?tls=true.',
    );
  }
}
