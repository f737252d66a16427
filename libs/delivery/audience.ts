import { type Catalogue, isWithheld, receivingRoles, type Viewer } from '@jalon/flow';
import type { Departure } from './departure.ts';

/** Those who receive the same facts: the roles by which they do, and their organisation where it matters. */
export type Audience = { roles: readonly string[]; org?: string };

/** The audience that a caller belongs to; null when its roles receive no fact at all. */
export function audienceOf({ roles, org }: Viewer, { workflows }: Catalogue): Audience | null {
  const receiving = roles.filter((role) =>
    workflows.some(({ roles: declared }) => declared[role] && receives(declared[role])),
  );
  if (receiving.length === 0) return null;
  const own = receiving.some((role) => workflows.some(({ parties }) => Object.hasOwn(parties, role)));
  return { roles: [...new Set(receiving)].sort(), ...(own && org !== undefined ? { org } : {}) };
}

/** Whether the facts that an audience receives depend on whose dossier it is. */
export function dependsOnParties({ roles }: Audience, { workflows }: Catalogue): boolean {
  return roles.some((role) => workflows.some(({ parties }) => Object.hasOwn(parties, role)));
}

/** Whether facts that are withheld from others may be sent to an audience. */
export function receivesConfidential({ roles }: Audience, { workflows }: Catalogue): boolean {
  return workflows.some(({ facts }) =>
    [...facts.values()].some((fact) => fact.withheldFrom && !isWithheld(fact, roles)),
  );
}

/** Whether the places of facts in their dossiers are told: to who sees none of the dossiers, gaps would tell what is withheld. */
export function tellsRevisions({ roles }: Audience, { workflows }: Catalogue): boolean {
  return roles.some((role) => workflows.some(({ roles: declared }) => (declared[role]?.sees ?? 'none') !== 'none'));
}

/** Whether a fact may be sent to an audience. What this build does not know of is sent to nobody. */
export function mayReceive(audience: Audience, { about, workflow, summary }: Departure): boolean {
  if (!about || !workflow) return false;
  const receiving = receivingRoles(workflow, audience, summary);
  return receiving.length > 0 && !isWithheld(about, receiving);
}

function receives({ sees, subscribes }: { sees: string; subscribes?: true }): boolean {
  return sees !== 'none' || subscribes === true;
}
