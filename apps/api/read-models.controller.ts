import type { Caller } from '@jalon/engine';
import {
  DOSSIER_SORTS,
  type DossierFilter,
  type DossierPage,
  type DossierQuery,
  DossierQueryRefused,
} from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { JSON_TYPE, pageAnswer } from './answers.ts';
import { Confidential } from './confidential.ts';
import { sealedLink } from './cursors.ts';
import { Documented } from './documentation.ts';
import { callerOf, type FastifyReply, type FastifyRequest, integerOf, malformed, positionOf, uuidOf } from './http.ts';
import { ProblemRaised } from './problems.ts';
import { caughtUp } from './reading.ts';
import { LIST_QUERY, MIN_POSITION } from './schemas.ts';
import { PRODUCT, type Product } from './wiring.ts';

const FILTERS = ['workflow', 'jalon', 'state', 'prestataire', 'charge', 'referentiel', 'centre', 'q'] as const;

const REFUSED_QUERY = {
  sort: `sort prend une de ces valeurs : ${DOSSIER_SORTS.join(', ')}.`,
  cursor: 'cursor est donné par « next », pour la même liste triée de même.',
  limit: 'limit est un nombre entier de 1 à 200.',
} as const;

/** What is answered from the read models: they show at least what this node has acknowledged. */
@Controller('api/dossiers')
export class ReadModelsController {
  constructor(
    @Inject(PRODUCT) private readonly product: Product,
    private readonly confidential: Confidential,
  ) {}

  @Get(':id/timeline')
  @Documented({
    id: 'getTimeline',
    tag: 'Dossiers',
    summary: "Lire la chronologie d'un dossier : jalons, faits, cibles annoncées, échéances",
    path: ['id'],
    query: { 'min-position': MIN_POSITION },
    answers: { 200: { says: 'La chronologie', schema: 'Timeline', headers: ['X-Position'] } },
    problems: [
      'introuvable',
      'lecture-en-retard',
      'vues-indisponibles',
      'journal-indisponible',
      'historique-illisible',
    ],
  })
  async timeline(
    @Param('id') id: string,
    @Query('min-position') minPosition: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Buffer> {
    positionOf(minPosition);
    const caller = callerOf(request);
    uuidOf(id);
    await caughtUp(this.product, reply, minPosition);
    const timeline = await this.confidential.timeline(caller, id);
    if (timeline === null) {
      // Not there, not to be seen, or set aside by this read model, which the journal tells apart.
      await this.product.engine.disclose(caller, id);
      throw new ProblemRaised('lecture-en-retard', 'Cette vue ne suit plus ce dossier : /health/ready dit pourquoi.');
    }
    const json = await timeline.open(this.product.accesses.recorder(request));
    reply.type(JSON_TYPE);
    return json;
  }

  @Get()
  @Documented({
    id: 'listDossiers',
    tag: 'Dossiers',
    summary: 'Chercher parmi les dossiers, ou ceux qui attendent l’appelant',
    query: LIST_QUERY,
    answers: { 200: { says: 'Une page de la liste', schema: 'DossierPage', headers: ['Link', 'X-Position'] } },
    problems: ['interdit', 'lecture-en-retard', 'vues-indisponibles', 'journal-indisponible'],
  })
  async list(
    @Query() given: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const { waiting, sort, cursor } = given;
    if (waiting !== undefined && waiting !== 'me') throw malformed('waiting ne prend que la valeur « me ».');
    const limit = integerOf('limit', given.limit, { absent: 50, min: 1, max: 200 });
    const caller = callerOf(request);
    const own = ownOnly(caller);
    const filter: DossierFilter = own ?? { own: {} };
    for (const name of FILTERS) if (given[name] !== undefined) filter[name] = given[name];
    await caughtUp(this.product, reply, given['min-position']);

    const wanted: DossierQuery = { ...filter, limit, today: this.product.engine.today() };
    if (sort !== undefined) wanted.sort = sort;
    if (cursor !== undefined) wanted.cursor = cursor;
    const { items, next } = await this.#page(wanted, waiting === 'me' ? caller : null);
    // Only now: what cannot be read in a request is said before that it is not allowed.
    if (!own) throw new ProblemRaised('interdit', 'Votre rôle ne donne accès à aucun dossier.');
    if (next === undefined) return pageAnswer(items, next);
    const link = await sealedLink(this.product.leaving.cursors, '/api/dossiers', given, { cursor: next });
    reply.header('link', `<${link}>; rel="next"`);
    return pageAnswer(items, link);
  }

  /** A page of the list; with `waitedBy`, only of dossiers that wait for that caller, which the engine tells. */
  async #page(query: DossierQuery, waitedBy: Caller | null): Promise<DossierPage> {
    const { engine, list } = this.product;
    try {
      if (!waitedBy) return await list.page(query);
      const { limit = 50, ...all } = query;
      const page: DossierPage = { items: [] };
      let last = '';
      for await (const { item, cursor } of list.each(all)) {
        if (item.final || !(await engine.waits(waitedBy, item.id))) continue;
        if (page.items.length === limit) return { ...page, next: last };
        page.items.push(item);
        last = cursor;
      }
      return page;
    } catch (fault) {
      if (fault instanceof DossierQueryRefused) throw malformed(REFUSED_QUERY[fault.field]);
      throw fault;
    }
  }
}

/** Restriction of a list to the caller's own dossiers: none for who sees all; null for who sees no dossier at all. */
function ownOnly({ roles, org }: Caller): DossierFilter | null {
  const { workflows } = catalogue;
  if (roles.some((role) => workflows.some((workflow) => workflow.roles[role]?.sees === 'all'))) return {};
  const columns = roles.flatMap((role) => workflows.flatMap((workflow) => workflow.parties[role] ?? []));
  if (columns.length === 0) return null;
  return { own: org === undefined ? {} : Object.fromEntries(columns.map((column) => [column, [org]])) };
}
