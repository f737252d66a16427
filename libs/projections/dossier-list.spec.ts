import { describeDossierList } from './dossier-list.contract.ts';
import { IN_SQLITE } from './site.ts';

describeDossierList(() => IN_SQLITE);
