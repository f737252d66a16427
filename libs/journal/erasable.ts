import type { FindWorkflow } from '@jalon/flow';
import type { Envelope } from './envelope.ts';

/** The record by which somebody asked that the payload of a fact (`fait`), or names of a person (`personne`), be destroyed. */
export const ERASURE_ASKED = 'acces.effacement-demande';

/**
 * Which facts of a stream may have their payload in the directory, where it can be destroyed: those whose procedure
 * declares them so, and corrections of what, in the end, is one of those. Nothing beside an envelope has a say in it.
 */
export class Erasables {
  readonly #met = new Set<string>();

  constructor(private readonly find: FindWorkflow) {}

  /** Of the next fact of a stream; undefined when this build does not have its procedure, so that nobody here can tell. */
  next({ id, type, target, workflow, stream }: Envelope): boolean | undefined {
    // Of records nothing can be erased.
    if (!stream.startsWith('dossier-')) return false;
    const pinned = workflow && this.find(workflow.name, workflow.version);
    if (!pinned || pinned.hash !== workflow.hash) return undefined;
    const declared = pinned.facts.get(type)?.erasable === true;
    const is = target === undefined ? declared : this.#met.has(target);
    if (is) this.#met.add(id);
    return is;
  }
}
