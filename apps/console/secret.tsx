import { Alert } from '@codegouvfr/react-dsfr/Alert';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { useState } from 'react';

/** Something that is said once and never again: shown whole, to be copied now. */
export function ToldOnce({ title, text, advice }: { title: string; text: string; advice: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <Alert
      className="fr-my-3w"
      severity="success"
      role="status"
      title={title}
      description={
        <>
          <p>{advice}</p>
          <p>
            <code className="coupe">{text}</code>
          </p>
          <Button
            size="small"
            priority="secondary"
            iconId="fr-icon-clipboard-line"
            onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
          >
            {copied ? 'Copié' : 'Copier'}
          </Button>
        </>
      }
    />
  );
}
