import { type EventData, jsonEvent, type Recorded } from './client.eventstore.ts';
import { type Envelope, type NewEvent, type StoredEvent, vouched } from './envelope.ts';
import { AppendTooLarge, jsonText } from './journal.ts';

/** What the server takes in one append by default, over all of its events; exactly that much passes. */
const APPEND_BYTES = 1_048_576;

/** EventStoreDB keeps ids as 16 bytes and gives them back written like this; another writing would change the hash. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A fact of ours is never larger: the server weighs at least its payload. */
const MOST_BYTES = 2 * APPEND_BYTES;

/** A position that a server before 22.6 gives instead of one it does not know. */
const UNKNOWN_POSITION = 2n ** 63n;

type Metadata = Omit<Envelope, 'id' | 'stream' | 'revision' | 'type' | 'correlationId' | 'causationId'> & {
  $correlationId: string;
  $causationId?: string;
  hash: string;
  salt?: string;
  contextSalt?: string;
  digest?: string;
};

/**
 * The events as EventStoreDB gets them (FORMAT.md). Everything is written as JSON here first: an error inside the client
 * would leave its promise pending for ever.
 * @throws TypeError for what JSON cannot say or an id that is no lower-case UUID, AppendTooLarge
 */
export function toEventStore(stream: string, events: readonly NewEvent[]): EventData[] {
  let bytes = 0;
  const made = events.map(({ envelope, hash, data, salt, contextSalt, digest }) => {
    const { id, stream: _, revision, type, correlationId, causationId, ...members } = envelope;
    if (!UUID.test(id)) throw new TypeError(`The id of an event must be a lower-case UUID, not ${id}.`);
    const metadata: Metadata = {
      ...members,
      $correlationId: correlationId,
      ...(causationId !== undefined && { $causationId: causationId }),
      hash,
      ...(salt !== undefined && { salt }),
      ...(contextSalt !== undefined && { contextSalt }),
      ...(digest !== undefined && { digest }),
    };
    // The server counts a character of the type as two bytes.
    bytes += Buffer.byteLength(jsonText(data)) + Buffer.byteLength(jsonText(metadata)) + 2 * type.length;
    return jsonEvent({ id, type, data, metadata });
  });
  if (bytes > APPEND_BYTES) throw new AppendTooLarge(stream, bytes, APPEND_BYTES);
  return made;
}

/**
 * The fact that an event is, member for member; null for an event that is none of ours, whoever wrote it. Of those no more
 * is read than it takes to know.
 */
export function toFact(recorded: Recorded): StoredEvent | null {
  const { id, stream, revision, type } = recorded;
  if (!recorded.isJson || weightOf(recorded) > MOST_BYTES) return null;
  const metadata = parsed(recorded.metadata);
  if (!isOurs(metadata)) return null;
  const data = parsed(recorded.data);
  if (typeof data !== 'object' || data === null) return null;
  const { $correlationId, $causationId, hash, salt, contextSalt, digest, format, ...members } = metadata;
  const envelope: Envelope = {
    format,
    id,
    stream,
    revision: Number(revision),
    type,
    ...members,
    correlationId: $correlationId,
    ...($causationId !== undefined && { causationId: $causationId }),
  };
  return vouched({
    envelope,
    hash,
    data: data as Record<string, unknown>,
    ...(salt !== undefined && { salt }),
    ...(contextSalt !== undefined && { contextSalt }),
    ...(digest !== undefined && { digest }),
    position: positionOf(recorded),
  });
}

/**
 * Place of an event in the log: its commit position, which for events written over gRPC is also its prepare position.
 * @throws RangeError from a server before 22.6, which does not give it with the events of a stream
 */
export function positionOf({ positions }: Recorded): bigint {
  for (const text of positions) {
    const position = text ? BigInt(text) : UNKNOWN_POSITION;
    if (position >= 0n && position < UNKNOWN_POSITION) return position;
  }
  throw new RangeError('The server does not say where its events lie: EventStoreDB 22.6 or later is needed.');
}

/** Bytes of an event: what a page or a buffer of events weighs. */
export function weightOf({ data, metadata }: Recorded): number {
  return data.length + metadata.length;
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch {
    // Whoever writes JSON that is none is not us.
    return undefined;
  }
}

function isOurs(metadata: unknown): metadata is Metadata {
  if (typeof metadata !== 'object' || metadata === null) return false;
  const { format, hash, $correlationId } = metadata as Partial<Metadata>;
  return typeof format === 'number' && typeof hash === 'string' && typeof $correlationId === 'string';
}
