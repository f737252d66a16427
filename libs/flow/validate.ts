import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import type { PayloadClass } from './fact.ts';

/** One fault of a payload: where (JSON Pointer, RFC 6901) and a French sentence that says what is wanted. */
export type FieldError = { path: string; message: string };

// A payload without a field is a class without metadata, which class-validator would call an unknown value.
const OPTIONS = { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: false } as const;

/** No payload is deeper; a body that is would exhaust the stack of whoever walks it. */
const DEPTH = 12;

// class-transformer drops what any object inherits (toString, __proto__…) without a word, so that the validator would
// never see what is then stored.
const UNSAFE = new Set([...Object.getOwnPropertyNames(Object.prototype), 'prototype']);

/** Every fault of `data` as a payload of `payload`, all at once; unknown fields are faults. `at` prefixes the paths. */
export function validatePayload(payload: PayloadClass, data: unknown, at = ''): FieldError[] {
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    return [{ path: at, message: 'Un objet est attendu.' }];
  const unsafe = unsafePart(data, at, 0);
  if (unsafe) return [unsafe];
  const errors = validateSync(plainToInstance(payload, data), OPTIONS);
  return errors.length === 0 ? [] : collect(errors, at, []);
}

function unsafePart(value: object, at: string, depth: number): FieldError | undefined {
  if (depth > DEPTH) return { path: at, message: 'Ce contenu est trop profondément imbriqué.' };
  for (const key of Object.keys(value)) {
    if (UNSAFE.has(key)) return { path: at + pointer(key), message: 'Ce champ est inconnu.' };
    const inner = (value as Record<string, unknown>)[key];
    const unsafe =
      typeof inner === 'object' && inner !== null ? unsafePart(inner, at + pointer(key), depth + 1) : undefined;
    if (unsafe) return unsafe;
  }
  return undefined;
}

function collect(errors: readonly ValidationError[], at: string, found: FieldError[]): FieldError[] {
  for (const { property, constraints = {}, children = [] } of errors) {
    const path = at + pointer(property);
    const { nestedValidation, whitelistValidation, ...own } = constraints;
    if (whitelistValidation) found.push({ path, message: 'Ce champ est inconnu.' });
    else if (Object.keys(own).length > 0) for (const message of Object.values(own)) found.push({ path, message });
    else if (nestedValidation) found.push({ path, message: 'Un objet est attendu.' });
    else collect(children, path, found);
  }
  return found;
}

function pointer(step: string): string {
  return `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
