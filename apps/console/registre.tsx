import './registre.css';
import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { Pagination } from '@codegouvfr/react-dsfr/Pagination';
import { SearchBar } from '@codegouvfr/react-dsfr/SearchBar';
import { Select } from '@codegouvfr/react-dsfr/Select';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, ask, type Schemas } from './client.ts';
import { csvOf, save } from './download.ts';
import { Loaded } from './loaded.tsx';
import { Page } from './page.tsx';
import { useDefaultWorkflow } from './reading.ts';
import { useSession } from './session.ts';
import { counted, inWords, plain } from './words.ts';

type Registered = Schemas['Registered'];

/** How many qualifications a page shows. */
const SHOWN = 50;

/** Registre: what is qualified or was, until when, under which conditions. Public; narrowed and paged by its address. */
export function Component() {
  const register = useQuery({ queryKey: ['register'], queryFn: readRegister });
  return (
    <Page title="Registre des services qualifiés">
      <p className="fr-text--lead">
        Les services en nuage que l’ANSSI a qualifiés : la durée et les conditions de chaque qualification, et ce
        qu’elle est devenue. Tout le monde peut lire cette page.
      </p>
      <Loaded query={register}>{(all) => <Register all={all} />}</Loaded>
    </Page>
  );
}

/** The whole register in one answer, a qualification per line. */
async function readRegister(): Promise<Registered[]> {
  const lines = await ask<string>(
    api.GET('/api/register', { headers: { accept: 'application/x-ndjson' }, parseAs: 'text' }),
  );
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

function Register({ all }: { all: readonly Registered[] }) {
  const [given, change] = useSearchParams();
  const narrow = (name: string, value: string) =>
    change(
      (before) => {
        const next = new URLSearchParams(before);
        next.delete('page');
        if (value.trim()) next.set(name, value.trim());
        else next.delete(name);
        return next;
      },
      { preventScrollReset: true },
    );
  if (all.length === 0) return <p className="fr-text--lead">Aucune qualification n’a encore été accordée.</p>;
  const found = all.filter(wanted(given));
  const pages = Math.max(1, Math.ceil(found.length / SHOWN));
  const page = Math.min(Math.max(1, Number(given.get('page')) || 1), pages);
  return (
    <>
      <Narrowing all={all} given={given} narrow={narrow} />
      <div className="sous-tableau">
        <p role="status" className="fr-mb-2w">
          {found.length === 0
            ? 'Aucune qualification ne correspond.'
            : `${counted(found.length, 'qualification')}${pages > 1 ? `, page ${page} sur ${pages}` : ''}.`}
        </p>
        <Button
          className="ecran fr-mb-2w"
          priority="tertiary"
          iconId="fr-icon-download-line"
          onClick={() => save('registre.csv', csvOf([[...HEAD], ...found.flatMap(linesOf)]), 'text/csv;charset=utf-8')}
        >
          Exporter (CSV)
        </Button>
      </div>
      <ul className="fr-raw-list">
        {found.slice((page - 1) * SHOWN, page * SHOWN).map((one) => (
          <li key={one.dossier} id={`q-${one.dossier}`} className="carte qualification">
            <Qualification of={one} />
          </li>
        ))}
      </ul>
      {pages > 1 && (
        <Pagination
          className="ecran fr-mt-3w"
          count={pages}
          defaultPage={page}
          getPageLinkProps={(to) => {
            const query = new URLSearchParams(given);
            query.set('page', String(to));
            return { to: `/registre?${query}` };
          }}
        />
      )}
      <p className="fr-text--sm fr-mt-4w">
        Un programme lit le même registre à l’adresse <code>/api/register</code>, sans jeton, en JSON, en CSV ou en JSON
        Lines : <a href="/docs">documentation de l’API</a>.
      </p>
    </>
  );
}

/** Whether a qualification is among those that the address asks for. */
function wanted(given: URLSearchParams): (one: Registered) => boolean {
  const words = plain(given.get('q') ?? '')
    .split(/\s+/)
    .filter(Boolean);
  const statut = given.get('statut');
  const type = given.get('type');
  return (one) => {
    const text = plain([one.prestataire, one.offre, one.decision, ...one.services.map(({ nom }) => nom)].join(' '));
    return (
      words.every((word) => text.includes(word)) &&
      (!statut || standingOf(one).code === statut) &&
      (!type || one.services.some((service) => service.type === type))
    );
  };
}

type NarrowingProps = {
  all: readonly Registered[];
  given: URLSearchParams;
  narrow: (name: string, value: string) => void;
};

function Narrowing({ all, given, narrow }: NarrowingProps) {
  const wished = given.get('q') ?? '';
  const [text, type] = useState(wished);
  // The address also changes by « back » and by links.
  useEffect(() => type(wished), [wished]);
  const statuts = new Map(all.map((one) => [standingOf(one).code, standingOf(one).label]));
  const types = new Map(all.flatMap(({ services }) => services.map((service) => [service.type, service.type])));
  const choice = (name: string, label: string, options: ReadonlyMap<string, string>) => (
    <div className="fr-col-12 fr-col-md-3">
      <Select
        label={label}
        nativeSelectProps={{ value: given.get(name) ?? '', onChange: ({ target }) => narrow(name, target.value) }}
      >
        <option value="">Tous</option>
        {[...options].map(([value, said]) => (
          <option key={value} value={value}>
            {said}
          </option>
        ))}
      </Select>
    </div>
  );
  return (
    <search className="ecran">
      <SearchBar
        className="fr-mb-3w"
        label="Chercher un prestataire, une offre, un service, une décision"
        onButtonClick={(asked) => narrow('q', asked)}
        allowEmptySearch
        renderInput={({ className, id, placeholder, type: kind }) => (
          <input
            className={className}
            id={id}
            placeholder={placeholder}
            type={kind}
            name="q"
            value={text}
            aria-keyshortcuts="/"
            onChange={({ target }) => type(target.value)}
          />
        )}
      />
      <div className="fr-grid-row fr-grid-row--gutters fr-mb-1w">
        {choice('statut', 'Statut', statuts)}
        {choice('type', 'Type de service', types)}
      </div>
    </search>
  );
}

const STATUTS: Readonly<Record<Registered['statut'], string>> = {
  valide: 'Valide',
  suspendue: 'Suspendue',
  abrogee: 'Abrogée',
  retiree: 'Retirée',
  renoncee: 'Renonciation',
  expiree: 'Expirée',
};

/** What a qualification is today: one that was granted may not have begun. */
function standingOf({ statut, valide, valideDu }: Registered) {
  if (statut === 'valide' && !valide)
    return {
      code: 'a-venir',
      label: 'À venir',
      said: `Valide à partir du ${inWords(valideDu)}`,
      severity: 'info',
    } as const;
  const severity = statut === 'valide' ? 'success' : statut === 'suspendue' ? 'warning' : 'error';
  return { code: statut, label: STATUTS[statut], said: STATUTS[statut], severity } as const;
}

function Qualification({ of: one }: { of: Registered }) {
  const { dossier, prestataire, offre, services, referentiel, decision, valideDu, valideJusquAu, conditions } = one;
  const { said, severity } = standingOf(one);
  const seesAll = useSeesAll();
  return (
    <article>
      <h2 className="fr-h5 fr-mb-1w">
        {prestataire} · {offre}
      </h2>
      <p className="fr-mb-2w">
        <Badge severity={severity} as="span">
          {said}
        </Badge>
      </p>
      <dl className="en-ligne">
        <div>
          <dt>Validité</dt>
          <dd>
            du {inWords(valideDu)} au {inWords(valideJusquAu)}
          </dd>
        </div>
        <div>
          <dt>Référentiel</dt>
          <dd>
            {referentiel.nom} {referentiel.version}
          </dd>
        </div>
        <div>
          <dt>Décision</dt>
          <dd>
            {decision}, du {inWords(one.decideeLe)}
            {one.publieeLe && `, publiée le ${inWords(one.publieeLe)}`}
          </dd>
        </div>
      </dl>
      <h3 className="fr-h6 fr-mb-0">{services.length > 1 ? 'Services qualifiés' : 'Service qualifié'}</h3>
      <ul>
        {services.map(({ id, nom, type }) => (
          <li key={id}>
            {nom}
            {type && !nom.endsWith(type) && ` (${type})`}
          </li>
        ))}
      </ul>
      <h3 className="fr-h6 fr-mb-0">Conditions</h3>
      {conditions.length === 0 ? (
        <p>Aucune condition.</p>
      ) : (
        <ul>
          {conditions.map((condition, rank) => (
            <li key={rank}>{condition}</li>
          ))}
        </ul>
      )}
      <History of={one} />
      {seesAll && (
        <p className="ecran fr-mb-0 fr-mt-2w">
          <Link className="fr-link" to={`/dossiers/${dossier}`}>
            Voir le dossier<span className="fr-sr-only"> de {offre}</span>
          </Link>
        </p>
      )}
    </article>
  );
}

/** What became of a qualification, from which day on, and by which decision. */
function History({ of: { historique } }: { of: Registered }) {
  return (
    <>
      <h3 className="fr-h6 fr-mb-0">Historique</h3>
      <ol className="qualification__etapes">
        {historique.map(({ statut, depuis, decision }, rank) => (
          <li key={rank}>
            <strong>{STATUTS[statut]}</strong> à partir du {inWords(depuis)}
            {decision && ` (décision ${decision})`}
          </li>
        ))}
      </ol>
    </>
  );
}

/** Whether whoever is here may also open the dossier behind any qualification. */
function useSeesAll(): boolean {
  const session = useSession();
  const roles = useDefaultWorkflow().data?.roles;
  return session?.roles.some((role) => roles?.[role]?.sees === 'all') ?? false;
}

const HEAD = ['dossier', 'prestataire', 'offre', 'référentiel', 'service', 'type', 'statut', 'valide du'].concat([
  'valide jusqu’au',
  'décision',
  'décidée le',
  'notifiée le',
  'publiée le',
  'conditions',
]);

/** A qualification as lines of a table, one per service. */
function linesOf(one: Registered): (string | undefined)[][] {
  const { dossier, prestataire, offre, referentiel, services, valideDu, valideJusquAu, decision, conditions } = one;
  return services.map(({ nom, type }) => [
    ...[dossier, prestataire, offre, `${referentiel.nom} ${referentiel.version}`, nom, type, standingOf(one).label],
    ...[valideDu, valideJusquAu, decision, one.decideeLe, one.notifieeLe ?? undefined, one.publieeLe ?? undefined],
    conditions.join(' | '),
  ]);
}
