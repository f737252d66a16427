import { Page } from './page.tsx';
export function Component() {
  return (
    <Page title="Procédures">
      <p>…</p>
    </Page>
  );
}
