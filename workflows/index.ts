import { Catalogue } from '@jalon/flow';
import { hashes } from './hashes.ts';
import { secnumcloud } from './secnumcloud/v1/workflow.ts';

/** What is hashed of each version, by `<name>/v<version>`: its files, by path in its folder. */
export { hashes } from './hashes.ts';

/** Every procedure that this build can run, every version of each. */
export const catalogue = new Catalogue([{ ...secnumcloud, hash: hashes['secnumcloud/v1'].hash }]);

export { exigences } from './exigences.ts';
