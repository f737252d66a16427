import { describeProjector } from './projector.contract.ts';
import { IN_SQLITE } from './site.ts';

describeProjector(() => IN_SQLITE);
