import { isCalendarDate, isStorable, type JsonSchema, UUID, unseenIn } from '@jalon/flow';
import type { FastifyRequest } from 'fastify';
import { isInstant, malformed, type Parameters } from './http.ts';

/** What schemas of parameters that the document keeps as components ask. */
const COMPONENTS: Readonly<Record<string, [accepts: (text: string) => boolean, wanted: string]>> = {
  Uuid: [(text) => UUID.test(text), 'un UUID en minuscules'],
  Date: [isCalendarDate, 'une date qui existe, sous la forme AAAA-MM-JJ'],
  Instant: [isInstant, 'un instant de la RFC 3339, par exemple 2026-03-03T09:30:00Z'],
};

/**
 * Holds a request to what its route declares of its parameters, whichever the route: a new one is checked by being declared.
 * What a path names and is not there is for the route to say (404), but for what no name can have.
 * @throws 400 for what is not declared, given twice, badly encoded, not seen, or of another form
 */
export function checkParameters({ params, query, headers, url }: FastifyRequest, declared: Parameters): void {
  assertEncoded(url);
  for (const [name, text] of Object.entries((params ?? {}) as Record<string, string>)) {
    const component = componentOf(declared.path[name] ?? {});
    // Nothing there names nothing.
    if (text === '') continue;
    if (component && !component[0](text)) throw malformed(`« ${shown(text)} » n'est pas ${component[1]}.`);
    const fault = unseenIn(text, { lines: false });
    if (fault !== undefined) throw malformed(`${name} : ${fault}`);
  }
  const names = Object.keys(declared.query);
  for (const [name, given] of Object.entries((query ?? {}) as Record<string, unknown>)) {
    const schema = Object.hasOwn(declared.query, name) ? declared.query[name] : undefined;
    if (!schema) throw malformed(`Paramètre inconnu : ${shown(name)}. Connus : ${names.join(', ') || 'aucun'}.`);
    if (typeof given !== 'string') throw malformed(`Le paramètre ${name} n'est donné qu'une fois.`);
    const fault = faultOf(schema, given);
    if (fault !== undefined) throw malformed(`${name} : ${fault}`);
  }
  for (const name of declared.headers) {
    const text = headers[name.toLowerCase()];
    if (text !== undefined && !isStorable(String(text))) throw malformed(`${name} contient un caractère de contrôle.`);
  }
}

/** @throws 400 when what follows the path is not UTF-8, percent-encoded (RFC 3986): it would be read as something else */
function assertEncoded(url: string): void {
  const mark = url.indexOf('?');
  if (mark < 0) return;
  try {
    decodeURIComponent(url.slice(mark + 1));
  } catch {
    throw malformed("L'adresse contient un encodage « % » incorrect.");
  }
}

/** What is wrong with a parameter, as a sentence. */
function faultOf(schema: JsonSchema, text: string): string | undefined {
  const component = componentOf(schema);
  if (component) return component[0](text) ? undefined : `${component[1]} est attendu.`;
  const { type, minimum, maximum, pattern, format, enum: words } = schema as Form;
  if (type === 'integer') {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    const right = value >= (minimum ?? Number.NEGATIVE_INFINITY) && value <= (maximum ?? Number.POSITIVE_INFINITY);
    if (right) return undefined;
    const bounds = minimum !== undefined && maximum !== undefined ? ` de ${minimum} à ${maximum}` : ' positif';
    return `un nombre entier${bounds} est attendu.`;
  }
  if (type === 'boolean') return text === 'true' || text === 'false' ? undefined : 'true ou false est attendu.';
  if (words) return words.includes(text) ? undefined : `une de ces valeurs est attendue : ${words.join(', ')}.`;
  if (format === 'date') return isCalendarDate(text) ? undefined : `${COMPONENTS.Date?.[1]} est attendue.`;
  if (pattern !== undefined)
    return new RegExp(pattern, 'u').test(text) ? undefined : 'cette forme n’est pas la sienne.';
  return text.trim() === '' ? undefined : unseenIn(text, { lines: false });
}

type Form = {
  type?: string;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  format?: string;
  enum?: readonly string[];
};

function componentOf({ $ref }: JsonSchema): (typeof COMPONENTS)[string] | undefined {
  return typeof $ref === 'string' ? COMPONENTS[$ref.slice($ref.lastIndexOf('/') + 1)] : undefined;
}

/** As much of what was given as a sentence can hold, and nothing that would not show there. */
function shown(text: string): string {
  return text.slice(0, 64).replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '\ufffd');
}
