import type { Viewer } from '@jalon/flow';
import { ReadModelsBehind, type Sight, sightsOf } from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import { type FastifyReply, positionOf } from './http.ts';
import { ProblemRaised } from './problems.ts';
import type { Product } from './product.ts';

/** How long a reader waits for a position before being told to come back. */
const PATIENCE_MS = 5000;

/**
 * Waits until the read models include what this node acknowledged, and the position that `min-position` names; the answer
 * says which (`X-Position`).
 * @throws ProblemRaised, 400 for what is no position, 503 when it is not reached in time
 */
export async function caughtUp(
  { engine, projector }: Pick<Product, 'projector'> & { engine: Pick<Product['engine'], 'acknowledged'> },
  reply: FastifyReply,
  minPosition: string | undefined,
): Promise<void> {
  const wanted = positionOf(minPosition);
  const acknowledged = engine.acknowledged ?? -1n;
  const position = wanted === undefined || wanted < acknowledged ? acknowledged : wanted;
  try {
    await projector.caughtUp(position, PATIENCE_MS);
  } catch (fault) {
    if (fault instanceof ReadModelsBehind) throw new ProblemRaised('lecture-en-retard');
    throw fault;
  }
  if (position >= 0n) reply.header('x-position', String(position));
}

/**
 * The ways in which the caller sees dossiers; none for one who could see their own and is of no organisation.
 * @throws ProblemRaised 403 for roles that see no dossier
 */
export function sightsOrRefuse(viewer: Viewer): Sight[] {
  if (!viewer.roles.some((role) => READERS.has(role)))
    throw new ProblemRaised('interdit', 'Votre rôle ne donne accès à aucun dossier.');
  return sightsOf(catalogue, viewer);
}

/** Whether some role of the caller sees every dossier of some procedure. */
export function seesEveryDossier({ roles }: Pick<Viewer, 'roles'>): boolean {
  return catalogue.workflows.some((workflow) => roles.some((role) => workflow.roles[role]?.sees === 'all'));
}

/** The roles that see some dossier. */
const READERS: ReadonlySet<string> = new Set(
  catalogue.workflows.flatMap(({ roles }) => Object.keys(roles).filter((role) => roles[role]?.sees !== 'none')),
);
