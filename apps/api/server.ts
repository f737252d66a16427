import type { Socket } from 'node:net';
import helmet from '@fastify/helmet';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import type { Logger } from 'pino';
import { appModule } from './app.module.ts';
import type { Config } from './config.ts';
import { serveConsole } from './console.ts';
import { openCursors } from './cursors.ts';
import { serveDocumentation } from './documentation.ts';
import { boundReadings } from './gate.ts';
import { malformed } from './http.ts';
import { Metrics } from './metrics.ts';
import { checkParameters } from './parameters.ts';
import { answerUnreadable, ProblemFilter, sendProblem } from './problem.filter.ts';
import { ProblemRaised } from './problems.ts';
import type { Product } from './product.ts';
import { Rate, RateExceeded } from './rate.ts';
import { followRoutes, type Routes } from './routes.ts';
import { Tokens } from './tokens.ts';

/** A request body is at most this many bytes. */
export const BODY_LIMIT = 262_144;

const LOCAL_NAMES = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/** How long a client may take, in milliseconds. */
export type Patience = {
  /** For a request to arrive whole; also how long a closing server waits for those that are under way. */
  request: number;
  /** Without a byte in either direction. */
  silence: number;
  /** Between two requests of one connection. */
  keepAlive: number;
};

const PATIENCE: Patience = { request: 30_000, silence: 60_000, keepAlive: 72_000 };

/**
 * The HTTP server over a product, not yet listening. Closing it finishes the requests it has accepted; the product stays
 * open.
 */
export async function createServer(
  product: Product,
  config: Config,
  log: Logger,
  patience: Patience = PATIENCE,
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    loggerInstance: log as never,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => crypto.randomUUID(),
    bodyLimit: BODY_LIMIT,
    requestTimeout: patience.request,
    connectionTimeout: patience.silence,
    keepAliveTimeout: patience.keepAlive,
    http: { connectionsCheckingInterval: Math.ceil(patience.request / 3), requireHostHeader: false },
    routerOptions: { maxParamLength: 1024 },
    forceCloseConnections: 'idle',
    exposeHeadRoutes: true,
    // Whoever else writes X-Forwarded-For, -Proto or -Host is not believed.
    trustProxy: config.JALON_TRUSTED_PROXIES.length > 0 && [...config.JALON_TRUSTED_PROXIES],
    // What still arrives on a connection while closing is answered like the rest, and the connection closed.
    return503OnClosing: false,
    frameworkErrors: (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
      sendProblem(thrown, request, reply);
      log.info({ method: request.method, status: reply.statusCode, from: request.ip, ...whoOf(request) }, 'answered');
    },
    clientErrorHandler: (fault: Error & { code?: string }, socket: Socket) => {
      log.info({ from: socket.remoteAddress, problem: fault.code }, 'what arrived is no request');
      answerUnreadable(fault, socket);
    },
  } as never);
  const tokens = new Tokens(config, product.clock);
  const limited = !config.demonstration && config.JALON_RATE > 0;
  const rate = limited ? new Rate(config.JALON_RATE, product.clock) : null;
  const fastify: FastifyInstance = adapter.getInstance() as never;
  const routes = followRoutes(fastify);
  fastify.decorateRequest('caller', null);
  fastify.decorateRequest('callerUntil', 0);
  fastify.decorateRequest('refusal', null);
  readJsonStrictly(fastify);
  // First of all hooks, so that a refusal carries them too.
  await adapter.register(helmet as never, pageHeaders as never);
  fastify.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (pathOf(request).startsWith('/api')) reply.headers(config.demonstration ? DATA_HEADERS : SECURE_DATA_HEADERS);
    else await reply.helmet();
    const refusal = await identify(request, tokens, rate);
    const host = hostOf(request);
    if (config.demonstration && !LOCAL_NAMES.test(host)) throw new ProblemRaised('hote-inconnu');
    if (host !== '' && !HOST.test(host)) throw malformed("L'en-tête Host ne nomme pas un hôte.");
    if (request.is404) refuseMethod(request, reply, routes);
    if (refusal && !isOpen(request)) throw refusal;
    if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT) throw new ProblemRaised('trop-volumineux');
  });
  fastify.addHook('preValidation', async (request) => {
    const { parameters } = request.routeOptions.config;
    if (!parameters) return;
    checkParameters(request, parameters);
    await openCursors(request, parameters, product.leaving.cursors);
  });
  boundReadings(fastify);
  boundClosing(fastify, patience.request);

  const app = await NestFactory.create<NestFastifyApplication>(appModule(product, config, tokens, log), adapter, {
    bodyParser: false,
    logger: false,
    abortOnError: false,
  });
  app.useGlobalFilters(new ProblemFilter(product.accesses));
  logAndMeasure(fastify, app.get(Metrics));
  serveDocumentation(app, config);
  await app.init();
  // Only now: registering it makes fastify settle which handler answers the errors of the routes that are there.
  await serveConsole(fastify, config);
  await fastify.ready();
  return app;
}

/** What a target in absolute form begins with: a client may send it to any server (RFC 9112, section 3.2.2). */
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

/** The path of a request as the router reads it: what is percent-encoded for nothing is the same path (RFC 3986, section 6.2.2). */
function pathOf({ url }: FastifyRequest): string {
  return decodeURI(url.replace(ABSOLUTE, '').split('?', 1)[0] as string);
}

/** A path that exists under other methods says which (405). */
function refuseMethod(request: FastifyRequest, reply: FastifyReply, routes: Routes): void {
  const methods = routes.methodsAt(pathOf(request));
  if (methods.length === 0) return;
  reply.header('allow', methods.join(', '));
  throw new ProblemRaised('methode-non-permise', `Cette adresse répond à : ${methods.join(', ')}.`);
}

/**
 * Closing lets requests under way finish and nothing more: connections end with their answer, and none outlives
 * `patience`, since Node looks no longer for requests that never end.
 */
function boundClosing(fastify: FastifyInstance, patience: number): void {
  const { server } = fastify;
  const timers: NodeJS.Timeout[] = [];
  let closing = false;
  fastify.addHook('preClose', async () => {
    closing = true;
    // An answer that was on its way when closing began left its connection open.
    timers.push(setInterval(() => server.closeIdleConnections(), 50));
    timers.push(setTimeout(() => server.closeAllConnections(), patience));
  });
  fastify.addHook('onSend', async (_request, reply) => {
    if (closing) reply.header('connection', 'close');
  });
  fastify.addHook('onClose', async () => {
    for (const timer of timers) clearTimeout(timer);
  });
}

/** A route that does not exist, or one of the documentation's own files, tells nothing: it needs no token. */
function isOpen({ routeOptions: { config, url } }: FastifyRequest): boolean {
  return config.public === true || url === undefined || !url.startsWith('/api');
}

/** How the process is, and files that cost nothing to give: those who ask for them are never told to wait. */
const NEVER_LIMITED = /^\/(health|assets|docs)\//;

/**
 * Who calls, and whether it may now: the request is counted before anything else is done for it. Gives why there is no
 * caller, which is for routes that need one to throw. @throws RateExceeded
 */
async function identify(request: FastifyRequest, tokens: Tokens, rate: Rate | null): Promise<Error | undefined> {
  const counted = NEVER_LIMITED.test(request.routeOptions.url ?? '') ? null : rate;
  const [, token] = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined) {
    counted?.byAddress(request.ip);
    return new ProblemRaised('non-authentifie', 'Aucun jeton « Authorization: Bearer … » n’accompagne la requête.');
  }
  try {
    const known = tokens.known(token);
    if (known) counted?.byCaller(known.caller);
    const verify = () => tokens.verified(token);
    const verified = await (counted && !known ? counted.verifying(request.ip, verify) : verify());
    if (!known) counted?.byCaller(verified.caller);
    ({ caller: request.caller, until: request.callerUntil } = verified);
    return undefined;
  } catch (fault) {
    if (fault instanceof RateExceeded) throw fault;
    return fault as Error;
  }
}

/** What says who asks, and whom: a proxy might have believed the other of two. */
const GIVEN_ONCE = ['Host', 'Authorization', 'Content-Type'];

/** RFC 3986, section 3.2.2, with a port; no user, no space. */
const HOST = /^(\[[\da-f:.]+\]|[\w.!~*'()%$&+,;=-]+)(:\d{0,5})?$/i;

/** The host that is asked for. @throws 400 when there is none, or two (RFC 9112, section 3.2) */
function hostOf({ raw: { rawHeaders, httpVersion, url = '' } }: FastifyRequest): string {
  const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  for (const name of GIVEN_ONCE)
    if (names.indexOf(name.toLowerCase()) !== names.lastIndexOf(name.toLowerCase()))
      throw malformed(`L'en-tête ${name} n'est donné qu'une fois.`);
  const at = names.indexOf('host');
  if (at < 0 && httpVersion === '1.1') throw malformed("L'en-tête Host est obligatoire.");
  // A target that names its host counts, whatever the header says.
  return ABSOLUTE.exec(url)?.[1] ?? (at < 0 ? '' : (rawHeaders[2 * at + 1] ?? ''));
}

/** JSON only, in valid UTF-8: bytes that are none would be replaced, and a fact recorded that nobody wrote. */
function readJsonStrictly(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: BODY_LIMIT },
    ({ routeOptions }: FastifyRequest, body: Buffer, done: (error: Error | null, value?: unknown) => void) => {
      // Clients that name the type of a body that they do not send are many; some routes want none.
      if (body.length === 0 && routeOptions.config.body !== 'needed') return done(null);
      try {
        done(null, JSON.parse(utf8.decode(body)));
      } catch {
        done(new ProblemRaised('requete-mal-formee', "Le corps n'est pas du JSON en UTF-8."));
      }
    },
  );
}

/** Who asked, and the name of the problem that was answered, as log lines say it. */
function whoOf({ caller, refusal }: FastifyRequest): object {
  return {
    ...(caller && { who: { iss: caller.iss, sub: caller.sub, roles: caller.roles } }),
    ...(refusal !== null && { problem: refusal }),
  };
}

// Data is never a page: nothing may be loaded from it, nor may it be framed. Constant, since each request pays for them.
const DATA_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};
const SECURE_DATA_HEADERS = { ...DATA_HEADERS, 'strict-transport-security': 'max-age=31536000; includeSubDomains' };

/** What helmet adds to pages. */
const pageHeaders = {
  global: false,
  frameguard: { action: 'deny' },
  contentSecurityPolicy: {
    directives: {
      defaultSrc: ["'self'"],
      scriptSrc: ["'self'"],
      // Swagger UI styles its own elements in line.
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      frameAncestors: ["'none'"],
      upgradeInsecureRequests: null,
    },
  },
};

/**
 * One line per request: who asked, from where, and why not when it was refused; not what. No name, and the address without
 * its query, where tokens may be.
 */
function logAndMeasure(fastify: FastifyInstance, metrics: Metrics): void {
  fastify.addHook('onResponse', (request, reply, done) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'none';
    const seconds = reply.elapsedTime / 1000;
    metrics.requests.observe({ method, route, status: reply.statusCode }, seconds);
    request.log.info(
      {
        method,
        path: request.url.split('?', 1)[0],
        route,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        from: request.ip,
        ...whoOf(request),
      },
      'answered',
    );
    done();
  });
}
