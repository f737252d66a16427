import { Alert } from '@codegouvfr/react-dsfr/Alert';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { type UseQueryResult, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';
import { Problem } from './client.ts';

/** How long nothing is said while something loads, in milliseconds: most answers arrive sooner. */
const SILENT_FOR = 200;

/** What a reading gives to show: its data; what went wrong, with a way to try again; or, past a while, that it loads. */
export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  const { data, error, refetch } = query;
  if (data !== undefined) return children(data);
  if (error) return <ProblemAlert fault={error} onRetry={() => void refetch()} />;
  return <Waiting />;
}

/** Says that something loads, once it has taken long enough to be noticed. */
export function Waiting() {
  const [long, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), SILENT_FOR);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="attente" role="status">
      {long && <p>Chargement…</p>}
    </div>
  );
}

/** A problem with its title and detail, and a button to try again where that makes sense. */
export function ProblemAlert({ fault, onRetry }: { fault: Error; onRetry?: () => void }) {
  const queries = useQueryClient();
  const problem = fault instanceof Problem ? fault.document : null;
  const known = problem?.type.startsWith('/problems/');
  return (
    <div>
      <Alert
        severity={problem?.status === 403 ? 'warning' : 'error'}
        title={problem?.title ?? 'Erreur de la console'}
        description={
          <>
            <p>{problem?.detail ?? fault.message}</p>
            {known && (
              <p>
                <a
                  href={problem?.type}
                  target="_blank"
                  rel="noreferrer"
                  title="Ce que ce problème signifie - nouvelle fenêtre"
                >
                  Ce que ce problème signifie
                </a>
              </p>
            )}
            {typeof problem?.requestId === 'string' && <p>Référence à donner à l’exploitant : {problem.requestId}</p>}
          </>
        }
      />
      {onRetry && problem?.status !== 404 && problem?.status !== 403 && (
        <Button
          className="fr-mt-2w"
          iconId="fr-icon-refresh-line"
          priority="secondary"
          onClick={() => (onRetry ? onRetry() : void queries.refetchQueries())}
        >
          Réessayer
        </Button>
      )}
    </div>
  );
}

/** An act of the user on the server: whether it is under way, and what went wrong with the last one. */
export function useAct() {
  const [running, setRunning] = useState(false);
  const [fault, setFault] = useState<Error | null>(null);
  const act = async (work: () => Promise<void>) => {
    setRunning(true);
    setFault(null);
    try {
      await work();
    } catch (caught) {
      setFault(caught as Error);
    } finally {
      setRunning(false);
    }
  };
  return { act, running, fault };
}
