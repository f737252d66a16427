import { Readable } from 'node:stream';
import type { CursorSeal } from '@jalon/delivery';
import { UUID } from '@jalon/flow';
import { jsonLine } from '@jalon/journal';
import { CursorRefused, type Page } from '@jalon/projections';
import { COLONNES, type Inscription, inscriptionAu, lignesDe } from '@jalon/workflows';
import { Controller, Get, Inject, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { stringify } from 'csv-stringify/sync';
import Negotiator from 'negotiator';
import { pageAnswer } from './answers.ts';
import { Confidential } from './confidential.ts';
import { sealedLink } from './cursors.ts';
import { Documented } from './documentation.ts';
import { callerOf, type FastifyReply, type FastifyRequest, integerOf, malformed } from './http.ts';
import { ProblemRaised } from './problems.ts';
import { caughtUp, seesEveryDossier, sightsOrRefuse } from './reading.ts';
import { FINDING_QUERY, MIN_POSITION, REGISTER_QUERY } from './schemas.ts';
import { PRODUCT, type Product } from './wiring.ts';

type Given = Record<string, string | undefined>;

const JSON_LINES = 'application/x-ndjson';
const CSV = 'text/csv';
const OFFERED = ['application/json', CSV, JSON_LINES];

/** Reading the read models takes the log to be reached, and the read models to be level with it. */
const READING = ['lecture-en-retard', 'vues-indisponibles', 'journal-indisponible'] as const;

/** What evaluations found, what is qualified, and how long it takes, over all dossiers. */
@Controller('api')
export class RegistryController {
  constructor(
    @Inject(PRODUCT) private readonly product: Product,
    private readonly confidential: Confidential,
  ) {}

  @Get('findings')
  @Documented({
    id: 'listFindings',
    tag: 'Lectures',
    summary: 'Lire les constats des évaluations, dans l’ordre des exigences',
    query: FINDING_QUERY,
    answers: { 200: { says: 'Une page des constats', schema: 'FindingPage', headers: ['Link', 'X-Position'] } },
    problems: ['interdit', ...READING],
  })
  async findings(
    @Query() given: Given,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const { dossier, exigence, open } = given;
    if (dossier !== undefined && !UUID.test(dossier)) throw malformed('dossier est un UUID en minuscules.');
    if (open !== undefined && open !== 'true' && open !== 'false') throw malformed('open est true ou false.');
    limitOf(given);
    const sights = sightsOrRefuse(callerOf(request));
    await caughtUp(this.product, reply, given['min-position']);
    const where: Record<string, string | number> = {};
    if (dossier !== undefined) where.dossier = dossier;
    if (exigence !== undefined) where.exigence = exigence;
    if (open !== undefined) where.open = open === 'true' ? 1 : 0;
    const found = await paged((page) => this.confidential.findings({ sights, where, ...page }), given);
    const page = await found.open(this.product.accesses.recorder(request));
    return answered(this.product.leaving.cursors, reply, '/api/findings', given, page);
  }

  @Get('register')
  @Documented({
    id: 'readRegister',
    tag: 'Lectures',
    summary: 'Lire le registre public des services qualifiés',
    description:
      'Sans jeton. Par pages en JSON ; en entier en CSV (une ligne par service ; UTF-8 avec BOM, points-virgules) et en JSON Lines, selon Accept. Une qualification mise en cause y garde son statut d’avant ; la fin de validité est la première de celle décidée et de celle d’une abrogation, calculée à la lecture.',
    public: true,
    query: REGISTER_QUERY,
    answers: {
      200: {
        says: 'Le registre',
        schema: 'RegisterPage',
        otherMedia: { [CSV]: null, [JSON_LINES]: 'Registered' },
        headers: ['Link', 'X-Position'],
      },
    },
    problems: [...READING],
  })
  async register(
    @Query() given: Given,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    limitOf(given);
    // Whoever accepts none of them is given JSON all the same (RFC 9110, section 15.5.7).
    const media = new Negotiator(request).mediaType(OFFERED);
    await caughtUp(this.product, reply, given['min-position']);
    reply.header('vary', 'accept');
    if (media === CSV) return whole(`${CSV}; charset=utf-8; header=present`, this.#table());
    if (media === JSON_LINES) return whole(`${JSON_LINES}; charset=utf-8`, this.#lines());
    const page = await paged((at) => this.product.register.page(at), given);
    const items = page.items.map((row) => inscriptionAu(row, this.product.engine.today()));
    return answered(this.product.leaving.cursors, reply, '/api/register', given, { ...page, items });
  }

  @Get('statistics')
  @Documented({
    id: 'readStatistics',
    tag: 'Lectures',
    summary: 'Lire les durées entre jalons et les dossiers en cours',
    description: 'Sur tous les dossiers, pour les rôles qui les voient tous et pour les systèmes abonnés.',
    query: { 'min-position': MIN_POSITION },
    answers: { 200: { says: 'Les statistiques', schema: 'Statistics', headers: ['X-Position'] } },
    problems: ['interdit', ...READING],
  })
  async statistics(
    @Query('min-position') minPosition: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const caller = callerOf(request);
    if (!seesEveryDossier(caller) && !caller.roles.includes('abonne'))
      throw new ProblemRaised('interdit', 'Les statistiques sont pour qui voit tous les dossiers, et les abonnés.');
    await caughtUp(this.product, reply, minPosition);
    return this.product.statistics.read();
  }

  async *#inscriptions(): AsyncGenerator<Inscription> {
    const today = this.product.engine.today();
    for await (const row of this.product.register.each({})) yield inscriptionAu(row, today);
  }

  async *#lines(): AsyncGenerator<string> {
    for await (const inscription of this.#inscriptions()) yield `${jsonLine(inscription)}\n`;
  }

  /**
   * RFC 4180 as French spreadsheets open it: a byte order mark, semicolons, since the comma is theirs for decimals. What
   * they would take for a formula is made text.
   */
  async *#table(): AsyncGenerator<string> {
    const form = { record_delimiter: 'windows', delimiter: ';', escape_formulas: true } as const;
    yield stringify([[...COLONNES]], { ...form, bom: true });
    for await (const inscription of this.#inscriptions())
      yield stringify(lignesDe(inscription), { ...form, columns: [...COLONNES] });
  }
}

function limitOf({ limit }: Given): number {
  return integerOf('limit', limit, { absent: 50, min: 1, max: 200 });
}

/** @throws ProblemRaised 400 for a cursor of another list */
async function paged<T>(read: (page: { limit: number; cursor?: string }) => Promise<T>, given: Given): Promise<T> {
  const { cursor } = given;
  try {
    return await read({ limit: limitOf(given), ...(cursor === undefined ? {} : { cursor }) });
  } catch (fault) {
    if (fault instanceof CursorRefused) throw malformed('cursor est donné par « next », pour la même liste.');
    throw fault;
  }
}

async function answered<T>(
  seal: CursorSeal,
  reply: FastifyReply,
  path: string,
  given: Given,
  { items, next }: Page<T>,
): Promise<object> {
  if (next === undefined) return pageAnswer(items, next);
  const link = await sealedLink(seal, path, given, { cursor: next });
  reply.header('link', `<${link}>; rel="next"`);
  return pageAnswer(items, link);
}

function whole(type: string, texts: AsyncIterable<string>): StreamableFile {
  return new StreamableFile(Readable.from(texts, { objectMode: false }), { type });
}
