import { type ScaleTime, scaleUtc } from 'd3-scale';
import { monthInWords, short } from './words.ts';

/**
 * Dates of the procedure on the axis of a plot. They are dates of a calendar, not instants: the scale counts in UTC, in
 * which they are written, wherever the browser is.
 */
export function timeScale(first: string, last: string, range: readonly [number, number]): ScaleTime<number, number> {
  return scaleUtc()
    .domain([new Date(first), new Date(last)])
    .range([...range]);
}

/** Where the axis is named, about so often, and how: by the month that begins there, else by the day. */
export function ticksOf(scale: ScaleTime<number, number>, count: number): { at: number; label: string }[] {
  return scale.ticks(count).map((tick) => {
    const day = tick.toISOString().slice(0, 10);
    return { at: scale(tick), label: day.endsWith('-01') ? monthInWords(day.slice(0, 7)) : short(day) };
  });
}
