import type { Exploration } from './abstraction.ts';
import { waysOf } from './describe.ts';
import { type Explored, explore, type Fault, NO_DEAD_END } from './explore.ts';
import type { Workflow } from './workflow.ts';

/** What is proven of a workflow: by which explorations, and everything that does not hold. */
export type Proof = { explored: readonly Explored[]; faults: readonly Fault[] };

/** What is asked of every workflow, whatever it is about. */
export const STRUCTURE = {
  states: { name: 'tout-etat-est-atteint', sentence: 'Chaque état est atteint.' },
  facts: { name: 'tout-fait-est-accepte', sentence: 'Chaque fait est accepté quelque part.' },
  ways: { name: 'toute-voie-est-suivie', sentence: 'Chaque fait est accepté dans chaque état qui le prévoit.' },
  rules: {
    name: 'toute-regle-decide',
    sentence: "Chaque règle accepte et refuse : aucune n'est toujours vraie, aucune n'est toujours fausse.",
  },
  ends: NO_DEAD_END,
} as const;

/**
 * Explores a workflow in each of these ways, and says what does not hold. That something is reached counts only where
 * every rule is applied; what no exploration covers is a fault.
 * @throws AbstractionRefused, ExplorationTooLarge
 */
export function prove(workflow: Workflow, explorations: readonly Exploration[]): Proof {
  const explored = explorations.map((exploration) => explore(workflow, exploration));
  const exact = explored.filter(({ exploration }) => exploration.enforces === undefined);
  const gone = new Set(exact.flatMap(({ ways }) => [...ways]));
  const reached = new Set([...gone].map((way) => way.split(' ')[2]));
  const accepted = new Set([...gone].map((way) => way.split(' ')[1]));
  const missing = ({ name, sentence }: { name: string; sentence: string }, fault: string): Fault => ({
    exploration: exact.map(({ exploration }) => exploration.name).join(', '),
    invariant: name,
    sentence,
    fault,
    path: [],
  });

  const faults: Fault[] = [];
  for (const { state, label } of workflow.states.values())
    if (state && !reached.has(state))
      faults.push(missing(STRUCTURE.states, `« ${label} » (${state}) n'est pas atteint.`));
  const ways = waysOf(workflow);
  for (const type of new Set(ways.map(({ fact }) => fact)))
    if (!accepted.has(type)) faults.push(missing(STRUCTURE.facts, `${type} n'est accepté nulle part.`));
  for (const { from, fact, to } of ways)
    if (!gone.has(`${from ?? ''} ${fact} ${to}`))
      faults.push(missing(STRUCTURE.ways, `${fact} ne mène jamais de ${from ?? "l'ouverture"} à ${to}.`));
  for (const rule of new Set(ways.flatMap(({ rules }) => rules.map(({ rule }) => rule)))) {
    const verdicts = exact.map((each) => each.verdicts.get(rule));
    if (!verdicts.some((verdict) => verdict?.held))
      faults.push(missing(STRUCTURE.rules, `La règle ${rule} n'est jamais vraie.`));
    if (!verdicts.some((verdict) => verdict?.failed))
      faults.push(missing(STRUCTURE.rules, `La règle ${rule} n'est jamais fausse.`));
  }
  return { explored, faults: [...explored.flatMap((each) => each.faults), ...faults] };
}
