import { Readable } from 'node:stream';
import { addDays, isCalendarDate } from '@jalon/flow';
import { CursorRefused, type DeadlineFilter, type FollowedDeadline, type Sight } from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import { Controller, Get, Inject, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { nextLink, pageAnswer } from './answers.ts';
import { CALENDAR_TYPE, calendarOf } from './calendar.ts';
import { CalendarAccess } from './calendar-access.ts';
import { Documented } from './documentation.ts';
import { callerOf, type FastifyReply, type FastifyRequest, integerOf, malformed } from './http.ts';
import { caughtUp, sightsOrRefuse } from './reading.ts';
import { DEADLINE_QUERY, MIN_POSITION } from './schemas.ts';
import { PRODUCT, type Product } from './wiring.ts';

/** How long after its date a deadline that was closed is still told to be cancelled. */
const CANCELLED_DAYS = 90;

const OPEN: Readonly<Record<string, boolean | undefined>> = { true: true, false: false, all: undefined };

/** What is to be done, and for when: as a list, and as a calendar to subscribe to. */
@Controller('api')
export class DeadlinesController {
  readonly #access: CalendarAccess;

  constructor(@Inject(PRODUCT) private readonly product: Product) {
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
    const today = this.product.engine.today();
    try {
      const at = cursor === undefined ? {} : { cursor };
      const { items, next } = await this.product.deadlines.page({ ...filter, today, limit, ...at });
      const confidential = items.filter(isConfidential).map(({ dossier, id }) => ({ dossier, line: id }));
      await this.product.accesses.lines(request, 'echeances', confidential);
      const link = next === undefined ? undefined : nextLink('/api/deadlines', { ...given, cursor: next });
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
    await this.product.accesses.followed(request, reader.roles[0] as string, {}, reader);
    const texts = Readable.from(calendarOf(this.#noted(sights)), { objectMode: false });
    return new StreamableFile(texts, { type: `${CALENDAR_TYPE}; charset=utf-8` });
  }

  /** What a calendar shows: all that is open, and for a while what is not any more, so that it can be told so. */
  async *#noted(sights: readonly Sight[]): AsyncGenerator<FollowedDeadline> {
    const { deadlines, engine } = this.product;
    const today = engine.today();
    for (const filter of [{ open: true }, { open: false, from: addDays(today, -CANCELLED_DAYS) }])
      yield* deadlines.each({ sights, today, ...filter });
  }
}

/** Whether a fact set it that is withheld from somebody. */
function isConfidential({ workflow: { name, version }, fact }: FollowedDeadline): boolean {
  return catalogue.find(name, version)?.facts.get(fact)?.withheldFrom !== undefined;
}

/** As the contract shows a deadline: what calendars and the clock ask besides stays here. */
function shown({ sequence: _s, changedAt: _c, knownAt: _k, proposes: _p, ...item }: FollowedDeadline): object {
  return item;
}
