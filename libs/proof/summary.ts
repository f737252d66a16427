import type { FindWorkflow, Workflow } from '@jalon/flow';
import type { Envelope } from '@jalon/journal';
import type { BundledFact } from './bundle.ts';

/** What a bundle says of a dossier to who reads it: computed from its facts, so that a verifier computes it again. */
export type Summary = {
  /** The procedure and its version, as of the last fact that is shown. */
  procedure: string;
  /** Where that fact left the dossier. */
  state: string;
  facts: number;
  withheld: number;
  erased: number;
  /** One line for each fact. */
  lines: string[];
};

/** What stands in place of a name that was erased. */
const ERASED = 'effacé';

/**
 * The summary of facts, names by their commitment; null when this build lacks a workflow that they follow: labels come
 * from it.
 */
export function summarise(
  facts: readonly BundledFact[],
  names: ReadonlyMap<string, string>,
  find: FindWorkflow,
): Summary | null {
  let last: { envelope: Envelope; workflow: Workflow } | undefined;
  const lines: string[] = [];
  for (const fact of facts) {
    if ('withheld' in fact) {
      lines.push(`${fact.revision}. Fait non communiqué.`);
      continue;
    }
    const { envelope } = fact;
    const pinned = envelope.workflow;
    const workflow = pinned && find(pinned.name, pinned.version);
    if (!pinned || workflow?.hash !== pinned.hash) return null;
    last = { envelope, workflow };
    lines.push(line(envelope, workflow, names, 'erased' in fact));
  }
  const count = (member: string) => facts.filter((fact) => member in fact).length;
  return {
    procedure: last ? `${last.workflow.label}, version ${last.workflow.version}` : '',
    state: last ? (last.workflow.states.get(last.envelope.to ?? null)?.label ?? '') : '',
    facts: facts.length,
    withheld: count('withheld'),
    erased: count('erased'),
    lines,
  };
}

function line(envelope: Envelope, workflow: Workflow, names: ReadonlyMap<string, string>, erased: boolean): string {
  const { revision, type, effectiveAt, recordedAt, actor, onBehalfOf, crosses } = envelope;
  const label = workflow.facts.get(type)?.label ?? type;
  const person = ({ role, org, name }: { role: string; org?: string; name?: string }) =>
    [name === undefined ? undefined : (names.get(name) ?? ERASED), workflow.roles[role]?.label ?? role, org]
      .filter((part) => part !== undefined)
      .join(', ');
  return [
    `${revision}. ${label} (${type}), à la date du ${effectiveAt}, par ${person(actor)}`,
    onBehalfOf ? `, pour le compte de ${person(onBehalfOf)}` : '',
    `, enregistré le ${recordedAt}`,
    crosses === undefined ? '' : ` ; franchit ${crosses}`,
    erased ? ' ; contenu effacé' : '',
    '.',
  ].join('');
}
