import { describeOwn } from './own.contract.ts';
import { IN_SQLITE } from './site.ts';

describeOwn(() => IN_SQLITE);
