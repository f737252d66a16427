import { type EventData, jsonEvent, type ResolvedEvent } from '@eventstore/db-client';
import type { Envelope, NewEvent, StoredEvent } from './envelope.ts';
import { AppendTooLarge, jsonText } from './journal.ts';

/** What the server takes in one append by default, over all of its events; exactly that much passes. */
const APPEND_BYTES = 1_048_576;

/** EventStoreDB keeps ids as 16 bytes and gives them back written like this; another writing would change the hash. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A position that a server before 22.6 gives instead of one it does not know. */
const UNKNOWN_POSITION = 2n ** 63n;

/** What of an event any read gives back. */
export type Resolved = Pick<ResolvedEvent, 'event' | 'commitPosition'>;

type Metadata = Omit<Envelope, 'id' | 'stream' | 'revision' | 'type' | 'correlationId' | 'causationId'> & {
  $correlationId: string;
  $causationId?: string;
  hash: string;
  salt?: string;
  digest?: string;
};

/**
 * The events as EventStoreDB gets them (FORMAT.md). Everything is written as JSON here first: an error inside the client
 * would leave its promise pending for ever.
 * @throws TypeError for what JSON cannot say or an id that is no lower-case UUID, AppendTooLarge
 */
export function toEventStore(stream: string, events: readonly NewEvent[]): EventData[] {
  let bytes = 0;
  const made = events.map(({ envelope, hash, data, salt, digest }) => {
    const { id, stream: _, revision, type, correlationId, causationId, ...members } = envelope;
    if (!UUID.test(id)) throw new TypeError(`The id of an event must be a lower-case UUID, not ${id}.`);
    const metadata: Metadata = {
      ...members,
      $correlationId: correlationId,
      ...(causationId !== undefined && { $causationId: causationId }),
      hash,
      ...(salt !== undefined && { salt }),
      ...(digest !== undefined && { digest }),
    };
    // The server counts a character of the type as two bytes.
    bytes += Buffer.byteLength(jsonText(data)) + Buffer.byteLength(jsonText(metadata)) + 2 * type.length;
    return jsonEvent({ id, type, data, metadata });
  });
  if (bytes > APPEND_BYTES) throw new AppendTooLarge(stream, bytes, APPEND_BYTES);
  return made;
}

/** The fact that an event is, member for member; null for an event that is none of ours, whoever wrote it. */
export function toFact(resolved: Resolved): StoredEvent | null {
  const { event } = resolved;
  if (!event?.isJson || !isOurs(event.metadata) || typeof event.data !== 'object') return null;
  const { $correlationId, $causationId, hash, salt, digest, format, ...members } = event.metadata;
  const envelope: Envelope = {
    format,
    id: event.id,
    stream: event.streamId,
    revision: Number(event.revision),
    type: event.type,
    ...members,
    correlationId: $correlationId,
    ...($causationId !== undefined && { causationId: $causationId }),
  };
  return {
    envelope,
    hash,
    data: event.data as Record<string, unknown>,
    ...(salt !== undefined && { salt }),
    ...(digest !== undefined && { digest }),
    position: positionOf(resolved),
  };
}

/**
 * Place of an event in the log: its commit position, which for events written over gRPC is also its prepare position.
 * @throws RangeError from a server before 22.6, which does not give it with the events of a stream
 */
export function positionOf({ event, commitPosition }: Resolved): bigint {
  for (const position of [event?.position?.commit, commitPosition])
    if (position !== undefined && position >= 0n && position < UNKNOWN_POSITION) return position;
  throw new RangeError('The server does not say where its events lie: EventStoreDB 22.6 or later is needed.');
}

/** About how many characters a payload has: what a page or a buffer of events weighs in memory. */
export function weight(data: unknown): number {
  let characters = 0;
  const left = [data];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value === 'string') characters += value.length;
    else if (typeof value === 'object' && value !== null)
      for (const [key, member] of Object.entries(value)) {
        characters += key.length;
        left.push(member);
      }
    else characters += 8;
  }
  return characters;
}

function isOurs(metadata: unknown): metadata is Metadata {
  if (typeof metadata !== 'object' || metadata === null) return false;
  const { format, hash, $correlationId } = metadata as Partial<Metadata>;
  return typeof format === 'number' && typeof hash === 'string' && typeof $correlationId === 'string';
}
