import { describeLog } from './log.contract.ts';
import { IN_SQLITE } from './log-on-test.ts';

describeLog(() => IN_SQLITE);
