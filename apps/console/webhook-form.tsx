import { Button } from '@codegouvfr/react-dsfr/Button';
import { Checkbox } from '@codegouvfr/react-dsfr/Checkbox';
import { Input } from '@codegouvfr/react-dsfr/Input';
import { type FormEvent, useState } from 'react';
import { Problem } from './client.ts';
import { ProblemAlert, useAct } from './loaded.tsx';
import { useDefaultWorkflow } from './reading.ts';

/** Where facts are sent, and which: empty lists ask for all. */
export type Wanted = { url: string; types: string[]; jalons: string[] };

type Props = {
  start: Wanted;
  /** What the button says, and while the address is asked whether it agrees. */
  action: string;
  send: (wanted: Wanted) => Promise<void>;
};

/** Asks where facts are sent and which. What is wrong is said at its field; a refusal keeps what was typed. */
export function WebhookForm({ start, action, send }: Props) {
  const { act, running, fault } = useAct();
  const workflow = useDefaultWorkflow().data;
  const [jalons, setJalons] = useState(start.jalons);
  const milestones = [...new Set((workflow?.facts ?? []).flatMap(({ crosses }) => crosses ?? []))];
  const stages = [...new Set((workflow?.facts ?? []).map(({ type }) => `${type.split('.')[0]}.*`))];
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const given = new FormData(form);
    const url = String(given.get('url') ?? '').trim();
    const types = String(given.get('types') ?? '')
      .split(/[\s,;]+/)
      .filter(Boolean);
    void act(async () => {
      await send({ url, types, jalons });
      setJalons(start.jalons);
      form.reset();
    });
  };
  const wrong = (member: keyof Wanted) => {
    const messages = faultsOf(fault).filter(({ path }) => path.split('/')[1] === member);
    const [first] = messages;
    return first ? { state: 'error' as const, stateRelatedMessage: first.message } : {};
  };
  return (
    <form onSubmit={submit}>
      <Input
        label="Adresse"
        hintText="En https, et qui accepte la poignée de main de CloudEvents"
        nativeInputProps={{ name: 'url', type: 'url', autoComplete: 'off', defaultValue: start.url }}
        {...wrong('url')}
      />
      <Input
        label="Types de faits (facultatif)"
        hintText="Exacts (j0.acceptee) ou par étape (j2.*), séparés par des virgules ; rien : tous"
        nativeInputProps={{
          name: 'types',
          list: 'etapes',
          autoComplete: 'off',
          defaultValue: start.types.join(', '),
        }}
        {...wrong('types')}
      />
      <datalist id="etapes">
        {stages.map((stage) => (
          <option key={stage} value={stage} />
        ))}
      </datalist>
      <Checkbox
        legend="Seulement les faits qui franchissent un jalon (facultatif)"
        orientation="horizontal"
        options={milestones.map((jalon) => ({
          label: jalon,
          nativeInputProps: {
            checked: jalons.includes(jalon),
            onChange: ({ target }) =>
              setJalons(target.checked ? [...jalons, jalon] : jalons.filter((one) => one !== jalon)),
          },
        }))}
      />
      {fault && <ProblemAlert fault={fault} />}
      <Button type="submit" className="fr-mt-2w" disabled={running}>
        {running ? 'Poignée de main…' : action}
      </Button>
    </form>
  );
}

/** What is wrong with what was typed, field by field, when that is why it was refused. */
function faultsOf(fault: Error | null): { path: string; message: string }[] {
  const errors = fault instanceof Problem ? fault.document.errors : undefined;
  return Array.isArray(errors) ? errors : [];
}
