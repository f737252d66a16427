import { scaleLinear } from 'd3-scale';
import { Scrolling } from './scrolling.tsx';
import { counted } from './words.ts';

const SIZE = { width: 1000, row: 52, left: 130, right: 30, foot: 40 };
const BOX = 22;

/** With fewer durations than so many, a box would say more than is known. */
export const FEWEST = 3;

type Durations = { count: number; min: number; q1: number; median: number; q3: number; p90: number; max: number };

/** Durations in days as box plots, one above the other; of too few it says so, and draws nothing. */
export function DurationsPlot({ rows }: { rows: readonly { label: string; durations: Durations }[] }) {
  const longest = Math.max(1, ...rows.map(({ durations }) => (durations.count < FEWEST ? 0 : durations.max)));
  const x = scaleLinear()
    .domain([0, longest])
    .range([SIZE.left, SIZE.width - SIZE.right])
    .nice();
  const bottom = rows.length * SIZE.row;
  return (
    <figure className="trace">
      <Scrolling className="trace__cadre" label="Durées">
        <svg
          viewBox={`0 0 ${SIZE.width} ${bottom + SIZE.foot}`}
          role="img"
          aria-label="Durées entre jalons en boîtes : le tableau qui suit dit la même chose"
        >
          {x.ticks(8).map((tick) => (
            <g key={tick} transform={`translate(${x(tick)} 0)`}>
              <line className="trace__grille" y2={bottom} />
              <text y={bottom + 18} textAnchor="middle">
                {tick.toLocaleString('fr-FR')} j
              </text>
            </g>
          ))}
          {rows.map(({ label, durations }, rank) => (
            <g key={label} transform={`translate(0 ${(rank + 0.5) * SIZE.row})`}>
              <text x={0} y={-2} className="trace__nom">
                {label}
              </text>
              <text x={0} y={14}>
                n = {durations.count.toLocaleString('fr-FR')}
              </text>
              {durations.count < FEWEST ? (
                <text x={SIZE.left + 8} y={5}>
                  {counted(durations.count, 'durée')} : trop peu pour un tracé
                </text>
              ) : (
                <Box of={durations} x={x} />
              )}
            </g>
          ))}
        </svg>
      </Scrolling>
      <figcaption className="fr-text--sm">
        Le trait va de la plus courte à la plus longue, la boîte contient la moitié du milieu, la barre est la médiane,
        le losange la durée que neuf sur dix n’excèdent pas.
      </figcaption>
    </figure>
  );
}

function Box({ of: { min, q1, median, q3, p90, max }, x }: { of: Durations; x: (days: number) => number }) {
  return (
    <>
      <line className="trace__trait" x1={x(min)} x2={x(max)} />
      {[min, max].map((end, rank) => (
        <line key={rank} className="trace__trait" x1={x(end)} x2={x(end)} y1={-6} y2={6} />
      ))}
      <rect className="trace__boite" x={x(q1)} width={Math.max(2, x(q3) - x(q1))} y={-BOX / 2} height={BOX} />
      <line className="trace__mediane" x1={x(median)} x2={x(median)} y1={-BOX / 2} y2={BOX / 2} />
      <path className="trace__decile" transform={`translate(${x(p90)} 0)`} d="M0-7 7 0 0 7-7 0z" />
    </>
  );
}
