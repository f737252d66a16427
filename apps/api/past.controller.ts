import { Readable } from 'node:stream';
import type { PastMoment, PastView, ReplayedStep } from '@jalon/engine';
import type { JsonSchema } from '@jalon/flow';
import { jsonLine } from '@jalon/journal';
import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { Documented } from './documentation.ts';
import {
  booleanOf,
  callerOf,
  dateOf,
  type FastifyReply,
  type FastifyRequest,
  instantOf,
  integerOf,
  malformed,
  uuidOf,
} from './http.ts';
import { ref } from './schemas.ts';
import { ENGINE, type Engine, PRODUCT, type Product } from './wiring.ts';

const READING = ['introuvable', 'journal-indisponible', 'historique-illisible'] as const;

const says = (schema: JsonSchema, description: string): JsonSchema => ({ ...schema, description });
const REVISION = { type: 'integer', minimum: 0 };

/** Any past state of a dossier, by replay of its history: what an auditor asks. */
@Controller('api/dossiers/:id')
export class PastController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(PRODUCT) private readonly product: Product,
  ) {}

  @Get('state')
  @Documented({
    id: 'getPastState',
    tag: 'Dossiers',
    summary: 'Lire où en était un dossier, par rejeu',
    description:
      "À une révision, ou tel que connu à un instant (recordedAt), et/ou tel que vrai à une date (effectiveAt : les faits qui avaient effet ce jour-là) ; bornes comprises. Lecture enregistrée : ce qui était connu alors, corrections comprises ; lecture corrigée (corrected=true) : avec toutes les corrections connues aujourd'hui.",
    reads: 'history',
    path: ['id'],
    query: {
      revision: says(REVISION, 'Tel que ce fait l’a laissé'),
      recordedAt: says(ref('Instant'), 'Tel que connu à cet instant'),
      effectiveAt: says(ref('Date'), 'Tel que vrai à cette date'),
      corrected: says({ type: 'boolean' }, 'Avec toutes les corrections connues aujourd’hui'),
    },
    answers: { 200: { says: 'Où en était le dossier, et dans quelle lecture', schema: 'PastState' } },
    problems: READING,
  })
  async state(
    @Param('id') id: string,
    @Query() query: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
  ): Promise<PastView> {
    const moment = momentOf({
      revision: ['revision', query.revision],
      recordedAt: ['recordedAt', query.recordedAt],
      effectiveAt: ['effectiveAt', query.effectiveAt],
      corrected: ['corrected', query.corrected],
    });
    const dossier = await this.engine.disclose(callerOf(request), uuidOf(id));
    return (await dossier.past(moment)).open(this.product.accesses.recorder(request));
  }

  @Get('diff')
  @Documented({
    id: 'getDifference',
    tag: 'Dossiers',
    summary: 'Comparer deux états passés d’un dossier (RFC 6902)',
    description:
      'De from à to : chacun une révision, ou un instant (fromRecordedAt, toRecordedAt), et/ou une date (fromEffectiveAt, toEffectiveAt), dans la lecture enregistrée ou corrigée (fromCorrected, toCorrected). Sans rien pour l’arrivée : maintenant. Les opérations portent sur { state, jalon, crossed, context }.',
    reads: 'history',
    path: ['id'],
    query: {
      from: says(REVISION, 'La révision de départ'),
      to: says(REVISION, 'La révision d’arrivée'),
      fromRecordedAt: ref('Instant'),
      toRecordedAt: ref('Instant'),
      fromEffectiveAt: ref('Date'),
      toEffectiveAt: ref('Date'),
      fromCorrected: { type: 'boolean' },
      toCorrected: { type: 'boolean' },
    },
    answers: { 200: { says: 'Ce qui a changé', schema: 'Patch', media: 'application/json-patch+json' } },
    problems: READING,
  })
  async diff(
    @Param('id') id: string,
    @Query() query: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const [from, to] = (['from', 'to'] as const).map((end) =>
      momentOf({
        revision: [end, query[end]],
        recordedAt: [`${end}RecordedAt`, query[`${end}RecordedAt`]],
        effectiveAt: [`${end}EffectiveAt`, query[`${end}EffectiveAt`]],
        corrected: [`${end}Corrected`, query[`${end}Corrected`]],
      }),
    ) as [PastMoment, PastMoment];
    if (Object.keys(from).length === 0)
      throw malformed('Le départ est à donner : from (une révision), fromRecordedAt ou fromEffectiveAt.');
    const dossier = await this.engine.disclose(callerOf(request), uuidOf(id));
    const patch = await (await dossier.difference(from, to)).open(this.product.accesses.recorder(request));
    reply.type('application/json-patch+json; charset=utf-8');
    return JSON.stringify(patch);
  }

  @Get('replay')
  @Documented({
    id: 'replayDossier',
    tag: 'Dossiers',
    summary: 'Rejouer un dossier, fait par fait',
    description:
      'Une ligne de JSON par fait : le fait, et où il a laissé le dossier dans la lecture enregistrée. L’empreinte de chaque état est vérifiée ; si l’une diffère, la réponse s’interrompt.',
    reads: 'history',
    path: ['id'],
    answers: { 200: { says: 'Les étapes', schema: 'ReplayStep', media: 'application/x-ndjson' } },
    problems: READING,
  })
  async replay(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const dossier = await this.engine.disclose(callerOf(request), uuidOf(id));
    const steps = await dossier.replay().open(this.product.accesses.recorder(request));
    const first = await steps.next();
    reply.type('application/x-ndjson; charset=utf-8');
    await reply.send(Readable.from(lines(first, steps), { objectMode: false }));
  }
}

/** The first step was asked for before the answer began, so that what fails at once is still answered as a problem. */
async function* lines(first: IteratorResult<ReplayedStep>, rest: AsyncGenerator<ReplayedStep>): AsyncGenerator<string> {
  if (!first.done) yield line(first.value);
  for await (const step of rest) yield line(step);
}

function line(step: ReplayedStep): string {
  return `${jsonLine(step)}\n`;
}

/** A parameter's name, and its text where it was given. */
type Given = [name: string, text: string | undefined];

function momentOf(given: Record<'revision' | 'recordedAt' | 'effectiveAt' | 'corrected', Given>): PastMoment {
  const { revision, recordedAt, effectiveAt, corrected } = given;
  if (revision[1] !== undefined && recordedAt[1] !== undefined)
    throw malformed(`${revision[0]} et ${recordedAt[0]} disent tous deux ce qui était connu : donnez l'un des deux.`);
  const moment: PastMoment = {};
  if (revision[1] !== undefined)
    moment.revision = integerOf(...revision, { absent: 0, min: 0, max: 999_999_999_999_999 });
  if (recordedAt[1] !== undefined) moment.recordedAt = instantOf(...recordedAt);
  if (effectiveAt[1] !== undefined) moment.effectiveAt = dateOf(...effectiveAt);
  if (booleanOf(...corrected)) moment.corrected = true;
  return moment;
}
