import type { Fact } from './fact.ts';
import type { Candidate, StateSpec, Workflow } from './workflow.ts';

/** One way from a state to another (or the same), as documentation and pictures show it. */
export type Way = {
  /** Null: before the opening. */
  from: string | null;
  to: string;
  fact: string;
  /** `message`: what the rule asks. */
  rules: { rule: string; message: string }[];
};

/** Every way of a workflow, in the order of its states. */
export function waysOf(workflow: Workflow): Way[] {
  return [...workflow.states.values()].flatMap((state) =>
    [...state.accepts].flatMap(([type, candidates]) => candidates.map((candidate) => way(state, type, candidate))),
  );
}

function way({ state }: StateSpec, fact: string, { target, rules }: Candidate): Way {
  const from = state === '' ? null : state;
  return { from, to: target ?? state, fact, rules: rules.map(({ rule, asks }) => ({ rule, message: asks })) };
}

/** The facts that lead from one state to another, as a Mermaid state diagram; facts that stay are left out. */
export function mermaid(workflow: Workflow): string {
  const id = (state: string) => state.replaceAll(/[.-]/g, '_');
  const lines = ['stateDiagram-v2'];
  for (const { state, label } of workflow.states.values()) if (state) lines.push(`  ${id(state)}: ${label}`);
  const labels = new Map<string, string[]>();
  for (const { from, to, fact } of waysOf(workflow)) {
    if (from === to) continue;
    const arrow = `${from === null ? '[*]' : id(from)} --> ${id(to)}`;
    labels.set(arrow, [...(labels.get(arrow) ?? []), fact]);
  }
  for (const [arrow, facts] of labels) lines.push(`  ${arrow}: ${[...new Set(facts)].join('<br/>')}`);
  for (const { state, final } of workflow.states.values()) if (final) lines.push(`  ${id(state)} --> [*]`);
  return `${lines.join('\n')}\n`;
}

/** What is declared of a fact, as JSON for readers of the procedure. */
export function describeFact(fact: Fact): Record<string, unknown> {
  const { payload: _payload, lookups: _lookups, summary: _summary, ...declared } = fact;
  return declared;
}
