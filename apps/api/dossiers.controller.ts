import type { Advanced } from '@jalon/engine';
import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { dossierAnswer, JSON_TYPE, minimalAnswer, nextLink, pageAnswer } from './answers.ts';
import { Documented } from './documentation.ts';
import {
  callerOf,
  type FastifyReply,
  type FastifyRequest,
  idempotencyKeyOf,
  ifMatchOf,
  integerOf,
  uuidOf,
} from './http.ts';
import { Facts } from './metrics.ts';
import { LIMIT } from './schemas.ts';
import { ENGINE, type Engine, PRODUCT, type Product, type Receipt } from './wiring.ts';

const READING = ['introuvable', 'journal-indisponible', 'historique-illisible'] as const;
const PROPOSING = [
  'interdit',
  'cle-reutilisee',
  'fait-refuse',
  'journal-indisponible',
  'historique-illisible',
] as const;

/** Opening, advancing and reading dossiers. The engine decides; here requests are read and answers written. */
@Controller('api/dossiers')
export class DossiersController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(PRODUCT) private readonly product: Product,
    private readonly facts: Facts,
  ) {}

  @Post()
  @HttpCode(201)
  @Documented({
    id: 'openDossier',
    tag: 'Dossiers',
    summary: 'Ouvrir un dossier avec son premier fait',
    headers: ['Idempotency-Key', 'Prefer'],
    body: 'Opening',
    answers: {
      201: {
        says: 'Le dossier ouvert, et le fait enregistré',
        schema: ['DossierAdvanced', 'MinimalAnswer'],
        headers: ['ETag', 'Location', 'Preference-Applied'],
      },
    },
    problems: [...PROPOSING, 'introuvable'],
  })
  async open(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const conditions = conditionsOf('POST /api/dossiers', key);
    const accepted = await this.facts.counted(this.engine.open(callerOf(request), body, conditions));
    reply.header('location', `/api/dossiers/${accepted.dossier.id}`);
    return this.#answer(accepted, request, reply, prefer);
  }

  @Post(':id/facts')
  @HttpCode(201)
  @Documented({
    id: 'proposeFact',
    tag: 'Dossiers',
    summary: 'Proposer un fait à un dossier',
    path: ['id'],
    headers: ['If-Match', 'Idempotency-Key', 'Prefer'],
    body: 'Proposal',
    answers: {
      201: {
        says: 'Le dossier tel que le fait le laisse, et le fait enregistré',
        schema: ['DossierAdvanced', 'MinimalAnswer'],
        headers: ['ETag', 'Preference-Applied'],
      },
    },
    problems: [...PROPOSING, 'introuvable', 'revision-depassee', 'dossier-sollicite'],
  })
  async advance(
    @Param('id') id: string,
    @Body() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const revisions = ifMatchOf(ifMatch);
    const conditions = {
      ...conditionsOf(`POST /api/dossiers/${uuidOf(id)}/facts`, key),
      ...(revisions === undefined ? {} : { ifMatch: revisions }),
    };
    const accepted = await this.facts.counted(this.engine.advance(callerOf(request), id, body, conditions));
    return this.#answer(accepted, request, reply, prefer);
  }

  @Get(':id')
  @Documented({
    id: 'getDossier',
    tag: 'Dossiers',
    summary: 'Lire où en est un dossier, et ce qui est possible',
    path: ['id'],
    answers: { 200: { says: 'Le dossier', schema: 'Dossier', headers: ['ETag'] } },
    problems: READING,
  })
  async show(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const dossier = await this.engine.disclose(callerOf(request), uuidOf(id));
    const view = await dossier.view().open(this.product.accesses.recorder(request));
    reply.header('etag', `"${view.revision}"`).type(JSON_TYPE);
    return dossierAnswer(view);
  }

  @Get(':id/facts')
  @Documented({
    id: 'getHistory',
    tag: 'Dossiers',
    summary: "Lire l'historique d'un dossier, fait par fait",
    path: ['id'],
    query: {
      after: {
        type: 'integer',
        minimum: 0,
        description: 'La révision après laquelle lire ; sinon dès le premier fait',
      },
      limit: LIMIT,
    },
    answers: { 200: { says: 'Les faits, du plus ancien au plus récent', schema: 'History', headers: ['Link'] } },
    problems: READING,
  })
  async history(
    @Param('id') id: string,
    @Query('after') after: string | undefined,
    @Query('limit') limit: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const from = integerOf('after', after, { absent: -1, min: 0, max: 999_999_999_999_999 });
    const count = integerOf('limit', limit, { absent: 50, min: 1, max: 200 });
    const dossier = await this.engine.disclose(callerOf(request), uuidOf(id));
    const items = await (await dossier.history(from, count)).open(this.product.accesses.recorder(request));
    const last = items.at(-1)?.revision ?? from;
    if (last >= dossier.revision) return pageAnswer(items, undefined);
    const next = nextLink(`/api/dossiers/${id}/facts`, { after: last, limit: count });
    reply.header('link', `<${next}>; rel="next"`);
    return pageAnswer(items, next);
  }

  async #answer(
    accepted: Receipt,
    request: FastifyRequest,
    reply: FastifyReply,
    prefer: string | undefined,
  ): Promise<string> {
    const { position, envelope } = accepted.event;
    const { revision, id, to } = envelope;
    reply.header('etag', `"${revision}"`).type(JSON_TYPE);
    if (wantsMinimal(prefer)) {
      reply.header('preference-applied', 'return=minimal');
      return minimalAnswer(accepted.dossier.id, { revision, position: String(position), to: to as string, event: id });
    }
    const { view, event, withheldForNow } = await this.#shown(accepted, request);
    return dossierAnswer(view, event, withheldForNow);
  }

  /** What is recorded stays so whatever becomes of the record of who is shown it: without one, less is shown. */
  async #shown(accepted: Receipt, request: FastifyRequest): Promise<Advanced & { withheldForNow?: true }> {
    const answer = await this.engine.answer(accepted, callerOf(request));
    try {
      return await answer.open(this.product.accesses.recorder(request));
    } catch (err) {
      request.log.warn({ err }, 'what answers a fact could not be recorded, and is not shown');
      return { ...answer.redacted, withheldForNow: true };
    }
  }
}

function conditionsOf(route: string, key: string | undefined) {
  const idempotencyKey = idempotencyKeyOf(key);
  return { route, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
}

function wantsMinimal(prefer: string | undefined): boolean {
  return prefer?.split(/[,;]/).some((preference) => preference.trim() === 'return=minimal') ?? false;
}
