import {
  type Audience,
  audienceOf,
  CursorRefused,
  placeOf,
  type Selection,
  type Streams,
  unknownChoices,
  View,
} from '@jalon/delivery';
import type { JsonSchema, Sealed } from '@jalon/flow';
import { catalogue } from '@jalon/workflows';
import { Controller, Get, Headers, Inject, type OnModuleDestroy, Param, Query, Req, Res } from '@nestjs/common';
import { Confidential } from './confidential.ts';
import { cursorSchema, sealedLink } from './cursors.ts';
import { Documented } from './documentation.ts';
import { callerOf, type FastifyReply, type FastifyRequest, integerOf, malformed, uuidOf } from './http.ts';
import { ProblemRaised } from './problems.ts';
import { LIMIT, SELECTION } from './schemas.ts';
import { PRODUCT, type Product, STREAMS } from './wiring.ts';

const AFTER = cursorSchema(
  'Le curseur (« id » d’un événement, ou celui que donne « next ») après lequel reprendre ; « start » : tout',
);
const DOSSIER: JsonSchema = { type: 'string', description: 'Un seul dossier, par son identifiant' };
const READING = ['interdit', 'filtre-inconnu', 'livraisons-indisponibles', 'journal-indisponible'] as const;

/** How long the feed waits for a fact at most, in seconds. */
const LONGEST_WAIT = 30;

type Asked = Record<string, string | undefined>;

/** What happens, for those who want to be told: an event stream, or a feed to pull. Webhooks have their own controller. */
@Controller('api')
export class SubscriptionsController implements OnModuleDestroy {
  readonly #closing = new AbortController();

  constructor(
    @Inject(PRODUCT) private readonly product: Product,
    @Inject(STREAMS) private readonly streams: Streams,
    private readonly confidential: Confidential,
  ) {}

  /** Streams and waiting end before the server waits for what is under way. */
  onModuleDestroy(): void {
    this.#closing.abort();
    this.streams.close();
  }

  @Get('events')
  @Documented({
    id: 'streamEvents',
    tag: 'Abonnements',
    summary: 'Recevoir les faits à mesure qu’ils sont enregistrés (server-sent events)',
    description: 'Sans « after » ni « Last-Event-ID » : à partir de maintenant. Un commentaire toutes les 15 s.',
    query: { ...SELECTION, dossier: DOSSIER, after: AFTER },
    headers: ['Last-Event-ID'],
    answers: { 200: { says: 'Un flux dont chaque événement porte un CloudEvent', media: 'text/event-stream' } },
    problems: READING,
  })
  async events(
    @Query() asked: Asked,
    @Headers('last-event-id') last: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const from = fromOf(last, asked.after);
    const dossier = asked.dossier === undefined ? undefined : uuidOf(asked.dossier);
    await this.#stream(request, reply, from, asked, dossier);
  }

  @Get('dossiers/:id/events')
  @Documented({
    id: 'streamDossierEvents',
    tag: 'Abonnements',
    summary: 'Recevoir les faits d’un dossier à mesure qu’ils sont enregistrés (server-sent events)',
    path: ['id'],
    query: { ...SELECTION, after: AFTER },
    headers: ['Last-Event-ID'],
    answers: { 200: { says: 'Un flux dont chaque événement porte un CloudEvent', media: 'text/event-stream' } },
    problems: [...READING, 'introuvable', 'historique-illisible'],
  })
  async dossierEvents(
    @Param('id') id: string,
    @Query() asked: Asked,
    @Headers('last-event-id') last: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const from = fromOf(last, asked.after);
    await this.product.engine.disclose(callerOf(request), uuidOf(id));
    await this.#stream(request, reply, from, asked, id);
  }

  @Get('feed')
  @Documented({
    id: 'readFeed',
    tag: 'Abonnements',
    reads: 'log',
    summary: 'Tirer les faits, page par page, à son rythme',
    description:
      'Il y a toujours une suite (« next »), même à la fin. Avec « wait », la réponse attend un fait, s’il n’y en a pas.',
    query: {
      ...SELECTION,
      after: { ...AFTER, default: 'start' },
      limit: LIMIT,
      wait: { type: 'integer', minimum: 0, maximum: LONGEST_WAIT, default: 0, description: 'En secondes' },
    },
    answers: {
      200: {
        says: 'Les faits suivants',
        schema: 'Feed',
        media: 'application/cloudevents-batch+json',
        headers: ['Link'],
      },
    },
    problems: READING,
  })
  async feed(@Query() asked: Asked, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const after = asked.after === undefined ? null : cursorIn('after', asked.after);
    const limit = integerOf('limit', asked.limit, { absent: 50, min: 1, max: 200 });
    const wait = integerOf('wait', asked.wait, { absent: 0, min: 0, max: LONGEST_WAIT });
    const view = await this.#view(request, asked).open(this.product.accesses.recorder(request));
    const gone = new AbortController();
    request.raw.once('close', () => gone.abort());
    reply.raw.once('close', () => gone.abort());
    // Whoever went away before is not told of any more.
    if (reply.raw.destroyed) gone.abort();
    const signal = AbortSignal.any([gone.signal, this.#closing.signal]);
    const { departures, cursor } = await this.confidential.feed(view, {
      after,
      limit,
      waitMs: wait * 1000,
      signal,
    });
    const next = await sealedLink(this.product.leaving.cursors, '/api/feed', asked, { after: cursor });
    await reply
      .header('link', `<${next}>; rel="next"`)
      .type('application/cloudevents-batch+json; charset=utf-8')
      .send(`[${departures.map((departure) => view.of(departure).json).join(',')}]`);
  }

  async #stream(
    request: FastifyRequest,
    reply: FastifyReply,
    from: Parameters<Streams['open']>[0]['from'],
    asked: Asked,
    dossier: string | undefined,
  ): Promise<void> {
    const sealed = this.#view(request, asked, dossier);
    const { raw } = reply;
    const begin = () => {
      reply.hijack();
      raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...STREAM_HEADERS });
    };
    if (request.method === 'HEAD') {
      begin();
      raw.end();
      return;
    }
    await this.product.leaving.cursors.ready();
    const view = await sealed.open(this.product.accesses.recorder(request));
    // What is recorded while the answer begins is part of it, and what cannot be read yet is still told as a problem.
    const sink = {
      write: (text: Buffer | string) => {
        if (!raw.headersSent) begin();
        return raw.write(text);
      },
      drained: (again: () => void) => void raw.once('drain', again),
      end: () => void raw.end(),
    };
    const leave = await this.streams.open({ view, from, sink, until: request.callerUntil });
    // Whoever goes away leaves nothing behind, and what could not be sent is sent when it comes back.
    raw.on('error', () => undefined);
    raw.once('close', leave);
    if (raw.destroyed) leave();
  }

  #view(request: FastifyRequest, asked: Asked, dossier?: string): Sealed<View> {
    const selection = { ...selectionIn(asked), ...(dossier === undefined ? {} : { dossier }) };
    return View.sealed(audienceIn(request), selection, catalogue);
  }
}

/** Neither buffered nor compressed nor stored on its way. */
const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
};

/** The audience of a caller. @throws 403 when its roles receive nothing */
export function audienceIn(request: FastifyRequest): Audience {
  const audience = audienceOf(callerOf(request), catalogue);
  if (!audience) throw new ProblemRaised('interdit', 'Votre rôle ne reçoit aucun fait.');
  return audience;
}

/** Where to begin: a client that comes back says so in a header, whatever its address says. */
function fromOf(last: string | undefined, after: string | undefined) {
  if (last !== undefined && last !== '') return cursorIn('Last-Event-ID', last);
  return after === undefined ? 'now' : cursorIn('after', after);
}

function cursorIn(name: string, text: string) {
  try {
    return placeOf(text);
  } catch (fault) {
    if (fault instanceof CursorRefused)
      throw malformed(`${name} est « start », ou un curseur donné par le flux ou par « next ».`);
    throw fault;
  }
}

/** @throws 422 for a type or a milestone that selects nothing */
function selectionIn({ types, jalons }: Asked): Selection {
  const selection: Selection = {
    ...(types === undefined ? {} : { types: types.split(',') }),
    ...(jalons === undefined ? {} : { jalons: jalons.split(',') }),
  };
  const [unknown] = unknownChoices(selection, catalogue);
  if (unknown) throw new ProblemRaised('filtre-inconnu', sentenceOn(unknown));
  return selection;
}

/** What is wrong with a choice, in a sentence. */
function sentenceOn({ member, value }: { member: string; value: string }): string {
  const wanted = member === 'types' ? 'un type de fait (« j0.acceptee ») ou une étape (« j2.* »)' : 'un jalon (« J0 »)';
  return `« ${value.slice(0, 64)} » n'est pas ${wanted} d'une procédure d'ici : /api/workflows les donne.`;
}
