import './statistiques.css';
import { Select } from '@codegouvfr/react-dsfr/Select';
import { useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { api, ask, type Schemas } from './client.ts';
import { CrossingsPlot } from './crossings-plot.tsx';
import { DurationsPlot, FEWEST } from './durations-plot.tsx';
import { Loaded } from './loaded.tsx';
import { Page } from './page.tsx';
import { useWorkflows } from './reading.ts';
import { DataTable } from './table.tsx';
import { capital, counted, jalonInWords, monthInWords, today } from './words.ts';

type Statistics = Schemas['Statistics'];
type Span = Statistics['durations'][number];
/** How long something took, of one year or of all. */
type Spread = Omit<Span, 'workflow' | 'from' | 'to' | 'years'>;

/** Statistiques: how long it takes from one milestone to the next, and how many dossiers got there, drawn and as tables. */
export function Component() {
  const statistics = useQuery({ queryKey: ['statistics'], queryFn: () => ask(api.GET('/api/statistics')) });
  return (
    <Page title="Statistiques">
      <Loaded query={statistics}>{(all) => <ByProcedure all={all} />}</Loaded>
    </Page>
  );
}

/** One procedure at a time: milestones of one are not those of another. */
function ByProcedure({ all }: { all: Statistics }) {
  const [given, change] = useSearchParams();
  const labels = useWorkflows().data?.items;
  const procedures = [...new Set([...all.crossings, ...all.inProgress].map(({ workflow }) => workflow))];
  const [first] = procedures;
  if (first === undefined) return <p className="fr-text--lead">Aucun dossier n’a encore été ouvert.</p>;
  const asked = given.get('procedure');
  const procedure = asked !== null && procedures.includes(asked) ? asked : first;
  const of = <T extends { workflow: string }>(list: readonly T[]) =>
    list.filter(({ workflow }) => workflow === procedure);
  const set = (name: string, value: string) =>
    change(
      (before) => {
        const next = new URLSearchParams(before);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { preventScrollReset: true },
    );
  const ended = of(all.ended).reduce((sum, { count }) => sum + count, 0);
  const inProgress = of(all.inProgress);
  const running = inProgress.reduce((sum, { count }) => sum + count, 0);
  return (
    <>
      {procedures.length > 1 && (
        <Select
          label="Procédure"
          nativeSelectProps={{ value: procedure, onChange: ({ target }) => set('procedure', target.value) }}
        >
          {procedures.map((name) => (
            <option key={name} value={name}>
              {labels?.find((one) => one.name === name)?.label ?? name}
            </option>
          ))}
        </Select>
      )}
      <p className="fr-text--lead">
        {capital(counted(running, 'dossier'))} en cours, {counted(ended, 'dossier terminé', 'dossiers terminés')}.
      </p>
      <HowLong
        spans={inOrder(of(all.durations))}
        year={given.get('annee') ?? ''}
        onYear={(year) => set('annee', year)}
      />
      <OverTime crossings={of(all.crossings)} />
      <Now inProgress={inProgress} />
    </>
  );
}

/** From one milestone to the next, in order; then the whole way. */
function inOrder(spans: readonly Span[]): Span[] {
  const isWhole = ({ from, to }: Span) =>
    from === 'depot' && spans.some((other) => other.to === to && other.from !== from);
  return spans.toSorted((a, b) => Number(isWhole(a)) - Number(isWhole(b)));
}

/** « Du dépôt à J0 », « De J0 à J1 ». */
function spanInWords({ from, to }: { from: string; to: string }): string {
  return `${from === 'depot' ? 'Du dépôt' : `De ${from}`} à ${to}`;
}

const COLUMNS = [
  ['n', 'count'],
  ['Minimum', 'min'],
  ['1er quartile', 'q1'],
  ['Médiane', 'median'],
  ['3e quartile', 'q3'],
  ['9e décile', 'p90'],
  ['Maximum', 'max'],
] as const;

type HowLongProps = { spans: readonly Span[]; year: string; onYear: (year: string) => void };

function HowLong({ spans, year, onYear }: HowLongProps) {
  const years = [...new Set(spans.flatMap((span) => span.years.map((one) => one.year)))].toSorted((a, b) => b - a);
  const shown = spans.flatMap((span) => {
    const found: Spread | undefined = year ? span.years.find((one) => String(one.year) === year) : span;
    return found ? [{ label: spanInWords(span), durations: found }] : [];
  });
  return (
    <section aria-labelledby="durees">
      <h2 id="durees">Durées entre jalons, en jours</h2>
      {spans.length === 0 ? (
        <p>Aucun jalon n’a encore été franchi.</p>
      ) : (
        <>
          <Select
            className="ecran annee"
            label="Année du second jalon"
            nativeSelectProps={{ value: year, onChange: ({ target }) => onYear(target.value) }}
          >
            <option value="">Toutes</option>
            {years.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </Select>
          {shown.length === 0 ? <p>Aucun jalon n’a été franchi cette année-là.</p> : <Durations rows={shown} />}
          <ByYear spans={spans} />
        </>
      )}
    </section>
  );
}

function Durations({ rows }: { rows: readonly { label: string; durations: Spread }[] }) {
  return (
    <>
      <DurationsPlot rows={rows} />
      <DataTable
        caption="Durées, en jours"
        columns={[
          { label: 'De, à', names: true, cell: ({ label }) => label },
          ...COLUMNS.map(([label, name]) => ({
            label,
            number: true as const,
            cell: ({ durations }: (typeof rows)[number]) => durations[name].toLocaleString('fr-FR'),
          })),
        ]}
        rows={rows}
        keyOf={({ label }) => label}
      />
    </>
  );
}

/** How durations changed from year to year. */
function ByYear({ spans }: { spans: readonly Span[] }) {
  const rows = spans.flatMap((span) => span.years.map((one) => ({ label: spanInWords(span), ...one })));
  return (
    <details className="fr-mb-4w">
      <summary>Année par année</summary>
      <DataTable
        caption="Durées par année du second jalon, en jours"
        columns={[
          { label: 'De, à', names: true, cell: ({ label }) => label },
          { label: 'Année', number: true, cell: ({ year }) => year },
          { label: 'n', number: true, cell: ({ count }) => count },
          { label: 'Médiane', number: true, cell: ({ median }) => median.toLocaleString('fr-FR') },
          { label: '9e décile', number: true, cell: ({ p90 }) => p90.toLocaleString('fr-FR') },
        ]}
        rows={rows}
        keyOf={({ label, year }) => `${label} ${year}`}
      />
    </details>
  );
}

/** How many dossiers had been opened, and had crossed each milestone, by the end of each month in which something changed. */
function OverTime({ crossings }: { crossings: Statistics['crossings'] }) {
  const months = [...new Set(crossings.flatMap((one) => one.months.map(({ month }) => month)))].toSorted();
  const reached = crossings.map(({ jalon, months: changes }) => ({
    label: jalon === 'depot' ? 'Dépôt' : jalon,
    counts: months.map((month) =>
      changes.filter((change) => change.month <= month).reduce((sum, { count }) => sum + count, 0),
    ),
  }));
  const most = Math.max(0, ...reached.flatMap(({ counts }) => counts));
  return (
    <section aria-labelledby="temps" className="fr-mt-6w">
      <h2 id="temps">Dossiers ayant franchi chaque jalon</h2>
      <p>Depuis l’origine, à la fin de chaque mois, par date d’effet.</p>
      {most < FEWEST ? (
        <p>Moins de {FEWEST} dossiers : rien n’est tracé.</p>
      ) : (
        <CrossingsPlot months={months} lines={reached} until={today()} />
      )}
      <details>
        <summary>Les mêmes nombres en tableau</summary>
        <DataTable
          caption="Dossiers ayant franchi chaque jalon, à la fin du mois"
          columns={[
            { label: 'Mois', names: true, cell: (rank) => monthInWords(months[rank] as string) },
            ...reached.map(({ label, counts }) => ({
              label,
              number: true as const,
              cell: (rank: number) => counts[rank],
            })),
          ]}
          rows={months.map((_, rank) => rank).toReversed()}
          keyOf={String}
        />
      </details>
    </section>
  );
}

/** Where the dossiers that are not over stand today. */
function Now({ inProgress }: { inProgress: Statistics['inProgress'] }) {
  const most = Math.max(1, ...inProgress.map(({ count }) => count));
  return (
    <section aria-labelledby="en-cours" className="fr-mt-6w">
      <h2 id="en-cours">Dossiers en cours, par jalon visé</h2>
      {inProgress.length === 0 ? (
        <p>Aucun dossier n’est en cours.</p>
      ) : (
        <DataTable
          caption="Dossiers en cours"
          hidden
          columns={[
            {
              label: 'Jalon visé',
              names: true,
              cell: ({ jalon }) => (/^J\d/.test(jalon) ? `Vers ${jalon}` : jalonInWords(jalon)),
            },
            { label: 'Dossiers', number: true, cell: ({ count }) => count },
            {
              label: 'En proportion',
              cell: ({ count }) => (
                <svg className="part" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
                  <rect width={(count / most) * 100} height={10} />
                </svg>
              ),
            },
          ]}
          rows={inProgress}
          keyOf={({ jalon }) => jalon}
        />
      )}
    </section>
  );
}
