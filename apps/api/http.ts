import type { Caller } from '@jalon/engine';
import { isCalendarDate, type JsonSchema, UUID } from '@jalon/flow';
import type { FastifyRequest } from 'fastify';
import { ProblemRaised } from './problems.ts';

/** What a route declares of its parameters: path, query and headers, each with its schema. */
export type Parameters = {
  path: Readonly<Record<string, JsonSchema>>;
  query: Readonly<Record<string, JsonSchema>>;
  headers: readonly string[];
};

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls, once the token was verified; null on public routes. */
    caller: Caller | null;
    /** When the token expires, in milliseconds of Unix time. */
    callerUntil: number;
    /** The name of the problem that is answered; null when there is none. */
    refusal: string | null;
  }
  interface FastifyContextConfig {
    /** Answered without a token. */
    public?: boolean;
    /** Whether it reads a body, and cannot do without. */
    body?: 'needed' | 'optional';
    /** It reads a whole history, or the log when it begins at the start: few are answered at once. */
    reads?: 'history' | 'log';
    /** What its parameters may be; anything else is refused. Absent: whatever comes is ignored. */
    parameters?: Parameters;
  }
}

export type { FastifyReply, FastifyRequest } from 'fastify';

/** The caller of a route that is not public. */
export function callerOf({ caller }: FastifyRequest): Caller {
  if (!caller) throw new ProblemRaised('non-authentifie');
  return caller;
}

/** @throws 400 when a path parameter is no UUID */
export function uuidOf(text: string): string {
  if (!UUID.test(text)) throw malformed(`« ${text.slice(0, 64)} » n'est pas un UUID en minuscules.`);
  return text;
}

const REVISION_TAG = /^(W\/)?"(0|[1-9]\d{0,14})"$/;

/**
 * The revisions that `If-Match` accepts; undefined when it is absent or `*`, which any dossier matches. Tags are compared
 * strongly (RFC 9110, section 13.1.1): a weak one is none of them. @throws 400 when a tag is none of ours
 */
export function ifMatchOf(header: string | undefined): number[] | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  // A list may have empty members (RFC 9110, section 5.6.1).
  const tags = header.split(',').flatMap((tag) => tag.trim() || []);
  const read = tags.map((tag) => REVISION_TAG.exec(tag));
  if (read.length === 0 || read.includes(null))
    throw malformed('If-Match donne la révision entre guillemets, ou plusieurs : If-Match: "7", "8".');
  return read.flatMap((tag) => (tag?.[1] === undefined ? [Number(tag?.[2])] : []));
}

/** The Idempotency-Key: 1 to 255 visible ASCII characters. @throws 400 when malformed */
export function idempotencyKeyOf(header: string | undefined): string | undefined {
  if (header !== undefined && !/^[\x21-\x7e]{1,255}$/.test(header))
    throw malformed('Idempotency-Key compte 1 à 255 caractères ASCII visibles, sans espace.');
  return header;
}

/** A whole number in a query. @throws 400 when it is no number between `min` and `max` */
export function integerOf(
  name: string,
  text: string | undefined,
  { absent, min, max }: { absent: number; min: number; max: number },
): number {
  if (text === undefined) return absent;
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw malformed(`${name} est un nombre entier de ${min} à ${max}.`);
  return value;
}

/** A date in a query. @throws 400 when it is no date that exists */
export function dateOf(name: string, text: string | undefined): string {
  if (!isCalendarDate(text)) throw malformed(`${name} est une date qui existe, sous la forme AAAA-MM-JJ.`);
  return text as string;
}

const INSTANT = /^(\d{4}-\d{2}-\d{2})[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Whether a text is an instant of the RFC 3339 that exists. */
export function isInstant(text: string): boolean {
  const [, date] = INSTANT.exec(text) ?? [];
  return isCalendarDate(date) && !Number.isNaN(Date.parse(text));
}

/** An instant in a query (RFC 3339), as instants are stored: UTC, milliseconds. @throws 400 when it is none */
export function instantOf(name: string, text = ''): string {
  if (!isInstant(text)) throw malformed(`${name} est un instant de la RFC 3339, par exemple 2026-03-03T09:30:00Z.`);
  return new Date(text).toISOString();
}

/** Yes or no in a query; no when absent. @throws 400 for anything else than true or false */
export function booleanOf(name: string, text: string | undefined): boolean {
  if (text !== undefined && text !== 'true' && text !== 'false') throw malformed(`${name} est true ou false.`);
  return text === 'true';
}

/** A position as answers carry it. @throws 400 when it is none */
export function positionOf(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,20}$/.test(text)) throw malformed('min-position est une position donnée par une réponse.');
  return BigInt(text);
}

/** What cannot be read in a request. */
export function malformed(detail: string): ProblemRaised {
  return new ProblemRaised('requete-mal-formee', detail);
}
