import type { DeadlineSpec } from './fact.ts';

/** As much of states as says where facts lead. */
type States = ReadonlyMap<
  string | null,
  { final: boolean; accepts: ReadonlyMap<string, readonly { target: string | null }[]> }
>;

/** Types of the facts that close a deadline of this kind: what it waits for, the end of its stage, what its date makes true. */
function closersOf({ closedBy, endedBy = [], proposes }: DeadlineSpec): readonly string[] {
  return [...closedBy, ...endedBy, ...(proposes === undefined ? [] : [proposes])];
}

/**
 * A state in which a deadline may be open while no fact that closes it can come any more, so that it would be overdue
 * until the dossier ends; undefined when there is none. Rules are not looked at, only where facts lead.
 * @param type of the fact that sets it
 */
export function openForEver(states: States, type: string, spec: DeadlineSpec): string | undefined {
  const closers = new Set(closersOf(spec));
  const next = (state: string | null, along: (fact: string) => boolean) =>
    [...(states.get(state)?.accepts ?? [])]
      .filter(([fact]) => along(fact))
      .flatMap(([, candidates]) => candidates.map(({ target }) => target ?? state));
  const reached = (from: Iterable<string | null>, along: (fact: string) => boolean) => {
    const found = new Set(from);
    for (const state of found) for (const target of next(state, along)) found.add(target);
    return found;
  };
  const setting = [...states.keys()].flatMap((state) => next(state, (fact) => fact === type));
  const open = reached(setting, (fact) => !closers.has(fact));
  for (const state of open) {
    if (state === null || states.get(state)?.final) continue;
    const ahead = [...reached([state], () => true)];
    if (!ahead.some((one) => [...(states.get(one)?.accepts.keys() ?? [])].some((fact) => closers.has(fact))))
      return state;
  }
  return undefined;
}
