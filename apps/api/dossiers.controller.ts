import type { Accepted } from '@jalon/engine';
import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { dossierAnswer, minimalAnswer, nextLink, pageAnswer } from './answers.ts';
import {
  callerOf,
  type FastifyReply,
  type FastifyRequest,
  idempotencyKeyOf,
  ifMatchOf,
  integerOf,
  knownQuery,
  uuidOf,
} from './http.ts';
import { Facts } from './metrics.ts';
import { ENGINE, type Engine } from './wiring.ts';

/** Opening, advancing and reading dossiers. The engine decides; here requests are read and answers written. */
@Controller('api/dossiers')
export class DossiersController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    private readonly facts: Facts,
  ) {}

  @Post()
  @HttpCode(201)
  async open(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const conditions = conditionsOf('POST /api/dossiers', key);
    const accepted = await this.facts.counted(this.engine.open(callerOf(request), body, conditions));
    reply.header('location', `/api/dossiers/${accepted.dossier.id}`);
    return this.#answer(accepted, request, reply, prefer);
  }

  @Post(':id/facts')
  @HttpCode(201)
  async advance(
    @Param('id') id: string,
    @Body() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const revision = ifMatchOf(ifMatch);
    const conditions = {
      ...conditionsOf(`POST /api/dossiers/${uuidOf(id)}/facts`, key),
      ...(revision === undefined ? {} : { ifMatch: revision }),
    };
    const accepted = await this.facts.counted(this.engine.advance(callerOf(request), id, body, conditions));
    return this.#answer(accepted, request, reply, prefer);
  }

  @Get(':id')
  async show(
    @Param('id') id: string,
    @Query() query: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    knownQuery(query, []);
    const view = await this.engine.show(callerOf(request), uuidOf(id));
    reply.header('etag', `"${view.revision}"`);
    return dossierAnswer(view);
  }

  @Get(':id/facts')
  async history(
    @Param('id') id: string,
    @Query() query: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const { after, limit } = knownQuery(query, ['after', 'limit']);
    const from = integerOf('after', after, { absent: -1, min: -1, max: Number.MAX_SAFE_INTEGER });
    const count = integerOf('limit', limit, { absent: 50, min: 1, max: 200 });
    const caller = callerOf(request);
    const { dossier } = await this.engine.see(caller, uuidOf(id));
    const items = await this.engine.history(caller, id, from, count);
    const last = items.at(-1)?.revision ?? from;
    if (last >= dossier.situation.revision) return pageAnswer(items, undefined);
    const next = nextLink(`/api/dossiers/${id}/facts`, { after: last, limit: count });
    reply.header('link', `<${next}>; rel="next"`);
    return pageAnswer(items, next);
  }

  #answer(
    { dossier, event, seeing }: Accepted,
    request: FastifyRequest,
    reply: FastifyReply,
    prefer: string | undefined,
  ): object {
    const { revision, id, to } = event.envelope;
    reply.header('etag', `"${revision}"`);
    if (wantsMinimal(prefer)) {
      reply.header('preference-applied', 'return=minimal');
      const position = String(event.position);
      return minimalAnswer(dossier.id, { revision, position, to: to as string, event: id });
    }
    const view = this.engine.view(dossier, callerOf(request), seeing);
    return dossierAnswer(view, this.engine.fact(dossier, event, seeing));
  }
}

function conditionsOf(route: string, key: string | undefined) {
  const idempotencyKey = idempotencyKeyOf(key);
  return { route, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
}

function wantsMinimal(prefer: string | undefined): boolean {
  return prefer?.split(/[,;]/).some((preference) => preference.trim() === 'return=minimal') ?? false;
}
