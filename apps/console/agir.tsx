import { Alert } from '@codegouvfr/react-dsfr/Alert';
import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { Link, Outlet, useLocation, useMatch } from 'react-router';
import { isCorrection } from './correction.ts';
import { Loaded } from './loaded.tsx';
import { type Dossier, useDossier, useWorkflows, type Workflow } from './reading.ts';
import { useSeen } from './seen.ts';
import { Sentence } from './sentence.tsx';
import { useSession } from './session.ts';

type Possible = Dossier['possible'][number];

/** Agir: what is possible now, what the caller may propose first, each with its checklist. */
export function Component() {
  const { dossier, workflow } = useSeen();
  const now = useDossier(dossier.id);
  const chosen = useMatch('/dossiers/:id/agir/:type');
  if (chosen) return <Outlet context={{ dossier, workflow }} />;
  return <Loaded query={now}>{(found) => <Acts now={found} workflow={workflow} />}</Loaded>;
}

/** What was just recorded, told once by the address that it leads to. */
export type Recorded = { recorded?: { label: string; revision: number } };

/** To another version of the same procedure: there must be one. */
const VERSION_CHANGE = 'dossier.version-changee';

function Acts({ now, workflow }: { now: Dossier; workflow: Workflow }) {
  const session = useSession();
  const versions = useWorkflows().data?.items.filter(({ name }) => name === now.workflow.name).length ?? 1;
  const { recorded } = (useLocation().state ?? {}) as Recorded;
  const possible = now.possible.filter(({ type }) => !isCorrection(type) && (type !== VERSION_CHANGE || versions > 1));
  const mine = possible.filter(({ allowed }) => allowed);
  const others = possible.filter(({ allowed }) => !allowed);
  const leads = new Set(
    workflow.transitions.filter(({ from, to }) => from === now.state && to !== from).map(({ fact }) => fact),
  );
  // What is expected first, then what leads onwards, then what may be recorded at any time.
  const rank = ({ type, expected }: Possible) => {
    if (expected) return -1;
    const fact = workflow.facts.find((one) => one.type === type);
    if (fact?.abandons) return 3;
    if (fact?.free) return 2;
    return leads.has(type) ? 0 : 1;
  };
  const ordered = (list: readonly Possible[]) => list.toSorted((a, b) => rank(a) - rank(b));
  return (
    <>
      {recorded && (
        <Alert
          className="fr-mb-3w"
          role="status"
          severity="success"
          small
          description={
            <>
              Enregistré : {recorded.label}.{' '}
              <Link to={`/dossiers/${now.id}#r${recorded.revision}`}>Voir dans la chronologie</Link>
            </>
          }
        />
      )}
      <h2>Ce que vous pouvez enregistrer</h2>
      {mine.length === 0 ? (
        <p className="fr-text--lead">
          {session?.roles.includes('auditeur')
            ? 'Un auditeur lit et vérifie ; il n’enregistre rien.'
            : possible.some(({ expected }) => expected)
              ? 'Rien pour le moment : le dossier attend quelqu’un d’autre.'
              : 'Rien pour le moment : rien n’est attendu de personne.'}
        </p>
      ) : (
        <ul className="fr-raw-list cartes">
          {ordered(mine).map((one) => (
            <li key={one.type} className="carte">
              <h3 className="fr-h6 fr-mb-1w">
                <Link to={one.type}>{one.label}</Link>
              </h3>
              <Expected workflow={workflow} one={one} />
              <Crossing workflow={workflow} type={one.type} />
              <Checklist rules={one.rules.filter(isOwn)} dossier={now.id} />
            </li>
          ))}
        </ul>
      )}
      {now.possible.some(({ type, allowed }) => allowed && isCorrection(type)) && (
        <p className="fr-mt-2w">
          Un fait se rectifie ou s’annule depuis la <Link to={`/dossiers/${now.id}`}>chronologie</Link>.
        </p>
      )}
      {others.length > 0 && (
        <>
          <h2 className="fr-mt-4w">Ce que d’autres peuvent enregistrer</h2>
          <ul className="fr-raw-list cartes">
            {ordered(others).map((one) => (
              <li key={one.type} className="carte carte--pale">
                <h3 className="fr-h6 fr-mb-1w">{one.label}</h3>
                <p className="fr-mb-1w">
                  Par : {one.by.map((role) => workflow.roles[role]?.label ?? role).join(', ')}.
                </p>
                <Expected workflow={workflow} one={one} />
                <Crossing workflow={workflow} type={one.type} />
                <Checklist rules={one.rules.filter(isOwn)} dossier={now.id} />
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

/** Rules on the date are the same for all facts: the form says them. */
const isOwn = ({ rule, holds }: Possible['rules'][number]) => holds !== null || !rule.startsWith('date-');

function Crossing({ workflow, type }: { workflow: Workflow; type: string }) {
  const crosses = workflow.facts.find((fact) => fact.type === type)?.crosses;
  if (!crosses) return null;
  return (
    <p className="fr-mb-1w">
      <Badge small noIcon severity="new" as="span">
        Franchit {crosses}
      </Badge>
    </p>
  );
}

/** That the procedure expects a fact now, of whom, and the sentence that says so. */
function Expected({ workflow, one: { expected } }: { workflow: Workflow; one: Possible }) {
  const session = useSession();
  if (!expected) return null;
  const isMine = expected.of.some((role) => session?.roles.includes(role));
  const others = expected.of.map((role) => workflow.roles[role]?.label ?? role).join(' ou ');
  return (
    <p className="fr-mb-1w">
      <Badge small noIcon severity="info" as="span">
        {isMine ? 'Attendu de vous' : `Attendu : ${others}`}
      </Badge>{' '}
      {expected.sentence}
    </p>
  );
}

/** The rules of a fact: fulfilled, missing, or still to be decided by what one enters. */
export function Checklist({ rules, dossier }: { rules: Possible['rules']; dossier: string }) {
  if (rules.length === 0) return null;
  return (
    <ul className="regles">
      {rules.map(({ rule, holds, ...said }) => (
        <li key={rule} className={holds === null ? 'regle' : holds ? 'regle regle--remplie' : 'regle regle--manque'}>
          <span className="fr-sr-only">
            {holds === null ? 'Dépend de la saisie :' : holds ? 'Remplie :' : 'Manque :'}{' '}
          </span>
          <Sentence {...said} dossier={dossier} />
        </li>
      ))}
    </ul>
  );
}
