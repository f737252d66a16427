// Which events of $all a filtered subscription wants, and after how many looked at it is told how far the server got.
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import type { Recorded } from './store.ts';

/** Whether a subscription wants an event. */
export type Filter = (event: Recorded) => boolean;

/** How many events the server looks at in one go when the client does not say. */
export const PAGE = 32;

/** What a subscription asked for: its filter, its search window and its checkpoint interval, both in events looked at. */
export function filterOf(options: ReadReq.Options): { wants: Filter; window: number; interval: number } | null {
  const filter = options.getFilter();
  if (!filter) return null;
  const window = filter.hasMax() ? filter.getMax() : PAGE;
  const interval = filter.getCheckpointintervalmultiplier() * window;
  const onStream = filter.getStreamIdentifier();
  const wants = matching(onStream ?? filter.getEventType(), onStream ? ({ stream }) => stream : ({ type }) => type);
  return { wants, window, interval };
}

function matching(
  expression: ReadReq.Options.FilterOptions.Expression | undefined,
  textOf: (event: Recorded) => string,
): Filter {
  if (!expression) return () => true;
  const prefixes = expression.getPrefixList();
  if (expression.getRegex() === '') return (event) => prefixes.some((prefix) => textOf(event).startsWith(prefix));
  const regex = new RegExp(expression.getRegex());
  return (event) => regex.test(textOf(event));
}
