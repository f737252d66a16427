import { canonicalJson, saltedHash, sha256 } from './canonical.ts';
import schema from './envelope.schema.json' with { type: 'json' };

/** The number of the stored format that this build writes. FORMAT.md says what each number means. */
export const FORMAT = 1;

/** JSON Schema (2020-12) of the envelope, which FORMAT.md explains. */
export const ENVELOPE_SCHEMA: object = schema;

/** Who proposed a fact, as the log keeps it: `name` is the commitment SHA-256(salt ‖ name), never the name. */
export type RecordedActor = { iss: string; sub: string; role: string; org?: string; name?: string };

/** For whom it was proposed, when an officer records what another party did. */
export type RecordedBehalf = { role: string; org: string; name?: string };

/** What the engine knew of another dossier when it decided: its revision and what its workflow shows, or null (absent). */
export type RecordedLookup = { revision: number; [member: string]: unknown } | null;

/** Where a fact came from when nobody proposed it over the API (public cases, imports). */
export type Source = { kind: 'public' | 'reconstituted'; precision: string; url?: string };

/** The hashed members of a stored fact, format 1. Absent members are left out; see FORMAT.md and envelope.schema.json. */
export type Envelope = {
  format: number;
  /** UUID of the proposal, kept across retries. */
  id: string;
  stream: string;
  /** Place in the stream, from 0. */
  revision: number;
  type: string;
  /** SHA-256(salt ‖ canonical JSON of the payload). */
  dataHash: string;
  /** SHA-256 of the salt that an opening keeps for what withheld facts will write in the context. */
  contextSaltHash?: string;
  actor: RecordedActor;
  onBehalfOf?: RecordedBehalf;
  /** Date on which it is true in the world (YYYY-MM-DD, Europe/Paris). */
  effectiveAt: string;
  /** Instant at which the system knew it (RFC 3339, UTC). */
  recordedAt: string;
  workflow?: { name: string; version: number; hash: string };
  from?: string | null;
  to?: string;
  crosses?: string;
  stateHash?: string;
  target?: string;
  correlationId: string;
  causationId?: string;
  lookups?: Record<string, RecordedLookup>;
  source?: Source;
  software: string;
  previousHash: string | null;
};

/** A fact on its way to the journal. `salt` is absent (and `data` is {}) for an erasable fact: both lie in the directory. */
export type NewEvent = {
  envelope: Envelope;
  /** SHA-256 of the canonical JSON of `envelope`. */
  hash: string;
  data: Record<string, unknown>;
  salt?: string;
  /** Of an opening: the salt of what withheld facts will write in the context, told to nobody from whom they are withheld. */
  contextSalt?: string;
  /** Digest of the request that proposed it, to recognise the same Idempotency-Key with another body. */
  digest?: string;
};

/** A fact as the journal gives it back; `position` is its place among all streams, increasing. */
export type StoredEvent = NewEvent & {
  position: bigint;
  /** What lies beside the envelope is not what was recorded, and why: it is left out, and nobody may act on this fact. */
  fault?: string;
};

/** dataHash of a payload under its fact's salt. */
export function dataHash(salt: string, data: unknown): string {
  return saltedHash(salt, canonicalJson(data));
}

/** contextSaltHash of a salt. */
export function hashOfContextSalt(contextSalt: string): string {
  return saltedHash(contextSalt, '');
}

/** The fact's hash: SHA-256 of the RFC 8785 canonical JSON of its hashed members. */
export function envelopeHash(envelope: Envelope): string {
  return sha256(canonicalJson(envelope));
}

/**
 * What is wrong with the payload that lies beside an envelope, or null. Without a salt it lies in the directory, and here is
 * nothing; whether that may be so is declared of the fact, which is not known here.
 */
export function payloadFault({ envelope, data, salt, contextSalt }: NewEvent): string | null {
  const { contextSaltHash } = envelope;
  if ((contextSalt === undefined ? undefined : hashOfContextSalt(contextSalt)) !== contextSaltHash)
    return 'the salt of the context does not have the recorded hash';
  if (salt === undefined) return isNothing(data) ? null : 'there is a payload, and no salt to prove it by';
  if (typeof salt !== 'string' || dataHash(salt, data) !== envelope.dataHash)
    return 'the payload does not have the recorded hash';
  return null;
}

/** A stored fact as it may be handed on: what its envelope does not vouch for is left out, and said. */
export function vouched(event: StoredEvent): StoredEvent {
  const fault = payloadFault(event);
  if (fault === null) return event;
  const { salt: _, contextSalt: __, ...beside } = event;
  return { ...beside, data: {}, fault };
}

function isNothing(data: unknown): boolean {
  return typeof data === 'object' && data !== null && !Array.isArray(data) && Object.keys(data).length === 0;
}

/** Seals an envelope: the event ready to append. */
export function seal(envelope: Envelope, beside: Omit<NewEvent, 'envelope' | 'hash'>): NewEvent {
  return { envelope, hash: envelopeHash(envelope), ...beside };
}

/** What the next event of a stream hangs on. */
export type Link = { hash: string; envelope: Pick<Envelope, 'revision' | 'recordedAt'> };

/**
 * What is wrong with `event` as the successor of `previous` in its stream (null: it opens the stream), or null when
 * chain, hash, payload, revision and dates hold.
 */
export function chainFault(event: NewEvent, previous: Link | null): string | null {
  const { envelope } = event;
  if (envelope.format !== FORMAT) return `format ${envelope.format} is unknown to this build`;
  if (envelopeHash(envelope) !== event.hash) return 'the envelope does not have the recorded hash';
  if (envelope.revision !== (previous ? previous.envelope.revision + 1 : 0)) return 'the revision does not follow';
  if (envelope.previousHash !== (previous?.hash ?? null)) return 'the previous hash is not that of the previous fact';
  if (previous && envelope.recordedAt < previous.envelope.recordedAt) return 'it was recorded before the previous fact';
  return payloadFault(event);
}
