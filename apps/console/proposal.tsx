import { Alert } from '@codegouvfr/react-dsfr/Alert';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import { Checklist } from './agir.tsx';
import { api, ask, type Problem } from './client.ts';
import { correctionFormOf, isCorrection, latestOf } from './correction.ts';
import { formOfFact } from './drafts.ts';
import { Loaded, Waiting } from './loaded.tsx';
import { formOf, startOf } from './offers.ts';
import { type Behalf, FieldLink, ProposalForm, type Proposed } from './proposal-form.tsx';
import {
  type Dossier,
  type Entry,
  factsAfter,
  type Schema,
  type Timeline,
  useDossier,
  useRequirements,
  useSchema,
  useTimeline,
  type Workflow,
} from './reading.ts';
import { RecordedFirst, recordedBefore, type Typing } from './recorded-first.tsx';
import { useSeen } from './seen.ts';
import { type Said, Sentence } from './sentence.tsx';
import { useSession } from './session.ts';
import { inWords, momentInWords } from './words.ts';

/** The form of one fact of a dossier; of a correction, when its address names the fact that it touches. */
export function Component() {
  const { type = '' } = useParams();
  const [query] = useSearchParams();
  const { dossier } = useSeen();
  const now = useDossier(dossier.id);
  const timeline = useTimeline(dossier.id);
  const schema = useSchema(dossier.workflow, type);
  const touched = query.get('fait') ?? '';
  return (
    <Loaded query={now}>
      {(found) => (
        <Loaded query={timeline}>
          {(told) => (
            <Loaded query={schema}>
              {(shape) =>
                isCorrection(type) ? (
                  <Correcting key={type + touched} {...{ now: found, timeline: told, schema: shape, type, touched }} />
                ) : (
                  <Proposing key={type} now={found} timeline={told} schema={shape} type={type} />
                )
              }
            </Loaded>
          )}
        </Loaded>
      )}
    </Loaded>
  );
}

/** The form of a correction waits for the schema of the fact that it touches. */
function Correcting({ touched, ...given }: Given & { touched: string }) {
  const { dossier } = useSeen();
  const entry = given.timeline.entries.find(({ id }) => id === touched);
  const schema = useSchema(dossier.workflow, entry?.type ?? given.type);
  if (!entry)
    return (
      <p className="fr-text--lead">
        Ce fait n’est pas dans ce dossier. Choisissez-le dans la <Link to={`/dossiers/${dossier.id}`}>chronologie</Link>
        .
      </p>
    );
  return <Loaded query={schema}>{(shape) => <Proposing {...given} target={{ entry, schema: shape }} />}</Loaded>;
}

type Given = {
  now: Dossier;
  timeline: Timeline;
  schema: Schema;
  type: string;
  /** The fact that a correction touches. */
  target?: { entry: Entry; schema: Schema };
};

function Proposing({ now, timeline, schema, type, target }: Given) {
  const { dossier, workflow } = useSeen();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const requirements = useRequirements(dossier.workflow);
  // The revision on which what is typed was decided: it moves only when one has read what happened since.
  const [revision, setRevision] = useState(now.revision);
  const [form] = useState(() => {
    const given = { context: now.context, entries: timeline.entries };
    if (target) {
      const latest = latestOf(target.entry, timeline.entries);
      return correctionFormOf(schema, { ...target, latest }, given);
    }
    return { ...formOf(type, schema, given), start: startOf(type, given) };
  });
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const { id } = dossier;
  const possible = now.possible.find((one) => one.type === type);
  const label = possible?.label ?? schema.title ?? type;
  const behalves = useBehalves(workflow, possible?.by ?? [], dossier.summary);

  const send = async (proposed: Proposed, key: string) => {
    const recorded = await ask(
      api.POST('/api/dossiers/{id}/facts', {
        params: { path: { id }, header: { 'If-Match': `"${revision}"`, 'Idempotency-Key': key } },
        body: { type, ...proposed, data: { ...proposed.data, ...(target ? { fait: target.entry.id } : {}) } } as never,
      }),
    );
    queries.setQueryData(['dossier', id, 'now'], recorded);
    await Promise.all([
      queries.invalidateQueries({ queryKey: ['dossier', id] }),
      queries.invalidateQueries({ queryKey: ['dossiers'] }),
    ]);
    await navigate(`/dossiers/${id}/agir`, { state: { recorded: { label, revision: recorded.revision } } });
  };
  const explain = (problem: Problem, typing: Typing): ReactNode => {
    const recorded = recordedBefore(problem);
    if (recorded) return <RecordedFirst {...recorded} workflow={now.workflow} typing={typing} />;
    if (problem.status === 409)
      return <Refused problem={problem} schema={form.schema} workflow={workflow} dossier={id} />;
    if (problem.status !== 412) return null;
    return (
      <Meanwhile
        id={id}
        since={revision}
        type={type}
        onRead={(current) => {
          setRevision(current);
          heading.current?.focus();
        }}
      />
    );
  };
  const { nom, version } = (now.context as { referentiel?: { nom: string; version: string } }).referentiel ?? {};
  const referentiel = requirements.data?.items.find((one) => one.nom === nom && one.version === version);
  if ('exigence' in ((target?.schema ?? schema).properties ?? {}) && !requirements.data && !requirements.error)
    return <Waiting />;
  return (
    <>
      <p>
        <Link to={`/dossiers/${id}/agir`}>Tout ce qui est possible</Link>
      </p>
      <h2 ref={heading} tabIndex={-1}>
        {label}
      </h2>
      {target && (
        <p>
          Fait en question : <Link to={`/dossiers/${id}#r${target.entry.revision}`}>{target.entry.label}</Link>,
          effectif le {inWords(target.entry.effectiveAt)} (révision {target.entry.revision}).
        </p>
      )}
      {possible ? (
        <Checklist rules={possible.rules} dossier={id} />
      ) : (
        <Alert
          className="fr-mb-3w"
          severity="warning"
          small
          description="Ce fait n’est pas attendu dans l’état actuel du dossier. Ce que vous avez saisi est gardé."
        />
      )}
      <ProposalForm
        label={label}
        schema={form.schema}
        shown={form.shown}
        start={form.start}
        behalves={behalves}
        referentiel={referentiel}
        draft={formOfFact(id, type, target?.entry.id)}
        consequence={consequenceOf(workflow, now.state, type)}
        send={send}
        explain={explain}
      />
    </>
  );
}

/** In whose place the caller may record this fact: the parties among those who may propose it. */
function useBehalves(workflow: Workflow, by: readonly string[], summary: Record<string, string>): Behalf[] {
  const session = useSession();
  if (!session?.roles.some((role) => workflow.roles[role]?.recordsForOthers)) return [];
  return by.flatMap((role) => {
    const [column = ''] = workflow.parties[role] ?? [];
    const org = summary[column];
    return org === undefined ? [] : [{ role, org, label: `${workflow.roles[role]?.label ?? role} : ${org}` }];
  });
}

/** What a fact leads to that must be confirmed: a milestone, an end, a decision that the director general alone takes. */
export function consequenceOf(workflow: Workflow, state: string | null, type: string): string | undefined {
  const fact = workflow.facts.find((one) => one.type === type);
  const target = workflow.transitions.find((one) => one.fact === type && one.from === state && one.to !== state)?.to;
  const leads = workflow.states.find((one) => one.state === target);
  if (fact?.crosses) return `Ce fait franchit ${fact.crosses}${leads ? ` et mène à : ${leads.label}` : ''}.`;
  if (leads?.final) return `Ce fait met fin au dossier : ${leads.label}.`;
  return fact?.by.length === 1 && fact.by[0] === 'directeur-general' ? 'Ce fait est une décision.' : undefined;
}

type Reason = Said & { rule: string; field?: string };

/** A refusal: every rule that failed, in a sentence that can be quoted, and what is possible instead. */
export function Refused({
  problem,
  schema,
  workflow,
  dossier,
}: {
  problem: Problem;
  schema: Schema;
  workflow: Workflow;
  /** Absent before the opening. */
  dossier?: string;
}) {
  const {
    detail,
    reasons = [],
    possible = [],
  } = problem.document as unknown as {
    detail: string;
    reasons?: Reason[];
    possible?: Dossier['possible'];
  };
  return (
    <Alert
      severity="error"
      title="Refusé : rien n’a été enregistré"
      description={
        <>
          {reasons.length === 0 && <p>{detail}</p>}
          <ul>
            {reasons.map(({ rule, field, ...said }) => (
              <li key={rule}>
                <Sentence {...said} dossier={dossier} />
                {field && (
                  <>
                    {' '}
                    (<FieldLink path={`/${field.replaceAll('.', '/')}`} schema={schema} />)
                  </>
                )}
              </li>
            ))}
          </ul>
          {possible.length > 0 && (
            <details>
              <summary>Ce qui est possible maintenant</summary>
              <ul>
                {possible.map(({ type, label, by }) => (
                  <li key={type}>
                    {label} ({by.map((role) => workflow.roles[role]?.label ?? role).join(', ')})
                  </li>
                ))}
              </ul>
            </details>
          )}
        </>
      }
    />
  );
}

/** What happened while one was typing. What was typed stays; it is sent again once one has read this. */
function Meanwhile({
  id,
  since,
  type,
  onRead,
}: {
  id: string;
  since: number;
  type: string;
  onRead: (current: number) => void;
}) {
  const { workflow } = useSeen();
  const queries = useQueryClient();
  const facts = useQuery({
    queryKey: ['dossier', id, 'since', since],
    queryFn: () => factsAfter(id, since),
    staleTime: 0,
  });
  const now = useDossier(id);
  const [read, setRead] = useState(false);
  const labelOf = (one: string) => workflow.facts.find((fact) => fact.type === one)?.label ?? one;
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: ['dossier', id] });
  }, [queries, id]);
  if (read)
    return (
      <Alert
        severity="info"
        small
        description="Votre saisie est telle que vous l’aviez laissée : relisez-la, puis enregistrez."
      />
    );
  return (
    <Alert
      severity="warning"
      title="Le dossier a changé pendant que vous saisissiez"
      description={
        <>
          <p>Rien n’a été enregistré, et votre saisie est gardée. Voici ce qui s’est passé :</p>
          <Loaded query={facts}>
            {(items) => (
              <ul>
                {items.map((item) =>
                  'withheld' in item ? (
                    <li key={item.revision}>Un fait qui ne vous est pas montré (révision {item.revision})</li>
                  ) : (
                    <li key={item.revision}>
                      <strong>{labelOf(item.type)}</strong>, par{' '}
                      {workflow.roles[item.meta.actor.role]?.label ?? item.meta.actor.role}
                      {item.meta.actor.nom && ` (${item.meta.actor.nom})`}, le {momentInWords(item.recordedAt)}
                    </li>
                  ),
                )}
              </ul>
            )}
          </Loaded>
          {now.data && !now.data.possible.some((one) => one.type === type) && (
            <p>Dans l’état où est maintenant le dossier, ce fait n’est plus attendu.</p>
          )}
          <Button
            size="small"
            onClick={() => {
              setRead(true);
              onRead(Math.max(now.data?.revision ?? since, facts.data?.at(-1)?.revision ?? since));
            }}
          >
            J’ai lu, reprendre ma saisie
          </Button>
        </>
      }
    />
  );
}
