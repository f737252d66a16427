import { type Fact, isWithheld, roleLabels, type Situation, seeingRoles, summaryOf, type Workflow } from '@jalon/flow';
import type { Dossier } from './dossiers.ts';
import { DossierNotFound, Forbidden } from './faults.ts';

/** Who asks, as a verified token says: issuer, subject, roles, organisation and name. */
export type Caller = { iss: string; sub: string; roles: readonly string[]; org?: string; name?: string };

/** The roles by which the caller sees the dossier. @throws DossierNotFound when there is none. */
export function seenBy(caller: Caller, id: string, dossier: Dossier | null): { dossier: Dossier; seeing: string[] } {
  if (!dossier) throw new DossierNotFound(id);
  const seeing = seeingRoles(dossier.workflow, caller, dossier.situation.summary);
  if (seeing.length === 0) throw new DossierNotFound(id);
  return { dossier, seeing };
}

/**
 * The role in which the caller proposes: the first that the fact names.
 * @param why the sentence that says why only those may whom the fact names, to be followed by who they are
 * @throws Forbidden, saying who may, and why no others
 */
export function proposingRole(
  workflow: Workflow,
  fact: Fact,
  roles: readonly string[],
  why = `Le fait « ${fact.label} » peut être proposé par`,
): string {
  const role = fact.by.find((named) => roles.includes(named));
  if (role !== undefined) return role;
  throw new Forbidden(`${why} : ${roleLabels(workflow, fact.by)}.`);
}

/** A party that opens a dossier opens its own. @throws Forbidden when `org` is not a party of what is opened. */
export function assertOwnOpening(workflow: Workflow, fact: Fact, role: string, org: string | undefined, data: unknown) {
  const viewer = { roles: [role], ...(org === undefined ? {} : { org }) };
  if (seeingRoles(workflow, viewer, summaryOf(fact, data)).length === 0)
    throw new Forbidden(
      `Votre organisation (${org ?? 'non précisée'}) n'est pas celle du dossier : elle n'ouvre que les siens.`,
    );
}

/**
 * An officer may record what a party of the dossier did.
 * @throws Forbidden when the role may not record for others, or the one it names may not propose the fact or is no party.
 */
export function assertBehalf(
  workflow: Workflow,
  fact: Fact,
  role: string,
  behalf: { role: string; org: string },
  summary: Situation['summary'],
) {
  if (!workflow.roles[role]?.recordsForOthers)
    throw new Forbidden("Seul un chargé de qualification enregistre pour le compte d'une autre partie.");
  if (!fact.by.includes(behalf.role) || workflow.roles[behalf.role]?.sees !== 'own')
    throw new Forbidden(`Le fait « ${fact.label} » ne s'enregistre pas pour le compte du rôle « ${behalf.role} ».`);
  if (seeingRoles(workflow, { roles: [behalf.role], org: behalf.org }, summary).length === 0)
    throw new Forbidden(`« ${behalf.org} » n'est pas partie à ce dossier comme ${behalf.role}.`);
}

/** Whether a fact of this type is withheld from one who sees by these roles. */
export function withheldType(workflow: Workflow, type: string, seeing: readonly string[]): boolean {
  const fact = workflow.facts.get(type);
  return fact === undefined || isWithheld(fact, seeing);
}
