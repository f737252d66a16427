import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, ask } from './client.ts';
import { Loaded } from './loaded.tsx';
import { Page } from './page.tsx';
import type { Webhook } from './reading.ts';
import { ToldOnce } from './secret.tsx';
import { useSession } from './session.ts';
import { DataTable } from './table.tsx';
import { type Wanted, WebhookForm } from './webhook-form.tsx';
import { WebhookState } from './webhook-state.tsx';
import { momentInWords } from './words.ts';

/** Abonnements: the webhooks that one set up, and how they are; an administrateur sees everybody's. */
export function Component() {
  const roles = useSession()?.roles ?? [];
  const all = roles.includes('administrateur');
  const webhooks = useQuery({
    queryKey: ['webhooks'],
    queryFn: async () => (await ask(api.GET('/api/webhooks'))).items,
  });
  return (
    <Page title="Abonnements">
      <p className="fr-text--lead">
        Un abonnement envoie les faits à une adresse, signés, dans l’ordre de chaque dossier, autant de fois qu’il faut.
      </p>
      <Loaded query={webhooks}>
        {(items) => (items.length === 0 ? <p>Aucun abonnement pour le moment.</p> : <Listed items={items} all={all} />)}
      </Loaded>
      {!all && <Setup />}
    </Page>
  );
}

function Listed({ items, all }: { items: readonly Webhook[]; all: boolean }) {
  return (
    <DataTable
      caption="Abonnements"
      hidden
      columns={[
        {
          label: 'Adresse',
          names: true,
          cell: ({ id, url }) => (
            <Link to={`/abonnements/${id}`} className="coupe">
              {url}
            </Link>
          ),
        },
        { label: 'Faits', cell: ({ types, jalons }) => whichFacts(types, jalons) },
        { label: 'État', cell: ({ state, health }) => <WebhookState state={state} failures={health.failures} /> },
        { label: 'Envoyés', number: true, cell: ({ health }) => health.delivered },
        { label: 'En attente', number: true, cell: ({ health }) => health.pending },
        { label: 'Abandonnés', number: true, cell: ({ health }) => health.dead },
        { label: 'Créé le', cell: ({ createdAt }) => momentInWords(createdAt) },
        ...(all
          ? [{ label: 'Pour', cell: ({ owner }: Webhook) => [owner.sub, owner.org].filter(Boolean).join(' · ') }]
          : []),
      ]}
      rows={items}
      keyOf={({ id }) => id}
    />
  );
}

/** Which facts are sent, in words. */
export function whichFacts(types: readonly string[] = [], jalons: readonly string[] = []): string {
  if (types.length === 0 && jalons.length === 0) return 'Tous';
  return [...types, ...jalons.map((jalon) => `qui franchissent ${jalon}`)].join(', ');
}

/** A new webhook: its secret is shown this once. */
function Setup() {
  const queries = useQueryClient();
  const [secret, setSecret] = useState<string | null>(null);
  const send = async (wanted: Wanted) => {
    setSecret(null);
    setSecret((await ask(api.POST('/api/webhooks', { body: wanted }))).secret);
    await queries.invalidateQueries({ queryKey: ['webhooks'] });
  };
  return (
    <section aria-labelledby="nouvel-abonnement" className="fr-mt-6w">
      <h2 id="nouvel-abonnement">Nouvel abonnement</h2>
      {secret && (
        <ToldOnce
          title="Abonnement créé"
          advice="L’adresse a accepté la poignée de main. Voici le secret qui signe les envois. Copiez-le maintenant : il ne sera plus montré."
          text={secret}
        />
      )}
      <WebhookForm start={{ url: '', types: [], jalons: [] }} action="Créer l’abonnement" send={send} />
    </section>
  );
}
