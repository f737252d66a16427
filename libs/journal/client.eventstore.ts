import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
import { convertToCommandError, EventStoreDBClient, StreamNotFoundError } from '@eventstore/db-client';
import type * as Generated from '@eventstore/db-client/generated/streams_pb.js';
import { JournalRefused } from './journal.ts';

// The only file that names the client's package: another client of the same protocol would take its place here.
export {
  AccessDeniedError,
  CancelledError,
  DeadlineExceededError,
  type EventData,
  type EventStoreDBClient,
  jsonEvent,
  MaxAppendSizeExceededError,
  NO_STREAM as NEW_STREAM,
  NotLeaderError,
  StreamDeletedError,
  StreamNotFoundError,
  TimeoutError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';

// By the very require of the client: google-protobuf keeps global names, and a message of a second copy is none.
const load = createRequire(import.meta.url);
const messages: typeof Generated = load('@eventstore/db-client/generated/streams_pb.js');
const shared = load('@eventstore/db-client/generated/shared_pb.js');
const { StreamsClient } = load('@eventstore/db-client/generated/streams_grpc_pb.js');

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
  /** Opens a call on the channel of now, and looks for another server when it fails. */
  GRPCStreamCreator: (
    service: unknown,
    name: string,
    open: (service: { read(...about: unknown[]): Call }) => Call,
  ) => () => Promise<Call>;
  callArguments: (base: { requiresLeader: boolean }, options: { deadline: number }) => unknown[];
  readonly capabilities: Promise<{ serverVersion: string }>;
};

type Call = Readable & { cancel(): void };

/** From which record of the log on, inclusive, or from one of its ends. */
export type Place = bigint | 'start' | 'end';

/** What is read: a stream from a revision on; or those of the whole log whose streams' names begin so (null: all). */
export type Asked =
  | { stream: string; from: bigint; count: number; backwards?: boolean }
  | { prefixes: readonly string[] | null; from: Place; count: number; backwards?: boolean }
  /** What follows a record, exclusive, for ever. */
  | { prefixes: readonly string[]; follow: Place };

/** An event as the server keeps it: nothing of it is read as JSON yet. */
export type Recorded = {
  stream: string;
  id: string;
  revision: bigint;
  type: string;
  isJson: boolean;
  /** Empty for what is no JSON: nobody here reads it. */
  data: Uint8Array;
  metadata: Uint8Array;
  /** As its record says, then as the server says beside it. */
  positions: readonly (string | undefined)[];
};

/** What a call gives, in order. */
type Said = { kind: 'event'; event: Recorded } | { kind: 'confirmation' | 'caught-up' };

/** A call under way: what it says, and its end. */
export type Reading = AsyncIterable<Said> & { cancel(): void };

const NOTHING = new Uint8Array();

/** How many events the server looks at in one go for those that are asked for. */
const SEARCH_WINDOW = 1_000;

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

/**
 * Reads by the protocol itself: the client's own reads of the whole log take no filter, and make objects of all that every
 * application wrote. Iterating throws StreamNotFoundError and the other errors of the client.
 */
export function read(client: EventStoreDBClient, asked: Asked): Reading {
  const inside = insideOf(client);
  const request = requestOf(asked);
  const opened = inside.GRPCStreamCreator(StreamsClient, 'read', (service) =>
    service.read(request, ...inside.callArguments({ requiresLeader: true }, { deadline: Number.POSITIVE_INFINITY })),
  )();
  // Who cancels before it is open, or reads no further, hears nothing of its failure.
  opened.catch(() => undefined);
  opened.then((call) => call.on('error', () => undefined)).catch(() => undefined);
  return {
    cancel: () => void opened.then((call) => call.cancel()).catch(() => undefined),
    async *[Symbol.asyncIterator]() {
      try {
        for await (const answer of await opened) {
          const said = saidBy(answer as Generated.ReadResp);
          if (said) yield said;
        }
      } catch (error) {
        throw convertToCommandError(error as Error) ?? error;
      }
    },
  };
}

function requestOf(asked: Asked): Generated.ReadReq {
  const { Options } = messages.ReadReq;
  const options = new Options();
  const nothing = () => new shared.Empty();
  options.setUuidOption(new Options.UUIDOption().setString(nothing()));
  if ('stream' in asked) {
    const stream = new Options.StreamOptions();
    stream.setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(asked.stream)));
    options.setStream(stream.setRevision(String(asked.from)));
  } else {
    const place = 'follow' in asked ? asked.follow : asked.from;
    const all = new Options.AllOptions();
    if (place === 'start') all.setStart(nothing());
    else if (place === 'end') all.setEnd(nothing());
    else all.setPosition(new Options.Position().setCommitPosition(String(place)).setPreparePosition(String(place)));
    options.setAll(all);
  }
  const prefixes = 'prefixes' in asked ? asked.prefixes : null;
  if (prefixes === null) options.setNoFilter(nothing());
  else
    options.setFilter(
      new Options.FilterOptions()
        .setStreamIdentifier(new Options.FilterOptions.Expression().setPrefixList([...prefixes]))
        .setMax(SEARCH_WINDOW)
        // Checkpoints are not used: some servers have sent such as make a consumer miss events.
        .setCheckpointintervalmultiplier(1_000),
    );
  if ('follow' in asked) options.setSubscription(new Options.SubscriptionOptions());
  else {
    options.setCount(String(asked.count));
    options.setReadDirection(asked.backwards ? Options.ReadDirection.BACKWARDS : Options.ReadDirection.FORWARDS);
  }
  return new messages.ReadReq().setOptions(options);
}

function saidBy(answer: Generated.ReadResp): Said | null {
  if (answer.hasStreamNotFound()) throw new StreamNotFoundError(undefined as never, '');
  if (answer.hasConfirmation()) return { kind: 'confirmation' };
  if (answer.hasCaughtUp()) return { kind: 'caught-up' };
  const read = answer.getEvent();
  const event = read?.getEvent();
  if (!read || !event) return null;
  const about = event.getMetadataMap();
  const isJson = about.get('content-type') === 'application/json';
  return {
    kind: 'event',
    event: {
      stream: Buffer.from(event.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString('utf8'),
      id: event.getId()?.getString() ?? '',
      revision: BigInt(event.getStreamRevision()),
      type: about.get('type') ?? '',
      isJson,
      data: isJson ? event.getData_asU8() : NOTHING,
      metadata: event.getCustomMetadata_asU8(),
      positions: [event.getCommitPosition(), read.hasCommitPosition() ? read.getCommitPosition() : undefined],
    },
  };
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

/** KurrentDB is EventStoreDB under its later name, and speaks the same protocol; this client knows the former name only. */
function parsed(url: string): EventStoreDBClient {
  try {
    return EventStoreDBClient.connectionString(url.trim().replace(/^kurrent(db)?(\+discover)?:/, 'esdb$2:'));
  } catch (error) {
    const { message } = error as Error;
    const [shown = ''] =
      /^(Failed to load|userCertFile|Invalid keepAlive|Invalid defaultDeadline).*/.exec(message) ?? [];
    throw new JournalRefused(
      shown || 'The connection string to EventStoreDB must look like esdb://user:password@host:2113?tls=true.',
    );
  }
}
