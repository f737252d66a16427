import { Alert } from '@codegouvfr/react-dsfr/Alert';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { Content } from './content.tsx';
import { ANNULMENT, correctionPath, RECTIFICATION } from './correction.ts';
import { formOfFact } from './drafts.ts';
import { Loaded } from './loaded.tsx';
import { factsAfter, useSchema, type WorkflowName } from './reading.ts';
import { currentDrafts } from './session.ts';
import { inWords, today } from './words.ts';

/** What was being sent when it turned out that something else was recorded, and what becomes of it. */
export type Typing = {
  data: Record<string, unknown>;
  effectiveAt: string;
  /** Forgets what was typed. */
  forget: () => void;
  /** Keeps what was typed, to be sent as another fact. */
  renew: () => void;
};

/** Whether a problem says that an earlier sending of this form was recorded, and where that fact is read. */
export function recordedBefore(problem: { document: { type: string }; location?: string | undefined }) {
  if (problem.document.type !== '/problems/cle-reutilisee') return undefined;
  const [, dossier, after] = /^\/api\/dossiers\/([^/?]+)\/facts\?(?:after=(\d+)&)?/.exec(problem.location ?? '') ?? [];
  return dossier === undefined ? undefined : { dossier, revision: after === undefined ? 0 : Number(after) + 1 };
}

/**
 * The answer to a first sending was lost, and it was corrected before it was sent again: what was recorded stands, and may
 * be corrected as any fact may.
 */
export function RecordedFirst({
  dossier,
  revision,
  workflow,
  typing,
}: {
  dossier: string;
  revision: number;
  workflow: WorkflowName;
  typing: Typing;
}) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const found = useQuery({
    queryKey: ['dossier', dossier, 'fact', revision],
    queryFn: async () => (await factsAfter(dossier, revision - 1)).find((one) => one.revision === revision) ?? null,
  });
  return (
    <Loaded query={found}>
      {(fact) => {
        if (!fact || 'withheld' in fact) return <Alert severity="warning" small description={EARLIER} />;
        const keep = () => {
          typing.forget();
          void navigate(`/dossiers/${dossier}#r${revision}`);
        };
        const rectify = async () => {
          const { data, effectiveAt } = typing;
          currentDrafts().keep(formOfFact(dossier, RECTIFICATION, fact.id), {
            data: { donnees: data, ...(effectiveAt === fact.effectiveAt ? {} : { effectiveAt }) },
            ...{ effectiveAt: today(), behalf: '', nom: '', key: crypto.randomUUID() },
          });
          typing.forget();
          // The form of a correction finds in the timeline the fact that it touches.
          await queries.invalidateQueries({ queryKey: ['dossier', dossier] });
          await navigate(correctionPath(dossier, RECTIFICATION, fact.id));
        };
        return (
          <Alert
            severity="warning"
            title="Votre premier envoi avait été enregistré"
            description={
              <>
                <p>
                  {EARLIER} Voici ce qui l’a été, avec effet le {inWords(fact.effectiveAt)} :
                </p>
                <Recorded workflow={workflow} type={fact.type} data={fact.data} />
                <div className="groupe fr-mt-2w">
                  {fact.type === RECTIFICATION && (
                    <Button size="small" onClick={typing.renew}>
                      Garder ma saisie pour une nouvelle rectification
                    </Button>
                  )}
                  {fact.type !== RECTIFICATION && fact.type !== ANNULMENT && (
                    <Button size="small" onClick={() => void rectify()}>
                      Rectifier ce fait par ma saisie
                    </Button>
                  )}
                  <Button size="small" priority="secondary" onClick={keep}>
                    Garder ce qui a été enregistré
                  </Button>
                </div>
              </>
            }
          />
        );
      }}
    </Loaded>
  );
}

const EARLIER =
  'La réponse à votre premier envoi s’était perdue : il avait été enregistré. Ce que vous venez d’envoyer en diffère, et ne l’a pas été.';

function Recorded({ workflow, type, data }: { workflow: WorkflowName; type: string; data: object }) {
  const schema = useSchema(workflow, type);
  return <Content data={data as Record<string, unknown>} schema={schema.data} />;
}
