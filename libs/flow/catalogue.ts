import type { Workflow } from './workflow.ts';

/** A workflow whose text is frozen: `hash` is the SHA-256 of the canonical JSON `{ path: text }` of its files. */
export type PublishedWorkflow = Workflow & { hash: string };

/** The workflows that this build can run, every version of each. */
export class Catalogue {
  constructor(readonly workflows: readonly PublishedWorkflow[]) {}

  /** The version asked for, or the latest; undefined when this build has none. */
  find(name: string, version?: number): PublishedWorkflow | undefined {
    return this.workflows
      .filter((workflow) => workflow.name === name && (version === undefined || workflow.version === version))
      .sort((a, b) => b.version - a.version)[0];
  }
}
