import { RECTIFICATION } from './corrections.ts';
import { type Fact, valueAt } from './fact.ts';
import { type JsonSchema, payloadSchema } from './schema.ts';

/** What may leave of a payload: the declared public fields, at their places; absent ones are left out. */
export function publicData(fact: Pick<Fact, 'publicFields'>, data: unknown): Record<string, unknown> {
  const view: Record<string, unknown> = {};
  for (const path of fact.publicFields ?? []) {
    const value = valueAt(data, path);
    if (value === undefined) continue;
    const steps = path.split('.');
    const last = steps.pop() as string;
    let place = view;
    for (const step of steps) {
      place[step] ??= {};
      place = place[step] as Record<string, unknown>;
    }
    place[last] = value;
  }
  return view;
}

/**
 * The JSON Schema (2020-12) of what leaves of a fact's payload: its public fields, nothing else beside them. Of a
 * rectification also `donnees`, of which the public fields are those of the fact that it touches.
 */
export function publicSchema(fact: Fact, id?: string): JsonSchema {
  const { $defs = {}, ...whole } = payloadSchema(fact, id);
  const definitions = $defs as Record<string, JsonSchema>;
  const paths = [...(fact.publicFields ?? []), ...(fact.type === RECTIFICATION ? ['donnees'] : [])];
  const root = narrowed(whole, paths, definitions);
  const kept = reached(root, definitions);
  return { ...root, ...(Object.keys(kept).length > 0 ? { $defs: kept } : {}) };
}

/** An object's schema with only the members that some path names; where a path goes deeper, the member is narrowed too. */
function narrowed(schema: JsonSchema, paths: readonly string[], definitions: Record<string, JsonSchema>): JsonSchema {
  const members = (schema.properties ?? {}) as Record<string, JsonSchema>;
  const properties: Record<string, JsonSchema> = {};
  for (const [name, member] of Object.entries(members)) {
    if (paths.includes(name)) {
      properties[name] = member;
      continue;
    }
    const deeper = paths.flatMap((path) => (path.startsWith(`${name}.`) ? path.slice(name.length + 1) : []));
    if (deeper.length > 0) properties[name] = narrowed(definitionOf(member, definitions), deeper, definitions);
  }
  const { required, ...rest } = schema;
  const needed = ((required ?? []) as string[]).filter((name) => Object.hasOwn(properties, name));
  return {
    ...rest,
    properties,
    additionalProperties: false,
    ...(needed.length > 0 ? { required: needed } : {}),
  };
}

const DEFINITION = '#/$defs/';

/** A nested object's own schema, whichever way the member refers to it. */
function definitionOf(member: JsonSchema, definitions: Record<string, JsonSchema>): JsonSchema {
  const name = referencesIn(member)[0];
  const found = name === undefined ? member : (definitions[name] ?? {});
  const { title } = member;
  return { ...found, ...(title === undefined ? {} : { title }) };
}

/** The definitions that a schema refers to, and those that they refer to. */
function reached(schema: JsonSchema, definitions: Record<string, JsonSchema>): Record<string, JsonSchema> {
  const kept: Record<string, JsonSchema> = {};
  const pending = referencesIn(schema);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const definition = definitions[name];
    if (!definition || kept[name]) continue;
    kept[name] = definition;
    pending.push(...referencesIn(definition));
  }
  return kept;
}

function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === '$ref' && typeof member === 'string' && member.startsWith(DEFINITION)
      ? [member.slice(DEFINITION.length)]
      : referencesIn(member),
  );
}
