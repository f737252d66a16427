import { Button } from '@codegouvfr/react-dsfr/Button';
import { Link, useLocation, useRouteError } from 'react-router';
import { forgetDrafts } from './drafts.ts';
import { Page } from './page.tsx';

/** An address that leads nowhere. */
export function Lost() {
  return (
    <Page title="Page non trouvée">
      <p className="fr-text--lead">Rien n’existe à cette adresse. Vérifiez-la, ou repartez du tableau de bord.</p>
      <Button linkProps={{ to: '/' }}>Tableau de bord</Button>
    </Page>
  );
}

/** A fault of the console itself: what is lost, and a way on. After an update, an open page may ask for files that are gone. */
export function Unforeseen() {
  return (
    <Page title="Erreur de la console">
      <Fallen />
    </Page>
  );
}

/** The same of one view of a page: what stands around it stays. */
export function UnforeseenView() {
  return (
    <section aria-labelledby="erreur">
      <h2 id="erreur">Erreur de la console</h2>
      <Fallen />
    </section>
  );
}

function Fallen() {
  const fault = useRouteError();
  const { pathname } = useLocation();
  return (
    <>
      <p className="fr-text--lead" role="alert">
        Cette page ne peut pas être montrée. Rien n’a été modifié au dossier. Si la console vient d’être mise à jour,
        rechargez la page.
      </p>
      <p>{fault instanceof Error ? fault.message : String(fault)}</p>
      <div className="groupe">
        <Button onClick={() => location.reload()}>Recharger la page</Button>
        {/* What made it fall may be kept, in the address or in what was being typed: here is the page without it. */}
        <Link className="fr-btn fr-btn--secondary" to={pathname} onClick={() => forgetDrafts()}>
          Revenir à la page sans ce qui était choisi ou saisi
        </Link>
      </div>
    </>
  );
}
