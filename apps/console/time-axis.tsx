import './time-axis.css';
import { ticksOf, timeScale } from './plot-time.ts';
import type { Timeline } from './reading.ts';
import { DataTable } from './table.tsx';
import { inWords, isDate, periodInWords, short } from './words.ts';

const SIZE = { width: 1000, height: 210, left: 30, right: 45 };
const LINE = 120;

/** The days of a period: `2026`, `2026-T2`, `2026-S1`, `2026-06` or a date. */
function boundsOf(period: string): [string, string] {
  const [, year = '', part, rank] = /^(\d{4})(?:-([TS])(\d))?/.exec(period) ?? [];
  const months = (first: number, last: number): [string, string] => [
    `${year}-${String(first).padStart(2, '0')}-01`,
    new Date(Date.UTC(Number(year), last, 0)).toISOString().slice(0, 10),
  ];
  if (part === 'T') return months(Number(rank) * 3 - 2, Number(rank) * 3);
  if (part === 'S') return months(Number(rank) * 6 - 5, Number(rank) * 6);
  if (/^\d{4}-\d{2}$/.test(period)) return months(Number(period.slice(5)), Number(period.slice(5)));
  return period.length === 4 ? months(1, 12) : [period, period];
}

/** A dossier on an axis of time: its facts, the milestones that it crossed, what was announced; and the same as a table. */
export default function TimeAxis({ timeline: { entries, milestones, targets } }: { timeline: Timeline }) {
  const crossed = milestones.flatMap(({ jalon, effectiveAt }) => (effectiveAt ? [{ jalon, day: effectiveAt }] : []));
  const announced = targets.map((target) => ({ ...target, bounds: boundsOf(target.periode) }));
  const days = [...entries.map(({ effectiveAt }) => effectiveAt), ...announced.flatMap(({ bounds }) => bounds)]
    .filter(isDate)
    .toSorted();
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return null;
  const place = timeScale(first, last, [SIZE.left, SIZE.width - SIZE.right]).nice();
  const at = (day: string) => place(new Date(day));
  const rows = [
    ...entries.map(({ id, effectiveAt, label }) => ({ id, day: effectiveAt, what: label, kind: 'Fait' })),
    ...crossed.map(({ jalon, day }) => ({ id: jalon, day, what: `${jalon} franchi`, kind: 'Jalon' })),
    ...announced.map(({ fact, jalon, periode, missed, bounds: [, end] }) => ({
      id: `${fact}-cible`,
      day: end,
      what: `${jalon} au plus tard : ${periodInWords(periode)}${missed ? ' (manquée)' : ''}`,
      kind: 'Cible annoncée',
    })),
  ].toSorted((a, b) => (a.day < b.day ? -1 : 1));
  return (
    <figure className="axe">
      <div className="axe__cadre">
        <svg
          viewBox={`0 0 ${SIZE.width} ${SIZE.height}`}
          role="img"
          aria-label="Le dossier sur un axe du temps : le tableau qui suit dit la même chose"
        >
          <line className="axe__ligne" x1={0} x2={SIZE.width} y1={LINE} y2={LINE} />
          {ticksOf(place, 8).map((tick) => (
            <g key={tick.at} transform={`translate(${tick.at} ${LINE})`}>
              <line className="axe__ligne" y2={6} />
              <text y={22} textAnchor="middle">
                {tick.label}
              </text>
            </g>
          ))}
          {announced.map(({ fact, jalon, missed, bounds: [from, to] }, index) => (
            <g key={fact} className={missed ? 'axe__cible axe__cible--manquee' : 'axe__cible'}>
              <rect x={at(from)} width={Math.max(4, at(to) - at(from))} y={LINE + 48 + (index % 2) * 26} height={10} />
              <text x={at(from) + 4} y={LINE + 44 + (index % 2) * 26}>
                {jalon} annoncé{missed && ', manqué'}
              </text>
            </g>
          ))}
          {entries.map(({ id, effectiveAt, label }) => (
            <circle key={id} className="axe__fait" cx={at(effectiveAt)} cy={LINE} r={4}>
              <title>{`${short(effectiveAt)} : ${label}`}</title>
            </circle>
          ))}
          {crossed.map(({ jalon, day }, index) => (
            <g key={jalon} className="axe__jalon" transform={`translate(${at(day)} ${LINE})`}>
              <line y1={0} y2={-30 - (index % 2) * 34} />
              <path d="M0-9 9 0 0 9-9 0z" />
              <text y={-48 - (index % 2) * 34} textAnchor="middle">
                {jalon}
              </text>
              <text y={-35 - (index % 2) * 34} textAnchor="middle">
                {short(day)}
              </text>
            </g>
          ))}
        </svg>
      </div>
      <details>
        <summary>Les mêmes dates en tableau</summary>
        <DataTable
          caption="Faits, jalons et cibles, par date"
          hidden
          columns={[
            { label: 'Date', cell: ({ day }) => inWords(day) },
            { label: 'Quoi', names: true, cell: ({ what }) => what },
            { label: 'Nature', cell: ({ kind }) => kind },
          ]}
          rows={rows}
          keyOf={({ id, kind }) => id + kind}
        />
      </details>
    </figure>
  );
}
