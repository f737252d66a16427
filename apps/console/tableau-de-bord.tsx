import { Page } from './page.tsx';
export function Component() {
  return (
    <Page title="Tableau de bord">
      <p>…</p>
    </Page>
  );
}
