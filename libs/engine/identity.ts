import { v5 } from 'uuid';
import type { Caller } from './caller.ts';

/** Namespace (RFC 9562) of the ids that are derived from an idempotency key. Never to be changed: keys are remembered by it. */
const NAMESPACE = '3f0b6c1e-5d0e-4c43-9a55-6f6e8f1b7d21';

/**
 * Under which conditions a caller proposes. `route` is part of an idempotency key's scope; `ifMatch` is the revision, or one
 * of those, that the dossier must have.
 */
export type Conditions = { route: string; idempotencyKey?: string; ifMatch?: number | readonly number[] };

/** Where ids and salts come from: drawn at random, or chosen by a test. */
export type Entropy = { uuid: () => string; salt: () => string };

/** The ids of a proposal: of its fact, and of the dossier when it opens one; `keyed` when they come from a key. */
export type Identity = { event: string; dossier: string; keyed: boolean };

/**
 * One id per proposal, kept across retries and never derived from a position, so that two rivals for one revision never
 * both succeed. The same caller, route and key always give the same ids; without a key they are random.
 */
export function proposalIds({ iss, sub }: Caller, { route, idempotencyKey }: Conditions, entropy: Entropy): Identity {
  if (idempotencyKey === undefined) return { event: entropy.uuid(), dossier: entropy.uuid(), keyed: false };
  const event = v5(JSON.stringify([iss, sub, route, idempotencyKey]), NAMESPACE);
  return { event, dossier: v5(event, NAMESPACE), keyed: true };
}
