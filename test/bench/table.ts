import { cpus, totalmem } from 'node:os';

/** One line of the table: what was measured against what, and what is wanted. Ratios are those of one run. */
export type Line = { what: string; measured: string; against: string; ratio: number; wanted: string; met: boolean };

/** The table as Markdown, to be pasted into the README as it is. */
export function table(lines: readonly Line[]): string {
  const rows = lines.map(
    ({ what, measured, against, ratio, wanted, met }) =>
      `| ${what} | ${measured} | ${against} | ${shown(ratio)} | ${wanted} | ${met ? 'yes' : '**no**'} |`,
  );
  return ['| what | measured | against | ratio or figure | wanted | met |', '|---|---|---|---|---|---|', ...rows].join(
    '\n',
  );
}

/** A figure with as many digits as it deserves. */
export function shown(figure: number): string {
  if (!Number.isFinite(figure)) return '-';
  return figure >= 100 ? Math.round(figure).toLocaleString('en-US') : figure.toFixed(2);
}

/** Requests or facts per second. */
export function perSecond(rate: number): string {
  return `${shown(Math.round(rate))}/s`;
}

/** Under what was measured: day, processors, memory, Node. */
export function machine(): string {
  const [cpu] = cpus();
  const day = new Date().toISOString().slice(0, 10);
  return `${day}, ${cpus().length} cores (${cpu?.model.trim()}), ${shown(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
}
