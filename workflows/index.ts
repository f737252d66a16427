import { Catalogue } from '@jalon/flow';
import { hashes } from './hashes.ts';
import { secnumcloud } from './secnumcloud/v1/workflow.ts';

/** Every procedure that this build can run, every version of each. */
export const catalogue = new Catalogue([{ ...secnumcloud, hash: hashes['secnumcloud/v1'].hash }]);

export { exigences } from './exigences.ts';
