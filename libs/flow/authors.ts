import { rootsOf, type Touching } from './fates.ts';
import type { Author } from './workflow.ts';

/**
 * Who corrected each fact, besides whoever recorded it: all who rectified or annulled it, or what did so, whether their
 * correction stands or not. By the fact's id, each person once.
 */
export function correctorsOf(history: readonly Touching[]): Map<string, Author[]> {
  const correctors = new Map<string, Author[]>();
  const roots = rootsOf(history);
  for (const { id, target, actor } of history) {
    if (target === undefined) continue;
    const root = roots.get(id) as string;
    const known = correctors.get(root) ?? [];
    if (!known.some((one) => isSamePerson(one, actor))) known.push(actor);
    correctors.set(root, known);
  }
  return correctors;
}

/** Persons are told apart by issuer and subject: one may act in several roles. */
export function isSamePerson(one: Author, other: Author): boolean {
  return one.iss === other.iss && one.sub === other.sub;
}
