import { Link } from 'react-router';
import { Loaded } from './loaded.tsx';
import { Page } from './page.tsx';
import { useWorkflows } from './reading.ts';
import { DataTable } from './table.tsx';

/** Procédures: what is published here, each version with its hash; open to all. */
export function Component() {
  return (
    <Page title="Procédures">
      <p className="fr-text--lead">
        Les procédures que ce service applique : leurs états, leurs faits, leurs règles. Une version publiée ne change
        plus ; son empreinte le prouve.
      </p>
      <Loaded query={useWorkflows()}>
        {({ items }) => (
          <DataTable
            caption="Procédures publiées"
            hidden
            columns={[
              {
                label: 'Procédure',
                names: true,
                cell: ({ name, version, label }) => <Link to={`/procedures/${name}/${version}`}>{label}</Link>,
              },
              { label: 'Nom', cell: ({ name }) => name },
              { label: 'Version', number: true, cell: ({ version }) => version },
              { label: 'Empreinte', cell: ({ hash }) => <code>{hash.slice(0, 16)}…</code> },
            ]}
            rows={items}
            keyOf={({ name, version }) => `${name}/${version}`}
          />
        )}
      </Loaded>
    </Page>
  );
}
