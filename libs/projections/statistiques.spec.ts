import { IN_SQLITE } from './site.ts';
import { describeStatistics } from './statistiques.contract.ts';

describeStatistics(() => IN_SQLITE);
