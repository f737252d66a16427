import {
  type Audience,
  CursorRefused,
  DEAD_LETTERS,
  type DeliveryView,
  type Owner,
  receivesConfidential,
  START,
  tellsRevisions,
  type WebhookRow,
} from '@jalon/delivery';
import { type PayloadClass, validatePayload } from '@jalon/flow';
import { catalogue } from '@jalon/workflows';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import type { AccessType } from './accesses.ts';
import { pageAnswer } from './answers.ts';
import { cursorSchema, sealedLink } from './cursors.ts';
import { Documented } from './documentation.ts';
import { callerOf, type FastifyReply, type FastifyRequest, integerOf, malformed, uuidOf } from './http.ts';
import { ProblemRaised } from './problems.ts';
import { LIMIT } from './schemas.ts';
import { audienceIn } from './subscriptions.controller.ts';
import { WebhookChange, WebhookReplay, WebhookRequest } from './webhook-bodies.ts';
import { PRODUCT, type Product } from './wiring.ts';

const KEPT = ['introuvable', 'livraisons-indisponibles', 'journal-indisponible'] as const;
const STATES = ['pending', 'delivered', 'dead'] as const;

/**
 * Webhooks: each caller's own. An administrateur sees the settings of all, and may disable or remove one; what it sends,
 * where and signed with what is its owner's alone.
 */
@Controller('api/webhooks')
export class WebhooksController {
  constructor(@Inject(PRODUCT) private readonly product: Product) {}

  @Post()
  @HttpCode(201)
  @Documented({
    id: 'createWebhook',
    tag: 'Abonnements',
    summary: 'Faire envoyer les faits à une adresse, à partir de maintenant',
    description: 'L’adresse doit accepter la poignée de main de CloudEvents. Le secret n’est dit qu’une fois.',
    body: 'WebhookRequest',
    answers: { 201: { says: 'Le webhook, et son secret', schema: 'WebhookMade', headers: ['Location'] } },
    problems: ['interdit', 'webhook-refuse', 'livraisons-indisponibles', 'journal-indisponible'],
  })
  async create(
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const owner = ownerIn(request);
    const wanted = valid(WebhookRequest, body);
    await this.#recorded(request, owner.audience, wanted.url);
    const { webhook, secret } = await this.#webhooks.register(owner, wanted);
    reply.header('location', `/api/webhooks/${webhook.id}`);
    return { ...(await this.#webhooks.view(webhook)), secret };
  }

  @Get()
  @Documented({
    id: 'listWebhooks',
    tag: 'Abonnements',
    summary: 'Lister ses webhooks ; ceux de tous, pour un administrateur',
    answers: { 200: { says: 'Les webhooks, sans leur secret', schema: 'Webhooks' } },
    problems: ['livraisons-indisponibles', 'journal-indisponible'],
  })
  async list(@Req() request: FastifyRequest): Promise<object> {
    const { iss, sub } = callerOf(request);
    const rows = await this.product.leaving.registry.list(isAdministrator(request) ? undefined : { iss, sub });
    if (rows.some((row) => row.iss !== iss || row.sub !== sub)) await this.#readAll(request, {});
    return { items: await Promise.all(rows.map((row) => this.#webhooks.view(row))) };
  }

  @Get(':webhook')
  @Documented({
    id: 'getWebhook',
    tag: 'Abonnements',
    summary: 'Lire un webhook et comment vont ses envois',
    path: ['webhook'],
    answers: { 200: { says: 'Le webhook', schema: 'Webhook' } },
    problems: KEPT,
  })
  async show(@Param('webhook') id: string, @Req() request: FastifyRequest): Promise<object> {
    return this.#webhooks.view((await this.#read(id, request)).webhook);
  }

  @Patch(':webhook')
  @Documented({
    id: 'changeWebhook',
    tag: 'Abonnements',
    summary: 'Changer un webhook, le suspendre ou le reprendre',
    description: 'Il reçoit dès lors ce que l’appelant peut recevoir. Un administrateur n’en change que l’état.',
    path: ['webhook'],
    body: 'WebhookChange',
    answers: { 200: { says: 'Le webhook', schema: 'Webhook' } },
    problems: ['interdit', 'webhook-refuse', ...KEPT],
  })
  async change(@Param('webhook') id: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { webhook, own } = await this.#found(id, request);
    const owner = own ? ownerIn(request) : undefined;
    const wanted = valid(WebhookChange, body);
    const { state: _, ...settings } = wanted;
    if (!owner && Object.keys(settings).length > 0)
      throw new ProblemRaised('interdit', 'Un administrateur ne change que l’état du webhook d’un autre.');
    if (owner) await this.#recorded(request, owner.audience, wanted.url ?? webhook.url, webhook.id);
    else await this.#done(request, 'acces.webhook-regle', webhook, { etat: wanted.state });
    return this.#shown(await this.#webhooks.change(webhook, wanted, owner));
  }

  @Delete(':webhook')
  @HttpCode(204)
  @Documented({
    id: 'deleteWebhook',
    tag: 'Abonnements',
    summary: 'Supprimer un webhook et le journal de ses envois',
    path: ['webhook'],
    answers: { 204: { says: 'Il n’envoie plus rien' } },
    problems: KEPT,
  })
  async remove(@Param('webhook') id: string, @Req() request: FastifyRequest): Promise<void> {
    const { webhook } = await this.#found(id, request);
    await this.#done(request, 'acces.webhook-supprime', webhook);
    await this.#webhooks.remove(webhook);
  }

  @Post(':webhook/rotate')
  @HttpCode(200)
  @Documented({
    id: 'rotateWebhookSecret',
    tag: 'Abonnements',
    summary: 'Remplacer le secret : l’ancien signe encore 24 heures, à côté du nouveau',
    path: ['webhook'],
    answers: { 200: { says: 'Le webhook, et son nouveau secret', schema: 'WebhookMade' } },
    problems: ['interdit', ...KEPT],
  })
  async rotate(@Param('webhook') id: string, @Req() request: FastifyRequest): Promise<object> {
    const own = await this.#own(id, request);
    await this.#done(request, 'acces.secret-remplace', own);
    const { webhook, secret } = await this.#webhooks.rotate(own);
    return { ...(await this.#shown(webhook)), secret };
  }

  @Post(':webhook/test')
  @HttpCode(200)
  @Documented({
    id: 'testWebhook',
    tag: 'Abonnements',
    summary: 'Envoyer un message d’essai, signé comme les autres, et dire ce qu’il en advient',
    path: ['webhook'],
    answers: { 200: { says: 'Ce que l’adresse a répondu', schema: 'WebhookTested' } },
    problems: ['interdit', ...KEPT],
  })
  async test(@Param('webhook') id: string, @Req() request: FastifyRequest): Promise<object> {
    return this.#webhooks.test(await this.#own(id, request));
  }

  @Post(':webhook/replay')
  @HttpCode(202)
  @Documented({
    id: 'replayWebhook',
    tag: 'Abonnements',
    summary: 'Envoyer de nouveau, avec les mêmes identifiants',
    path: ['webhook'],
    body: 'WebhookReplay',
    answers: { 202: { says: 'Ce sera envoyé', schema: 'Webhook' } },
    problems: ['interdit', ...KEPT],
  })
  async replay(@Param('webhook') id: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const webhook = await this.#own(id, request);
    const { from } = valid(WebhookReplay, body);
    await this.#recorded(request, JSON.parse(webhook.audience) as Audience, webhook.url, webhook.id);
    await this.#webhooks.replay(webhook, await this.#opened(from));
    return this.#shown(await this.product.leaving.registry.one(webhook.id));
  }

  @Get(':webhook/deliveries')
  @Documented({
    id: 'listDeliveries',
    tag: 'Abonnements',
    summary: 'Lire le journal des envois, du plus récent au plus ancien, avec chaque essai',
    path: ['webhook'],
    query: {
      state: { type: 'string', enum: [...STATES], description: 'En attente, envoyés, ou abandonnés après trois jours' },
      cursor: cursorSchema('Suite, donnée par « next »'),
      limit: LIMIT,
    },
    answers: { 200: { says: 'Une page du journal', schema: 'DeliveryPage', headers: ['Link'] } },
    problems: KEPT,
  })
  async deliveries(
    @Param('webhook') id: string,
    @Query() asked: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const limit = integerOf('limit', asked.limit, { absent: 50, min: 1, max: 200 });
    const before = integerOf('cursor', asked.cursor, { absent: Number.MAX_SAFE_INTEGER, min: 0, max: 1e15 - 1 });
    const state = STATES.find((each) => each === asked.state);
    if (asked.state !== undefined && !state) throw malformed(`state prend une de ces valeurs : ${STATES.join(', ')}.`);
    const { webhook, own } = await this.#read(id, request);
    const { items, next } = await this.#webhooks.log(webhook, { before, limit, ...(state ? { state } : {}) });
    const { cursors } = this.product.leaving;
    await cursors.ready();
    const isNumbered = tellsRevisions(JSON.parse(webhook.audience) as Audience, catalogue);
    const shown = items.map(({ revision, cursor, ...item }) => {
      if (!own) return untold(item);
      return { ...item, ...(isNumbered ? { revision } : {}), cursor: cursors.seal('place', cursor) };
    });
    if (next === undefined) return pageAnswer(shown, undefined);
    const link = await sealedLink(this.product.leaving.cursors, `/api/webhooks/${id}/deliveries`, asked, {
      cursor: next,
    });
    reply.header('link', `<${link}>; rel="next"`);
    return pageAnswer(shown, link);
  }

  /** What a request to send again names, its cursor opened; what is none is said by who reads it. */
  async #opened(from: string): Promise<string> {
    if (from === START || from === DEAD_LETTERS || /^\d{4}-/.test(from)) return from;
    const { cursors } = this.product.leaving;
    await cursors.ready();
    try {
      return cursors.open('place', from);
    } catch (fault) {
      if (fault instanceof CursorRefused) return '';
      throw fault;
    }
  }

  get #webhooks() {
    return this.product.leaving.webhooks;
  }

  /** A webhook that the caller may look after, and whether it is its own. @throws 404 */
  async #found(id: string, request: FastifyRequest): Promise<{ webhook: WebhookRow; own: boolean }> {
    const { iss, sub } = callerOf(request);
    const webhook = await this.product.leaving.registry.one(uuidOf(id));
    const own = webhook?.iss === iss && webhook.sub === sub;
    if (!webhook || !(own || isAdministrator(request))) throw missing();
    return { webhook, own };
  }

  /** @throws 404, and 403 for an administrateur whose it is not */
  async #own(id: string, request: FastifyRequest): Promise<WebhookRow> {
    const { webhook, own } = await this.#found(id, request);
    if (!own) throw new ProblemRaised('interdit', 'Seul celui dont c’est le webhook peut le faire.');
    return webhook;
  }

  /** The log of accesses knows where facts are to be sent, above all those that are withheld from others. */
  async #recorded(request: FastifyRequest, audience: Audience, url: string, webhook?: string): Promise<void> {
    if (!URL.canParse(url)) return;
    const selection = { vers: new URL(url).host, ...(webhook === undefined ? {} : { webhook }) };
    const { accesses } = this.product;
    if (receivesConfidential(audience, catalogue))
      await accesses.recorder(request)({ what: 'following', role: audience.roles[0] as string, selection });
    else await accesses.done(request, 'acces.webhook-regle', selection);
  }

  async #done(request: FastifyRequest, type: AccessType, { id, iss, sub }: WebhookRow, what: object = {}) {
    await this.product.accesses.done(request, type, { webhook: id, titulaire: { iss, sub }, ...what });
  }

  /** A webhook that is about to be shown; it is recorded when it is another's. @throws 404 */
  async #read(id: string, request: FastifyRequest): Promise<{ webhook: WebhookRow; own: boolean }> {
    const found = await this.#found(id, request);
    const { iss, sub } = found.webhook;
    if (!found.own) await this.#readAll(request, { webhook: found.webhook.id, titulaire: { iss, sub } });
    return found;
  }

  async #readAll(request: FastifyRequest, which: Record<string, unknown>): Promise<void> {
    await this.product.accesses.readBeside(request, 'acces.webhooks-lus', which);
  }

  async #shown(webhook: WebhookRow | undefined): Promise<object> {
    if (!webhook) throw missing();
    return this.#webhooks.view(webhook);
  }
}

/** Who owns what this caller sets up. @throws 403 when its roles receive nothing */
function ownerIn(request: FastifyRequest): Owner {
  const { iss, sub } = callerOf(request);
  const audience: Audience = audienceIn(request);
  return { iss, sub, audience };
}

function isAdministrator(request: FastifyRequest): boolean {
  return callerOf(request).roles.includes('administrateur');
}

function missing(): ProblemRaised {
  return new ProblemRaised('introuvable', 'Il n’y a pas de tel webhook.');
}

/** Of a fact that may not be shown: how its delivery goes, not what it is. */
function untold({ type: _, dossier: __, ...delivery }: Omit<DeliveryView, 'revision' | 'cursor'>): object {
  return delivery;
}

/** @throws 422 with every fault */
function valid<T>(payload: PayloadClass<T>, body: unknown): T {
  const errors = validatePayload(payload, body ?? {});
  if (errors.length > 0) throw new ProblemRaised('proposition-invalide', 'La demande est invalide.', { errors });
  return (body ?? {}) as T;
}
