import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, ask } from './client.ts';
import { Loaded, Waiting } from './loaded.tsx';
import { Page } from './page.tsx';
import {
  type Dossier,
  type ListedDossier,
  pageOfDossiers,
  useDefaultWorkflow,
  useDossiers,
  type Workflow,
} from './reading.ts';
import { type Session, useSession } from './session.ts';
import { StateBadge } from './state.tsx';
import { days, daysBetween, jalonInWords, momentInWords, periodInWords, short, today } from './words.ts';

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
      {acts && <Waits workflow={workflow} />}
      <Stages workflow={workflow} />
      <SinceLast session={session} />
    </>
  );
}

/** How many dossiers that wait are shown; the list shows the others. */
const SHOWN = 8;

/** What waits for me, oldest first, with the one sentence that says why. */
function Waits({ workflow }: { workflow: Workflow }) {
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
                    <WaitingCard dossier={dossier} workflow={workflow} />
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

function WaitingCard({ dossier, workflow }: { dossier: ListedDossier; workflow: Workflow }) {
  const { id, summary, label, state, final, updatedAt } = dossier;
  const now = useQuery({
    queryKey: ['dossier', id, 'now'],
    queryFn: () => ask(api.GET('/api/dossiers/{id}', { params: { path: { id } } })),
  });
  const best = now.data && nextAct(now.data, workflow);
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
      {best ? (
        <p className="fr-mb-0">
          {best.why}
          <br />
          <Link className="fr-link" to={`/dossiers/${id}/agir/${best.type}`}>
            {best.label}
          </Link>
        </p>
      ) : (
        now.isPending && <Waiting />
      )}
    </>
  );
}

/** Of what the caller may propose, the fact that moves the dossier on and lacks least; and why it waits, in a sentence. */
function nextAct({ possible, state }: Dossier, workflow: Workflow) {
  const declared = new Map(workflow.facts.map((fact) => [fact.type as string, fact]));
  const leads = new Set(
    workflow.transitions.filter(({ from, to }) => from === state && to !== from).map(({ fact }) => fact as string),
  );
  const missing = ({ rules }: Dossier['possible'][number]) => rules.filter(({ holds }) => holds === false).length;
  const candidates = possible.filter(({ type, allowed }) => {
    const fact = declared.get(type);
    return allowed && !fact?.free && !fact?.abandons;
  });
  const [best] = candidates.toSorted(
    (a, b) => missing(a) - missing(b) || Number(leads.has(b.type)) - Number(leads.has(a.type)),
  );
  if (!best) return null;
  const lacks = missing(best);
  const decided = best.rules.filter(({ holds }) => holds !== null).length;
  const crosses = declared.get(best.type)?.crosses;
  const why =
    lacks > 0
      ? `${decided - lacks} règle${decided - lacks > 1 ? 's' : ''} sur ${decided} remplie${decided - lacks > 1 ? 's' : ''}${crosses ? ` pour ${crosses}` : ''}.`
      : `Rien n’y manque${crosses ? ` pour franchir ${crosses}` : ''} :`;
  return { type: best.type, label: best.label, why };
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
