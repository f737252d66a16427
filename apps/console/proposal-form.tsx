import { Alert } from '@codegouvfr/react-dsfr/Alert';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { Input } from '@codegouvfr/react-dsfr/Input';
import { createModal } from '@codegouvfr/react-dsfr/Modal';
import { Select } from '@codegouvfr/react-dsfr/Select';
// The library's own door also opens on its test aids, which want a validator that the browser's policy would not run.
import Form from '@rjsf/core/lib/components/Form.js';
import type { ErrorSchema, RJSFSchema, ValidatorType } from '@rjsf/utils';
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { Problem } from './client.ts';
import { Content } from './content.tsx';
import { DocumentField } from './document.tsx';
import type { Draft } from './drafts.ts';
import { filled } from './filled.ts';
import { templates, widgets } from './form-theme.tsx';
import { ProblemAlert } from './loaded.tsx';
import type { Shown } from './offers.ts';
import type { Referentiel, Schema } from './reading.ts';
import type { Typing } from './recorded-first.tsx';
import { RequirementWidget } from './requirement.tsx';
import { currentDrafts } from './session.ts';
import { inWords, isDate, today } from './words.ts';

/** The API alone judges a payload, and names every fault at once in French: nothing is checked twice, nor differently. */
const nothingIsJudgedHere: ValidatorType = {
  isValid: () => true,
  rawValidation: () => ({}),
  validateFormData: () => ({ errors: [], errorSchema: {} }),
};

/** Someone in whose place a fact is recorded. */
export type Behalf = { role: string; org: string; label: string };

/** What is sent beside the type of the fact. */
export type Proposed = {
  data: Record<string, unknown>;
  effectiveAt: string;
  onBehalfOf?: { role: string; org: string; nom?: string };
};

type Props = {
  label: string;
  schema: Schema;
  shown: Shown;
  start: Record<string, unknown>;
  behalves: readonly Behalf[];
  referentiel: Referentiel | undefined;
  /** Under which what is being typed is kept: `formOfFact`. */
  draft: string;
  /** What the fact leads to, when it must be confirmed. */
  consequence: string | undefined;
  /** Sends it, under a key that stays the same until it is accepted: however often it is sent, it is recorded once. */
  send: (proposed: Proposed, key: string) => Promise<void>;
  /** What is shown of a problem that is not the fields' own; null leaves it to the form. */
  explain: (problem: Problem, typing: Typing) => ReactNode;
  children?: ReactNode;
};

const confirmation = createModal({ id: 'confirmation', isOpenedByDefault: false });

/** The form of a fact: its fields from its schema, its date, for whom, a summary before what cannot be taken back. */
export function ProposalForm(props: Props) {
  const { label, schema, shown, start, behalves, referentiel, draft, consequence, send, explain, children } = props;
  const [drafts] = useState(currentDrafts);
  const [typed, setTyped] = useState<Draft>(() => kept(drafts.read(draft)) ?? blank(start));
  const [fault, setFault] = useState<Error | null>(null);
  const [sending, setSending] = useState(false);
  const answer = useRef<HTMLDivElement>(null);
  const change = (part: Partial<Draft>) =>
    setTyped((before) => {
      const next = { ...before, ...part };
      drafts.keep(draft, next);
      return next;
    });
  useEffect(() => {
    if (fault) answer.current?.focus();
  }, [fault]);

  const faults = fault instanceof Problem && fault.status === 422 ? faultsOf(fault) : [];
  const proposed = (): Proposed => {
    const behalf = behalves.find(({ role }) => role === typed.behalf);
    const nom = typed.nom.trim();
    return {
      data: filled(typed.data, schema) as Record<string, unknown>,
      effectiveAt: typed.effectiveAt,
      ...(behalf ? { onBehalfOf: { role: behalf.role, org: behalf.org, ...(nom ? { nom } : {}) } } : {}),
    };
  };
  const propose = async () => {
    setSending(true);
    setFault(null);
    try {
      // The key outlives this page: should the answer be lost, whatever is sent next is compared with what was recorded.
      drafts.keep(draft, typed);
      await send(proposed(), typed.key);
      drafts.drop(draft);
    } catch (caught) {
      setFault(caught as Error);
    } finally {
      setSending(false);
    }
  };
  const renew = () => {
    setFault(null);
    change({ key: crypto.randomUUID() });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (consequence) confirmation.open();
    else void propose();
  };
  const empty = Object.keys(schema.properties ?? {}).length === 0;
  return (
    <>
      <form onSubmit={submit} noValidate aria-busy={sending}>
        <div ref={answer} tabIndex={-1} className="reponse">
          {fault && (
            <Answered
              fault={fault}
              faults={faults}
              schema={schema}
              explain={(problem) => explain(problem, { ...proposed(), forget: () => drafts.drop(draft), renew })}
            />
          )}
        </div>
        {children}
        {!empty && (
          <Form
            tagName="div"
            schema={schema as RJSFSchema}
            uiSchema={shown}
            formData={typed.data}
            validator={nothingIsJudgedHere}
            templates={templates}
            widgets={{ ...widgets, exigence: RequirementWidget }}
            fields={{ document: DocumentField }}
            formContext={{ referentiel }}
            extraErrors={errorSchemaOf(faults)}
            noHtml5Validate
            noValidate
            showErrorList={false}
            onChange={({ formData }) => change({ data: formData ?? {} })}
          >
            <span />
          </Form>
        )}
        <div className="fr-grid-row fr-grid-row--gutters">
          <div className="fr-col-12 fr-col-md-4">
            <Input
              label="Date d’effet"
              hintText="Quand c’est vrai ; aujourd’hui sauf mention contraire"
              state={messageAt(faults, '/effectiveAt') ? 'error' : 'default'}
              stateRelatedMessage={messageAt(faults, '/effectiveAt')}
              nativeInputProps={{
                type: 'date',
                value: typed.effectiveAt,
                max: today(),
                onChange: ({ target }) => change({ effectiveAt: target.value }),
              }}
            />
          </div>
          {behalves.length > 0 && (
            <div className="fr-col-12 fr-col-md-4">
              <Select
                label="Pour le compte de"
                hint="Celui qui a fait ce que vous enregistrez"
                nativeSelectProps={{ value: typed.behalf, onChange: ({ target }) => change({ behalf: target.value }) }}
              >
                <option value="">Personne d’autre</option>
                {behalves.map(({ role, label: who }) => (
                  <option key={role} value={role}>
                    {who}
                  </option>
                ))}
              </Select>
            </div>
          )}
          {typed.behalf && (
            <div className="fr-col-12 fr-col-md-4">
              <Input
                label="Nom (facultatif)"
                hintText="La personne qui a agi"
                nativeInputProps={{
                  value: typed.nom,
                  autoComplete: 'off',
                  onChange: ({ target }) => change({ nom: target.value }),
                }}
              />
            </div>
          )}
        </div>
        <div className="groupe fr-mt-2w">
          <Button type="submit" disabled={sending}>
            {sending ? 'Enregistrement…' : 'Enregistrer'}
          </Button>
        </div>
      </form>
      {/* Outside of the form, which its buttons would send again. */}
      <confirmation.Component
        title={label}
        buttons={[
          { children: 'Revenir à la saisie' },
          { children: 'Confirmer et enregistrer', onClick: () => void propose() },
        ]}
      >
        <p>
          <strong>{consequence}</strong>
        </p>
        <p>Date d’effet : {inWords(typed.effectiveAt)}.</p>
        <Content data={proposed().data} schema={schema} />
        <p>Un fait enregistré ne s’efface pas ; il ne peut qu’être rectifié ou annulé par un autre fait.</p>
      </confirmation.Component>
    </>
  );
}

/** What was kept, as far as it is what this form keeps. */
function kept(draft: Partial<Draft> | null): Draft | null {
  const { data, effectiveAt, behalf = '', nom = '', key = crypto.randomUUID() } = draft ?? {};
  if (typeof data !== 'object' || data === null || typeof effectiveAt !== 'string') return null;
  return { data, effectiveAt: isDate(effectiveAt) ? effectiveAt : today(), behalf, nom, key };
}

function blank(data: Record<string, unknown>): Draft {
  return { data, effectiveAt: today(), behalf: '', nom: '', key: crypto.randomUUID() };
}

type Fault = { path: string; message: string };

/** The faults of a payload, by their path from the payload; those around it keep the path that they have in the fact. */
function faultsOf({ document }: Problem): Fault[] {
  const errors = (document.errors ?? []) as Fault[];
  return errors.map(({ path, message }) => ({
    path: path.replace(/^(\/fact)?\/data/, '').replace(/^\/fact/, ''),
    message,
  }));
}

const messageAt = (faults: readonly Fault[], path: string) => faults.find((fault) => fault.path === path)?.message;

/** Faults as the form library shows them beside each field. */
function errorSchemaOf(faults: readonly Fault[]): ErrorSchema {
  const root: ErrorSchema = {};
  for (const { path, message } of faults) {
    let place = root as Record<string, ErrorSchema>;
    for (const step of path.split('/').slice(1)) {
      place[step] ??= {} as ErrorSchema;
      place = place[step] as Record<string, ErrorSchema>;
    }
    const here = place as ErrorSchema;
    here.__errors = [...(here.__errors ?? []), message];
  }
  return root;
}

/** Why it was not recorded: every fault with a link to its field, or what the screen has to say of the problem. */
function Answered({
  fault,
  faults,
  schema,
  explain,
}: {
  fault: Error;
  faults: readonly Fault[];
  schema: Schema;
  explain: (problem: Problem) => ReactNode;
}) {
  const explained = fault instanceof Problem ? explain(fault) : null;
  if (explained) return explained;
  if (faults.length === 0) return <ProblemAlert fault={fault} />;
  return (
    <Alert
      severity="error"
      title="Rien n’a été enregistré : la saisie est à corriger"
      description={
        <ul>
          {faults.map(({ path, message }) => (
            <li key={path + message}>
              <FieldLink path={path} schema={schema} /> : {message}
            </li>
          ))}
        </ul>
      }
    />
  );
}

/** A link that puts the focus on a field of the form, by its path in the payload. */
export function FieldLink({ path, schema }: { path: string; schema: Schema }) {
  const steps = path.split('/').slice(1);
  const id = ['root', ...steps].join('_');
  return (
    <a
      href={`#${id}`}
      onClick={(event) => {
        event.preventDefault();
        const field = document.getElementById(id) ?? document.getElementById(['root', ...steps.slice(0, -1)].join('_'));
        const input = field?.matches('fieldset, div')
          ? (field.querySelector<HTMLElement>('input, select, textarea') ?? field)
          : field;
        input?.focus();
      }}
    >
      {titleAt(schema, steps)}
    </a>
  );
}

function titleAt(schema: Schema, steps: readonly string[]): string {
  const titles: string[] = [];
  let here: Schema | undefined = schema;
  for (const step of steps) {
    if (here?.items) {
      titles.push(String(Number(step) + 1));
      here = here.items;
    } else {
      here = here?.properties?.[step];
      titles.push(here?.title ?? (step === 'effectiveAt' ? 'Date d’effet' : step));
    }
  }
  return titles.join(', ');
}
