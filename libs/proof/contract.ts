export { describeLog } from './log.contract.ts';
export { IN_SQLITE, type Keeping, LogOnTest } from './log-on-test.ts';
