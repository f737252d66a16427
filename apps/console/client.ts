import createClient from 'openapi-fetch';
import type { components, paths } from './api.generated.ts';
import { currentSession, leave } from './session.ts';

/** The answers of the API, by their names in its OpenAPI document. */
export type Schemas = components['schemas'];

/** The document that explains why a request was not answered as wished (RFC 9457). */
export type ProblemDocument = Schemas['Problem'] & { [member: string]: unknown };

/** A request that was refused, failed, or reached nobody (status 0). */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    readonly document: ProblemDocument,
    /** Seconds after which the server asks to be asked again; undefined when it does not. */
    readonly retryAfter?: number,
    /** Where to read what the answer speaks of. */
    readonly location?: string,
  ) {
    super(document.detail);
  }
  get status(): number {
    return this.document.status;
  }
}

/** Every route of the API, typed by its own OpenAPI document. Answers are taken out by `ask`. */
export const api = createClient<paths>({ baseUrl: location.origin });

api.use({
  onRequest({ request }) {
    const session = currentSession();
    if (session) request.headers.set('authorization', `Bearer ${session.token}`);
    return request;
  },
  onResponse({ response }) {
    if (response.status === 401) leave('expired');
  },
});

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The body of an answer. @throws Problem when there is none, whatever the reason */
export async function ask<T>(request: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (fault) {
    if (!(fault instanceof TypeError)) throw fault;
    throw new Problem({
      type: 'about:blank',
      title: 'Serveur injoignable',
      status: 0,
      detail: 'La requête n’a pas abouti : le serveur ne répond pas, ou la connexion est coupée.',
    });
  }
  const { data, error, response } = answer;
  if (response.ok) return data as T;
  const { headers } = response;
  throw new Problem(
    problemOf(error, response),
    Number(headers.get('retry-after') ?? undefined) || undefined,
    headers.get('location') ?? undefined,
  );
}

function problemOf(error: unknown, { status, statusText }: Response): ProblemDocument {
  if (error !== null && typeof error === 'object' && 'title' in error) return error as ProblemDocument;
  return { type: 'about:blank', title: `Erreur ${status}`, status, detail: statusText || 'La réponse est illisible.' };
}
