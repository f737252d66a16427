import type { Fact } from './fact.ts';
import type { Situation } from './situation.ts';
import type { Workflow } from './workflow.ts';

/** Who reads: the roles of the token and the organisation. */
export type Viewer = { roles: readonly string[]; org?: string };

/** The roles by which a viewer sees a dossier with this summary; none: the dossier does not exist for them. */
export function seeingRoles(workflow: Workflow, viewer: Viewer, summary: Situation['summary']): string[] {
  return viewer.roles.filter((role) => {
    const sees = workflow.roles[role]?.sees ?? 'none';
    if (sees !== 'own') return sees === 'all';
    return viewer.org !== undefined && workflow.parties[role]?.some((column) => summary[column] === viewer.org);
  });
}

/** Whether a fact is withheld from one who sees the dossier by these roles: every one of them is named. */
export function isWithheld(fact: Fact, seeing: readonly string[]): boolean {
  return fact.withheldFrom !== undefined && seeing.every((role) => fact.withheldFrom?.includes(role));
}

/** The members of the context that withheld facts write, for one who sees the dossier by these roles. */
export function hiddenMembers(workflow: Workflow, seeing: readonly string[]): Set<string> {
  const hidden = new Set<string>();
  for (const fact of workflow.facts.values())
    if (isWithheld(fact, seeing)) for (const member of fact.writes ?? []) hidden.add(member);
  return hidden;
}

/** What the viewer is shown of a context. */
export function visibleContext(context: object, hidden: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(context).filter(([member]) => !hidden.has(member)));
}
