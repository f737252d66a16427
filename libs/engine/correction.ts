import {
  ANNULMENT,
  type Fact,
  type FieldError,
  isWithheld,
  type PublishedWorkflow,
  RECTIFICATION,
  type RecordedFact,
  rootOf,
  type Situation,
  validatePayload,
  whoMayCorrect,
  whyOnly,
} from '@jalon/flow';
import { InvalidProposal } from './faults.ts';
import type { Proposal } from './proposal.ts';

/** What a proposal beside the machine turns out to concern, once the history is at hand. */
export type Correction = {
  history: readonly RecordedFact[];
  /** The fact that it touches, as far as the caller may know of it. */
  target?: string;
  /** As `Fact`, but proposed by those who may correct what it touches in the end. */
  fact: Fact;
  /** Why only those may correct it whom `fact` names, as far as the caller may know. */
  why?: string;
  /** It corrects, in the end, a fact that can be erased: so can it. */
  erasable: boolean;
  /** The payload that takes the place of a recorded one in the end, and what that is of: for look-ups. */
  putInPlace?: { fact: Fact; data: Record<string, unknown> };
};

/** A proposal of a fact that touches an earlier one, or changes the version. */
type Beside = { fact: Fact; data: Record<string, unknown> };

/**
 * Reads a proposal beside the machine against the history. What it touches and the caller may not see is not found.
 * @throws InvalidProposal when what should have been is not of the form of the fact it rectifies.
 */
export function readCorrection(
  situation: Situation,
  { fact, data }: Pick<Proposal, 'fact' | 'data'>,
  history: readonly RecordedFact[],
  seeing: readonly string[],
): Correction {
  const workflow = situation.workflow as PublishedWorkflow;
  const target = history.find(({ id }) => id === data.fait);
  const touched = target && rootOf(history, target.id);
  const root = touched && workflow.facts.get(touched.type);
  if (!target || !root || isWithheld(root, seeing)) return { history, fact, erasable: false };
  const errors: FieldError[] = [];
  const last = fact.type === RECTIFICATION ? putInPlace(workflow, { fact, data }, history, '/data', errors) : undefined;
  if (root.erasable) errors.push(...datesIn(data, '/data'));
  if (errors.length > 0) throw new InvalidProposal(errors);
  const right = whoMayCorrect(situation, history, { type: fact.type, data, target: target.id }, touched);
  return {
    history,
    target: target.id,
    fact: { ...fact, by: right.by },
    why: whyOnly(workflow, right, { root: touched, revision: history.indexOf(touched) }, seeing),
    erasable: root.erasable === true,
    ...(last ? { putInPlace: last } : {}),
  };
}

// Nothing that a replay needs may lie where it can be destroyed.
function datesIn(data: Record<string, unknown>, at: string): FieldError[] {
  const message = 'La date de ce qui peut être effacé ne se rectifie pas : annulez le fait et enregistrez-en un autre.';
  const here = data.effectiveAt === undefined ? [] : [{ path: `${at}/effectiveAt`, message }];
  const { donnees } = data as { donnees?: Record<string, unknown> };
  return donnees === undefined ? here : [...here, ...datesIn(donnees, `${at}/donnees`)];
}

/** Checks what each rectification puts in place by the form of what it touches: a rectification may rectify another. */
function putInPlace(
  workflow: PublishedWorkflow,
  { data }: Beside,
  history: readonly RecordedFact[],
  at: string,
  errors: FieldError[],
): Correction['putInPlace'] {
  const target = history.find(({ id }) => id === data.fait);
  const fact = workflow.facts.get(target?.type ?? '');
  if (!fact) return undefined;
  const should = data.donnees as Record<string, unknown>;
  const path = `${at}/donnees`;
  errors.push(...validatePayload(fact.payload, should, path));
  if (fact.type === RECTIFICATION && errors.length === 0)
    return putInPlace(workflow, { fact, data: should }, history, path, errors);
  return fact.type === ANNULMENT ? undefined : { fact, data: should };
}
