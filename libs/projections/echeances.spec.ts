import { describeEcheances } from './echeances.contract.ts';
import { IN_SQLITE } from './site.ts';

describeEcheances(() => IN_SQLITE);
