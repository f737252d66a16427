import { type CursorKind, CursorRefused, type CursorSeal, START } from '@jalon/delivery';
import type { JsonSchema } from '@jalon/flow';
import type { FastifyRequest } from 'fastify';
import { nextLink } from './answers.ts';
import { malformed, type Parameters } from './http.ts';

/** The header by which a client that lost a stream says where it was. */
const LAST = 'Last-Event-ID';

const REFUSED = {
  page: 'est donné par « next », pour la même liste.',
  place:
    'est « start », ou un curseur donné ici par le flux ou par « next ». Ceux d’un autre serveur, ou d’avant une importation, ne sont pas reconnus : reprendre de « start ».',
} as const;

/** The schema of a parameter that is a cursor: it is opened before any route sees it. */
export function cursorSchema(description: string): JsonSchema {
  return { type: 'string', format: 'cursor', description };
}

/**
 * Opens the cursors of a request, whichever the route: a route that declares one is given what was sealed in it.
 * @throws 400 for one that was not given here; DeliveriesUnavailable while the key is out of reach
 */
export async function openCursors(request: FastifyRequest, declared: Parameters, seal: CursorSeal): Promise<void> {
  const names = Object.keys(declared.query).filter((name) => declared.query[name]?.format === 'cursor');
  const hasLast = declared.headers.includes(LAST);
  if (names.length === 0 && !hasLast) return;
  const query = request.query as Record<string, string | undefined>;
  for (const name of names)
    if (query[name] !== undefined) query[name] = await opened(seal, name, kindOf(name), query[name]);
  const last = request.headers[LAST.toLowerCase()];
  if (hasLast && typeof last === 'string' && last !== '')
    request.headers[LAST.toLowerCase()] = await opened(seal, LAST, 'place', last);
}

/** Link to what follows (RFC 8288), its cursor sealed. @throws DeliveriesUnavailable while the key is out of reach */
export async function sealedLink(
  seal: CursorSeal,
  path: string,
  query: Record<string, string | number | undefined>,
  next: { cursor: string | number } | { after: string },
): Promise<string> {
  await seal.ready();
  const sealed =
    'after' in next
      ? { after: next.after === START ? START : seal.seal('place', next.after) }
      : { cursor: seal.seal('page', String(next.cursor)) };
  return nextLink(path, { ...query, ...sealed });
}

async function opened(seal: CursorSeal, name: string, kind: CursorKind, cursor: string): Promise<string> {
  if (kind === 'place' && cursor === START) return cursor;
  await seal.ready();
  try {
    return seal.open(kind, cursor);
  } catch (fault) {
    if (fault instanceof CursorRefused) throw malformed(`${name} ${REFUSED[kind]}`);
    throw fault;
  }
}

function kindOf(name: string): CursorKind {
  return name === 'cursor' ? 'page' : 'place';
}
