import { useOutletContext } from 'react-router';
import type { ListedDossier, Workflow } from './reading.ts';

/** What every view of a dossier is given: the dossier as the list knows it, and its procedure. */
export type Seen = { dossier: ListedDossier; workflow: Workflow };

export function useSeen(): Seen {
  return useOutletContext<Seen>();
}
