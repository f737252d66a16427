import { Page } from './page.tsx';

/** The accessibility statement: what was checked, by whom, and what was not. */
export function Component() {
  return (
    <Page title="Accessibilité : non conforme">
      <p>
        La console de Jalon vise le référentiel général d’amélioration de l’accessibilité (RGAA 4.1). Elle est déclarée
        <strong> non conforme</strong> tant qu’aucun audit n’a été mené par une personne : c’est ce que la loi demande
        de dire.
      </p>
      <h2>Ce qui est vérifié à chaque modification</h2>
      <ul>
        <li>Chaque écran est examiné par axe-core, en thème clair et en thème sombre, sans aucune anomalie admise.</li>
        <li>Un dossier est conduit de la candidature à la décision au clavier seul.</li>
        <li>Aucun écran ne déborde à 360 pixels de large.</li>
        <li>Les schémas et les graphiques ont un double en liste ou en tableau.</li>
      </ul>
      <h2>Ce qui ne l’est pas</h2>
      <p>
        Aucun essai n’a encore été mené avec des personnes qui se servent d’un lecteur d’écran. Dites à l’exploitant de
        ce service ce qui vous arrête.
      </p>
    </Page>
  );
}
