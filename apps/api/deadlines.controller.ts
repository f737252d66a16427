import { Readable } from 'node:stream';
import { isCalendarDate } from '@jalon/flow';
import { CursorRefused, type DeadlineFilter, type FollowedDeadline } from '@jalon/projections';
import { Controller, Get, Inject, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { pageAnswer } from './answers.ts';
import { CALENDAR_TYPE, calendarOf } from './calendar.ts';
import { CalendarAccess } from './calendar-access.ts';
import { Confidential } from './confidential.ts';
import { sealedLink } from './cursors.ts';
import { Documented } from './documentation.ts';
import { callerOf, type FastifyReply, type FastifyRequest, integerOf, malformed } from './http.ts';
import { caughtUp, sightsOrRefuse } from './reading.ts';
import { DEADLINE_QUERY, MIN_POSITION } from './schemas.ts';
import { PRODUCT, type Product } from './wiring.ts';

const OPEN: Readonly<Record<string, boolean | undefined>> = { true: true, false: false, all: undefined };

/** What is to be done, and for when: as a list, and as a calendar to subscribe to. */
@Controller('api')
export class DeadlinesController {
  readonly #access: CalendarAccess;

  constructor(
    @Inject(PRODUCT) private readonly product: Product,
    private readonly confidential: Confidential,
  ) {
    this.#access = new CalendarAccess(product.calendarTokens);
  }

  @Get('deadlines')
  @Documented({
    id: 'listDeadlines',
    tag: 'Lectures',
    summary: 'Lire les échéances de tous les dossiers, dans l’ordre de leurs dates',
    description:
      'Une échéance fixée par un fait qui n’est pas montré à l’appelant ne lui est pas montrée ; pour lui, une échéance n’est close que par ce qu’il peut voir.',
    query: DEADLINE_QUERY,
    answers: { 200: { says: 'Une page des échéances', schema: 'DeadlinePage', headers: ['Link', 'X-Position'] } },
    problems: ['interdit', 'lecture-en-retard', 'vues-indisponibles', 'journal-indisponible'],
  })
  async list(
    @Query() given: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const { before, jalon, open = 'true', cursor } = given;
    if (before !== undefined && !isCalendarDate(before)) throw malformed('before est une date AAAA-MM-JJ.');
    if (!Object.hasOwn(OPEN, open)) throw malformed('open prend une de ces valeurs : true, false, all.');
    const limit = integerOf('limit', given.limit, { absent: 50, min: 1, max: 200 });
    const sights = sightsOrRefuse(callerOf(request));
    await caughtUp(this.product, reply, given['min-position']);

    const filter: DeadlineFilter = { sights };
    const wanted = OPEN[open];
    if (wanted !== undefined) filter.open = wanted;
    if (before !== undefined) filter.before = before;
    if (jalon !== undefined) filter.jalon = jalon;
    try {
      const page = await this.confidential.deadlines({ ...filter, limit, ...(cursor === undefined ? {} : { cursor }) });
      const { items, next } = await page.open(this.product.accesses.recorder(request));
      const link =
        next === undefined
          ? undefined
          : await sealedLink(this.product.leaving.cursors, '/api/deadlines', given, { cursor: next });
      if (link !== undefined) reply.header('link', `<${link}>; rel="next"`);
      return pageAnswer(items.map(shown), link);
    } catch (fault) {
      if (fault instanceof CursorRefused) throw malformed('cursor est donné par « next », pour la même liste.');
      throw fault;
    }
  }

  @Get('deadlines.ics')
  @Documented({
    id: 'subscribeCalendar',
    tag: 'Lectures',
    summary: 'S’abonner aux échéances depuis un agenda (iCalendar)',
    description:
      'Avec « token », donné par POST /api/calendar-tokens, ou avec un jeton Bearer. Une échéance garde son UID ; SEQUENCE croît quand elle change ; close, elle est annulée, et disparaît 90 jours après sa date.',
    public: true,
    query: { token: { type: 'string', description: 'Le jeton de l’agenda' }, 'min-position': MIN_POSITION },
    answers: { 200: { says: 'L’agenda', media: CALENDAR_TYPE, headers: ['X-Position'] } },
    problems: ['non-authentifie', 'interdit', 'lecture-en-retard', 'vues-indisponibles', 'journal-indisponible'],
  })
  async calendar(
    @Query() { token, 'min-position': minPosition }: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    const reader = token === undefined ? callerOf(request) : await this.#access.reader(token);
    const sights = sightsOrRefuse(reader);
    await caughtUp(this.product, reply, minPosition);
    const noted = this.confidential.calendar(reader.roles[0] as string, sights);
    const deadlines = await noted.open(this.product.accesses.recorder(request, reader));
    const texts = Readable.from(calendarOf(deadlines), { objectMode: false });
    return new StreamableFile(texts, { type: `${CALENDAR_TYPE}; charset=utf-8` });
  }
}

/** As the contract shows a deadline: what calendars and the clock ask besides stays here. */
function shown({ sequence: _s, changedAt: _c, knownAt: _k, proposes: _p, ...item }: FollowedDeadline): object {
  return item;
}
