import { describeChronologie } from './chronologie.contract.ts';
import { IN_SQLITE } from './site.ts';

describeChronologie(() => IN_SQLITE);
