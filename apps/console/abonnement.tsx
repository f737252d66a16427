import { Alert } from '@codegouvfr/react-dsfr/Alert';
import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { Input } from '@codegouvfr/react-dsfr/Input';
import { createModal } from '@codegouvfr/react-dsfr/Modal';
import { Select } from '@codegouvfr/react-dsfr/Select';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import { whichFacts } from './abonnements.tsx';
import { api, ask } from './client.ts';
import { Loaded, ProblemAlert, useAct } from './loaded.tsx';
import { Page } from './page.tsx';
import { type Delivery, pageOfDeliveries, useDefaultWorkflow, type Webhook } from './reading.ts';
import { ToldOnce } from './secret.tsx';
import { useSession } from './session.ts';
import { DataTable } from './table.tsx';
import { type Wanted, WebhookForm } from './webhook-form.tsx';
import { WebhookState } from './webhook-state.tsx';
import { isDate, momentInWords, startOfDay } from './words.ts';

/** Deliveries are no facts, of which the console would be told: while one looks, they are read again so often. */
const AGAIN_MS = 3_000;

/** A webhook: how it is, what one can do with it, and the log of what was sent. */
export function Component() {
  const { webhook: id = '' } = useParams();
  const webhook = useQuery({
    queryKey: ['webhooks', id],
    queryFn: () => ask(api.GET('/api/webhooks/{webhook}', { params: { path: { webhook: id } } })),
    refetchInterval: AGAIN_MS,
  });
  return (
    <Page title="Abonnement" trail={[{ label: 'Abonnements', to: '/abonnements' }]}>
      <Loaded query={webhook}>
        {(found) => (
          <>
            <Head webhook={found} />
            <Acts webhook={found} />
            <Deliveries webhook={found} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Head({ webhook }: { webhook: Webhook }) {
  const { url, state, types, jalons, reason, createdAt, health, previousSecretUntil } = webhook;
  const facts: [string, string | undefined][] = [
    ['Faits', whichFacts(types, jalons)],
    ['Créé le', momentInWords(createdAt)],
    ['Envoyés', String(health.delivered)],
    ['En attente', String(health.pending)],
    ['Abandonnés', String(health.dead)],
    ['Laissé tranquille jusqu’au', health.resumesAt && momentInWords(health.resumesAt)],
    ['Ancien secret accepté jusqu’au', previousSecretUntil && momentInWords(previousSecretUntil)],
  ];
  return (
    <>
      <p className="fr-text--lead coupe">{url}</p>
      <p>
        <WebhookState state={state} failures={health.failures} /> {reason}
      </p>
      <dl className="en-ligne">
        {facts.map(
          ([term, value]) =>
            value && (
              <div key={term}>
                <dt>{term}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
    </>
  );
}

const removal = createModal({ id: 'suppression', isOpenedByDefault: false });

/** What one can do with it; an administrateur only suspends and resumes those of others. */
function Acts({ webhook }: { webhook: Webhook }) {
  const { id, state, owner } = webhook;
  const session = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { act, running, fault } = useAct();
  const [secret, setSecret] = useState<string | null>(null);
  const [said, say] = useState<string | null>(null);
  const [changing, setChanging] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const params = { params: { path: { webhook: id } } };
  const mine = owner.sub === session?.sub;
  const again = () => queries.invalidateQueries({ queryKey: ['webhooks'] });
  const doing = (work: () => Promise<string | null>) => () =>
    act(async () => {
      say(null);
      setSecret(null);
      say(await work());
      await again();
    });

  const toggle = doing(async () => {
    const next = state === 'active' ? 'disabled' : 'active';
    await ask(api.PATCH('/api/webhooks/{webhook}', { ...params, body: { state: next } }));
    return next === 'active' ? 'L’abonnement reprend.' : 'L’abonnement est suspendu.';
  });
  const test = doing(async () => {
    const { delivered, status, ms, error } = await ask(api.POST('/api/webhooks/{webhook}/test', params));
    const answer = status === undefined ? (error ?? 'aucune réponse') : `réponse ${status}`;
    return `Essai ${delivered ? 'réussi' : 'manqué'} : ${answer}, en ${ms} ms.`;
  });
  const rotate = doing(async () => {
    setSecret((await ask(api.POST('/api/webhooks/{webhook}/rotate', params))).secret);
    return null;
  });
  // Its own form says what went wrong with it.
  const change = async (wanted: Wanted) => {
    say(null);
    await ask(api.PATCH('/api/webhooks/{webhook}', { ...params, body: wanted }));
    await again();
    setChanging(false);
    opener.current?.focus();
    say('L’abonnement est modifié.');
  };
  const remove = doing(async () => {
    await ask(api.DELETE('/api/webhooks/{webhook}', params));
    await navigate('/abonnements');
    return null;
  });
  return (
    <>
      <div className="groupe fr-mb-2w">
        <Button priority="secondary" disabled={running} onClick={() => void toggle()}>
          {state === 'active' ? 'Suspendre' : 'Reprendre'}
        </Button>
        {mine && (
          <>
            <Button priority="secondary" disabled={running} onClick={() => void test()}>
              Envoyer un essai
            </Button>
            <Button priority="secondary" disabled={running} onClick={() => void rotate()}>
              Changer le secret
            </Button>
            <Button
              ref={opener}
              priority="secondary"
              nativeButtonProps={{ 'aria-expanded': changing }}
              onClick={() => setChanging(!changing)}
            >
              Modifier
            </Button>
          </>
        )}
        <Button priority="tertiary" iconId="fr-icon-delete-bin-line" disabled={running} onClick={() => removal.open()}>
          Supprimer
        </Button>
      </div>
      <removal.Component
        title="Supprimer cet abonnement"
        buttons={[{ children: 'Annuler' }, { children: 'Supprimer', onClick: () => void remove() }]}
      >
        <p>L’adresse ne recevra plus rien, et le journal de ses envois est supprimé avec l’abonnement.</p>
      </removal.Component>
      {said && <Alert className="fr-mb-2w" severity="info" small role="status" description={said} />}
      {fault && <ProblemAlert fault={fault} />}
      {secret && (
        <ToldOnce
          title="Nouveau secret"
          advice="L’ancien signe encore 24 heures à côté de lui. Copiez-le maintenant : il ne sera plus montré."
          text={secret}
        />
      )}
      {mine && changing && (
        <section aria-labelledby="modifier">
          <h2 id="modifier" className="fr-h4">
            Modifier
          </h2>
          <WebhookForm
            start={{ url: webhook.url, types: webhook.types ?? [], jalons: webhook.jalons ?? [] }}
            action="Enregistrer les changements"
            send={change}
          />
        </section>
      )}
      {mine && <Replay id={id} />}
    </>
  );
}

/** Sends again, from a date, from the beginning, or what was given up. */
function Replay({ id }: { id: string }) {
  const queries = useQueryClient();
  const { act, running, fault } = useAct();
  const [from, setFrom] = useState('dead-letters');
  const [day, setDay] = useState('');
  const [done, setDone] = useState(false);
  const send = () =>
    act(async () => {
      setDone(false);
      const start = from === 'date' && isDate(day) ? startOfDay(day) : from;
      await ask(
        api.POST('/api/webhooks/{webhook}/replay', { params: { path: { webhook: id } }, body: { from: start } }),
      );
      setDone(true);
      await queries.invalidateQueries({ queryKey: ['webhooks'] });
    });
  return (
    <section aria-labelledby="renvoyer">
      <h2 id="renvoyer" className="fr-h4">
        Envoyer de nouveau
      </h2>
      <div className="groupe groupe--bas">
        <Select
          className="fr-mb-0"
          label="Quoi"
          nativeSelectProps={{ value: from, onChange: ({ target }) => setFrom(target.value) }}
        >
          <option value="dead-letters">Ce qui a été abandonné</option>
          <option value="date">Depuis une date</option>
          <option value="start">Tout, depuis le début</option>
        </Select>
        {from === 'date' && (
          <Input
            className="fr-mb-0"
            label="Depuis le"
            nativeInputProps={{ type: 'date', value: day, onChange: ({ target }) => setDay(target.value) }}
          />
        )}
        <Button priority="secondary" disabled={running || (from === 'date' && !day)} onClick={() => void send()}>
          Envoyer de nouveau
        </Button>
      </div>
      {done && <Alert className="fr-mt-2w" severity="info" small role="status" description="Les envois sont repris." />}
      {fault && <ProblemAlert fault={fault} />}
    </section>
  );
}

const STATES = { pending: 'En attente', delivered: 'Envoyé', dead: 'Abandonné' } as const;
const SEVERITIES = { pending: 'info', delivered: 'success', dead: 'error' } as const;

/** The log of what was sent, newest first, with every attempt. */
function Deliveries({ webhook: { id } }: { webhook: Webhook }) {
  const [query, change] = useSearchParams();
  const workflow = useDefaultWorkflow().data;
  const state = query.get('etat') as Delivery['state'] | null;
  const cursor = query.get('cursor');
  const page = useQuery({
    queryKey: ['webhooks', id, 'deliveries', state, cursor],
    queryFn: () => pageOfDeliveries(id, { ...(state ? { state } : {}), ...(cursor ? { cursor } : {}) }),
    refetchInterval: AGAIN_MS,
    placeholderData: keepPreviousData,
  });
  const labelOf = (type: string | undefined) => workflow?.facts.find((fact) => fact.type === type)?.label ?? type ?? '';
  return (
    <section aria-labelledby="envois" className="fr-mt-6w">
      <h2 id="envois">Journal des envois</h2>
      <Select
        label="État"
        nativeSelectProps={{
          value: state ?? '',
          onChange: ({ target }) => change(target.value ? { etat: target.value } : {}, { preventScrollReset: true }),
        }}
      >
        <option value="">Tous</option>
        {Object.entries(STATES).map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </Select>
      <Loaded query={page}>
        {({ items, cursor: next }) =>
          items.length === 0 ? (
            <p>Rien n’a été envoyé.</p>
          ) : (
            <>
              <DataTable
                caption="Envois, du plus récent au plus ancien"
                hidden
                columns={[
                  {
                    label: 'Fait',
                    names: true,
                    cell: ({ type, dossier, revision }) =>
                      dossier ? <Link to={`/dossiers/${dossier}#r${revision}`}>{labelOf(type)}</Link> : labelOf(type),
                  },
                  {
                    label: 'État',
                    cell: (one) => (
                      <Badge small severity={SEVERITIES[one.state]} as="span">
                        {STATES[one.state]}
                      </Badge>
                    ),
                  },
                  { label: 'Essais', cell: ({ attempts }) => <Attempts attempts={attempts} /> },
                  { label: 'Prochain essai', cell: ({ nextAt }) => nextAt && momentInWords(nextAt) },
                ]}
                rows={items}
                keyOf={({ id: fact }) => fact}
              />
              {next && (
                <Button
                  priority="tertiary"
                  onClick={() =>
                    change({ ...(state ? { etat: state } : {}), cursor: next }, { preventScrollReset: true })
                  }
                >
                  Envois plus anciens
                </Button>
              )}
            </>
          )
        }
      </Loaded>
    </section>
  );
}

function Attempts({ attempts }: Pick<Delivery, 'attempts'>) {
  return (
    <ol className="fr-raw-list">
      {attempts.map(({ at, ms, status, error }) => (
        <li key={at}>
          {momentInWords(at)} : {status ?? error}, {ms} ms
        </li>
      ))}
    </ol>
  );
}
