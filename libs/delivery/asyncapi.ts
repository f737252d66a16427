import { type Catalogue, type Fact, type JsonSchema, publicSchema } from '@jalon/flow';
import { cloudEventType } from './cloud-event.ts';
import { DECLARED_REMINDER, REMINDER } from './declared.ts';
import { vocabularyOf } from './selection.ts';

/** What an AsyncAPI document says of a server, besides what leaves it. */
export type AsyncApiOptions = {
  /** Address under which clients reach the server. */
  base: string;
  version: string;
};

const schemaRef = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
const text = (description: string): JsonSchema => ({ type: 'string', description });
const UUID = { type: 'string', format: 'uuid' };

/**
 * The AsyncAPI 3.0 document of what leaves: every type of fact as a message, whose schema is that of the fact's public
 * view, in the ways in which facts leave.
 */
export function asyncApi(catalogue: Catalogue, { base, version }: AsyncApiOptions): object {
  const { host, protocol, pathname } = new URL(base);
  const types = typesOf(catalogue);
  const messages = Object.fromEntries([
    ...[...types].map(([type, [first]]) => [type, messageOf(type, first?.fact.label ?? type)]),
    [REMINDER, messageOf(REMINDER, DECLARED_REMINDER.label)],
  ]);
  const everyMessage = Object.fromEntries(
    Object.keys(messages).map((type) => [type, { $ref: `#/components/messages/${type}` }]),
  );
  const anyEvent = { oneOf: [...types.keys(), REMINDER].map((type) => schemaRef(`event.${type}`)) };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Jalon : ce qui part',
      version,
      description:
        'Les faits des procédures, dès qu’ils sont enregistrés : CloudEvents 1.0, champs publics seuls, chacun selon ce qui lui est visible. Au moins une fois, dans l’ordre pour un dossier, avec un identifiant stable.',
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    defaultContentType: 'application/cloudevents+json',
    servers: {
      jalon: {
        host,
        protocol: protocol.slice(0, -1),
        ...(pathname === '/' ? {} : { pathname }),
        security: [{ $ref: '#/components/securitySchemes/bearer' }],
      },
    },
    channels: {
      events: {
        address: '/api/events',
        title: 'Flux de tous les dossiers (server-sent events)',
        description:
          '« id » est un curseur opaque, « event » le type de fait, « data » le CloudEvent. « Last-Event-ID » ou « after » reprend ; « after=start » rejoue tout. Un commentaire toutes les 15 s.',
        messages: everyMessage,
      },
      dossierEvents: {
        address: '/api/dossiers/{dossier}/events',
        title: 'Flux d’un dossier (server-sent events)',
        parameters: { dossier: { description: 'Le dossier' } },
        messages: everyMessage,
      },
      feed: {
        address: '/api/feed',
        title: 'Fil à tirer',
        description:
          'Un lot de CloudEvents par page ; « Link: <…>; rel="next" » toujours. « wait » attend, 30 s au plus.',
        messages: { batch: { $ref: '#/components/messages/batch' } },
      },
      webhook: {
        address: null,
        title: 'Webhook',
        description:
          'L’adresse donnée à POST /api/webhooks, une fois qu’elle a accepté la poignée de main de CloudEvents.',
        messages: { delivery: { $ref: '#/components/messages/delivery' } },
      },
    },
    operations: {
      streamEvents: operation('events', 'Recevoir les faits à mesure qu’ils sont enregistrés', filters(catalogue)),
      streamDossierEvents: operation('dossierEvents', 'Recevoir les faits d’un dossier', filters(catalogue)),
      readFeed: operation('feed', 'Tirer les faits, page par page', filters(catalogue)),
      deliver: operation('webhook', 'Envoyer les faits à une adresse, signés (Standard Webhooks)'),
    },
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      messages: {
        ...messages,
        batch: {
          name: 'batch',
          title: 'Lot de CloudEvents',
          contentType: 'application/cloudevents-batch+json',
          payload: { type: 'array', items: schemaRef('anyEvent') },
        },
        delivery: {
          name: 'delivery',
          title: 'Message signé',
          contentType: 'application/cloudevents+json',
          headers: {
            type: 'object',
            required: ['webhook-id', 'webhook-timestamp', 'webhook-signature'],
            properties: {
              'webhook-id': { ...UUID, description: 'L’identifiant du fait, le même à chaque essai' },
              'webhook-timestamp': text('Secondes depuis 1970'),
              'webhook-signature': text(
                'v1,<base64> ; plusieurs, séparées par des espaces, quand un secret est remplacé',
              ),
            },
          },
          payload: schemaRef('anyEvent'),
        },
      },
      schemas: { anyEvent, ...eventSchemas(types), [`event.${REMINDER}`]: eventSchema(REMINDER, [REMINDER_DATA]) },
    },
  };
}

/** Every type of fact, with its declarations: one per version of each procedure that has it. */
function typesOf({ workflows }: Catalogue): Map<string, { prefix: string; fact: Fact }[]> {
  const types = new Map<string, { prefix: string; fact: Fact }[]>();
  for (const { name, version, facts } of workflows)
    for (const fact of facts.values())
      types.set(fact.type, [...(types.get(fact.type) ?? []), { prefix: `${name}.${version}.`, fact }]);
  return types;
}

function messageOf(type: string, title: string): object {
  return { name: cloudEventType(type), title, payload: schemaRef(`event.${type}`) };
}

/** Schemas of the events, and of the public views that they hold. */
function eventSchemas(types: ReadonlyMap<string, { prefix: string; fact: Fact }[]>): Record<string, JsonSchema> {
  const schemas: Record<string, JsonSchema> = {};
  for (const [type, facts] of types) {
    const views: JsonSchema[] = [];
    for (const { prefix, fact } of facts) {
      const { $schema: _, $defs = {}, ...view } = publicSchema(fact);
      const named = { [`data.${prefix}${type}`]: view, ...prefixed($defs as Record<string, JsonSchema>, prefix) };
      Object.assign(
        schemas,
        JSON.parse(JSON.stringify(named).replaceAll('"#/$defs/', `"#/components/schemas/${prefix}`)),
      );
      views.push(schemaRef(`data.${prefix}${type}`));
    }
    schemas[`event.${type}`] = eventSchema(type, views);
  }
  return schemas;
}

function prefixed(schemas: Record<string, JsonSchema>, prefix: string): Record<string, JsonSchema> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [prefix + name, schema]));
}

function eventSchema(type: string, [view, ...others]: readonly JsonSchema[]): JsonSchema {
  return {
    type: 'object',
    required: ['specversion', 'id', 'source', 'type', 'subject', 'time', 'effectivedate', 'data'],
    properties: {
      specversion: { const: '1.0' },
      id: { ...UUID, description: 'Le fait' },
      source: text('Où sont les dossiers ; suivi de « subject » : l’adresse du dossier'),
      type: { const: cloudEventType(type) },
      subject: { ...UUID, description: 'Le dossier' },
      time: { type: 'string', format: 'date-time', description: 'Quand le fait a été enregistré' },
      datacontenttype: { const: 'application/json' },
      dataschema: text('Adresse du JSON Schema de « data »'),
      revision: { type: 'integer', minimum: 0, description: 'Rang du fait dans son dossier, pour qui voit ce dossier' },
      jalon: text('Le jalon que le fait franchit, ou que franchit le fait qu’il corrige'),
      effectivedate: { type: 'string', format: 'date', description: 'Date d’effet (Europe/Paris)' },
      traceparent: text('W3C Trace Context'),
      data: others.length === 0 ? view : { oneOf: [view, ...others] },
    },
  };
}

/** What a reminder says. */
const REMINDER_DATA: JsonSchema = {
  type: 'object',
  title: DECLARED_REMINDER.label,
  required: ['dossier', 'libelle', 'date', 'fait', 'type', 'echeance', 'delai'],
  properties: {
    dossier: UUID,
    workflow: { type: 'object', properties: { name: { type: 'string' }, version: { type: 'integer' } } },
    libelle: text('Ce qui est à faire, ou ce qui prend fin'),
    date: { type: 'string', format: 'date', description: 'La date de l’échéance, telle qu’elle se lit maintenant' },
    jalon: text('Le jalon visé quand elle a été fixée'),
    fait: { ...UUID, description: 'Le fait qui l’a fixée' },
    type: text('Le type de ce fait'),
    cle: text('Ce qui la distingue d’autres du même fait : l’identifiant d’une réserve'),
    echeance: text('Son identifiant parmi les échéances'),
    delai: text('Combien de temps avant la date (ISO 8601) : P12M, P30D, P0D'),
  },
  additionalProperties: false,
};

function operation(channel: string, title: string, bindings?: object): object {
  return { action: 'send', channel: { $ref: `#/channels/${channel}` }, title, ...(bindings ? { bindings } : {}) };
}

/** What may be chosen, in the query of a request. */
function filters(catalogue: Catalogue): object {
  const { known, stages, milestones } = vocabularyOf(catalogue);
  const list = (words: Iterable<string>, description: string) => ({
    type: 'string',
    description: `${description}, séparés par des virgules : ${[...words].join(' ')}`,
  });
  const query = {
    type: 'object',
    properties: {
      types: list([...stages, ...known], 'Étapes et types de faits'),
      jalons: list(milestones, 'Jalons'),
      after: text('Le curseur après lequel reprendre, ou « start »'),
    },
  };
  return { http: { method: 'GET', query, bindingVersion: '0.3.0' } };
}
