import { Button } from '@codegouvfr/react-dsfr/Button';
import { useRouteError } from 'react-router';
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
  const fault = useRouteError();
  return (
    <Page title="Erreur de la console">
      <p className="fr-text--lead">
        Cette page ne peut pas être montrée. Rien n’a été modifié au dossier. Si la console vient d’être mise à jour,
        rechargez la page.
      </p>
      <p>{fault instanceof Error ? fault.message : String(fault)}</p>
      <Button onClick={() => location.reload()}>Recharger la page</Button>
    </Page>
  );
}
