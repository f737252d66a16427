import { behalfPerson, type Caller, withheldType } from '@jalon/engine';
import {
  type DossierFilter,
  type DossierPage,
  type DossierQuery,
  DossierQueryRefused,
  ReadModelsBehind,
} from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { nextLink, pageAnswer } from './answers.ts';
import {
  callerOf,
  type FastifyReply,
  type FastifyRequest,
  integerOf,
  knownQuery,
  malformed,
  positionOf,
  uuidOf,
} from './http.ts';
import { ProblemRaised } from './problems.ts';
import { PRODUCT, type Product } from './wiring.ts';

const FILTERS = ['workflow', 'jalon', 'state', 'prestataire', 'charge', 'referentiel', 'centre', 'q'] as const;
const LIST_QUERY = [...FILTERS, 'waiting', 'sort', 'cursor', 'limit', 'min-position'];

/** How long a reader waits for a position before being told to come back. */
const PATIENCE_MS = 5000;

/** What is answered from the read models: they show at least what this node has acknowledged. */
@Controller('api/dossiers')
export class ReadModelsController {
  constructor(@Inject(PRODUCT) private readonly product: Product) {}

  @Get(':id/timeline')
  async timeline(
    @Param('id') id: string,
    @Query() query: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const wanted = positionOf(knownQuery(query, ['min-position'])['min-position']);
    const { engine, directory, timelines } = this.product;
    const { dossier, seeing } = await engine.see(callerOf(request), uuidOf(id));
    await this.#caughtUp(reply, wanted);
    const timeline = await timelines.read(id, {
      today: engine.today(),
      hidden: (type) => withheldType(dossier.workflow, type, seeing),
      nameOf: (iss, sub, commitment) => directory.name(iss, sub, commitment),
      nameOfParty: (party, commitment) => {
        const { iss, sub } = behalfPerson(party);
        return directory.name(iss, sub, commitment);
      },
      payloadOf: (event) => directory.payload(event)?.data ?? null,
    });
    if (!timeline)
      throw new ProblemRaised('lecture-en-retard', 'Cette vue ne suit plus ce dossier : /health/ready dit pourquoi.');
    return timeline;
  }

  @Get()
  async list(
    @Query() query: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const given = knownQuery(query, LIST_QUERY);
    const { waiting, sort, cursor } = given;
    if (waiting !== undefined && waiting !== 'me') throw malformed('waiting ne prend que la valeur « me ».');
    const limit = integerOf('limit', given.limit, { absent: 50, min: 1, max: 200 });
    const caller = callerOf(request);
    const filter: DossierFilter = ownOnly(caller);
    for (const name of FILTERS) if (given[name] !== undefined) filter[name] = given[name];
    await this.#caughtUp(reply, positionOf(given['min-position']));

    const wanted: DossierQuery = { ...filter, limit, today: this.product.engine.today() };
    if (sort !== undefined) wanted.sort = sort;
    if (cursor !== undefined) wanted.cursor = cursor;
    const { items, next } = await this.#page(wanted, waiting === 'me' ? caller : null);
    if (next === undefined) return pageAnswer(items, next);
    const link = nextLink('/api/dossiers', { ...given, cursor: next });
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
      if (fault instanceof DossierQueryRefused) throw malformed(fault.message);
      throw fault;
    }
  }

  /** Waits until the read models include what this node acknowledged, and `wanted` when the caller names a position. */
  async #caughtUp(reply: FastifyReply, wanted: bigint | undefined): Promise<void> {
    const { engine, projector } = this.product;
    const acknowledged = engine.acknowledged ?? -1n;
    const position = wanted === undefined || wanted < acknowledged ? acknowledged : wanted;
    try {
      await projector.caughtUp(position, PATIENCE_MS);
    } catch (fault) {
      if (fault instanceof ReadModelsBehind) throw new ProblemRaised('lecture-en-retard');
      throw fault;
    }
    if (position >= 0n) reply.header('x-position', String(position));
  }
}

/** Restriction of a list to the caller's own dossiers; none for who sees all. @throws 403 for who sees none */
function ownOnly({ roles, org }: Caller): DossierFilter {
  const { workflows } = catalogue;
  if (roles.some((role) => workflows.some((workflow) => workflow.roles[role]?.sees === 'all'))) return {};
  const columns = roles.flatMap((role) => workflows.flatMap((workflow) => workflow.parties[role] ?? []));
  if (columns.length === 0) throw new ProblemRaised('interdit', 'Votre rôle ne donne accès à aucun dossier.');
  return { own: org === undefined ? {} : Object.fromEntries(columns.map((column) => [column, [org]])) };
}
