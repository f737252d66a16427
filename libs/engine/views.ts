import { contextOf, hiddenMembers, isWithheld, type Possible, possible, visibleContext } from '@jalon/flow';
import {
  askedOf,
  behalfPerson,
  type DirectoryReader,
  type Disclosed,
  type Envelope,
  type StoredEvent,
  shownName,
} from '@jalon/journal';
import { type Caller, withheldType } from './caller.ts';
import type { Dossier } from './dossiers.ts';

/** A dossier as one caller may see it. */
export type DossierView = {
  id: string;
  workflow: { name: string; version: number };
  revision: number;
  position: string;
  state: string;
  jalon: string;
  crossed: readonly { jalon: string; effectiveAt: string; recordedAt: string }[];
  context: Record<string, unknown>;
  /** Shared with other answers: not to be changed. */
  possible: readonly Possible[];
};

/**
 * A person as shown: the name from the directory, « effacé » once it was erased, « indisponible » while the directory is
 * away, absent when none was recorded.
 */
export type PersonView = { role: string; org?: string; nom?: string };

/** A fact as one caller may see it, in full or by its hash only. */
export type FactView =
  | {
      id: string;
      type: string;
      revision: number;
      position: string;
      effectiveAt: string;
      recordedAt: string;
      data: unknown;
      meta: Record<string, unknown> & { actor: PersonView & { iss: string; sub: string } };
    }
  | { revision: number; hash: string; withheld: true };

/** The dossier for one who sees it by the roles `seeing`: the members `hidden` and what rules say of them are left out. */
export function dossierView(
  dossier: Dossier,
  caller: Caller,
  seeing: readonly string[],
  today: string,
  hidden = hiddenMembers(dossier.workflow, seeing),
): DossierView {
  const { id, workflow, situation, last } = dossier;
  const { iss, sub, org } = caller;
  const author = { iss, sub, role: seeing[0] as string, ...(org === undefined ? {} : { org }) };
  return {
    id,
    workflow: { name: workflow.name, version: workflow.version },
    revision: situation.revision,
    position: String(last.position),
    state: situation.state.state,
    jalon: situation.state.jalon,
    crossed: situation.crossed,
    context: visibleContext(contextOf(situation), hidden),
    possible: possible(situation, { author, roles: seeing, hidden, today }),
  };
}

/** Items of the history for one who sees the dossier by the roles `seeing`; the directory is asked once for all of them. */
export async function factViews(
  dossier: Dossier,
  events: readonly StoredEvent[],
  seeing: readonly string[],
  directory: DirectoryReader,
): Promise<FactView[]> {
  const isWithheld = ({ envelope }: StoredEvent) => isWithheldFact(dossier, envelope.id, seeing);
  const disclosed = await directory.disclose(askedOf(events.filter((event) => !isWithheld(event))));
  return events.map((event) =>
    isWithheld(event)
      ? { revision: event.envelope.revision, hash: event.hash, withheld: true }
      : factView(event, disclosed, isParty(dossier, seeing)),
  );
}

function factView(event: StoredEvent, disclosed: Disclosed, toParty: boolean): FactView {
  const { envelope, hash, data, position } = event;
  const { id, type, revision, effectiveAt, recordedAt, actor, onBehalfOf } = envelope;
  const kept = event.salt === undefined ? disclosed.payload(id) : { data };
  const meta = {
    ...recorded(envelope, toParty),
    actor: personView(disclosed, actor, actor) as PersonView & { iss: string; sub: string },
    ...(onBehalfOf ? { onBehalfOf: personView(disclosed, onBehalfOf, behalfPerson(onBehalfOf)) } : {}),
    hash,
    ...(kept === null ? { erased: true } : kept === undefined ? { unavailable: true } : {}),
  };
  return { id, type, revision, position: String(position), effectiveAt, recordedAt, data: kept?.data ?? {}, meta };
}

/** Whether one sees a dossier only as its party. */
function isParty({ workflow }: Dossier, seeing: readonly string[]): boolean {
  return seeing.every((role) => workflow.roles[role]?.sees === 'own');
}

/** Whether a fact of a dossier is withheld from one who sees by these roles: a correction is as visible as what it corrects. */
export function isWithheldFact({ workflow, ids }: Dossier, id: string, seeing: readonly string[]): boolean {
  return withheldType(workflow, ids.get(id)?.about ?? '', seeing);
}

/**
 * The revisions of a dossier's confidential facts (declared with `withheldFrom`) that one who sees it by these roles is
 * shown, in order: by its history all of them, by its state those that write something of it.
 */
export function confidentialRevisions(
  { workflow, ids, situation }: Dossier,
  seeing: readonly string[],
  by: 'history' | 'state',
): number[] {
  const revisions: number[] = [];
  for (const { revision, about } of ids.values()) {
    const fact = workflow.facts.get(about);
    if (!fact?.withheldFrom?.length || isWithheld(fact, seeing) || revision > situation.revision) continue;
    // Of what can be erased the machine keeps nothing but that it was there.
    if (by === 'history' || (fact.writes?.length && !fact.erasable)) revisions.push(revision);
  }
  return revisions.sort((a, b) => a - b);
}

/** Whether a fact of a dossier is withheld from somebody. */
export function isConfidentialFact({ workflow, ids }: Dossier, id: string): boolean {
  return Boolean(workflow.facts.get(ids.get(id)?.about ?? '')?.withheldFrom?.length);
}

/** A recorded person with the name that the directory holds in place of the commitment. */
export function personView<P extends { name?: string }>(
  disclosed: Disclosed,
  person: P,
  { iss, sub }: { iss: string; sub: string },
): Omit<P, 'name'> & { nom?: string } {
  const { name, ...shown } = person;
  return name === undefined ? shown : { ...shown, nom: shownName(disclosed.name(iss, sub, name)) };
}

/** What is shown of an envelope as it is, in this order whatever the store gave. */
const RECORDED = [
  'dataHash',
  'workflow',
  'from',
  'to',
  'crosses',
  'stateHash',
  'target',
  'correlationId',
  'causationId',
  'lookups',
  'source',
  'software',
  'previousHash',
] as const satisfies readonly (keyof Envelope)[];

function recorded(envelope: Envelope, toParty: boolean): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  // What was looked up is of other dossiers, which a party may have nothing to do with.
  for (const member of RECORDED)
    if (envelope[member] !== undefined && !(toParty && member === 'lookups')) shown[member] = envelope[member];
  return shown;
}
