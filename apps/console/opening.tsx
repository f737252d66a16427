import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { api, ask, type Problem } from './client.ts';
import { formOfFact } from './drafts.ts';
import { Loaded } from './loaded.tsx';
import { formOf } from './offers.ts';
import { Page } from './page.tsx';
import { consequenceOf, Refused } from './proposal.tsx';
import { ProposalForm, type Proposed } from './proposal-form.tsx';
import {
  type Schema,
  useDefaultWorkflow,
  useRequirements,
  useSchema,
  type Workflow,
  type WorkflowName,
} from './reading.ts';
import { RecordedFirst, recordedBefore, type Typing } from './recorded-first.tsx';
import { useSession } from './session.ts';

/** Opening a dossier: the form of the fact that opens it. */
export function Component() {
  const workflow = useDefaultWorkflow();
  return (
    <Page title="Ouvrir un dossier" trail={[{ label: 'Dossiers', to: '/dossiers' }]}>
      <Loaded query={workflow}>{(found) => <Opening workflow={found} />}</Loaded>
    </Page>
  );
}

function Opening({ workflow }: { workflow: Workflow }) {
  const fact = workflow.facts.find(({ opens }) => opens);
  const named = { name: workflow.name, version: workflow.version } as WorkflowName;
  const schema = useSchema(named, fact?.type ?? '');
  if (!fact) return <p>Cette procédure ne s’ouvre par aucun fait.</p>;
  return (
    <Loaded query={schema}>
      {(shape) => <Deposit workflow={workflow} named={named} type={fact.type} label={fact.label} schema={shape} />}
    </Loaded>
  );
}

type Given = { workflow: Workflow; named: WorkflowName; type: string; label: string; schema: Schema };

function Deposit({ workflow, named, type, label, schema }: Given) {
  const session = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const requirements = useRequirements(named);
  const form = formOf(type, schema, { context: {}, entries: [] });
  const send = async (proposed: Proposed, key: string) => {
    const opened = await ask(
      api.POST('/api/dossiers', {
        params: { header: { 'Idempotency-Key': key } },
        body: { workflow: named.name, fact: { type, ...proposed } } as never,
      }),
    );
    await queries.invalidateQueries({ queryKey: ['dossiers'] });
    await navigate(`/dossiers/${opened.id}/agir`, { state: { recorded: { label, revision: opened.revision } } });
  };
  const explain = (problem: Problem, typing: Typing): ReactNode => {
    const recorded = recordedBefore(problem);
    if (recorded) return <RecordedFirst {...recorded} workflow={named} typing={typing} />;
    return problem.status === 409 ? <Refused problem={problem} schema={form.schema} workflow={workflow} /> : null;
  };
  return (
    <Loaded query={requirements}>
      {({ items: [referentiel] }) => (
        <ProposalForm
          label={label}
          schema={form.schema}
          shown={form.shown}
          start={{
            ...(session?.org ? { prestataire: { nom: session.org } } : {}),
            ...(referentiel ? { referentiel: { nom: referentiel.nom, version: referentiel.version } } : {}),
            sousTraitants: [],
          }}
          behalves={[]}
          referentiel={referentiel}
          draft={formOfFact('', type)}
          consequence={consequenceOf(workflow, null, type)}
          send={send}
          explain={explain}
        />
      )}
    </Loaded>
  );
}
