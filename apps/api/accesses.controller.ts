import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import type { AccessQuery } from './accesses.ts';
import { pageAnswer } from './answers.ts';
import { sealedLink } from './cursors.ts';
import { Documented } from './documentation.ts';
import { callerOf, dateOf, type FastifyReply, type FastifyRequest, integerOf, uuidOf } from './http.ts';
import { ProblemRaised } from './problems.ts';
import { ACCESS_QUERY } from './schemas.ts';
import { PRODUCT, type Product } from './wiring.ts';

/** Who read what is withheld from others, who was denied, what was exported or erased: for those who audit. */
@Controller('api')
export class AccessesController {
  constructor(@Inject(PRODUCT) private readonly product: Product) {}

  @Get('accesses')
  @Documented({
    id: 'listAccesses',
    tag: 'Preuve',
    summary: 'Lire le journal des accès',
    description:
      'Du plus ancien au plus récent ; pour le rôle auditeur. Une même lecture par la même personne, répétée dans la minute, n’est inscrite qu’une fois. Une page peut être courte, ou vide, et avoir une suite.',
    query: ACCESS_QUERY,
    answers: { 200: { says: 'Une page du journal des accès', schema: 'AccessPage', headers: ['Link'] } },
    problems: ['interdit', 'journal-indisponible'],
  })
  async list(
    @Query() given: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const { dossier, from, to, cursor } = given;
    const query: AccessQuery = { limit: integerOf('limit', given.limit, { absent: 50, min: 1, max: 200 }) };
    if (dossier !== undefined) query.dossier = uuidOf(dossier);
    if (from !== undefined) query.from = dateOf('from', from);
    if (to !== undefined) query.to = dateOf('to', to);
    if (cursor !== undefined) query.cursor = cursor;
    if (!callerOf(request).roles.includes('auditeur'))
      throw new ProblemRaised('interdit', 'Le journal des accès est pour le rôle auditeur.');
    const { items, next } = await this.product.accesses.page(query);
    // After the page, which would hold it otherwise.
    const recherche = Object.fromEntries(
      Object.entries({ dossier, from, to }).filter(([, value]) => value !== undefined),
    );
    await this.product.accesses.readBeside(request, 'acces.journal-lu', { recherche });
    const link =
      next === undefined
        ? undefined
        : await sealedLink(this.product.leaving.cursors, '/api/accesses', given, { cursor: next });
    if (link !== undefined) reply.header('link', `<${link}>; rel="next"`);
    return pageAnswer(items, link);
  }
}
