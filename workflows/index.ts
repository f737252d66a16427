import { Catalogue, type ReadModel } from '@jalon/flow';
import { hashes } from './hashes.ts';
import { constats } from './secnumcloud/constats.ts';
import { registre } from './secnumcloud/registre.ts';
import { secnumcloud } from './secnumcloud/v1/workflow.ts';

/** What is hashed of each version, by `<name>/v<version>`: its files, by path in its folder. */
export { hashes } from './hashes.ts';
export { type Constat, constatDe, constats } from './secnumcloud/constats.ts';
export { COLONNES, type Inscription, inscriptionAu, lignesDe, registre, STATUTS } from './secnumcloud/registre.ts';

/** Every procedure that this build can run, every version of each. */
export const catalogue = new Catalogue([{ ...secnumcloud, hash: hashes['secnumcloud/v1'].hash }]);

export { exigences } from './exigences.ts';
/** The read models that procedures have of their own. */
export const readModels: readonly ReadModel[] = [constats, registre];
