import type { StoredEvent } from '@jalon/journal';

/**
 * A place in the log: right after a fact. It names that fact by its position and hash, and the fact before it, so that a
 * log that was restored or moved meanwhile is recognised. Null stands for the place before the first fact.
 */
export type Place = {
  /** Position of the fact before, or of any event between the two; null when there is none. */
  before: bigint | null;
  position: bigint;
  /** The first 16 hex digits of the fact's hash; empty when only the position is known. */
  hash: string;
  /** When it was recorded, in milliseconds of Unix time. */
  recordedAt: number;
};

/** What stands for the place before the first fact, wherever a cursor may be given. */
export const START = 'start';

/** A text that is no cursor of ours. */
export class CursorRefused extends Error {
  override readonly name = 'CursorRefused';
}

/** The place after `event`, of which `before` is the position of the one before it. */
export function placeAfter({ position, hash, envelope }: StoredEvent, before: bigint | null): Place {
  return { before, position, hash: hash.slice(0, 2 * HASH), recordedAt: Date.parse(envelope.recordedAt) };
}

const VERSION = 1;
const HASH = 8;
const LENGTH = 1 + 8 + 8 + HASH + 6;

/** The opaque text of a place, 42 characters; `start` for the place before the first fact. */
export function cursorOf(place: Place | null): string {
  if (place === null) return START;
  const bytes = Buffer.allocUnsafe(LENGTH);
  bytes.writeUInt8(VERSION);
  // Positions of every store are below 2^63: the place of none is one less than the least.
  bytes.writeBigInt64BE(place.before ?? -1n, 1);
  bytes.writeBigInt64BE(place.position, 9);
  bytes.fill(0, 17, 17 + HASH);
  bytes.write(place.hash, 17, HASH, 'hex');
  bytes.writeUIntBE(place.recordedAt, 17 + HASH, 6);
  return bytes.toString('base64url');
}

/** The place that a cursor tells. @throws CursorRefused */
export function placeOf(cursor: string): Place | null {
  if (cursor === START) return null;
  const bytes = Buffer.from(cursor, 'base64url');
  if (bytes.length !== LENGTH || bytes[0] !== VERSION || bytes.toString('base64url') !== cursor)
    throw new CursorRefused('This is no cursor.');
  const before = bytes.readBigInt64BE(1);
  const position = bytes.readBigInt64BE(9);
  const hash = bytes.toString('hex', 17, 17 + HASH);
  if (before < -1n || position < before) throw new CursorRefused('This is no cursor.');
  return {
    before: before < 0n ? null : before,
    position,
    hash: hash === NO_HASH ? '' : hash,
    recordedAt: bytes.readUIntBE(17 + HASH, 6),
  };
}

const NO_HASH = '0'.repeat(2 * HASH);
