import type { DossierView, FactView } from '@jalon/engine';

/** Where the JSON Schema of a fact's payload is served. */
export function schemaPath({ name, version }: { name: string; version: number }, type: string): string {
  return `/api/workflows/${name}/${version}/facts/${type}`;
}

/** What is possible as the contract answers it: each fact with the address of its schema. */
export function possibleAnswer(
  workflow: { name: string; version: number },
  possible: DossierView['possible'],
): object[] {
  return possible.map((fact) => ({ ...fact, schema: schemaPath(workflow, fact.type) }));
}

const possibleTexts = new WeakMap<DossierView['possible'], string>();

/** A dossier as the contract answers it, as JSON. Checklists are shared between answers: each is written once. */
export function dossierAnswer({ possible, ...view }: DossierView, event?: FactView, withheldForNow = false): string {
  let text = possibleTexts.get(possible);
  if (text === undefined) {
    text = JSON.stringify(possibleAnswer(view.workflow, possible));
    possibleTexts.set(possible, text);
  }
  const recorded = event === undefined ? '' : `,"event":${JSON.stringify(event)}`;
  const withheld = withheldForNow ? ',"withheldForNow":true' : '';
  return `${JSON.stringify(view).slice(0, -1)},"possible":${text}${recorded}${withheld}}`;
}

/** What `Prefer: return=minimal` asks an advance to be answered with. */
export function minimalAnswer(id: string, { revision, position, to, event }: Minimal): string {
  return JSON.stringify({ id, revision, position, state: to, event: { id: event } });
}

type Minimal = { revision: number; position: string; to: string; event: string };

/** Content type of answers that are written here. */
export const JSON_TYPE = 'application/json; charset=utf-8';

/** A page of a list: the items, and where the next page is. */
export function pageAnswer<T>(items: readonly T[], next: string | undefined): { items: readonly T[]; next?: string } {
  return next === undefined ? { items } : { items, next };
}

/** Link header of a list (RFC 8288). */
export function nextLink(path: string, query: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return `${path}?${pairs.join('&')}`;
}
