/// <reference path="./class-transformer-storage.d.ts" />
import { defaultMetadataStorage } from 'class-transformer/cjs/storage.js';
import { targetConstructorToSchema } from 'class-validator-jsonschema';
import type { Fact, PayloadClass } from './fact.ts';

/** A JSON Schema (2020-12), as plain JSON. */
export type JsonSchema = { [keyword: string]: unknown };

const OPTIONS = {
  classTransformerMetadataStorage: defaultMetadataStorage as never,
  refPointerPrefix: '#/$defs/',
  // Fields say their own schema; the converter would guess one from the reflected type.
  additionalConverters: { customValidation: {} },
};

function bare(payload: PayloadClass): JsonSchema {
  return {
    type: 'object',
    properties: {},
    ...targetConstructorToSchema(payload, OPTIONS),
    additionalProperties: false,
  };
}

function nestedOf(payload: PayloadClass, schema: JsonSchema): PayloadClass[] {
  return Object.keys(schema.properties as object).flatMap((property) => {
    const nested = defaultMetadataStorage.findTypeMetadata(payload, property)?.typeFunction();
    return nested ? [nested as PayloadClass] : [];
  });
}

/**
 * The JSON Schema (2020-12) of a fact's payload, from class-validator's own metadata: what the form, OpenAPI and
 * subscribers are told is what the validator checks.
 */
export function payloadSchema(fact: Fact, id?: string): JsonSchema {
  const root = bare(fact.payload);
  const $defs: Record<string, JsonSchema> = {};
  const pending = nestedOf(fact.payload, root);
  for (let nested = pending.pop(); nested; nested = pending.pop()) {
    if ($defs[nested.name]) continue;
    const schema = bare(nested);
    $defs[nested.name] = schema;
    pending.push(...nestedOf(nested, schema));
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...(id === undefined ? {} : { $id: id }),
    title: fact.label,
    ...root,
    ...(Object.keys($defs).length > 0 ? { $defs } : {}),
  };
}
