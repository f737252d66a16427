import type { CalendarDate } from './dates.ts';
import type { Fact } from './fact.ts';
import type { Situation } from './situation.ts';
import { isSameParty } from './texts.ts';
import type { Workflow } from './workflow.ts';

/** Who reads: the roles of the token and the organisation. */
export type Viewer = { roles: readonly string[]; org?: string };

/** The roles by which a viewer sees a dossier with this summary; none: the dossier does not exist for them. */
export function seeingRoles(workflow: Workflow, viewer: Viewer, summary: Situation['summary']): string[] {
  return viewer.roles.filter((role) => {
    const sees = workflow.roles[role]?.sees ?? 'none';
    if (sees !== 'own') return sees === 'all';
    const { org } = viewer;
    if (org === undefined) return false;
    return workflow.parties[role]?.some((column) => isSameParty(summary[column] ?? '', org));
  });
}

/** The roles by which a viewer receives the facts of a dossier: those that see it, and those that subscribe to all. */
export function receivingRoles(workflow: Workflow, viewer: Viewer, summary: Situation['summary']): string[] {
  const seeing = seeingRoles(workflow, viewer, summary);
  return [...seeing, ...viewer.roles.filter((role) => workflow.roles[role]?.subscribes && !seeing.includes(role))];
}

/** Whether a fact is withheld from one who sees the dossier by these roles: every one of them is named. */
export function isWithheld(fact: Pick<Fact, 'withheldFrom'>, seeing: readonly string[]): boolean {
  return fact.withheldFrom !== undefined && seeing.every((role) => fact.withheldFrom?.includes(role));
}

/** The latest effective date among the facts that are not free, of those that one who sees by these roles may see. */
export function visibleSince({ sinceOf }: Situation, seeing: readonly string[]): CalendarDate | null {
  let since: CalendarDate | null = null;
  for (const [from, date] of Object.entries(sinceOf)) {
    const isShown = from === '' || !isWithheld({ withheldFrom: from.split(',') }, seeing);
    if (isShown && (since === null || date > since)) since = date;
  }
  return since;
}

const hiddenByRoles = new WeakMap<Workflow, Map<string, ReadonlySet<string>>>();

/** The members of the context that withheld facts write, for one who sees the dossier by these roles. */
export function hiddenMembers(workflow: Workflow, seeing: readonly string[]): ReadonlySet<string> {
  const byRoles = hiddenByRoles.get(workflow) ?? new Map<string, ReadonlySet<string>>();
  hiddenByRoles.set(workflow, byRoles);
  let hidden = byRoles.get(seeing.join());
  if (!hidden) {
    const withheld = [...workflow.facts.values()].filter((fact) => isWithheld(fact, seeing));
    hidden = new Set(withheld.flatMap(({ writes = [] }) => writes));
    byRoles.set(seeing.join(), hidden);
  }
  return hidden;
}

const confidentialIn = new WeakMap<Workflow, ReadonlySet<string>>();

/** The members of the context that facts write which are withheld from somebody. */
export function confidentialMembers(workflow: Workflow): ReadonlySet<string> {
  let members = confidentialIn.get(workflow);
  if (!members) {
    const withheld = [...workflow.facts.values()].filter((fact) => fact.withheldFrom?.length);
    members = new Set(withheld.flatMap(({ writes = [] }) => writes));
    confidentialIn.set(workflow, members);
  }
  return members;
}

/** What the viewer is shown of a context. */
export function visibleContext(context: Record<string, unknown>, hidden: ReadonlySet<string>): Record<string, unknown> {
  if (hidden.size === 0) return context;
  return Object.fromEntries(Object.entries(context).filter(([member]) => !hidden.has(member)));
}
