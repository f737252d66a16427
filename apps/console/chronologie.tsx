import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { Checkbox } from '@codegouvfr/react-dsfr/Checkbox';
import { Input } from '@codegouvfr/react-dsfr/Input';
import { Select } from '@codegouvfr/react-dsfr/Select';
import { lazy, type ReactNode, Suspense, useEffect, useMemo } from 'react';
import { Link, useLocation, useSearchParams } from 'react-router';
import { Content } from './content.tsx';
import { ANNULMENT, correctionPath, isCorrection, latestOf, RECTIFICATION } from './correction.ts';
import { Loaded, Waiting } from './loaded.tsx';
import { type Entry, type Schema, type Timeline, useSchemas, useTimeline, type Workflow } from './reading.ts';
import { useSeen } from './seen.ts';
import { useSession } from './session.ts';
import { counted, dayOf, days, inWords, jalonInWords, momentInWords, periodInWords, plain } from './words.ts';

const TimeAxis = lazy(() => import('./time-axis.tsx'));

/** Chronologie: what happened, grouped by milestone, newest first, with who, for whom, and since when it is known. */
export function Component() {
  const { dossier } = useSeen();
  return <Loaded query={useTimeline(dossier.id)}>{(timeline) => <Told timeline={timeline} />}</Loaded>;
}

/** What the view is narrowed by; its address holds it. */
type Narrowing = { text: string; type: string; role: string; since: string; until: string; milestones: boolean };

function Told({ timeline }: { timeline: Timeline }) {
  const { workflow } = useSeen();
  const [query] = useSearchParams();
  const oldestFirst = query.get('ordre') === 'ancien';
  const axis = query.get('axe') === 'temps';
  const narrowing: Narrowing = {
    text: query.get('texte') ?? '',
    type: query.get('fait') ?? '',
    role: query.get('role') ?? '',
    since: query.get('du') ?? '',
    until: query.get('au') ?? '',
    milestones: query.get('jalons') === 'seuls',
  };
  const { entries, revision } = timeline;
  const types = useMemo(() => [...new Set(entries.map(({ type }) => type))], [entries]);
  const schemas = useSchemas(timeline.workflow, types);
  const shown = entries.filter((entry) => keeps(narrowing, entry));
  const groups = grouped(oldestFirst ? shown : shown.toReversed());
  const withheld = revision + 1 - entries.length;
  useArrivalAtEntry(entries.length);
  return (
    <>
      <h2 className="fr-sr-only">Chronologie</h2>
      <Filters {...{ timeline, workflow, narrowing, oldestFirst, axis }} />
      <p role="status">
        {counted(shown.length, 'fait')}
        {shown.length < entries.length && ` sur ${entries.length}`}.
        {withheld > 0 &&
          ` ${withheld > 1 ? `${withheld} faits de ce dossier ne vous sont pas montrés` : 'Un fait de ce dossier ne vous est pas montré'}.`}
      </p>
      {axis && (
        <Suspense fallback={<Waiting />}>
          <TimeAxis timeline={timeline} />
        </Suspense>
      )}
      {groups.map(([jalon, list]) => (
        <section key={jalon} className="etape">
          <StageHeading jalon={jalon} timeline={timeline} />
          <ol className="frise" reversed={!oldestFirst}>
            {list.map((entry) => (
              <li key={entry.id} id={`r${entry.revision}`} tabIndex={-1}>
                <Told1 entry={entry} timeline={timeline} workflow={workflow} schemas={schemas} />
              </li>
            ))}
          </ol>
        </section>
      ))}
    </>
  );
}

/** A permalink leads to its entry, which is only there once the timeline has been read. */
function useArrivalAtEntry(count: number): void {
  const { hash } = useLocation();
  useEffect(() => {
    const target = /^#r\d+$/.test(hash) ? document.getElementById(hash.slice(1)) : null;
    target?.scrollIntoView({ block: 'center' });
    target?.focus({ preventScroll: true });
  }, [hash, count > 0]);
}

function keeps({ text, type, role, since, until, milestones }: Narrowing, entry: Entry): boolean {
  if (milestones && !entry.crosses) return false;
  if (type && entry.type !== type) return false;
  if (role && entry.actor.role !== role && entry.onBehalfOf?.role !== role) return false;
  if ((since && entry.effectiveAt < since) || (until && entry.effectiveAt > until)) return false;
  if (!text) return true;
  const { actor, label, data } = entry;
  return plain(JSON.stringify([label, actor.nom, actor.org, actor.sub, data])).includes(plain(text));
}

function grouped(entries: readonly Entry[]): [string, Entry[]][] {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) groups.set(entry.jalon, [...(groups.get(entry.jalon) ?? []), entry]);
  return [...groups];
}

function StageHeading({ jalon, timeline }: { jalon: string; timeline: Timeline }) {
  const milestone = timeline.milestones.find((one) => one.jalon === jalon);
  const on = milestone?.effectiveAt;
  const took = milestone?.daysSincePrevious ?? milestone?.daysSinceOpening;
  return (
    <h3 className="fr-h5">
      {/^J\d/.test(jalon) ? `Vers ${jalon}` : jalonInWords(jalon)}
      {on && (
        <span className="etape__date">
          {' '}
          franchi le {inWords(on)}
          {typeof took === 'number' && `, en ${days(took)}`}
        </span>
      )}
    </h3>
  );
}

type ToldProps = {
  entry: Entry;
  timeline: Timeline;
  workflow: Workflow;
  schemas: ReadonlyMap<string, Schema>;
};

/** One fact: when it was true, what, who, for whom, and all that was recorded with it. */
function Told1({ entry, timeline, workflow, schemas }: ToldProps) {
  const { label, type, effectiveAt, recordedAt, revision, crosses, corrected, source, data, erased } = entry;
  const target = timeline.targets.find(({ fact }) => fact === entry.id);
  const annulled = corrected?.kind === 'annulled';
  const Title = annulled ? 'del' : 'span';
  return (
    <article className={crosses ? 'fait fait--jalon' : 'fait'}>
      <p className="fait__date">
        <time dateTime={effectiveAt}>{inWords(effectiveAt)}</time>
      </p>
      <h4 className="fait__titre">
        <Title>{label}</Title>{' '}
        {crosses && (
          <Badge small severity="success" noIcon as="span">
            {crosses} franchi
          </Badge>
        )}{' '}
        {target && (
          <Badge small severity={target.missed ? 'warning' : 'info'} noIcon as="span">
            {target.jalon} : {periodInWords(target.periode)}
            {target.missed && ', manquée'}
          </Badge>
        )}
      </h4>
      <p className="fait__qui">
        <Who entry={entry} workflow={workflow} />
      </p>
      {dayOf(recordedAt) !== effectiveAt && <p className="fait__note">Enregistré le {momentInWords(recordedAt)}.</p>}
      {source && <p className="fait__note">{sourceInWords(source)}</p>}
      {corrected && (
        <p className="fait__note">
          {annulled ? 'Annulé' : 'Rectifié'} depuis : <Link to={`#r${corrected.revision}`}>voir la correction</Link>.
        </p>
      )}
      {erased ? (
        <p className="fait__note">Son contenu a été effacé ; son empreinte demeure.</p>
      ) : isCorrection(type) ? (
        <Correction entry={entry} timeline={timeline} />
      ) : (
        <Content data={data ?? {}} schema={schemas.get(type)} />
      )}
      {corrected && !annulled && (
        <>
          <p className="fait__note">
            Tel que rectifié
            {corrected.effectiveAt && `, effectif le ${inWords(corrected.effectiveAt)}`} :
          </p>
          <Content data={latestOf(entry, timeline.entries)} schema={schemas.get(type)} />
        </>
      )}
      <p className="fait__note fait__pied">
        <Link to={`#r${revision}`}>Révision {revision}</Link> · <code>{type}</code>
        <Corrections entry={entry} timeline={timeline} workflow={workflow} />
      </p>
    </article>
  );
}

/** A correction: which fact it touches, and why. What it says of that fact is shown there, beside what was recorded. */
function Correction({ entry, timeline }: { entry: Entry; timeline: Timeline }) {
  const { fait, motif, effectiveAt } = (entry.data ?? {}) as { fait?: string; motif?: string; effectiveAt?: string };
  const touched = timeline.entries.find(({ id }) => id === fait);
  return (
    <dl className="contenu">
      <div>
        <dt>Fait en question</dt>
        <dd>
          {touched ? (
            <Link to={`#r${touched.revision}`}>
              {touched.label} (révision {touched.revision})
            </Link>
          ) : (
            fait
          )}
        </dd>
      </div>
      {effectiveAt && (
        <div>
          <dt>Date d’effet rectifiée</dt>
          <dd>{inWords(effectiveAt)}</dd>
        </div>
      )}
      {motif && (
        <div>
          <dt>Motif</dt>
          <dd className="texte">{motif}</dd>
        </div>
      )}
    </dl>
  );
}

/** The ways to correct a fact, for whoever may propose it; the opening is never annulled, nor is anything twice. */
function Corrections({ entry, timeline, workflow }: { entry: Entry; timeline: Timeline; workflow: Workflow }) {
  const roles = useSession()?.roles ?? [];
  const by = workflow.facts.find(({ type }) => type === entry.type)?.by ?? [];
  if (isCorrection(entry.type) || entry.corrected?.kind === 'annulled') return null;
  if (!roles.some((role) => (by as string[]).includes(role))) return null;
  const link = (type: string, text: string) => (
    <>
      {' · '}
      <Link to={correctionPath(timeline.id, type, entry.id)} className="ecran">
        {text}
        <span className="fr-sr-only"> : {entry.label}</span>
      </Link>
    </>
  );
  return (
    <>
      {link(RECTIFICATION, 'Rectifier')}
      {entry.revision > 0 && link(ANNULMENT, 'Annuler')}
    </>
  );
}

function Who({ entry: { actor, onBehalfOf }, workflow }: { entry: Entry; workflow: Workflow }): ReactNode {
  const role = (name: string) => workflow.roles[name]?.label ?? name;
  const person = actor.nom ?? actor.sub;
  return (
    <>
      {role(actor.role)}
      {actor.org && ` · ${actor.org}`} · {person}
      {onBehalfOf && (
        <>
          , pour le compte de : {role(onBehalfOf.role)}, {onBehalfOf.org}
          {onBehalfOf.nom && ` (${onBehalfOf.nom})`}
        </>
      )}
    </>
  );
}

const PRECISIONS: Readonly<Record<string, string>> = {
  day: 'au jour près',
  month: 'au mois près',
  quarter: 'au trimestre près',
  semester: 'au semestre près',
  year: 'à l’année près',
};

function sourceInWords({ kind, precision, url }: NonNullable<Entry['source']>): ReactNode {
  if (kind === 'reconstituted') return 'Étape reconstituée : sa date n’est pas publique.';
  const near = PRECISIONS[precision];
  return (
    <>
      Source publique{near && `, ${near}`}
      {url && (
        <>
          {' : '}
          <a href={url} target="_blank" rel="noreferrer" title={`${new URL(url).host} - nouvelle fenêtre`}>
            {new URL(url).host}
          </a>
        </>
      )}
      .
    </>
  );
}

type FiltersProps = {
  timeline: Timeline;
  workflow: Workflow;
  narrowing: Narrowing;
  oldestFirst: boolean;
  axis: boolean;
};

function Filters({ timeline: { entries }, workflow, narrowing, oldestFirst, axis }: FiltersProps) {
  const [, change] = useSearchParams();
  const set = (name: string, value: string) =>
    change(
      (before) => {
        const next = new URLSearchParams(before);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true, preventScrollReset: true },
    );
  const types = [...new Map(entries.map(({ type, label }) => [type, label]))];
  const roles = [...new Set(entries.flatMap(({ actor, onBehalfOf }) => [actor.role, onBehalfOf?.role ?? []].flat()))];
  return (
    <search className="ecran">
      <div className="fr-grid-row fr-grid-row--gutters">
        <div className="fr-col-12 fr-col-md-3">
          <Input
            label="Texte"
            nativeInputProps={{
              type: 'search',
              defaultValue: narrowing.text,
              onChange: ({ target }) => set('texte', target.value),
            }}
          />
        </div>
        <div className="fr-col-12 fr-col-md-3">
          <Select
            label="Fait"
            nativeSelectProps={{ value: narrowing.type, onChange: ({ target }) => set('fait', target.value) }}
          >
            <option value="">Tous</option>
            {types.map(([type, label]) => (
              <option key={type} value={type}>
                {label}
              </option>
            ))}
          </Select>
        </div>
        <div className="fr-col-12 fr-col-md-2">
          <Select
            label="Acteur"
            nativeSelectProps={{ value: narrowing.role, onChange: ({ target }) => set('role', target.value) }}
          >
            <option value="">Tous</option>
            {roles.map((role) => (
              <option key={role} value={role}>
                {workflow.roles[role]?.label ?? role}
              </option>
            ))}
          </Select>
        </div>
        {(['du', 'au'] as const).map((name) => (
          <div key={name} className="fr-col-6 fr-col-md-2">
            <Input
              label={name === 'du' ? 'Du' : 'Au'}
              nativeInputProps={{
                type: 'date',
                defaultValue: name === 'du' ? narrowing.since : narrowing.until,
                onChange: ({ target }) => set(name, target.value),
              }}
            />
          </div>
        ))}
      </div>
      <div className="groupe fr-mt-2w fr-mb-2w">
        <Checkbox
          small
          className="fr-mb-0"
          options={[
            {
              label: 'Jalons seulement',
              nativeInputProps: {
                checked: narrowing.milestones,
                onChange: ({ target }) => set('jalons', target.checked ? 'seuls' : ''),
              },
            },
          ]}
        />
        <Button
          size="small"
          priority="tertiary"
          iconId="fr-icon-arrow-up-down-line"
          onClick={() => set('ordre', oldestFirst ? '' : 'ancien')}
        >
          {oldestFirst ? 'Le plus récent d’abord' : 'Le plus ancien d’abord'}
        </Button>
        <Button
          size="small"
          priority="tertiary"
          iconId="fr-icon-time-line"
          nativeButtonProps={{ 'aria-pressed': axis }}
          onClick={() => set('axe', axis ? '' : 'temps')}
        >
          Axe du temps
        </Button>
        <Button size="small" priority="tertiary" iconId="fr-icon-printer-line" onClick={() => print()}>
          Imprimer
        </Button>
      </div>
    </search>
  );
}
