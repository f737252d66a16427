import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { useQuery } from '@tanstack/react-query';
import { Fragment, useState } from 'react';
import { Link } from 'react-router';
import { api, ask } from './client.ts';
import { Loaded, Waiting } from './loaded.tsx';
import { Page } from './page.tsx';
import {
  type Dossier,
  type ListedDossier,
  pageOfDossiers,
  useDeadlines,
  useDefaultWorkflow,
  useDossiers,
  type Workflow,
} from './reading.ts';
import { type Session, useSession } from './session.ts';
import { StateBadge } from './state.tsx';
import { addDays, days, daysBetween, jalonInWords, momentInWords, periodInWords, short, today } from './words.ts';

/** Tableau de bord: what waits for me, what is due, where every dossier stands, what others recorded since I was here. */
export function Component() {
  const session = useSession();
  const workflow = useDefaultWorkflow();
  return (
    <Page title="Tableau de bord">
      <Loaded query={workflow}>
        {(found) => {
          const sees = session?.roles.some((role) => found.roles[role]?.sees !== 'none');
          return sees && session ? <Board workflow={found} session={session} /> : <NoDossiers />;
        }}
      </Loaded>
    </Page>
  );
}

function NoDossiers() {
  return (
    <p className="fr-text--lead">
      Votre rôle ne donne accès à aucun dossier. Les <Link to="/procedures">procédures</Link> sont publiques.
    </p>
  );
}

function Board({ workflow, session }: { workflow: Workflow; session: Session }) {
  const acts = workflow.facts.some(({ by }) => by.some((role) => session.roles.includes(role)));
  return (
    <>
      {acts && <Waits />}
      <Deadlines />
      <Stages workflow={workflow} />
      <SinceLast session={session} />
    </>
  );
}

/** How many dossiers that wait are shown; the list shows the others. */
const SHOWN = 8;

/** What waits for me, oldest first, with what the procedure expects. */
function Waits() {
  const waiting = useDossiers({ waiting: 'me', sort: 'updatedAt', limit: SHOWN });
  return (
    <section aria-labelledby="a-traiter">
      <h2 id="a-traiter">À traiter</h2>
      <Loaded query={waiting}>
        {({ items, cursor }) =>
          items.length === 0 ? (
            <p className="fr-text--lead">Rien ne vous attend pour le moment.</p>
          ) : (
            <>
              <ul className="fr-raw-list cartes">
                {items.map((dossier) => (
                  <li key={dossier.id} className="carte">
                    <WaitingCard dossier={dossier} />
                  </li>
                ))}
              </ul>
              {cursor && (
                <p className="fr-mt-2w">
                  <Link to="/dossiers?waiting=me&sort=updatedAt">Tous les dossiers qui vous attendent</Link>
                </p>
              )}
            </>
          )
        }
      </Loaded>
    </section>
  );
}

function WaitingCard({ dossier }: { dossier: ListedDossier }) {
  const { id, summary, label, state, final, updatedAt } = dossier;
  const now = useQuery({
    queryKey: ['dossier', id, 'now'],
    queryFn: () => ask(api.GET('/api/dossiers/{id}', { params: { path: { id } } })),
  });
  const session = useSession();
  const duties = now.data && dutiesOf(now.data, session?.roles ?? []);
  return (
    <>
      <h3 className="fr-h6 fr-mb-1w">
        <Link to={`/dossiers/${id}`}>
          {summary.prestataire} · {summary.offre}
        </Link>
      </h3>
      <p className="fr-mb-1w">
        <StateBadge state={state} label={label} final={final} />{' '}
        <span className="fr-text--sm">depuis {days(daysBetween(updatedAt.effectiveAt, today()))}</span>
      </p>
      {now.isPending && <Waiting />}
      {duties?.map(({ sentence, acts }) => (
        <p key={sentence} className="fr-mb-1w">
          {sentence}
          {acts.map(({ type, label }) => (
            <Fragment key={type}>
              <br />
              <Link className="fr-link" to={`/dossiers/${id}/agir/${type}`}>
                {label}
              </Link>
            </Fragment>
          ))}
        </p>
      ))}
    </>
  );
}

type Duty = { sentence: string; acts: Dossier['possible'] };

/** What the procedure expects of these roles now: each sentence once, with the facts of which one answers it. */
function dutiesOf({ possible }: Dossier, roles: readonly string[]): Duty[] {
  const duties = new Map<string, Duty>();
  for (const one of possible) {
    const { sentence, of = [] } = one.expected ?? {};
    if (sentence === undefined || !of.some((role) => roles.includes(role))) continue;
    const duty = duties.get(sentence) ?? { sentence, acts: [] };
    duty.acts.push(one);
    duties.set(sentence, duty);
  }
  return [...duties.values()];
}

/** Days ahead in which a deadline is shown on the board. */
const AHEAD = 30;

/** Deadlines past and of the next thirty days, the oldest first. */
function Deadlines() {
  const before = addDays(today(), AHEAD + 1);
  const page = useDeadlines({ before, limit: SHOWN });
  return (
    <section aria-labelledby="echeances" className="fr-mt-6w">
      <h2 id="echeances">Échéances dépassées ou à moins de {AHEAD} jours</h2>
      <Loaded query={page}>
        {({ items, cursor }) => (
          <>
            {items.length === 0 && <p>Aucune.</p>}
            <ul className="fr-raw-list">
              {items.map(({ id, dossier, due, overdue, label, summary }) => (
                <li key={id} className="groupe fr-mb-1w">
                  <Badge small severity={overdue ? 'error' : 'warning'} as="span">
                    {overdue
                      ? `Dépassée de ${days(daysBetween(due, today()))}`
                      : `Dans ${days(daysBetween(today(), due))}`}
                  </Badge>
                  <span>
                    {label}, le {short(due)} :{' '}
                    <Link to={`/dossiers/${dossier}`}>
                      {summary.prestataire} · {summary.offre}
                    </Link>
                  </span>
                </li>
              ))}
            </ul>
            {cursor && <Link to="/echeances">Toutes les échéances</Link>}
          </>
        )}
      </Loaded>
    </section>
  );
}

/** Columns of the board: the milestones worked towards, in order; what is over is in the list. */
function Stages({ workflow }: { workflow: Workflow }) {
  const jalons = [...new Set(workflow.states.filter(({ final }) => !final).map(({ jalon }) => jalon))];
  return (
    <section aria-labelledby="par-jalon" className="fr-mt-6w">
      <h2 id="par-jalon">Dossiers par jalon</h2>
      <div className="colonnes">
        {jalons.map((jalon) => (
          <Stage key={jalon} jalon={jalon} />
        ))}
      </div>
    </section>
  );
}

function Stage({ jalon }: { jalon: ListedDossier['jalon'] }) {
  const page = useDossiers({ jalon, sort: 'jalonSince', limit: SHOWN });
  const title = /^J\d/.test(jalon) ? `Vers ${jalon}` : jalonInWords(jalon);
  return (
    <section aria-label={title} className="colonne">
      <h3 className="fr-h6">{title}</h3>
      <Loaded query={page}>
        {({ items, cursor }) => (
          <>
            {items.length === 0 && <p className="fr-text--sm">Aucun dossier.</p>}
            <ul className="fr-raw-list">
              {items.map((dossier) => (
                <li key={dossier.id} className="carte carte--petite">
                  <StageCard dossier={dossier} />
                </li>
              ))}
            </ul>
            {cursor && <Link to={`/dossiers?jalon=${jalon}`}>Tous les dossiers</Link>}
          </>
        )}
      </Loaded>
    </section>
  );
}

function StageCard({ dossier: { id, summary, jalon, jalonSince, targets, nextDeadline } }: { dossier: ListedDossier }) {
  const target = targets[jalon] ?? targets.J3;
  return (
    <>
      <p className="fr-mb-0">
        <Link to={`/dossiers/${id}`}>{summary.prestataire}</Link>
      </p>
      <p className="fr-text--sm fr-mb-0">{summary.offre}</p>
      <p className="fr-text--xs fr-mb-0">
        {days(daysBetween(jalonSince, today()))}
        {summary.charge && ` · ${summary.charge}`}
      </p>
      {target?.missed && (
        <Badge severity="warning" small as="span">
          Cible manquée : {periodInWords(target.periode)}
        </Badge>
      )}
      {nextDeadline?.overdue && (
        <Badge severity="error" small as="span">
          Échéance dépassée le {short(nextDeadline.due)}
        </Badge>
      )}
    </>
  );
}

/** When this browser last showed the board to this person. */
function useLastVisit({ sub }: Session): string | null {
  const [last] = useState(() => {
    const key = `jalon.visite.${sub}`;
    const before = localStorage.getItem(key);
    localStorage.setItem(key, new Date().toISOString());
    return before;
  });
  return last;
}

/** What was recorded since my last visit, dossier by dossier. */
function SinceLast({ session }: { session: Session }) {
  const last = useLastVisit(session);
  const changed = useQuery({
    queryKey: ['dossiers', 'since', last],
    queryFn: async () => {
      const { items } = await pageOfDossiers({ sort: '-updatedAt', limit: 20 });
      return items.filter(({ updatedAt }) => last !== null && updatedAt.recordedAt > last);
    },
    enabled: last !== null,
  });
  if (last === null || !changed.data) return null;
  return (
    <section aria-labelledby="depuis" className="fr-mt-6w">
      <h2 id="depuis">Depuis votre dernière visite</h2>
      <p>Vous étiez ici le {momentInWords(last)}.</p>
      {changed.data.length === 0 ? (
        <p>Rien n’a changé depuis.</p>
      ) : (
        <ul>
          {changed.data.map(({ id, summary, label, updatedAt }) => (
            <li key={id}>
              <Link to={`/dossiers/${id}`}>
                {summary.prestataire} · {summary.offre}
              </Link>{' '}
              : {label}, le {momentInWords(updatedAt.recordedAt)}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
