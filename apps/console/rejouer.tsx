import { Button } from '@codegouvfr/react-dsfr/Button';
import { Input } from '@codegouvfr/react-dsfr/Input';
import { SegmentedControl } from '@codegouvfr/react-dsfr/SegmentedControl';
import { type KeyboardEvent, useEffect, useState } from 'react';
import { useSearchParams } from 'react-router';
import { Content } from './content.tsx';
import { Loaded, ProblemAlert, Waiting } from './loaded.tsx';
import {
  type Fact,
  type HistoryItem,
  type Moment,
  useDifference,
  useHistory,
  usePastState,
  useSchemas,
  type Workflow,
} from './reading.ts';
import { useSeen } from './seen.ts';
import { StateBadge } from './state.tsx';
import { Statechart, type Step as Way } from './statechart.tsx';
import { dayOf, inWords, momentInWords } from './words.ts';

/** Rejouer: the dossier as it stood after each fact, or on each date, as the API replays it; what each step changed. */
export function Component() {
  const { dossier } = useSeen();
  return <Loaded query={useHistory(dossier.id)}>{(history) => <Player history={history} />}</Loaded>;
}

/** A place on the slider: the moment to ask for, the facts that led there, and the day that it belongs to. */
type Step = { moment: Moment; facts: HistoryItem[]; day: string; name: string };

const isShown = (item: HistoryItem): item is Fact => !('withheld' in item);

/** One step per fact, in the order in which they were recorded. */
function byRevision(history: readonly HistoryItem[], labelOf: (type: string) => string): Step[] {
  let day = '';
  return history.map((item) => {
    if (isShown(item)) day = dayOf(item.recordedAt);
    const name = isShown(item) ? labelOf(item.type) : 'Fait qui ne vous est pas montré';
    return { moment: { revision: item.revision }, facts: [item], day, name };
  });
}

/** One step per date on which something took effect. */
function byDate(history: readonly HistoryItem[], labelOf: (type: string) => string): Step[] {
  const days = new Map<string, Fact[]>();
  for (const item of history.filter(isShown)) days.set(item.effectiveAt, [...(days.get(item.effectiveAt) ?? []), item]);
  const opened = history.find(isShown)?.effectiveAt ?? '';
  return [...days]
    .filter(([day]) => day >= opened)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([day, facts]) => ({
      moment: { effectiveAt: day },
      facts,
      day,
      name: facts.map(({ type }) => labelOf(type)).join(', '),
    }));
}

/** How long a step stays when playing, in milliseconds. */
const PACE = 1500;

function Player({ history }: { history: readonly HistoryItem[] }) {
  const { dossier, workflow } = useSeen();
  const [query, change] = useSearchParams();
  const [playing, play] = useState(false);
  const axis = query.get('axe') === 'effet' ? 'effet' : 'enregistrement';
  const corrected = query.get('lecture') === 'corrigee';
  const labelOf = (type: string) => workflow.facts.find((fact) => fact.type === type)?.label ?? type;
  const steps = axis === 'effet' ? byDate(history, labelOf) : byRevision(history, labelOf);
  const last = steps.length - 1;
  const asked = Number(query.get('pas') ?? last);
  const at = Number.isInteger(asked) ? Math.min(last, Math.max(0, asked)) : last;
  const set = (values: Record<string, string | undefined>) =>
    change(
      (before) => {
        const next = new URLSearchParams(before);
        for (const [name, value] of Object.entries(values))
          if (value === undefined) next.delete(name);
          else next.set(name, value);
        return next;
      },
      { replace: true, preventScrollReset: true },
    );
  const go = (to: number) => set({ pas: String(Math.min(last, Math.max(0, to))) });

  useEffect(() => {
    if (!playing) return;
    if (at === last) {
      play(false);
      return;
    }
    const timer = setTimeout(() => go(at + 1), PACE);
    return () => clearTimeout(timer);
  }, [playing, at, last]);

  const step = steps[at];
  if (!step) return <p>Rien de ce dossier ne vous est montré.</p>;
  const moment = { ...step.moment, ...(corrected ? { corrected } : {}) };
  const before = steps[at - 1];
  const previous = before && { ...before.moment, ...(corrected ? { corrected } : {}) };
  return (
    <>
      <h2>Rejouer</h2>
      <div className="groupe fr-mb-2w">
        <SegmentedControl
          small
          legend="Dans l’ordre"
          segments={[
            {
              label: 'des enregistrements',
              nativeInputProps: {
                checked: axis === 'enregistrement',
                onChange: () => set({ axe: undefined, pas: undefined }),
              },
            },
            {
              label: 'des dates d’effet',
              nativeInputProps: { checked: axis === 'effet', onChange: () => set({ axe: 'effet', pas: undefined }) },
            },
          ]}
        />
        <SegmentedControl
          small
          legend="Lecture"
          segments={[
            {
              label: 'enregistrée',
              nativeInputProps: { checked: !corrected, onChange: () => set({ lecture: undefined }) },
            },
            {
              label: 'corrigée',
              nativeInputProps: { checked: corrected, onChange: () => set({ lecture: 'corrigee' }) },
            },
          ]}
        />
        <Jump axis={axis} steps={steps} onJump={go} />
      </div>
      <Slider at={at} last={last} step={step} playing={playing} onGo={go} onPlay={() => play(!playing)} />
      <p role="status" className="fr-text--lead">
        {axis === 'effet' ? `Au ${inWords(step.day)}` : `Révision ${at}`} : {step.name}
      </p>
      <Standing
        key={dossier.id}
        moment={moment}
        previous={previous}
        step={step}
        workflow={workflow}
        ways={waysUntil(steps, at)}
      />
    </>
  );
}

/** The ways taken until a step, of the facts that are shown. */
function waysUntil(steps: readonly Step[], at: number): Way[] {
  return steps
    .slice(0, at + 1)
    .flatMap(({ facts }) => facts.filter(isShown))
    .toSorted((a, b) => a.revision - b.revision)
    .filter(({ meta }) => meta.from !== meta.to)
    .map(({ meta: { from, to } }) => ({ from, to }));
}

function Jump({ axis, steps, onJump }: { axis: string; steps: readonly Step[]; onJump: (at: number) => void }) {
  return (
    <Input
      className="fr-mb-0"
      label={axis === 'effet' ? 'Ce qui était vrai le' : 'Ce qui était su le'}
      nativeInputProps={{
        type: 'date',
        onChange: ({ target: { value } }) => {
          const place = steps.findLastIndex(({ day }) => day <= value);
          if (value) onJump(Math.max(0, place));
        },
      }}
    />
  );
}

type SliderProps = {
  at: number;
  last: number;
  step: Step;
  playing: boolean;
  onGo: (at: number) => void;
  onPlay: () => void;
};

function Slider({ at, last, step, playing, onGo, onPlay }: SliderProps) {
  const press = (event: KeyboardEvent) => {
    if (event.key !== ' ') return;
    event.preventDefault();
    onPlay();
  };
  return (
    <div className="lecteur ecran">
      <div className="fr-range-group">
        <label className="fr-label" htmlFor="pas">
          Étape
          <span className="fr-hint-text">Flèches : une étape ; Début et Fin : les bouts ; espace : lecture</span>
        </label>
        <div className="lecteur__piste">
          <input
            id="pas"
            type="range"
            min={0}
            max={last}
            value={at}
            aria-valuetext={`${at + 1} sur ${last + 1} : ${step.name}`}
            onChange={({ target }) => onGo(Number(target.value))}
            onKeyDown={press}
          />
          <output htmlFor="pas">
            {at + 1} / {last + 1}
          </output>
        </div>
      </div>
      <div className="groupe">
        <Button size="small" priority="tertiary" disabled={at === 0} onClick={() => onGo(0)}>
          Première
        </Button>
        <Button size="small" priority="tertiary" disabled={at === 0} onClick={() => onGo(at - 1)}>
          Précédente
        </Button>
        <Button
          size="small"
          iconId={playing ? 'fr-icon-pause-circle-line' : 'fr-icon-play-circle-line'}
          onClick={() => {
            if (!playing && at === last) onGo(0);
            onPlay();
          }}
        >
          {playing ? 'Pause' : 'Lecture'}
        </Button>
        <Button size="small" priority="tertiary" disabled={at === last} onClick={() => onGo(at + 1)}>
          Suivante
        </Button>
        <Button size="small" priority="tertiary" disabled={at === last} onClick={() => onGo(last)}>
          Dernière
        </Button>
      </div>
    </div>
  );
}

type StandingProps = {
  moment: Moment;
  previous: Moment | undefined;
  step: Step;
  workflow: Workflow;
  ways: readonly Way[];
};

/** Where the dossier stood at a moment, and what the step that led there changed. */
function Standing({ moment, previous, step, workflow, ways }: StandingProps) {
  const { dossier } = useSeen();
  const past = usePastState(dossier.id, moment);
  const difference = useDifference(dossier.id, previous, moment);
  const schemas = useSchemas(
    dossier.workflow,
    step.facts.filter(isShown).map(({ type }) => type),
  );
  if (past.error) return <ProblemAlert fault={past.error} />;
  if (!past.data) return <Waiting />;
  const { state, context, stateHash, reading } = past.data;
  const named = workflow.states.find((one) => one.state === state);
  const changed = changesOf(difference.data ?? []);
  return (
    <div className="rejeu">
      <section aria-label="L’état à cette étape">
        <p className="groupe">
          <StateBadge state={state} label={named?.label ?? state} final={named?.final ?? false} />
          <span>lecture {reading === 'corrected' ? 'corrigée' : 'enregistrée'}</span>
        </p>
        <Statechart workflow={workflow} current={state} steps={ways} />
      </section>
      <section aria-labelledby="fait-de-l-etape">
        <h3 id="fait-de-l-etape" className="fr-h5">
          {step.facts.length > 1 ? 'Les faits' : 'Le fait'}
        </h3>
        {step.facts.map((item) =>
          isShown(item) ? (
            <article key={item.id} className="fait">
              <p className="fait__date">{inWords(item.effectiveAt)}</p>
              <p className="fait__note">
                Révision {item.revision}, enregistrée le {momentInWords(item.recordedAt)}, par{' '}
                {workflow.roles[item.meta.actor.role]?.label ?? item.meta.actor.role}.
              </p>
              <Content data={item.data as Record<string, unknown>} schema={schemas.get(item.type)} />
            </article>
          ) : (
            <p key={item.revision}>Le contenu de la révision {item.revision} ne vous est pas montré.</p>
          ),
        )}
        <h3 className="fr-h5">Ce que la procédure retient</h3>
        <Remembered context={context} changed={changed} opening={previous === undefined} />
        <p className="fr-text--xs">
          Empreinte de l’état : <code className="coupe">{stateHash}</code>
        </p>
      </section>
    </div>
  );
}

/** Members of the context that a patch touches, and how. */
function changesOf(patch: readonly { op: string; path: string }[]): ReadonlyMap<string, string[]> {
  const changes = new Map<string, string[]>();
  for (const { op, path } of patch) {
    const [, root, member = '', ...rest] = path.split('/');
    if (root !== 'context') continue;
    const what = rest.length > 0 ? ` ${rest.join('.')}` : '';
    const how = { add: 'ajouté', remove: 'retiré' }[op] ?? 'changé';
    changes.set(member, [...(changes.get(member) ?? []), how + what]);
  }
  return changes;
}

function Remembered({
  context,
  changed,
  opening,
}: {
  context: object;
  changed: ReadonlyMap<string, string[]>;
  opening: boolean;
}) {
  return (
    <dl className="memoire">
      {Object.entries(context).map(([member, value]) => {
        const how = changed.get(member);
        return (
          <div key={member} className={how ? 'memoire__change' : undefined}>
            <dt>
              {member}
              {how && !opening && <span className="fr-text--xs"> ({[...new Set(how)].slice(0, 3).join(', ')})</span>}
            </dt>
            <dd>{how && !opening ? <mark>{written(value)}</mark> : written(value)}</dd>
          </div>
        );
      })}
    </dl>
  );
}

/** A value of the context as one line of text. */
function written(value: unknown): string {
  if (value === null || value === undefined) return '—';
  if (typeof value === 'boolean') return value ? 'oui' : 'non';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'aucun' : value.map(written).join(', ');
  const entries = Object.entries(value);
  if (entries.length === 0) return 'aucun';
  if (entries.length > 8) return `${entries.length} : ${entries.slice(-3).map(([name]) => name)}…`;
  return entries.map(([name, one]) => `${name} : ${written(one)}`).join(' ; ');
}
