import { isStorable } from '@jalon/flow';

/** A page of a list, and where the next one starts; no `next` on the last. */
export type Page<T> = { items: T[]; next?: string };

/** How many items a page has when nobody says, and at most. */
export const PAGE = { usual: 50, most: 200 };

/** A cursor that the list did not give. */
export class CursorRefused extends Error {
  override readonly name = 'CursorRefused';
  constructor(list: string) {
    super(`The cursor is not one that ${list} gave.`);
  }
}

/** What a list is ordered by, of the last item seen: the next page starts after it, whatever was recorded meanwhile. */
export type Place = readonly string[];

/** A place as a text to hand back. */
function cursorOf(list: string, place: Place): string {
  return Buffer.from(JSON.stringify([list, ...place])).toString('base64url');
}

/** The place, of as many columns, that a cursor names. @throws CursorRefused when another list gave it, or none */
export function placeOf(list: string, cursor: string, columns: number): Place {
  const [name, ...place] = parsed(cursor);
  if (
    name !== list ||
    place.length !== columns ||
    !place.every((each): each is string => typeof each === 'string' && isStorable(each))
  )
    throw new CursorRefused(list);
  return place;
}

/** One page of rows, of which one more than `limit` was asked for. */
export function pageOf<R, T>(
  list: string,
  rows: readonly R[],
  limit: number,
  { item, place }: { item: (row: R) => T; place: (row: R) => Place },
): Page<T> {
  const items = rows.slice(0, limit).map(item);
  const last = rows[limit - 1];
  return rows.length > limit && last !== undefined ? { items, next: cursorOf(list, place(last)) } : { items };
}

function parsed(cursor: string): unknown[] {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(place) ? place : [];
  } catch {
    // Whatever is not ours is refused by the caller, in one sentence.
    return [];
  }
}
