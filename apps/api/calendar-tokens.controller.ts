import type { Caller } from '@jalon/engine';
import { validatePayload } from '@jalon/flow';
import type { CalendarToken } from '@jalon/projections';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { CalendarAccess } from './calendar-access.ts';
import { CalendarTokenRequest } from './calendar-token-request.ts';
import { Documented } from './documentation.ts';
import { callerOf, type FastifyRequest, uuidOf } from './http.ts';
import { ProblemRaised } from './problems.ts';
import { sightsOrRefuse } from './reading.ts';
import { CONFIG, type Config, PRODUCT, type Product } from './wiring.ts';

/** The tokens by which calendar programs read deadlines: making, listing and revoking them. */
@Controller('api/calendar-tokens')
export class CalendarTokensController {
  readonly #access: CalendarAccess;

  constructor(
    @Inject(PRODUCT) private readonly product: Product,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.#access = new CalendarAccess(product.calendarTokens);
  }

  @Post()
  @HttpCode(201)
  @Documented({
    id: 'makeCalendarToken',
    tag: 'Lectures',
    summary: 'Obtenir l’adresse d’un agenda des échéances, pour un logiciel d’agenda',
    description: 'Le jeton n’est dit qu’une fois. Il montre ce que l’appelant voit aujourd’hui, jusqu’à sa révocation.',
    body: 'CalendarTokenRequest',
    bodyOptional: true,
    answers: { 201: { says: 'Le jeton et l’adresse', schema: 'CalendarTokenMade' } },
    problems: ['interdit', 'vues-indisponibles', 'journal-indisponible'],
  })
  async make(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const caller = callerOf(request);
    sightsOrRefuse(caller);
    const errors = validatePayload(CalendarTokenRequest, body ?? {});
    if (errors.length > 0) throw new ProblemRaised('proposition-invalide', 'La demande est invalide.', { errors });
    const { label } = (body ?? {}) as CalendarTokenRequest;
    const { token, kept } = this.#access.grant(caller, label, this.product.clock());
    await this.product.accesses.done(request, 'acces.agenda-ouvert', { agenda: kept.id });
    await this.#access.keep(token, kept);
    const origin = this.config.JALON_PUBLIC_URL?.replace(/\/$/, '') ?? `${request.protocol}://${request.host}`;
    return { ...shown(kept), token, url: `${origin}/api/deadlines.ics?token=${token}` };
  }

  @Get()
  @Documented({
    id: 'listCalendarTokens',
    tag: 'Lectures',
    summary: 'Lister ses jetons d’agenda ; ceux de tous, pour un administrateur',
    answers: { 200: { says: 'Les jetons, sans leur secret', schema: 'CalendarTokens' } },
    problems: ['vues-indisponibles'],
  })
  async list(@Req() request: FastifyRequest): Promise<object> {
    const items = await this.product.calendarTokens.list(ownOnly(callerOf(request)));
    return { items: items.map(shown) };
  }

  @Delete(':token')
  @HttpCode(204)
  @Documented({
    id: 'revokeCalendarToken',
    tag: 'Lectures',
    summary: 'Révoquer un jeton d’agenda',
    path: ['token'],
    answers: { 204: { says: 'Il n’ouvre plus rien' } },
    problems: ['introuvable', 'vues-indisponibles', 'journal-indisponible'],
  })
  async revoke(@Param('token') id: string, @Req() request: FastifyRequest): Promise<void> {
    const missing = new ProblemRaised('introuvable', "Il n'y a pas de tel jeton d'agenda.");
    const { calendarTokens, accesses } = this.product;
    const owner = ownOnly(callerOf(request));
    const token = (await calendarTokens.list(owner)).find((each) => each.id === uuidOf(id));
    if (!token) throw missing;
    const { iss, sub } = token.owner;
    await accesses.done(request, 'acces.agenda-revoque', { agenda: id, titulaire: { iss, sub } });
    if (!(await calendarTokens.revoke(id, owner))) throw missing;
  }
}

/** An administrateur sees and revokes everybody's. */
function ownOnly(caller: Caller): Caller | undefined {
  return caller.roles.includes('administrateur') ? undefined : caller;
}

function shown({ id, owner, label, createdAt }: CalendarToken): object {
  return { id, ...(label === undefined ? {} : { label }), createdAt, owner };
}
