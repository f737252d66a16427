import { headerFooterDisplayItem } from '@codegouvfr/react-dsfr/Display';
import { Footer } from '@codegouvfr/react-dsfr/Footer';
import { Header } from '@codegouvfr/react-dsfr/Header';
import { Notice } from '@codegouvfr/react-dsfr/Notice';
import { SkipLinks } from '@codegouvfr/react-dsfr/SkipLinks';
import { Suspense, useState } from 'react';
import { Navigate, Outlet, ScrollRestoration, useLocation, useMatches, useNavigate } from 'react-router';
import { Keys, showKeys } from './keys.tsx';
import { useLive } from './live.ts';
import { Waiting } from './loaded.tsx';
import { useDefaultWorkflow, useVersion, type Workflow } from './reading.ts';
import { leave, type Session, useSession, whyAbsent } from './session.ts';
import { hourOf } from './words.ts';

/** What surrounds every screen: header, navigation, notices, footer. Sends to the login whoever is not logged in. */
export function Frame() {
  const session = useSession();
  const open = useMatches().some(({ handle }) => (handle as { open?: true } | undefined)?.open);
  return (
    <>
      <SkipLinks
        links={[
          { anchor: '#contenu', label: 'Contenu' },
          { anchor: '#fr-header-main-navigation', label: 'Menu' },
          { anchor: '#pied', label: 'Pied de page' },
        ]}
      />
      <Top session={session} />
      <Notices session={session} />
      <main id="contenu" tabIndex={-1} className="fr-container fr-pt-2w fr-pb-8w">
        <Suspense fallback={<Waiting />}>{session || open ? <Outlet /> : <ToLogin />}</Suspense>
      </main>
      <Bottom />
      <Keys />
      <ScrollRestoration />
    </>
  );
}

function ToLogin() {
  const { pathname, search, hash } = useLocation();
  const back = pathname + search + hash;
  return (
    <Navigate replace to={whyAbsent() === 'left' ? '/connexion' : `/connexion?retour=${encodeURIComponent(back)}`} />
  );
}

const SECTIONS = [
  { to: '/', text: 'Tableau de bord', needs: 'dossiers' },
  { to: '/dossiers', text: 'Dossiers', needs: 'dossiers' },
  { to: '/echeances', text: 'Échéances', needs: 'dossiers' },
  { to: '/registre', text: 'Registre', needs: 'nothing' },
  { to: '/statistiques', text: 'Statistiques', needs: 'all' },
  { to: '/abonnements', text: 'Abonnements', needs: 'session' },
  { to: '/procedures', text: 'Procédures', needs: 'nothing' },
] as const;

function Top({ session }: { session: Session | null }) {
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const workflow = useDefaultWorkflow().data;
  const { data: version } = useVersion();
  const may = (does: (role: Workflow['roles'][string]) => boolean | undefined) =>
    session?.roles.some((name) => !workflow || (workflow.roles[name] && does(workflow.roles[name]))) ?? false;
  const shown = {
    nothing: true,
    session: session !== null,
    dossiers: may(({ sees }) => sees !== 'none'),
    all: may(({ sees, subscribes }) => sees === 'all' || subscribes),
  };
  const current = SECTIONS.findLast(({ to }) => pathname === to || (to !== '/' && pathname.startsWith(`${to}/`)));
  const role = session?.roles.map((name) => workflow?.roles[name]?.label ?? name).join(', ');
  const who = [role, session?.nom, session?.org].filter(Boolean).join(' · ');
  return (
    <Header
      id="fr-header"
      brandTop={
        <>
          République
          <br />
          Française
        </>
      }
      homeLinkProps={{ to: '/', title: 'Accueil - Jalon' }}
      serviceTitle="Jalon"
      serviceTagline="Suivi des qualifications"
      quickAccessItems={[
        ...(session
          ? [
              version?.demonstration ? (
                {
                  iconId: 'fr-icon-account-line' as const,
                  text: who,
                  linkProps: { to: '/connexion', title: `${who} - changer de rôle` },
                }
              ) : (
                <span className="qui">{who}</span>
              ),
              {
                iconId: 'fr-icon-logout-box-r-line' as const,
                text: 'Se déconnecter',
                buttonProps: {
                  onClick: () => {
                    leave('left');
                    void navigate('/connexion');
                  },
                },
              },
            ]
          : [{ iconId: 'fr-icon-account-line' as const, text: 'Se connecter', linkProps: { to: '/connexion' } }]),
        headerFooterDisplayItem,
      ]}
      navigation={SECTIONS.filter(({ needs }) => shown[needs]).map(({ to, text }) => ({
        text,
        linkProps: { to },
        isActive: current?.to === to,
      }))}
    />
  );
}

function Notices({ session }: { session: Session | null }) {
  const { data: version } = useVersion();
  const { lostAt, backAt } = useLive(session);
  const [read, setRead] = useState<number | null>(null);
  return (
    <section aria-label="Avertissements">
      {version?.demonstration && (
        <Notice
          title="Démonstration"
          description="Données publiques et étapes reconstituées. Ne saisissez rien de confidentiel."
          severity="info"
        />
      )}
      <div role="status">
        {lostAt && (
          <Notice
            title={`Connexion perdue à ${hourOf(new Date(lostAt))}, reprise en cours`}
            description="Ce qui est affiché peut avoir changé depuis ; ce que vous saisissez est gardé."
            severity="warning"
          />
        )}
        {backAt && backAt !== read && (
          <Notice
            title={`Connexion rétablie à ${hourOf(new Date(backAt))}`}
            description="Ce qui a été enregistré entre-temps est repris."
            severity="info"
            isClosable
            onClose={() => setRead(backAt)}
          />
        )}
      </div>
    </section>
  );
}

function Bottom() {
  const { data: version } = useVersion();
  return (
    <Footer
      id="pied"
      accessibility="non compliant"
      accessibilityLinkProps={{ to: '/accessibilite' }}
      contentDescription="Jalon suit les qualifications, fait par fait : chaque décision est expliquée, et peut être vérifiée."
      domains={[]}
      bottomItems={[
        { text: 'Documentation de l’API', linkProps: { href: '/docs' } },
        { text: 'Raccourcis du clavier', buttonProps: { onClick: showKeys } },
        ...(version ? [{ text: `Version ${version.version}`, linkProps: { href: '/version' } }] : []),
        headerFooterDisplayItem,
      ]}
      license="Code source sous licence MIT."
    />
  );
}
