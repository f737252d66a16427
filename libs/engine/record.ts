import type { CalendarDate, Lookup, PastFact, Situation } from '@jalon/flow';
import {
  canonicalJson,
  type Directory,
  dataHash,
  type Envelope,
  type ErasablePayload,
  FORMAT,
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
  id: string;
  salt: string;
  recordedAt: string;
  today: CalendarDate;
  role: string;
  lookups: Record<string, Lookup>;
};

/** The fact as the machine receives it. */
export function asHappening(dossier: string, proposal: Proposal, caller: Caller, now: Circumstances): PastFact {
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
    ...(fact.erasable ? {} : { salt: now.salt }),
  };
}

/** Fresh salts: the payload's, and the one that a person new to the directory gets. */
export type Salts = { salt: string; personSalt: string };

/** The event to append for an accepted fact: sealed, its persons and erasable payload already in the directory. */
export async function asEvent(
  directory: Directory,
  software: string,
  dossier: Dossier,
  accepted: { fact: PastFact; next: Situation; from: string | null; to: string; crosses?: string },
  proposal: Proposal,
  caller: Caller,
  { salt, personSalt }: Salts,
): Promise<NewEvent> {
  const { fact, next, from, to, crosses } = accepted;
  const { name, version, hash } = dossier.workflow;
  const { onBehalfOf, causationId, source } = proposal;
  const { iss, sub } = fact.actor;
  const named =
    caller.name === undefined ? {} : await commitment(directory, { iss, sub, name: caller.name, salt: personSalt });
  const behalf = onBehalfOf && {
    role: onBehalfOf.role,
    org: onBehalfOf.org,
    ...(onBehalfOf.nom === undefined
      ? {}
      : await commitment(directory, { ...behalfPerson(onBehalfOf), name: onBehalfOf.nom, salt: personSalt })),
  };
  const erasable = proposal.fact.erasable === true;
  const sealed = erasable ? await keptSalt(directory, { id: fact.id, data: proposal.data, salt }) : salt;

  const envelope: Envelope = {
    format: FORMAT,
    id: fact.id,
    stream: streamOf(dossier.id),
    revision: next.revision,
    type: fact.type,
    dataHash: dataHash(sealed, proposal.data),
    actor: { ...fact.actor, ...named },
    ...(behalf ? { onBehalfOf: behalf } : {}),
    effectiveAt: fact.effectiveAt,
    recordedAt: fact.recordedAt,
    workflow: { name, version, hash },
    from,
    to,
    ...(crosses === undefined ? {} : { crosses }),
    stateHash: situationHash(next),
    correlationId: proposal.correlationId ?? fact.id,
    ...(causationId === undefined ? {} : { causationId }),
    ...(Object.keys(fact.lookups).length === 0 ? {} : { lookups: { ...fact.lookups } }),
    ...(source === undefined ? {} : { source }),
    software,
    previousHash: next.revision === 0 ? null : dossier.last.hash,
  };
  const digest = requestDigest(sealed, proposal);
  return erasable ? seal(envelope, { data: {}, digest }) : seal(envelope, { data: proposal.data, salt, digest });
}

/** Under which issuer and subject the directory keeps the name of someone for whom an officer records. */
export function behalfPerson({ role, org }: { role: string; org: string }): { iss: string; sub: string } {
  return { iss: 'pour-le-compte-de', sub: `${role} ${org}` };
}

/** What a repeated Idempotency-Key is compared by; salted, so that it tells nothing of the payload. */
export function requestDigest(salt: string, { canonical }: Proposal): string {
  return saltedHash(salt, canonical);
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
