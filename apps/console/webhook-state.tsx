import { Badge } from '@codegouvfr/react-dsfr/Badge';

/** Whether a webhook receives, is in trouble, or receives nothing. */
export function WebhookState({ state, failures }: { state: 'active' | 'disabled'; failures: number }) {
  const [severity, text] =
    state === 'disabled'
      ? (['error', 'Suspendu'] as const)
      : failures > 0
        ? (['warning', `${failures} échec${failures > 1 ? 's' : ''} de suite`] as const)
        : (['success', 'En service'] as const);
  return (
    <Badge small severity={severity} as="span">
      {text}
    </Badge>
  );
}
