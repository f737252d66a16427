import { Type } from 'class-transformer';
import { isArray, isObject, isString, ValidateBy, ValidateIf, ValidateNested } from 'class-validator';
import { JSONSchema } from 'class-validator-jsonschema';
import { isCalendarDate } from './dates.ts';
import type { PayloadClass } from './fact.ts';
import { unseenIn } from './texts.ts';

/** How a field is shown and whether it may be absent. `label` and `hint` are French, for the form and the documentation. */
export type FieldOptions = { label: string; hint?: string; optional?: true };

/** The first thing wrong with a value, as a French sentence that says what is wanted; undefined when it is right. */
type Fault = (value: unknown) => string | undefined;

/**
 * One property, one class-validator constraint: its message is the precise fault, and its JSON Schema says the same.
 * Optional means absent: null is never a value of a payload.
 */
function field({ label, hint, optional }: FieldOptions, name: string, schema: object, fault: Fault): PropertyDecorator {
  const wanted: Fault = (value) => (value === undefined ? 'Ce champ est obligatoire.' : fault(value));
  const validator = {
    validate: (value: unknown) => wanted(value) === undefined,
    defaultMessage: (args?: { value: unknown }) => wanted(args?.value) as string,
  };
  return (target, property) => {
    ValidateBy({ name, validator })(target, property);
    if (optional) ValidateIf((_, value) => value !== undefined)(target, property);
    JSONSchema({ ...schema, title: label, ...(hint === undefined ? {} : { description: hint }) })(
      target,
      property as string,
    );
  };
}

/** Texts of more characters may have several lines; forms give them a box of that kind. */
const SEVERAL_LINES = 500;

/** What is wrong with a text of 1 to `max` characters (code points, as JSON Schema counts them). */
function textFault(value: unknown, max: number, lines = max > SEVERAL_LINES): string | undefined {
  if (!isString(value)) return 'Un texte est attendu.';
  const length = value.length > max ? [...value].length : 0;
  if (length > max) return `Ce texte compte ${length} caractères : au plus ${max}.`;
  return unseenIn(value, { lines });
}

// What a schema can say of it, in a pattern that every language reads; `unseenIn` says the rest.
const ON_ONE_LINE = '^[^\\x00-\\x1f\\x7f-\\x9f]*\\S[^\\x00-\\x1f\\x7f-\\x9f]*$';
const textSchema = (max: number, lines = max > SEVERAL_LINES) => ({
  type: 'string',
  minLength: 1,
  maxLength: max,
  pattern: lines ? '\\S' : ON_ONE_LINE,
});

/**
 * A text of 1 to `max` characters (4,000 when not given) of which everything is seen; of several lines when it may have more
 * than 500, unless `lines` says otherwise.
 */
export function Text({
  max = 4000,
  lines,
  ...options
}: FieldOptions & { max?: number; lines?: boolean }): PropertyDecorator {
  return field(options, 'text', textSchema(max, lines), (value) => textFault(value, max, lines));
}

/** A text of a given form, and the sentence that says which. */
export function Formed(options: FieldOptions & { pattern: RegExp; message: string }): PropertyDecorator {
  const { pattern, message } = options;
  return field(options, 'formed', { type: 'string', pattern: pattern.source }, (value) =>
    isString(value) && pattern.test(value) ? undefined : message,
  );
}

const IDENTIFIER = /^[A-Za-z0-9._-]{1,64}$/;

/** A caller's own identifier: 1 to 64 characters of `[A-Za-z0-9._-]`. */
export function Identifier(options: FieldOptions): PropertyDecorator {
  const message = 'Un identifiant est attendu : 1 à 64 caractères parmi lettres, chiffres, point, tiret et souligné.';
  return Formed({ ...options, pattern: IDENTIFIER, message });
}

/** SHA-256 of a document: 64 lower-case hex digits. */
export function Digest(options: FieldOptions): PropertyDecorator {
  const message = "L'empreinte est un SHA-256 : 64 chiffres hexadécimaux minuscules.";
  return Formed({ ...options, pattern: /^[0-9a-f]{64}$/, message });
}

/** The form of ids of dossiers and facts. */
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A UUID (the id of a dossier or of a fact). */
export function Uuid(options: FieldOptions): PropertyDecorator {
  return Formed({ ...options, pattern: UUID, message: 'Un UUID en minuscules est attendu.' });
}

/** A text that a function accepts, and the sentence that says what is wanted. */
export function Checked(
  options: FieldOptions & { accepts: (text: string) => boolean; message: string; schema?: object },
): PropertyDecorator {
  return field(options, 'checked', { type: 'string', ...options.schema }, (value) =>
    isString(value) && options.accepts(value) ? undefined : options.message,
  );
}

/** A date that exists, `YYYY-MM-DD`. */
export function DateField(options: FieldOptions): PropertyDecorator {
  const message = 'Une date qui existe est attendue, sous la forme AAAA-MM-JJ.';
  return Checked({ ...options, accepts: isCalendarDate, message, schema: { format: 'date' } });
}

/** An object whose form depends on something else: who receives it validates it. */
export function ObjectField(options: FieldOptions): PropertyDecorator {
  return field(options, 'object', { type: 'object' }, (value) =>
    isObject(value) && !isArray(value) ? undefined : 'Un objet est attendu.',
  );
}

/** The number of a version: a whole number from 1. */
export function VersionNumber(options: FieldOptions): PropertyDecorator {
  return field(options, 'version', { type: 'integer', minimum: 1 }, (value) =>
    Number.isSafeInteger(value) && (value as number) >= 1 ? undefined : 'Un numéro de version est attendu.',
  );
}

/** One of a closed list of words. */
export function OneOf(words: readonly string[], options: FieldOptions): PropertyDecorator {
  return field(options, 'oneOf', { type: 'string', enum: [...words] }, (value) =>
    words.includes(value as string) ? undefined : `Une de ces valeurs est attendue : ${words.join(', ')}.`,
  );
}

/** An object of its own class. */
export function Nested(payload: () => PayloadClass, options: FieldOptions): PropertyDecorator {
  return (target, property) => {
    field(options, 'nested', {}, (value) => (isObject(value) ? undefined : 'Un objet est attendu.'))(target, property);
    ValidateNested()(target, property);
    Type(payload)(target, property as string);
  };
}

type ListOptions = FieldOptions & { min?: number; max?: number };

/** A list of `min` to `max` items (0 to 200 when not given), whose `key`s are all different. */
function list(options: ListOptions, name: string, items: object, item: Fault, key?: (item: unknown) => unknown) {
  const { min = 0, max = 200 } = options;
  const schema = { type: 'array', minItems: min, maxItems: max, ...(key ? { uniqueItems: true } : {}), ...items };
  return field(options, name, schema, (value) => {
    if (!isArray(value)) return 'Une liste est attendue.';
    if (value.length < min) return min === 1 ? 'Au moins un élément est attendu.' : `Au moins ${min} éléments.`;
    if (value.length > max) return `La liste compte ${value.length} éléments : au plus ${max}.`;
    for (const [index, each] of value.entries()) {
      const fault = item(each);
      if (fault !== undefined) return `Élément ${index + 1} : ${fault}`;
    }
    if (key && new Set(value.map(key)).size < value.length) return 'Deux éléments de la liste ont le même identifiant.';
    return undefined;
  });
}

const itself = (item: unknown) => item;

/** A list of texts. */
export function Texts({ maxText = 4000, ...options }: ListOptions & { maxText?: number }): PropertyDecorator {
  return list(options, 'texts', { items: textSchema(maxText) }, (item) => textFault(item, maxText));
}

/** A list of words of a closed list, each once. */
export function SomeOf(words: readonly string[], options: ListOptions): PropertyDecorator {
  const items = { items: { type: 'string', enum: [...words] } };
  const fault: Fault = (item) =>
    words.includes(item as string) ? undefined : `Une de ces valeurs est attendue : ${words.join(', ')}.`;
  return list(options, 'someOf', items, fault, itself);
}

function formedList(options: ListOptions, pattern: RegExp, message: string): PropertyDecorator {
  const items = { items: { type: 'string', pattern: pattern.source } };
  const fault: Fault = (item) => (isString(item) && pattern.test(item) ? undefined : message);
  return list(options, 'formedList', items, fault, itself);
}

/** A list of a caller's own identifiers, each once. */
export function Identifiers(options: ListOptions): PropertyDecorator {
  return formedList(options, IDENTIFIER, 'Un identifiant est attendu.');
}

/** A list of UUIDs, each once. */
export function Uuids(options: ListOptions): PropertyDecorator {
  return formedList(options, UUID, 'Un UUID en minuscules est attendu.');
}

/** A list of objects of a class; with `unique`, no two have the same value there. */
export function ListOf<T extends object>(
  payload: () => PayloadClass<T>,
  options: ListOptions & { unique?: keyof T & string },
): PropertyDecorator {
  const { unique } = options;
  const key = unique && ((item: unknown) => (item as T)[unique]);
  const fault: Fault = (item) => (isObject(item) ? undefined : 'Un objet est attendu.');
  return (target, property) => {
    list(options, 'listOf', {}, fault, key)(target, property);
    ValidateNested({ each: true })(target, property);
    Type(payload)(target, property as string);
  };
}
