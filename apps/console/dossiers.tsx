import { Button } from '@codegouvfr/react-dsfr/Button';
import { Input } from '@codegouvfr/react-dsfr/Input';
import { SearchBar } from '@codegouvfr/react-dsfr/SearchBar';
import { Select } from '@codegouvfr/react-dsfr/Select';
import { Tag } from '@codegouvfr/react-dsfr/Tag';
import { useState } from 'react';
import { Link, useLocation, useNavigate, useSearchParams } from 'react-router';
import { csvOf, save } from './download.ts';
import { Loaded, ProblemAlert } from './loaded.tsx';
import { Page } from './page.tsx';
import {
  type ListedDossier,
  type ListQuery,
  pageOfDossiers,
  useDefaultWorkflow,
  useDossiers,
  type Workflow,
} from './reading.ts';
import { useSession } from './session.ts';
import { JalonBadge, StateBadge } from './state.tsx';
import { type Column, DataTable } from './table.tsx';
import { counted, days, daysBetween, jalonInWords, short, today } from './words.ts';

/** What the list can be narrowed by, and what it is called. The address of the page holds all of it. */
const FILTERS = {
  q: 'Recherche',
  jalon: 'Jalon',
  state: 'État',
  prestataire: 'Prestataire',
  charge: 'Chargé de qualification',
  referentiel: 'Référentiel',
  centre: 'Centre d’évaluation',
} as const;
type Filter = keyof typeof FILTERS;
const filters = Object.keys(FILTERS) as Filter[];

/** Dossiers: the list, narrowed, sorted and paged by its address, so that it can be shared. */
export function Component() {
  const [given] = useSearchParams();
  const workflow = useDefaultWorkflow();
  const asked: ListQuery = { limit: 50 };
  for (const name of [...filters, 'sort', 'cursor', 'waiting'] as const) {
    const value = given.get(name);
    if (value) Object.assign(asked, { [name]: value });
  }
  const page = useDossiers(asked);
  return (
    <Page title="Dossiers">
      <Opening workflow={workflow.data} />
      <Narrowing key={given.toString()} workflow={workflow.data} />
      <Narrowed workflow={workflow.data} />
      <Loaded query={page}>
        {({ items, cursor }) =>
          items.length === 0 ? (
            <Nothing narrowed={filters.some((name) => given.has(name))} />
          ) : (
            <div aria-busy={page.isPlaceholderData}>
              <Listed items={items} sort={asked.sort ?? '-updatedAt'} />
              <Pages count={items.length} cursor={cursor} asked={asked} />
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}

/** The way to open a dossier, for the roles that may. */
function Opening({ workflow }: { workflow: Workflow | undefined }) {
  const session = useSession();
  const opening = workflow?.facts.find((fact) => 'opens' in fact && fact.opens);
  const by = (opening as { by?: string[] } | undefined)?.by ?? [];
  if (!session?.roles.some((role) => by.includes(role))) return null;
  return (
    <Button className="fr-mb-3w" iconId="fr-icon-add-line" linkProps={{ to: '/dossiers/nouveau' }}>
      Ouvrir un dossier
    </Button>
  );
}

function Narrowing({ workflow }: { workflow: Workflow | undefined }) {
  const [given, change] = useSearchParams();
  const jalons = [...new Set((workflow?.states ?? []).map(({ jalon }) => jalon))];
  const narrow = (name: string, value: string) =>
    change(
      (before) => {
        const next = new URLSearchParams(before);
        next.delete('cursor');
        if (value.trim()) next.set(name, value.trim());
        else next.delete(name);
        return next;
      },
      { preventScrollReset: true },
    );
  const choice = (name: Filter, options: { value: string; label: string }[]) => (
    <Select
      label={FILTERS[name]}
      nativeSelectProps={{ value: given.get(name) ?? '', onChange: ({ target }) => narrow(name, target.value) }}
    >
      <option value="">Tous</option>
      {options.map(({ value, label }) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </Select>
  );
  return (
    <search>
      <SearchBar
        className="fr-mb-3w"
        label="Chercher un prestataire, une offre, un identifiant"
        onButtonClick={(text) => narrow('q', text)}
        allowEmptySearch
        renderInput={({ className, id, placeholder, type }) => (
          <input
            className={className}
            id={id}
            placeholder={placeholder}
            type={type}
            name="q"
            defaultValue={given.get('q') ?? ''}
            aria-keyshortcuts="/"
            onKeyDown={({ key, currentTarget }) => key === 'Enter' && narrow('q', currentTarget.value)}
          />
        )}
      />
      <div className="fr-grid-row fr-grid-row--gutters fr-mb-1w">
        <div className="fr-col-12 fr-col-md-3">
          {choice(
            'jalon',
            jalons.map((jalon) => ({ value: jalon, label: jalonInWords(jalon) })),
          )}
        </div>
        <div className="fr-col-12 fr-col-md-3">
          {choice(
            'state',
            (workflow?.states ?? [])
              .filter(({ jalon }) => !given.get('jalon') || given.get('jalon') === jalon)
              .map(({ state, label }) => ({ value: state, label })),
          )}
        </div>
        {(['prestataire', 'charge'] as const).map((name) => (
          <form
            key={name}
            className="fr-col-12 fr-col-md-3"
            onSubmit={(event) => {
              event.preventDefault();
              narrow(name, String(new FormData(event.currentTarget).get(name) ?? ''));
            }}
          >
            <Input
              label={FILTERS[name]}
              nativeInputProps={{ name, defaultValue: given.get(name) ?? '', autoComplete: 'off' }}
              addon={
                <Button type="submit" priority="secondary" title={`Filtrer par ${FILTERS[name].toLowerCase()}`}>
                  Filtrer
                </Button>
              }
            />
          </form>
        ))}
      </div>
    </search>
  );
}

/** What the list is narrowed by: each can be taken away. */
function Narrowed({ workflow }: { workflow: Workflow | undefined }) {
  const [given, change] = useSearchParams();
  const active = filters.flatMap((name) => {
    const value = given.get(name);
    return value ? [{ name, value }] : [];
  });
  if (active.length === 0) return null;
  const said = ({ name, value }: { name: Filter; value: string }) => {
    if (name === 'state') return workflow?.states.find(({ state }) => state === value)?.label ?? value;
    return name === 'jalon' ? jalonInWords(value) : value;
  };
  return (
    <ul className="fr-tags-group" aria-label="Filtres en cours">
      {active.map((one) => (
        <li key={one.name}>
          <Tag
            dismissible
            nativeButtonProps={{
              'aria-label': `Retirer le filtre ${FILTERS[one.name]} : ${said(one)}`,
              // At once: the design system looks whether it is gone.
              onClick: () =>
                change((before) => without(before, one.name), { preventScrollReset: true, flushSync: true }),
            }}
          >
            {`${FILTERS[one.name]} : ${said(one)}`}
          </Tag>
        </li>
      ))}
    </ul>
  );
}

function without(query: URLSearchParams, ...names: string[]): URLSearchParams {
  const next = new URLSearchParams(query);
  for (const name of [...names, 'cursor']) next.delete(name);
  return next;
}

function Nothing({ narrowed }: { narrowed: boolean }) {
  return narrowed ? (
    <p className="fr-text--lead" role="status">
      Aucun dossier ne correspond. Retirez un filtre, ou <Link to="/dossiers">montrez tous les dossiers</Link>.
    </p>
  ) : (
    <p className="fr-text--lead" role="status">
      Aucun dossier pour le moment. Un dossier s’ouvre par le dépôt d’une candidature.
    </p>
  );
}

function Listed({ items, sort }: { items: readonly ListedDossier[]; sort: string }) {
  const [given] = useSearchParams();
  const { pathname } = useLocation();
  const sorted = (name: string): NonNullable<Column<ListedDossier>['sort']> => {
    const next = without(given);
    next.set('sort', sort === name ? `-${name}` : name);
    const now = sort === name ? 'ascending' : sort === `-${name}` ? 'descending' : 'none';
    return { to: `${pathname}?${next}`, now };
  };
  const columns: Column<ListedDossier>[] = [
    {
      label: 'Prestataire',
      names: true,
      sort: sorted('prestataire'),
      cell: ({ id, summary }) => <Link to={`/dossiers/${id}`}>{summary.prestataire}</Link>,
    },
    { label: 'Offre', sort: sorted('offre'), cell: ({ summary }) => summary.offre },
    { label: 'Jalon', cell: ({ jalon }) => <JalonBadge jalon={jalon} /> },
    { label: 'État', cell: ({ label, state, final }) => <StateBadge state={state} label={label} final={final} /> },
    {
      label: 'Depuis',
      sort: sorted('jalonSince'),
      cell: ({ jalonSince, final }) => (final ? short(jalonSince) : days(daysBetween(jalonSince, today()))),
    },
    { label: 'Chargé', cell: ({ summary }) => summary.charge ?? '' },
    {
      label: 'Prochaine échéance',
      sort: sorted('nextDeadline'),
      cell: ({ nextDeadline }) =>
        nextDeadline && (
          <>
            {short(nextDeadline.due)}
            {nextDeadline.overdue && <strong> (dépassée)</strong>}
            <br />
            <span className="fr-text--xs">{nextDeadline.label}</span>
          </>
        ),
    },
    { label: 'Mis à jour', sort: sorted('updatedAt'), cell: ({ updatedAt }) => short(updatedAt.effectiveAt) },
  ];
  return <DataTable caption="Dossiers" hidden columns={columns} rows={items} keyOf={({ id }) => id} />;
}

function Pages({ count, cursor, asked }: { count: number; cursor: string | undefined; asked: ListQuery }) {
  const [given] = useSearchParams();
  const { state } = useLocation();
  const navigate = useNavigate();
  const before = (state as { before?: string[] } | null)?.before ?? [];
  const to = (next: string | undefined, trail: string[]) => {
    const query = without(given);
    if (next) query.set('cursor', next);
    void navigate(`/dossiers?${query}`, { state: { before: trail } });
  };
  return (
    <div className="sous-tableau">
      <p role="status" className="fr-mb-0">
        {counted(count, 'dossier')} {cursor || asked.cursor ? 'sur cette page' : ''}
      </p>
      <nav aria-label="Pages de la liste" className="groupe">
        {asked.cursor && (
          <Button
            priority="tertiary"
            iconId="fr-icon-arrow-left-s-line"
            onClick={() => to(before.at(-1) || undefined, before.slice(0, -1))}
          >
            {before.length > 0 ? 'Page précédente' : 'Première page'}
          </Button>
        )}
        {cursor && (
          <Button
            priority="tertiary"
            iconId="fr-icon-arrow-right-s-line"
            iconPosition="right"
            onClick={() => to(cursor, [...before, asked.cursor ?? ''])}
          >
            Page suivante
          </Button>
        )}
      </nav>
      <Export asked={asked} />
    </div>
  );
}

/** Everything that the filters let through, page after page, as a file for a spreadsheet. */
function Export({ asked }: { asked: ListQuery }) {
  const [read, setRead] = useState<number | null>(null);
  const [fault, setFault] = useState<Error | null>(null);
  const collect = async () => {
    setFault(null);
    try {
      const all: ListedDossier[] = [];
      const { cursor: _, ...query } = asked;
      let cursor: string | undefined;
      do {
        setRead(all.length);
        const page = await pageOfDossiers({ ...query, limit: 200, ...(cursor ? { cursor } : {}) });
        all.push(...page.items);
        cursor = page.cursor;
      } while (cursor);
      save('dossiers.csv', csvOf([HEAD, ...all.map(row)]), 'text/csv;charset=utf-8');
    } catch (caught) {
      setFault(caught as Error);
    } finally {
      setRead(null);
    }
  };
  return (
    <>
      <Button
        priority="tertiary"
        iconId="fr-icon-download-line"
        disabled={read !== null}
        onClick={() => void collect()}
      >
        {read === null ? 'Exporter (CSV)' : `Lecture… ${counted(read, 'dossier')}`}
      </Button>
      {fault && <ProblemAlert fault={fault} />}
    </>
  );
}

const MILESTONES = ['J0', 'J1', 'J2', 'J3'];
const HEAD = ['dossier', 'prestataire', 'siren', 'offre', 'référentiel', 'jalon', 'état', 'depuis le', 'chargé'].concat(
  ['centre', 'déposé le', ...MILESTONES, 'prochaine échéance', 'le', 'mis à jour le'],
);

function row({ id, summary, jalon, label, jalonSince, openedAt, crossed, nextDeadline, updatedAt }: ListedDossier) {
  const { prestataire, siren, offre, referentiel, charge, centre } = summary;
  return [id, prestataire, siren, offre, referentiel, jalonInWords(jalon), label, jalonSince, charge, centre, openedAt]
    .concat(MILESTONES.map((milestone) => crossed[milestone]?.effectiveAt))
    .concat([nextDeadline?.label, nextDeadline?.due, updatedAt.effectiveAt]);
}
