import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { useQuery } from '@tanstack/react-query';
import { NavLink, Outlet, useParams } from 'react-router';
import { Loaded } from './loaded.tsx';
import { Page } from './page.tsx';
import { type ListedDossier, pageOfDossiers, useWorkflow, type Workflow } from './reading.ts';
import type { Seen } from './seen.ts';
import { StateBadge } from './state.tsx';
import { days, daysBetween, inWords, periodInWords, short, today } from './words.ts';

/** The dossier as the list shows it: who, what, where it stands. Null when there is none, or none that the caller sees. */
function useListed(id: string) {
  return useQuery({
    queryKey: ['dossier', id, 'listed'],
    queryFn: async () => (await pageOfDossiers({ q: id, limit: 1 })).items.find((one) => one.id === id) ?? null,
  });
}

/** A dossier: its head, then one of its views, each with an address of its own. */
export function Component() {
  const { id = '' } = useParams();
  const listed = useListed(id);
  return (
    <Loaded query={listed}>
      {(dossier) =>
        dossier === null ? (
          <Page title="Dossier introuvable" trail={TRAIL}>
            <p className="fr-text--lead">Ce dossier n’existe pas, ou ne vous est pas visible.</p>
          </Page>
        ) : (
          <Known dossier={dossier} />
        )
      }
    </Loaded>
  );
}

const TRAIL = [{ label: 'Dossiers', to: '/dossiers' }];

/** The views; what one is about to open is loaded as soon as the pointer or the focus is on its name. */
const VIEWS = [
  { path: '', text: 'Chronologie', load: () => import('./chronologie.tsx') },
  { path: 'agir', text: 'Agir', load: () => import('./agir.tsx') },
  { path: 'rejouer', text: 'Rejouer', load: () => import('./rejouer.tsx') },
  { path: 'machine', text: 'Machine', load: () => import('./machine.tsx') },
  { path: 'constats', text: 'Constats', load: () => import('./constats.tsx') },
  { path: 'preuve', text: 'Preuve', load: () => import('./preuve.tsx') },
];

function Known({ dossier }: { dossier: ListedDossier }) {
  const { id, summary, workflow: named } = dossier;
  const workflow = useWorkflow(named.name, named.version);
  const title = [summary.prestataire, summary.offre].filter(Boolean).join(' · ');
  return (
    <Page title={title} trail={TRAIL}>
      <Head dossier={dossier} />
      <Loaded query={workflow}>
        {(found) => (
          <>
            <Milestones dossier={dossier} workflow={found} />
            <nav className="onglets" aria-label="Vues du dossier">
              <ul>
                {VIEWS.map(({ path, text, load }) => (
                  <li key={text}>
                    <NavLink
                      to={`/dossiers/${id}${path && `/${path}`}`}
                      end={path === ''}
                      preventScrollReset
                      onPointerEnter={() => void load()}
                      onFocus={() => void load()}
                    >
                      {text}
                    </NavLink>
                  </li>
                ))}
              </ul>
            </nav>
            <Outlet context={{ dossier, workflow: found } satisfies Seen} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Head({ dossier }: { dossier: ListedDossier }) {
  const { summary, state, label, final, jalonSince, nextDeadline, targets } = dossier;
  const facts = [
    ['Référentiel', summary.referentiel],
    ['Chargé de qualification', summary.charge ?? 'aucun pour le moment'],
    ['Centre d’évaluation', summary.centre],
    ['SIREN', summary.siren],
  ].filter((pair): pair is [string, string] => pair[1] !== undefined);
  return (
    <div className="tete">
      <p className="groupe fr-mb-1w">
        <StateBadge state={state} label={label} final={final} />
        <span>
          depuis le {inWords(jalonSince)}
          {!final && ` (${days(daysBetween(jalonSince, today()))})`}
        </span>
      </p>
      <dl className="en-ligne">
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {nextDeadline && (
          <div>
            <dt>Prochaine échéance</dt>
            <dd>
              {nextDeadline.label}, le {short(nextDeadline.due)}{' '}
              {nextDeadline.overdue && (
                <Badge severity="error" small as="span">
                  Dépassée
                </Badge>
              )}
            </dd>
          </div>
        )}
        {Object.entries(targets).map(([jalon, { periode, missed }]) => (
          <div key={jalon}>
            <dt>Cible annoncée pour {jalon}</dt>
            <dd>
              {periodInWords(periode)}{' '}
              {missed && (
                <Badge severity="warning" small as="span">
                  Manquée
                </Badge>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** The way from the application to J3: what was crossed and when, how long each took, where the dossier stands. */
function Milestones({ dossier, workflow }: { dossier: ListedDossier; workflow: Workflow }) {
  const { openedAt, crossed, jalon: towards } = dossier;
  const names = [...new Set(workflow.facts.flatMap(({ crosses }) => crosses ?? []))];
  let before = openedAt;
  const steps = names.map((jalon) => {
    const on = crossed[jalon]?.effectiveAt;
    const took = on === undefined ? undefined : daysBetween(before, on);
    if (on !== undefined) before = on;
    const means = workflow.facts.filter(({ crosses }) => crosses === jalon).map(({ label }) => label);
    return { jalon, on, took, means: means.join(' ou ') };
  });
  return (
    <ol className="jalons" aria-label="Jalons">
      <li className="jalons__franchi">
        <strong>Candidature</strong>
        <span>{inWords(openedAt)}</span>
      </li>
      {steps.map(({ jalon, on, took, means }) => (
        <li
          key={jalon}
          className={on ? 'jalons__franchi' : undefined}
          aria-current={jalon === towards ? 'step' : undefined}
        >
          <strong>
            <abbr title={means}>{jalon}</abbr>
          </strong>
          {on ? (
            <>
              <span>{inWords(on)}</span>
              <span className="jalons__duree">en {days(took as number)}</span>
            </>
          ) : (
            <span>{jalon === towards ? 'en cours' : 'à venir'}</span>
          )}
        </li>
      ))}
    </ol>
  );
}
