import type { DossierView, FactView } from '@jalon/engine';

/** Where the JSON Schema of a fact's payload is served. */
export function schemaPath({ name, version }: { name: string; version: number }, type: string): string {
  return `/api/workflows/${name}/${version}/facts/${type}`;
}

/** A dossier as the contract answers it: what is possible carries the address of its schema. */
export function dossierAnswer(view: DossierView, event?: FactView): object {
  const possible = view.possible.map((fact) => ({ ...fact, schema: schemaPath(view.workflow, fact.type) }));
  return { ...view, possible, ...(event === undefined ? {} : { event }) };
}

/** What `Prefer: return=minimal` asks an advance to be answered with. */
export function minimalAnswer(id: string, { revision, position, to, event }: Minimal): object {
  return { id, revision, position, state: to, event: { id: event } };
}

type Minimal = { revision: number; position: string; to: string; event: string };

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
