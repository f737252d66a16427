import { asyncApi } from '@jalon/delivery';
import type { JsonSchema } from '@jalon/flow';
import { catalogue } from '@jalon/workflows';
import { applyDecorators } from '@nestjs/common';
import { type NestFastifyApplication, RouteConfig } from '@nestjs/platform-fastify';
import {
  ApiBearerAuth,
  ApiBody,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  DocumentBuilder,
  type OpenAPIObject,
  SwaggerModule,
} from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import { JSON_TYPE } from './answers.ts';
import { addressOf, type Config } from './config.ts';
import { PROBLEMS, type ProblemName } from './problems.ts';
import { VERSION } from './product.ts';
import { componentSchemas, ref } from './schemas.ts';

const TAGS = {
  Dossiers: 'Ouvrir un dossier, le faire avancer, lire où il en est.',
  Lectures: 'À travers tous les dossiers : échéances et leur agenda, constats, registre public, statistiques.',
  Abonnements:
    'Être prévenu de ce qui se passe : flux d’événements, fil à tirer, webhooks. CloudEvents 1.0, champs publics seuls.',
  Preuve:
    'Prouver, sans se fier au serveur, que rien n’a été touché : arbre de tous les faits, points de contrôle signés.',
  Procédures: 'Les procédures elles-mêmes : états, faits, règles. Sans jeton.',
  Démonstration: 'Des jetons pour essayer, quand aucun émetteur OpenID Connect n’est configuré.',
  Exploitation: 'Santé, mesures, version.',
  Problèmes: 'Les pages qui expliquent chaque type de problème.',
} as const;

const PATH = {
  id: { description: 'Le dossier', schema: ref('Uuid') },
  name: { description: 'La procédure, ou le type de problème', schema: { type: 'string' } },
  version: { description: 'Sa version', schema: { type: 'integer', minimum: 1 } },
  type: { description: 'Le type de fait', schema: { type: 'string' } },
  webhook: { description: 'Le webhook', schema: ref('Uuid') },
  token: { description: 'Le jeton d’agenda, par son identifiant', schema: ref('Uuid') },
} as const;

const HEADERS = {
  'If-Match': [
    'La révision attendue, ou plusieurs : refusé (412) si le dossier en a une autre',
    '^(\\*|(W/)?"(0|[1-9]\\d{0,14})"(, *(W/)?"(0|[1-9]\\d{0,14})")*)$',
  ],
  'Idempotency-Key': ['Une clé par proposition : répétée, la première réponse revient', '^[\\x21-\\x7e]{1,255}$'],
  'Last-Event-ID': ['Le curseur du dernier événement reçu, après lequel reprendre', '^(start|[A-Za-z0-9_-]{42})$'],
  Prefer: ['« return=minimal » : une réponse réduite à l’essentiel', '^.*$'],
} as const;

const ANSWERED_HEADERS = {
  ETag: 'La révision, entre guillemets',
  Location: 'L’adresse de ce qui a été fait : dossier, webhook',
  Link: 'La page suivante : <…>; rel="next"',
  'Preference-Applied': 'return=minimal',
  'X-Position': 'Position du journal que la lecture comprend',
  'Retry-After': 'Secondes avant de réessayer',
} as const;

/** An answer: what it says, and its schema, or its media type when it is no JSON. */
type Answered = {
  says: string;
  schema?: string | readonly string[];
  media?: string;
  /** Other media types in which the same may be asked for; with the name of the schema of each line, where it is JSON. */
  otherMedia?: Readonly<Record<string, string | null>>;
  headers?: readonly (keyof typeof ANSWERED_HEADERS)[];
};

/** What is told of a route. The document says it, and the server holds it: who needs a token, what a query may have. */
export type Documentation = {
  /** Name of the operation in generated clients. */
  id: string;
  tag: keyof typeof TAGS;
  summary: string;
  description?: string;
  /** Answered without a token. */
  public?: true;
  /** It reads a whole history, or the log when it begins at the start: few are answered at once. */
  reads?: 'history' | 'log';
  path?: readonly (keyof typeof PATH)[];
  query?: Readonly<Record<string, JsonSchema>>;
  headers?: readonly (keyof typeof HEADERS)[];
  /** Name of the schema of the body. */
  body?: string;
  /** The body may be absent. */
  bodyOptional?: true;
  answers: Readonly<Record<number, Answered>>;
  /** Problems of its own, besides those of every route of its kind. */
  problems?: readonly ProblemName[];
};

const ALWAYS: readonly ProblemName[] = ['hote-inconnu', 'requete-mal-formee', 'erreur-interne', 'trop-de-requetes'];
const WITH_TOKEN: readonly ProblemName[] = ['non-authentifie', 'emetteur-injoignable'];
const WITH_BODY: readonly ProblemName[] = [
  'trop-volumineux',
  'type-de-contenu',
  'delai-depasse',
  'proposition-invalide',
];

const PROBLEM_SCHEMAS: Partial<Record<ProblemName, string>> = {
  'proposition-invalide': 'InvalidProposal',
  'revision-depassee': 'RevisionMismatch',
  'fait-refuse': 'Refusal',
};

/** Documents a route, opens it to all when it is public, and names the parameters that its query may have. */
export function Documented(route: Documentation): MethodDecorator {
  const { id, tag, summary, description, path = [], query = {}, headers = [], body, answers, problems = [] } = route;
  const open = route.public === true;
  const told = new Set([...ALWAYS, ...(open ? [] : WITH_TOKEN), ...(body ? WITH_BODY : []), ...problems]);
  return applyDecorators(
    RouteConfig({
      public: open,
      parameters: { path: Object.fromEntries(path.map((name) => [name, PATH[name].schema])), query, headers },
      ...(route.reads ? { reads: route.reads } : {}),
      ...(body ? { body: route.bodyOptional ? 'optional' : 'needed' } : {}),
    }),
    ApiOperation({ operationId: id, summary, tags: [tag], ...(description ? { description } : {}) }),
    ...(open ? [] : [ApiBearerAuth()]),
    ...path.map((name) => ApiParam({ name, ...(PATH[name] as object) })),
    ...Object.entries(query).map(([name, { description: says, ...schema }]) =>
      ApiQuery({ name, required: false, schema: schema as never, ...(says ? { description: says as string } : {}) }),
    ),
    ...headers.map((name) => {
      const [says, pattern] = HEADERS[name];
      return ApiHeader({ name, description: says, schema: { type: 'string', pattern } });
    }),
    ...(body ? [ApiBody({ required: !route.bodyOptional, schema: ref(body) as never })] : []),
    ...Object.entries(answers).map(([status, answer]) => answered(Number(status), answer)),
    ...byStatus([...told]).map(([status, names]) => refused(status, names)),
  );
}

function answered(status: number, answer: Answered) {
  const { says, schema, media = 'application/json', otherMedia = {}, headers = [] } = answer;
  if (status === 204) return ApiResponse({ status, description: says });
  const choices = [schema ?? []].flat().map(ref);
  const content = choices.length > 1 ? { anyOf: choices } : (choices[0] ?? { type: 'string' });
  return ApiResponse({
    status,
    description: says,
    ...headersOf(headers),
    content: {
      [media]: { schema: content },
      ...Object.fromEntries(
        Object.entries(otherMedia).map(([other, line]) => [other, { schema: line ? ref(line) : { type: 'string' } }]),
      ),
    },
  } as never);
}

function refused(status: number, names: readonly ProblemName[]) {
  const schemas = [...new Set(names.map((name) => PROBLEM_SCHEMAS[name] ?? 'Problem'))].map(ref);
  const retry = status === 503 || status === 429 ? headersOf(['Retry-After']) : {};
  const reused = names.includes('cle-reutilisee') ? headersOf(['Location']) : {};
  return ApiResponse({
    status,
    description: names.map((name) => `${PROBLEMS[name][1]} : /problems/${name}`).join('\n\n'),
    ...retry,
    ...reused,
    content: { 'application/problem+json': { schema: schemas.length > 1 ? { anyOf: schemas } : schemas[0] } },
  } as never);
}

function headersOf(names: readonly (keyof typeof ANSWERED_HEADERS)[]): object {
  const told = names.map((name) => [name, { description: ANSWERED_HEADERS[name], schema: { type: 'string' } }]);
  return told.length === 0 ? {} : { headers: Object.fromEntries(told) };
}

function byStatus(names: readonly ProblemName[]): [number, ProblemName[]][] {
  const groups = new Map<number, ProblemName[]>();
  for (const name of names) {
    const [status] = PROBLEMS[name];
    groups.set(status, [...(groups.get(status) ?? []), name]);
  }
  return [...groups].sort(([a], [b]) => a - b);
}

/** The OpenAPI 3.1 document of a server, generated from its controllers and from the facts' own declarations. */
function openApi(app: NestFastifyApplication, { JALON_PUBLIC_URL = '/' }: Config): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Jalon')
    .setDescription(
      'Procédures réglementées, fait par fait : chaque fait proposé est accepté et enregistré, ou refusé avec ses raisons. Les erreurs sont des documents de problème (RFC 9457).',
    )
    .setVersion(VERSION)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer(JALON_PUBLIC_URL)
    .addBearerAuth();
  for (const [name, description] of Object.entries(TAGS)) builder.addTag(name, description);
  const document = SwaggerModule.createDocument(app, builder.build(), { autoTagControllers: false });
  const schemas = componentSchemas() as never;
  return { ...document, components: { ...document.components, schemas } };
}

/** Serves `/openapi.json`, `/openapi.yaml`, `/asyncapi.json`, and the page at `/docs`. */
export function serveDocumentation(app: NestFastifyApplication, config: Config): void {
  let leaving: string | undefined;
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance() as never;
  fastify.get('/asyncapi.json', { config: { public: true } }, async (_request, reply) => {
    leaving ??= JSON.stringify(asyncApi(catalogue, { base: addressOf(config), version: VERSION }));
    return reply.type(JSON_TYPE).send(leaving);
  });
  SwaggerModule.setup('docs', app, () => openApi(app, config), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'Jalon : documentation de l’API',
  });
}
