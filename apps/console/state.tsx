import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { jalonInWords } from './words.ts';

/** The milestone worked towards. */
export function JalonBadge({ jalon }: { jalon: string }) {
  return (
    <Badge small noIcon severity={jalon === 'suivi' ? 'success' : 'info'} as="span">
      {jalonInWords(jalon)}
    </Badge>
  );
}

/** The state of a dossier: what is well, what is at stake, what is over. The words say it; the colour only repeats it. */
export function StateBadge({ state, label, final = false }: { state: string; label: string; final?: boolean }) {
  const severity = severityOf(state, final);
  return (
    <Badge small noIcon as="span" {...(severity ? { severity } : {})}>
      {label}
    </Badge>
  );
}

function severityOf(state: string, final: boolean): 'success' | 'warning' | 'error' | 'info' | undefined {
  if (/refusee|abrogee|cloturee|retiree/.test(state)) return 'error';
  if (/mise-en-cause|suspendue|interrompue|incomplete/.test(state)) return 'warning';
  if (/qualifiee\.valide/.test(state)) return 'success';
  return final ? undefined : 'info';
}
