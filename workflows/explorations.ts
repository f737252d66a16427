import type { Exploration } from '@jalon/flow';
import { COURTE, LONGUE, explorations as secnumcloudV1 } from './secnumcloud/v1/explorations.ts';

/** How a version is proven: as far as every check goes, and as far as the long campaign does. */
export type Explorations = { short: readonly Exploration[]; long: readonly Exploration[] };

/** `<workflow>/v<version>` -> how it is proven. A version of the catalogue that is not here fails the check. */
export const explorations: Readonly<Record<string, Explorations>> = {
  'secnumcloud/v1': { short: secnumcloudV1(COURTE), long: secnumcloudV1(LONGUE) },
};
