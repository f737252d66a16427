import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { Input } from '@codegouvfr/react-dsfr/Input';
import { SegmentedControl } from '@codegouvfr/react-dsfr/SegmentedControl';
import { Select } from '@codegouvfr/react-dsfr/Select';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, ask } from './client.ts';
import { Loaded, ProblemAlert, useAct } from './loaded.tsx';
import { Page } from './page.tsx';
import { deadlinesBefore, type ListedDeadline, useDeadlines, useDefaultWorkflow } from './reading.ts';
import { ToldOnce } from './secret.tsx';
import { DataTable } from './table.tsx';
import {
  addMonths,
  inWords,
  isMonth,
  jalonInWords,
  momentInWords,
  monthInWords,
  short,
  today,
  weeksOf,
} from './words.ts';

/** Échéances: a list or a month, narrowed by the address; and the address of the same for a calendar program. */
export function Component() {
  const [query, change] = useSearchParams();
  const asked = query.get('mois');
  const month = asked === null || isMonth(asked) ? asked : today().slice(0, 7);
  const set = (values: Record<string, string | undefined>) =>
    change(
      (before) => {
        const next = new URLSearchParams(before);
        next.delete('cursor');
        for (const [name, value] of Object.entries(values))
          if (value) next.set(name, value);
          else next.delete(name);
        return next;
      },
      { preventScrollReset: true },
    );
  return (
    <Page title="Échéances">
      <div className="groupe fr-mb-3w">
        <SegmentedControl
          small
          hideLegend
          legend="Présentation"
          segments={[
            {
              label: 'Liste',
              nativeInputProps: { checked: month === null, onChange: () => set({ mois: undefined }) },
            },
            {
              label: 'Mois',
              nativeInputProps: { checked: month !== null, onChange: () => set({ mois: today().slice(0, 7) }) },
            },
          ]}
        />
      </div>
      <Narrowing query={query} set={set} />
      {month === null ? (
        <List query={query} />
      ) : (
        <Month month={month} query={query} onMonth={(to) => set({ mois: to })} />
      )}
      <Subscription />
    </Page>
  );
}

type Open = 'true' | 'false' | 'all';

function narrowing(query: URLSearchParams) {
  const jalon = query.get('jalon');
  return {
    open: (query.get('etat') ?? 'true') as Open,
    ...(jalon ? { jalon: jalon as ListedDeadline['jalon'] } : {}),
  };
}

function Narrowing({ query, set }: { query: URLSearchParams; set: (values: Record<string, string>) => void }) {
  const workflow = useDefaultWorkflow().data;
  const jalons = [...new Set((workflow?.states ?? []).map(({ jalon }) => jalon))];
  return (
    <search className="fr-grid-row fr-grid-row--gutters fr-mb-1w">
      <div className="fr-col-12 fr-col-md-3">
        <Select
          label="État"
          nativeSelectProps={{
            value: query.get('etat') ?? 'true',
            onChange: ({ target }) => set({ etat: target.value }),
          }}
        >
          <option value="true">Ouvertes</option>
          <option value="false">Closes</option>
          <option value="all">Toutes</option>
        </Select>
      </div>
      <div className="fr-col-12 fr-col-md-3">
        <Select
          label="Jalon"
          nativeSelectProps={{
            value: query.get('jalon') ?? '',
            onChange: ({ target }) => set({ jalon: target.value }),
          }}
        >
          <option value="">Tous</option>
          {jalons.map((jalon) => (
            <option key={jalon} value={jalon}>
              {jalonInWords(jalon)}
            </option>
          ))}
        </Select>
      </div>
    </search>
  );
}

function List({ query }: { query: URLSearchParams }) {
  const [, change] = useSearchParams();
  const cursor = query.get('cursor');
  const page = useDeadlines({ ...narrowing(query), limit: 50, ...(cursor ? { cursor } : {}) });
  return (
    <Loaded query={page}>
      {({ items, cursor: next }) =>
        items.length === 0 ? (
          <p className="fr-text--lead" role="status">
            Aucune échéance de cette sorte. Une échéance naît d’un fait qui fixe une date : compléments demandés, plan
            d’action, fin de validité.
          </p>
        ) : (
          <>
            <DataTable
              caption="Échéances"
              hidden
              columns={[
                { label: 'Date', cell: Due },
                { label: 'Échéance', names: true, cell: ({ label }) => label },
                {
                  label: 'Dossier',
                  cell: ({ dossier, summary }) => (
                    <Link to={`/dossiers/${dossier}`}>
                      {summary.prestataire} · {summary.offre}
                    </Link>
                  ),
                },
                { label: 'Jalon', cell: ({ jalon }) => jalonInWords(jalon) },
                { label: 'Chargé', cell: ({ summary }) => summary.charge ?? '' },
              ]}
              rows={items}
              keyOf={({ id }) => id}
            />
            {next && (
              <Button
                priority="tertiary"
                onClick={() =>
                  change((before) => {
                    const after = new URLSearchParams(before);
                    after.set('cursor', next);
                    return after;
                  })
                }
              >
                Page suivante
              </Button>
            )}
          </>
        )
      }
    </Loaded>
  );
}

/** The date of a deadline, and what became of it. */
function Due({ due, overdue, open, closedOn, validity }: ListedDeadline) {
  return (
    <>
      {short(due)}{' '}
      {overdue && (
        <Badge small severity="error" as="span">
          Dépassée
        </Badge>
      )}
      {!open && (
        <Badge small severity="success" as="span">
          Close{closedOn ? ` le ${short(closedOn)}` : ''}
        </Badge>
      )}
      {validity && open && <span className="fr-text--xs"> fin de validité</span>}
    </>
  );
}

const DAYS = ['lundi', 'mardi', 'mercredi', 'jeudi', 'vendredi', 'samedi', 'dimanche'];

type MonthProps = { month: string; query: URLSearchParams; onMonth: (to: string) => void };

function Month({ month, query, onMonth }: MonthProps) {
  const before = `${addMonths(month, 1)}-01`;
  const narrowed = narrowing(query);
  const deadlines = useQuery({
    queryKey: ['deadlines', 'month', month, narrowed],
    queryFn: async () => (await deadlinesBefore({ ...narrowed, before })).filter(({ due }) => due.startsWith(month)),
  });
  return (
    <section aria-labelledby="mois">
      <div className="groupe fr-mb-2w">
        <Button
          priority="tertiary"
          iconId="fr-icon-arrow-left-s-line"
          title="Mois précédent"
          onClick={() => onMonth(addMonths(month, -1))}
        />
        <h2 id="mois" className="fr-h4 fr-mb-0">
          {monthInWords(month)}
        </h2>
        <Button
          priority="tertiary"
          iconId="fr-icon-arrow-right-s-line"
          title="Mois suivant"
          onClick={() => onMonth(addMonths(month, 1))}
        />
      </div>
      <Loaded query={deadlines}>
        {(items) => (
          <div className="calendrier">
            <table>
              <caption className="fr-sr-only">Échéances de {monthInWords(month)}</caption>
              <thead>
                <tr>
                  {DAYS.map((day) => (
                    <th key={day} scope="col">
                      {day}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {weeksOf(month).map((week) => (
                  <tr key={week[0]}>
                    {week.map((day) => (
                      <td key={day} className={day.startsWith(month) ? undefined : 'calendrier__hors'}>
                        <Day day={day} deadlines={items.filter(({ due }) => due === day)} />
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
    </section>
  );
}

function Day({ day, deadlines }: { day: string; deadlines: readonly ListedDeadline[] }) {
  return (
    <>
      <time
        dateTime={day}
        className={day === today() ? 'calendrier__jour calendrier__jour--present' : 'calendrier__jour'}
      >
        {Number(day.slice(8))}
      </time>
      {deadlines.length > 0 && (
        <ul className="fr-raw-list">
          {deadlines.map(({ id, dossier, label, summary, overdue }) => (
            <li key={id}>
              <Link to={`/dossiers/${dossier}`} title={inWords(day)}>
                {summary.prestataire} : {label}
                {overdue && ' (dépassée)'}
              </Link>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** The same deadlines in one's own calendar: an address with a token of its own, which can be revoked. */
function Subscription() {
  const queries = useQueryClient();
  const { act, running, fault } = useAct();
  const [label, setLabel] = useState('');
  const [made, setMade] = useState<string | null>(null);
  const tokens = useQuery({
    queryKey: ['calendar-tokens'],
    queryFn: async () => (await ask(api.GET('/api/calendar-tokens'))).items,
  });
  const make = (event: FormEvent) => {
    event.preventDefault();
    void act(async () => {
      const { url } = await ask(
        api.POST('/api/calendar-tokens', { body: label.trim() ? { label: label.trim() } : {} }),
      );
      setMade(url);
      setLabel('');
      await queries.invalidateQueries({ queryKey: ['calendar-tokens'] });
    });
  };
  const revoke = (token: string) =>
    act(async () => {
      await ask(api.DELETE('/api/calendar-tokens/{token}', { params: { path: { token } } }));
      await queries.invalidateQueries({ queryKey: ['calendar-tokens'] });
    });
  return (
    <section aria-labelledby="agenda" className="fr-mt-6w">
      <h2 id="agenda">Dans votre agenda</h2>
      <p>
        Un logiciel d’agenda peut suivre ces échéances par une adresse qui vous est propre. Elle montre ce que vous
        voyez aujourd’hui, à quiconque la connaît, jusqu’à ce que vous la révoquiez.
      </p>
      <form onSubmit={make} className="groupe groupe--bas">
        <Input
          className="fr-mb-0"
          label="Nom (facultatif)"
          hintText="Pour s’y retrouver : « Téléphone »"
          nativeInputProps={{ value: label, autoComplete: 'off', onChange: ({ target }) => setLabel(target.value) }}
        />
        <Button type="submit" priority="secondary" iconId="fr-icon-calendar-line" disabled={running}>
          Obtenir une adresse
        </Button>
      </form>
      {fault && <ProblemAlert fault={fault} />}
      {made && (
        <ToldOnce
          title="Votre adresse d’agenda"
          advice="Copiez-la maintenant dans votre logiciel d’agenda : elle ne sera plus montrée."
          text={made}
        />
      )}
      {tokens.data && tokens.data.length > 0 && (
        <DataTable
          caption="Adresses en service"
          columns={[
            { label: 'Nom', names: true, cell: ({ label: name }) => name ?? 'Sans nom' },
            { label: 'Créée le', cell: ({ createdAt }) => momentInWords(createdAt) },
            { label: 'Pour', cell: ({ owner }) => [owner.sub, owner.org].filter(Boolean).join(' · ') },
            {
              label: 'Action',
              cell: ({ id, label: name }) => (
                <Button size="small" priority="tertiary" disabled={running} onClick={() => void revoke(id)}>
                  Révoquer<span className="fr-sr-only"> {name ?? 'cette adresse'}</span>
                </Button>
              ),
            },
          ]}
          rows={tokens.data}
          keyOf={({ id }) => id}
        />
      )}
    </section>
  );
}
