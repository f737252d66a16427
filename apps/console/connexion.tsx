import { Alert } from '@codegouvfr/react-dsfr/Alert';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { Input } from '@codegouvfr/react-dsfr/Input';
import { type FormEvent, useEffect, useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { api, ask } from './client.ts';
import { Loaded, ProblemAlert } from './loaded.tsx';
import type { Login } from './openid.ts';
import { Page } from './page.tsx';
import { queries, useDefaultWorkflow, useVersion, type Workflow } from './reading.ts';
import { enter, whyAbsent } from './session.ts';

/** Connexion: in demonstration whoever asks is given the role that they choose; otherwise the identity provider says who calls. */
export function Component() {
  const version = useVersion();
  const workflow = useDefaultWorkflow();
  return (
    <Page title="Connexion">
      {whyAbsent() === 'expired' && (
        <Alert
          className="fr-mb-3w"
          severity="warning"
          small
          description="Votre session a expiré : connectez-vous de nouveau. Ce que vous aviez saisi est gardé dans cet onglet."
        />
      )}
      <Loaded query={version}>
        {({ demonstration, login }) =>
          demonstration ? (
            <Loaded query={workflow}>{(found) => <Roles workflow={found} />}</Loaded>
          ) : (
            <Elsewhere login={login} />
          )
        }
      </Loaded>
    </Page>
  );
}

/** What each role comes here for. */
const PURPOSE: Readonly<Record<string, string>> = {
  'charge-de-qualification': 'Instruit les dossiers, enregistre pour le compte du prestataire et du centre.',
  'chef-de-bureau': 'Rend l’avis, désigne les chargés de qualification.',
  'directeur-general': 'Décide de la qualification, de sa suspension, de son abrogation.',
  prestataire: 'Dépose et complète son dossier, répond aux constats.',
  'centre-evaluation': 'Planifie et conduit les audits, relève les constats, remet le rapport.',
  auditeur: 'Lit tout, rejoue, vérifie ; n’écrit rien.',
  abonne: 'Un autre système : reçoit les faits qui ne sont pas confidentiels.',
  administrateur: 'Clés, abonnements, configuration ; aucun fait.',
};

/** An example for the roles that act for an organisation, taken from the public cases. */
const ORGANISATION: Readonly<Record<string, string>> = {
  prestataire: 'NumSpot',
  'centre-evaluation': 'Centre d’évaluation (reconstitué)',
};

function Roles({ workflow }: { workflow: Workflow }) {
  const roles = Object.keys(PURPOSE).filter((role) => workflow.roles[role]);
  return (
    <>
      <p className="fr-text--lead">Ce serveur est en démonstration : choisissez qui vous êtes.</p>
      <ul className="fr-raw-list fr-grid-row fr-grid-row--gutters">
        {roles.map((role) => (
          <li key={role} className="fr-col-12 fr-col-md-6 fr-col-lg-3">
            <Role role={role} label={String(workflow.roles[role]?.label)} acts={workflow.parties[role] !== undefined} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Role({ role, label, acts }: { role: string; label: string; acts: boolean }) {
  const [org, setOrg] = useState(ORGANISATION[role] ?? '');
  const [nom, setNom] = useState('');
  const [fault, setFault] = useState<Error | null>(null);
  const arrive = useArrival();

  const choose = async (event: FormEvent) => {
    event.preventDefault();
    try {
      const body = { role, ...(acts ? { org } : {}), ...(nom ? { nom } : {}) } as never;
      const { access_token, expires_in } = await ask(api.POST('/api/demo/token', { body }));
      enter({
        // One issuer, of this server's own.
        iss: 'demonstration',
        token: access_token,
        expiresAt: Date.now() + expires_in * 1000,
        roles: [role],
        sub: `demo-${role}`,
        org: acts ? org : undefined,
        nom: nom || undefined,
      });
      arrive();
    } catch (caught) {
      setFault(caught as Error);
    }
  };
  return (
    <form className="carte" onSubmit={(event) => void choose(event)}>
      <h2 className="fr-h6 fr-mb-1w">{label}</h2>
      <p className="fr-text--sm">{PURPOSE[role]}</p>
      {acts && (
        <Input
          label="Organisation"
          nativeInputProps={{ value: org, required: true, onChange: ({ target }) => setOrg(target.value) }}
        />
      )}
      <Input
        label="Nom (facultatif)"
        nativeInputProps={{ value: nom, autoComplete: 'off', onChange: ({ target }) => setNom(target.value) }}
      />
      {fault && <ProblemAlert fault={fault} />}
      <Button type="submit">
        Continuer<span className="fr-sr-only"> comme {label}</span>
      </Button>
    </form>
  );
}

/** Where one was going before being asked who one is; readings made as somebody else are forgotten. */
function useArrival(): () => void {
  const navigate = useNavigate();
  const [query] = useSearchParams();
  const wanted = query.get('retour') ?? '/';
  return () => {
    queries.removeQueries({
      predicate: ({ queryKey: [kind] }) => !['version', 'workflows', 'workflow', 'schema'].includes(String(kind)),
    });
    void navigate(wanted.startsWith('/') && !wanted.startsWith('//') ? wanted : '/');
  };
}

function Elsewhere({ login }: { login: (Omit<Login, 'clientId'> & { clientId?: string }) | undefined }) {
  const [query] = useSearchParams();
  const [fault, setFault] = useState<Error | null>(null);
  const clientId = login?.clientId;
  const expired = whyAbsent() === 'expired';
  const go = async () => {
    try {
      const { leaveForLogin } = await import('./openid.ts');
      await leaveForLogin(login as Login, query.get('retour') ?? '/');
    } catch (caught) {
      setFault(caught as Error);
    }
  };
  useEffect(() => {
    document.getElementById('se-connecter')?.focus();
  }, []);
  if (!login || !clientId)
    return (
      <Alert
        severity="warning"
        title="La connexion n’est pas configurée"
        description="L’exploitant doit donner à ce serveur l’identifiant sous lequel la console est connue de l’émetteur (OIDC_CLIENT_ID). L’API, elle, répond aux jetons de cet émetteur."
      />
    );
  return (
    <>
      <p className="fr-text--lead">
        Vous serez conduit chez votre fournisseur d’identité, <strong>{new URL(login.issuer).host}</strong>, puis ramené
        ici.
      </p>
      {fault && <ProblemAlert fault={fault} />}
      <Button id="se-connecter" onClick={() => void go()}>
        {expired ? 'Se reconnecter' : 'Se connecter'}
      </Button>
    </>
  );
}
