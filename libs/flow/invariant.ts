import type { PastFact, Situation } from './situation.ts';

/** A fact that was accepted on a path: where the dossier stood, what happened, where it stands. */
export type Happened = { before: Situation; fact: PastFact; after: Situation; crosses?: string };

/** Says what is wrong, as a French sentence; the path that led there is shown beside it. */
export type Fail = (fault: string) => void;

/**
 * What must hold on every path of a workflow. It is told by the facts, never by what the machine remembers of them: a
 * machine that forgets, or remembers wrongly, is caught as well as one that does not ask.
 */
export type Invariant<M = unknown> = {
  /** Unaccented, kebab-case: `jalons-dans-l-ordre`. */
  name: string;
  /** What holds, as a French sentence that can be quoted. */
  sentence: string;
  /** What it remembers before the first fact, as JSON. */
  starts: M;
  /** What it remembers after a fact that was accepted. */
  watch: (memory: M, happened: Happened, fail: Fail) => M;
  /** Types of facts of which the state must accept one at least, from what is proposed there. */
  expects?: (situation: Situation, memory: M) => readonly string[];
};

/** An invariant whose memory only itself knows. */
export function invariant<M>(spec: Invariant<M>): Invariant {
  return spec as unknown as Invariant;
}
