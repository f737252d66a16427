import type { CalendarDate, Lookup, PublishedWorkflow, RecordedFact, Situation } from '@jalon/flow';
import {
  behalfPerson,
  canonicalJson,
  type Directory,
  dataHash,
  type Envelope,
  type ErasablePayload,
  FORMAT,
  hashOfContextSalt,
  JournalUnavailable,
  type NewEvent,
  type Person,
  saltedHash,
  seal,
} from '@jalon/journal';
import type { Caller } from './caller.ts';
import { type Dossier, situationHash, streamOf } from './dossiers.ts';
import { KeyReused } from './faults.ts';
import type { Proposal } from './proposal.ts';

/** Everything that decides what is recorded and is not in the proposal: passed in, so that a test can choose it. */
export type Circumstances = {
  /** Id of the proposal, and whether it comes from an idempotency key: then the request must be recognised. */
  id: string;
  keyed: boolean;
  /** Fresh salts: the payload's, and the one that a person new to the directory gets. */
  salt: string;
  personSalt: string;
  /** The salt that an opening keeps for what withheld facts will write. */
  contextSalt?: string;
  recordedAt: string;
  today: CalendarDate;
  role: string;
  lookups: Record<string, Lookup>;
  /** Its payload can be destroyed: a note, or the correction of one. */
  erasable: boolean;
  /** The fact that it corrects. */
  target?: string;
};

/** A proposal, who makes it, and under which circumstances. */
export type Proposing = { proposal: Proposal; caller: Caller; now: Circumstances };

/** The fact as the machine receives it, or as readings take it. */
export function asHappening({ id: dossier, workflow }: Dossier, { proposal, caller, now }: Proposing): RecordedFact {
  const { iss, sub, org } = caller;
  const { fact, data } = proposal;
  return {
    type: fact.type,
    id: now.id,
    dossier,
    data,
    effectiveAt: proposal.effectiveAt ?? now.today,
    recordedAt: now.recordedAt,
    actor: { iss, sub, role: now.role, ...(org === undefined ? {} : { org }) },
    lookups: now.lookups,
    workflow: { name: workflow.name, version: workflow.version, hash: workflow.hash },
    ...(now.target === undefined ? {} : { target: now.target }),
    ...(now.erasable ? {} : { salt: now.salt }),
    ...(now.contextSalt === undefined ? {} : { contextSalt: now.contextSalt }),
  };
}

/** What the machine made of an accepted fact. */
export type Accepted = { next: Situation; from: string | null; to: string; crosses?: string };

/**
 * The event to append for an accepted fact: sealed, its persons and erasable payload already in the directory.
 * @throws KeyReused when an erasable payload other than this one waits under the same id; JournalUnavailable when an
 * erasable payload cannot be kept
 */
export async function asEvent(
  { directory, software }: { directory: Directory; software: string },
  dossier: Dossier,
  fact: RecordedFact,
  { next, from, to, crosses }: Accepted,
  { proposal, caller, now }: Proposing,
): Promise<NewEvent> {
  const { name, version, hash } = next.workflow as PublishedWorkflow;
  const { onBehalfOf, causationId, source, data } = proposal;
  const { iss, sub } = fact.actor;
  const person = (who: { iss: string; sub: string }, named: string | undefined) =>
    named === undefined ? {} : commitment(directory, { ...who, name: named, salt: now.personSalt });
  const author = await person({ iss, sub }, caller.name);
  const behalf = onBehalfOf && {
    role: onBehalfOf.role,
    org: onBehalfOf.org,
    ...(await person(behalfPerson(onBehalfOf), onBehalfOf.nom)),
  };
  const { erasable } = now;
  const salt = erasable ? await keptSalt(directory, { id: fact.id, data, salt: now.salt }) : now.salt;

  const envelope: Envelope = {
    format: FORMAT,
    id: fact.id,
    stream: streamOf(dossier.id),
    revision: next.revision,
    type: fact.type,
    dataHash: dataHash(salt, data),
    ...(now.contextSalt === undefined ? {} : { contextSaltHash: hashOfContextSalt(now.contextSalt) }),
    actor: { ...fact.actor, ...author },
    ...(behalf ? { onBehalfOf: behalf } : {}),
    effectiveAt: fact.effectiveAt,
    recordedAt: fact.recordedAt,
    workflow: { name, version, hash },
    from,
    to,
    ...(crosses === undefined ? {} : { crosses }),
    stateHash: situationHash(next),
    ...(fact.target === undefined ? {} : { target: fact.target }),
    correlationId: proposal.correlationId ?? fact.id,
    ...(causationId === undefined ? {} : { causationId }),
    ...(Object.keys(fact.lookups).length === 0 ? {} : { lookups: { ...fact.lookups } }),
    ...(source === undefined ? {} : { source }),
    software,
    previousHash: next.revision === 0 ? null : dossier.last.hash,
  };
  const digest = now.keyed ? { digest: requestDigest(salt, proposal) } : {};
  const contextSalt = now.contextSalt === undefined ? {} : { contextSalt: now.contextSalt };
  return seal(envelope, erasable ? { data: {}, ...digest } : { data, salt, ...contextSalt, ...digest });
}

/** What a repeated Idempotency-Key is compared by; salted, so that it tells nothing of the payload. */
export function requestDigest(salt: string, { canonical }: Proposal): string {
  return saltedHash(salt, canonical());
}

// A retry after a crash finds what the first attempt kept: the fact is sealed with that salt, and only for that payload.
async function keptSalt(directory: Directory, payload: ErasablePayload): Promise<string> {
  const kept = await directory.keep(payload);
  if (canonicalJson(kept.data) !== canonicalJson(payload.data)) throw new KeyReused();
  return kept.salt;
}

// While the directory is away a fact is recorded without its author's name rather than not at all.
async function commitment(directory: Directory, person: Person): Promise<{ name?: string }> {
  try {
    return { name: await directory.commit(person) };
  } catch (fault) {
    if (fault instanceof JournalUnavailable) return {};
    throw fault;
  }
}
