import { scaleLinear } from 'd3-scale';
import { ticksOf, timeScale } from './plot-time.ts';
import { Scrolling } from './scrolling.tsx';

const SIZE = { width: 1000, height: 320, left: 40, right: 90, top: 12, bottom: 32 };

/** As many months can be named below the axis. */
const MOST_MONTHS = 6;

/** The least distance between two names at the ends of lines. */
const APART = 15;

/** How many dossiers had got so far by the end of each month, and until today: one stepped line each, named at its end. */
export function CrossingsPlot({
  months,
  lines,
  until,
}: {
  months: readonly string[];
  lines: readonly Line[];
  until: string;
}) {
  const days = months.map(endOf);
  const ends = new Date(Math.max(Date.parse(until), ...days.map(Number)));
  const last = ends.toISOString().slice(0, 10);
  const x = timeScale(`${months[0]}-01`, last, [SIZE.left, SIZE.width - SIZE.right]);
  const y = scaleLinear()
    .domain([0, Math.max(...lines.flatMap(({ counts }) => counts))])
    .range([SIZE.height - SIZE.bottom, SIZE.top])
    .nice();
  const whole = y.ticks(6).filter(Number.isInteger);
  // A line begins where something is counted.
  const path = ({ counts }: Line) => {
    const from = counts.findIndex((count) => count > 0);
    const steps = counts.slice(from).map((count, rank) => `H${x(days[from + rank] as Date)}V${y(count)}`);
    return from < 0 ? '' : `M${x(days[from] as Date)} ${y(0)}${steps.join('')}H${x(ends)}`;
  };
  return (
    <figure className="trace">
      <Scrolling className="trace__cadre" label="Dossiers par jalon">
        <svg
          viewBox={`0 0 ${SIZE.width} ${SIZE.height}`}
          role="img"
          aria-label="Dossiers ayant franchi chaque jalon, mois après mois : le tableau qui suit dit la même chose"
        >
          {whole.map((tick) => (
            <g key={tick} transform={`translate(0 ${y(tick)})`}>
              <line className="trace__grille" x1={SIZE.left} x2={SIZE.width - SIZE.right} />
              <text x={SIZE.left - 8} y={4} textAnchor="end">
                {tick.toLocaleString('fr-FR')}
              </text>
            </g>
          ))}
          {sparse(ticksOf(x, MOST_MONTHS)).map((tick) => (
            <g key={tick.at} transform={`translate(${tick.at} ${SIZE.height - SIZE.bottom})`}>
              <line className="trace__grille" y2={6} />
              <text y={22} textAnchor="middle">
                {tick.label}
              </text>
            </g>
          ))}
          {lines.map((line, rank) => (
            <path key={line.label} className={`trace__ligne trace__ligne--${rank % 5}`} d={path(line)} />
          ))}
          {named(lines, y).map(({ label, count, at }) => (
            <text key={label} className="trace__nom" x={SIZE.width - SIZE.right + 8} y={at + 4}>
              {label} : {count.toLocaleString('fr-FR')}
            </text>
          ))}
        </svg>
      </Scrolling>
    </figure>
  );
}

type Line = { label: string; counts: readonly number[] };

/** The names at the ends of the lines, from the top, none over another. */
function named(lines: readonly Line[], y: (count: number) => number) {
  let free = Number.NEGATIVE_INFINITY;
  const ends = lines
    .map(({ label, counts }) => ({ label, count: counts.at(-1) ?? 0 }))
    .toSorted((a, b) => b.count - a.count)
    .map((end) => {
      const at = Math.max(y(end.count), free);
      free = at + APART;
      return { ...end, at };
    });
  // What was pushed below the axis pushes the others up.
  let floor = y(0);
  return ends.toReversed().map((end) => {
    const at = Math.min(end.at, floor);
    floor = at - APART;
    return { ...end, at };
  });
}

/** Every so many of a list, so that no more remain than can be named. */
function sparse<T>(list: readonly T[]): T[] {
  const step = Math.ceil(list.length / MOST_MONTHS);
  return list.filter((_, rank) => rank % step === 0);
}

/** The last day of a month. */
function endOf(month: string): Date {
  const [year = 0, rank = 1] = month.split('-').map(Number);
  return new Date(Date.UTC(year, rank, 0));
}
