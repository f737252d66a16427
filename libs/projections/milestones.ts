import type { PublishedWorkflow } from '@jalon/flow';

const lists = new WeakMap<PublishedWorkflow, string[]>();

/** The milestones of a workflow: what its facts cross, in the order in which they are declared. */
export function milestoneNames(workflow: PublishedWorkflow): string[] {
  let names = lists.get(workflow);
  if (!names) {
    names = [...new Set([...workflow.facts.values()].flatMap(({ crosses }) => crosses ?? []))];
    lists.set(workflow, names);
  }
  return names;
}
