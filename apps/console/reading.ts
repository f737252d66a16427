import { keepPreviousData, QueryClient, useQueries, useQuery } from '@tanstack/react-query';
import { api, ask, Problem, type Schemas } from './client.ts';

/** What the screens read. One function per reading; its key says of what, so that a change can be told to whom it concerns. */

/** Asks again only where asking again can help, and not before the server says so. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, fault) => fault instanceof Problem && [0, 502, 503, 504].includes(fault.status) && failures < 2,
      retryDelay: (failures, fault) => ((fault instanceof Problem && fault.retryAfter) || 2 ** failures) * 1000,
    },
  },
});

export type Dossier = Schemas['Dossier'];
export type ListedDossier = Schemas['ListedDossier'];
export type Timeline = Schemas['Timeline'];
export type Entry = Schemas['TimelineEntry'];
export type Workflow = Schemas['Workflow'];
export type WorkflowName = Schemas['Dossier']['workflow'];

/** Published procedures never change: they are read once. */
const FOR_EVER = { staleTime: Number.POSITIVE_INFINITY, gcTime: Number.POSITIVE_INFINITY };

export function useVersion() {
  return useQuery({ queryKey: ['version'], queryFn: () => ask(api.GET('/version')), ...FOR_EVER });
}

export function useWorkflows() {
  return useQuery({ queryKey: ['workflows'], queryFn: () => ask(api.GET('/api/workflows')), ...FOR_EVER });
}

export function useWorkflow(name: string, version: number) {
  return useQuery({
    queryKey: ['workflow', name, version],
    queryFn: () => ask(api.GET('/api/workflows/{name}/{version}', { params: { path: { name, version } } })),
    ...FOR_EVER,
  });
}

/** The procedure that words are taken from where no dossier says which: the newest version of the first one. */
export function useDefaultWorkflow() {
  const { data } = useWorkflows();
  const first = data?.items[0];
  const version = Math.max(...(data?.items ?? []).filter(({ name }) => name === first?.name).map((one) => one.version));
  return useQuery({
    queryKey: ['workflow', first?.name, version],
    queryFn: () =>
      ask(api.GET('/api/workflows/{name}/{version}', { params: { path: { name: first?.name as string, version } } })),
    enabled: first !== undefined,
    ...FOR_EVER,
  });
}

export type Referentiel = Schemas['Requirements']['items'][number];

/** The requirements that a procedure knows, by référentiel and chapter. */
export function useRequirements({ name, version }: WorkflowName) {
  return useQuery({
    queryKey: ['requirements', name, version],
    queryFn: () =>
      ask(api.GET('/api/workflows/{name}/{version}/requirements', { params: { path: { name, version } } })),
    ...FOR_EVER,
  });
}

/** JSON Schema of a payload, as much of it as is looked at. */
export type Schema = {
  title?: string;
  description?: string;
  type?: string;
  $ref?: string;
  enum?: string[];
  format?: string;
  pattern?: string;
  maxLength?: number;
  minItems?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  $defs?: Record<string, Schema>;
};

function schemaOf({ name, version }: WorkflowName, type: string) {
  return {
    queryKey: ['schema', name, version, type],
    queryFn: async () => {
      const path = { name, version, type };
      return (await ask(api.GET('/api/workflows/{name}/{version}/facts/{type}', { params: { path } }))) as Schema;
    },
    ...FOR_EVER,
  };
}

export function useSchema(workflow: WorkflowName, type: string) {
  return useQuery(schemaOf(workflow, type));
}

/** The schemas of several types of fact, those that have arrived, by type. */
export function useSchemas(workflow: WorkflowName, types: readonly string[]): ReadonlyMap<string, Schema> {
  return useQueries({
    queries: types.map((type) => schemaOf(workflow, type)),
    combine: (results) => new Map(results.flatMap(({ data }, index) => (data ? [[types[index] as string, data]] : []))),
  });
}

export function useDossier(id: string) {
  return useQuery({
    queryKey: ['dossier', id, 'now'],
    queryFn: () => ask(api.GET('/api/dossiers/{id}', { params: { path: { id } } })),
  });
}

export function useTimeline(id: string) {
  return useQuery({
    queryKey: ['dossier', id, 'timeline'],
    queryFn: () => ask(api.GET('/api/dossiers/{id}/timeline', { params: { path: { id } } })),
  });
}

export type Fact = Schemas['Fact'];
export type HistoryItem = Schemas['History']['items'][number];

/** The facts that were recorded after a revision (-1: all of them), oldest first. */
export async function factsAfter(id: string, revision: number): Promise<HistoryItem[]> {
  const items: HistoryItem[] = [];
  for (let after = revision, more = true; more; after = items.at(-1)?.revision ?? after) {
    const query = after < 0 ? { limit: 200 } : { after, limit: 200 };
    const page = await ask(api.GET('/api/dossiers/{id}/facts', { params: { path: { id }, query } }));
    items.push(...page.items);
    more = page.next !== undefined;
  }
  return items;
}

export function useHistory(id: string) {
  return useQuery({ queryKey: ['dossier', id, 'history'], queryFn: () => factsAfter(id, -1) });
}

/** A moment of a dossier's past, as the API asks for it. */
export type Moment = { revision?: number; effectiveAt?: string; corrected?: boolean };

/** Where a dossier stood then. Asked again when something was recorded since: a correction may change any past. */
export function usePastState(id: string, moment: Moment) {
  return useQuery({
    queryKey: ['dossier', id, 'state', moment],
    queryFn: () => ask(api.GET('/api/dossiers/{id}/state', { params: { path: { id }, query: moment } })),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** What changed from one moment to another (RFC 6902); nothing is asked without a moment before. */
export function useDifference(id: string, from: Moment | undefined, to: Moment) {
  const query = {
    ...(from?.revision === undefined ? {} : { from: from.revision }),
    ...(from?.effectiveAt === undefined ? {} : { fromEffectiveAt: from.effectiveAt }),
    ...(from?.corrected ? { fromCorrected: true } : {}),
    ...(to.revision === undefined ? {} : { to: to.revision }),
    ...(to.effectiveAt === undefined ? {} : { toEffectiveAt: to.effectiveAt }),
    ...(to.corrected ? { toCorrected: true } : {}),
  };
  return useQuery({
    queryKey: ['dossier', id, 'diff', query],
    queryFn: () => ask(api.GET('/api/dossiers/{id}/diff', { params: { path: { id }, query } })),
    enabled: from !== undefined,
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** The query of the list, as the API documents it. */
export type ListQuery = NonNullable<import('./api.generated.ts').operations['listDossiers']['parameters']['query']>;

/** A page of the list, and the cursor of the next one. */
export function useDossiers(query: ListQuery) {
  return useQuery({
    queryKey: ['dossiers', query],
    queryFn: () => pageOfDossiers(query),
    placeholderData: keepPreviousData,
  });
}

export async function pageOfDossiers(query: ListQuery) {
  const { items, next } = await ask(api.GET('/api/dossiers', { params: { query } }));
  return { items, cursor: cursorOf(next) };
}

export type ListedDeadline = Schemas['ListedDeadline'];
type DeadlineQuery = NonNullable<import('./api.generated.ts').operations['listDeadlines']['parameters']['query']>;

async function pageOfDeadlines(query: DeadlineQuery) {
  const { items, next } = await ask(api.GET('/api/deadlines', { params: { query } }));
  return { items, cursor: cursorOf(next) };
}

export function useDeadlines(query: DeadlineQuery) {
  return useQuery({
    queryKey: ['deadlines', query],
    queryFn: () => pageOfDeadlines(query),
    placeholderData: keepPreviousData,
  });
}

/** Every deadline of a query, page after page. */
export async function deadlinesBefore(query: DeadlineQuery): Promise<ListedDeadline[]> {
  const all: ListedDeadline[] = [];
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await pageOfDeadlines({ ...query, limit: 200, ...(cursor ? { cursor } : {}) });
    all.push(...page.items);
    cursor = page.cursor;
  }
  return all;
}

/** The cursor in the address of the next page. */
function cursorOf(next: string | undefined): string | undefined {
  return next === undefined ? undefined : (new URL(next, location.origin).searchParams.get('cursor') ?? undefined);
}

export type Webhook = Schemas['Webhook'];
export type Delivery = Schemas['Delivery'];

/** A page of what was sent to a webhook, newest first. */
export async function pageOfDeliveries(webhook: string, query: { state?: Delivery['state']; cursor?: string }) {
  const { items, next } = await ask(
    api.GET('/api/webhooks/{webhook}/deliveries', { params: { path: { webhook }, query: { ...query, limit: 50 } } }),
  );
  return { items, cursor: cursorOf(next) };
}

export type Access = Schemas['AccessPage']['items'][number];

/** A page of the log of accesses to a dossier from a day on, oldest first. */
export async function pageOfAccesses(asked: { dossier: string; from: string; cursor: string | undefined }) {
  const { cursor, ...query } = asked;
  const page = await ask(
    api.GET('/api/accesses', { params: { query: { ...query, limit: 50, ...(cursor ? { cursor } : {}) } } }),
  );
  return { items: page.items, cursor: cursorOf(page.next) };
}

export type Finding = Schemas['Finding'];

/** Every finding of a dossier, in the order of the requirements. */
export async function findingsOf(dossier: string): Promise<Finding[]> {
  const all: Finding[] = [];
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const query = { dossier, limit: 200, ...(cursor ? { cursor } : {}) };
    const page = await ask(api.GET('/api/findings', { params: { query } }));
    all.push(...page.items);
    cursor = cursorOf(page.next);
  }
  return all;
}
