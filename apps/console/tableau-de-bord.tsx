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
  useDeadlines,
  useDefaultWorkflow,
  useDossiers,
  type Workflow,
} from './reading.ts';
import { type Session, useSession } from './session.ts';
import { StateBadge } from './state.tsx';
import { dayOf, days, daysBetween, jalonInWords, momentInWords, periodInWords, short, today } from './words.ts';

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
      <Deadlines />
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
          {best.why} À faire :
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

/** What moves the dossier on, how much of it is fulfilled, and what the caller can do about it now. */
function nextAct({ possible, state }: Dossier, workflow: Workflow) {
  type Possible = Dossier['possible'][number];
  const rank = new Map(workflow.facts.map(({ type }, index) => [type as string, index]));
  const declared = new Map(workflow.facts.map((fact) => [fact.type as string, fact]));
  const over = new Set(workflow.states.filter(({ final }) => final).map((one) => one.state as string));
  const moves = new Set(
    workflow.transitions
      .filter(({ from, to }) => from === state && to !== from && !over.has(to))
      .map(({ fact }) => fact),
  );
  const missing = ({ rules }: Possible) => rules.filter(({ holds }) => holds === false).length;
  const decided = ({ rules }: Possible) => rules.filter(({ holds }) => holds !== null).length;
  const usual = possible
    .filter(({ type }) => !declared.get(type)?.free && !declared.get(type)?.abandons)
    .toSorted((a, b) => (rank.get(a.type) ?? 0) - (rank.get(b.type) ?? 0));
  // Onwards leads what crosses a milestone, else what most rules watch over, else what the procedure names first.
  const [onwards] = usual
    .filter(({ type }) => moves.has(type))
    .toSorted(
      (a, b) =>
        Number(Boolean(declared.get(b.type)?.crosses)) - Number(Boolean(declared.get(a.type)?.crosses)) ||
        decided(b) - decided(a),
    );
  const ready = usual.filter((one) => one.allowed && missing(one) === 0);
  const mine =
    onwards?.allowed && missing(onwards) === 0 ? onwards : (ready.find(({ type }) => !moves.has(type)) ?? ready[0]);
  const act = mine ?? (onwards?.allowed ? onwards : undefined);
  if (!act) return null;
  const crosses = onwards && declared.get(onwards.type)?.crosses;
  if (!onwards || missing(onwards) === 0)
    return { ...act, why: crosses ? `Rien ne manque pour franchir ${crosses}.` : 'Rien ne manque.' };
  const holding = decided(onwards) - missing(onwards);
  const several = holding > 1 ? 's' : '';
  const goal = crosses ?? `« ${onwards.label} »`;
  return { ...act, why: `${holding} règle${several} sur ${decided(onwards)} remplie${several} pour ${goal}.` };
}

/** Days ahead in which a deadline is shown on the board. */
const AHEAD = 30;

/** Deadlines past and of the next thirty days, the oldest first. */
function Deadlines() {
  const before = dayOf(new Date(Date.now() + (AHEAD + 1) * 86_400_000));
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
