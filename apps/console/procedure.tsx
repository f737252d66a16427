import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { useParams } from 'react-router';
import { Digest } from './content.tsx';
import { Loaded } from './loaded.tsx';
import { Page } from './page.tsx';
import { type Schema, useSchemas, useWorkflow, type Workflow, type WorkflowName } from './reading.ts';
import { Statechart } from './statechart.tsx';
import { DataTable } from './table.tsx';
import { jalonInWords, wordOf } from './words.ts';

/** One version of a procedure: its picture, its states, and of each fact who may propose it, what it holds, its rules. */
export function Component() {
  const { name = '', version = '' } = useParams();
  const workflow = useWorkflow(name, Number(version));
  return <Loaded query={workflow}>{(found) => <Told workflow={found} />}</Loaded>;
}

function Told({ workflow }: { workflow: Workflow }) {
  const { name, version, label, hash, states, facts } = workflow;
  const schemas = useSchemas(
    { name, version } as WorkflowName,
    facts.map(({ type }) => type),
  );
  const stages = new Map<string, Workflow['facts']>();
  for (const fact of facts) {
    const stage = fact.type.split('.')[0] as string;
    stages.set(stage, [...(stages.get(stage) ?? []), fact]);
  }
  return (
    <Page title={label} trail={[{ label: 'Procédures', to: '/procedures' }]}>
      <p>
        Procédure <code>{name}</code>, version {version}. <Digest hex={hash} of="Empreinte" />
      </p>
      <div className="groupe ecran fr-mb-2w">
        <Button priority="tertiary" iconId="fr-icon-printer-line" onClick={() => print()}>
          Imprimer pour annoter
        </Button>
      </div>
      <h2>Schéma</h2>
      <p>Les faits qui ne changent pas d’état et le retrait par le demandeur ne sont pas dessinés.</p>
      <Statechart workflow={workflow} />
      <h2 className="fr-mt-4w">États</h2>
      <DataTable
        caption="États"
        hidden
        columns={[
          { label: 'État', names: true, cell: (state) => state.label },
          { label: 'Identifiant', cell: ({ state }) => <code>{state}</code> },
          { label: 'Jalon', cell: ({ jalon }) => jalonInWords(jalon) },
        ]}
        rows={states}
        keyOf={({ state }) => state}
      />
      <h2>Faits</h2>
      <nav aria-label="Faits, par étape">
        <ul className="groupe fr-raw-list">
          {[...stages.keys()].map((stage) => (
            <li key={stage}>
              <a className="fr-link" href={`#${stage}`}>
                {STAGES[stage] ?? wordOf(stage)}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      {[...stages].map(([stage, list]) => (
        <section key={stage} id={stage} aria-labelledby={`${stage}-titre`}>
          <h3 id={`${stage}-titre`} className="fr-mt-3w">
            {STAGES[stage] ?? wordOf(stage)}
          </h3>
          {list.map((fact) => (
            <DeclaredFact key={fact.type} fact={fact} workflow={workflow} schema={schemas.get(fact.type)} />
          ))}
        </section>
      ))}
    </Page>
  );
}

const STAGES: Readonly<Record<string, string>> = {
  j0: 'Jalon J0',
  j1: 'Jalon J1 : stratégie d’évaluation',
  j2: 'Jalon J2 : évaluation',
  j3: 'Jalon J3 : décision',
  suivi: 'Suivi de la qualification',
  dossier: 'À tout moment',
};

type Declared = { fact: Workflow['facts'][number]; workflow: Workflow; schema: Schema | undefined };

function DeclaredFact({ fact, workflow, schema }: Declared) {
  const { type, label, by, crosses, free, erasable, withheldFrom } = fact;
  const role = (name: string) => workflow.roles[name]?.label ?? name;
  const state = (name: string | null) => workflow.states.find((one) => one.state === name)?.label ?? 'ouverture';
  const ways = workflow.transitions.filter((way) => way.fact === type);
  const moves = ways.filter(({ from, to }) => from !== to);
  const rules = new Map(ways.flatMap((way) => way.rules.map(({ rule, message }) => [rule, message])));
  const marks = [
    free && 'Il peut porter n’importe quelle date passée.',
    erasable && 'Son contenu peut être effacé.',
    withheldFrom && `Il n’est pas montré à : ${withheldFrom.map(role).join(', ')}.`,
  ].filter(Boolean);
  return (
    <article className="declare" id={type}>
      <h4 className="fr-h6 fr-mb-1v">
        {label}{' '}
        {crosses && (
          <Badge small noIcon severity="new" as="span">
            Franchit {crosses}
          </Badge>
        )}
      </h4>
      <p className="fr-mb-1w">
        <code>{type}</code>, par : {by.map(role).join(', ')}. {marks.join(' ')}
      </p>
      {moves.length > 0 && (
        <ul>
          {[...new Set(moves.map(({ to }) => to))].map((to) => (
            <li key={to}>
              {[...new Set(moves.filter((way) => way.to === to).map(({ from }) => state(from)))].join(', ')} →{' '}
              <strong>{state(to)}</strong>
            </li>
          ))}
        </ul>
      )}
      {rules.size > 0 && (
        <>
          <p className="fr-mb-0">Règles :</p>
          <ul>
            {[...rules].map(([rule, message]) => (
              <li key={rule}>{message}</li>
            ))}
          </ul>
        </>
      )}
      {schema?.properties && Object.keys(schema.properties).length > 0 && (
        <p className="fr-mb-0">Contenu : {Object.entries(schema.properties).map(fieldOf(schema)).join(' ; ')}.</p>
      )}
    </article>
  );
}

const fieldOf =
  ({ required = [] }: Schema) =>
  ([name, { title, description }]: [string, Schema]) =>
    `${title ?? name}${description ? ` (${description})` : ''}${required.includes(name) ? '' : ', facultatif'}`;
