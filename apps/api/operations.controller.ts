import { DeliveriesUnavailable, type Streams } from '@jalon/delivery';
import { ReadModelsUnavailable } from '@jalon/projections';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { Documented } from './documentation.ts';
import { callerOf, type FastifyReply, type FastifyRequest } from './http.ts';
import { Metrics } from './metrics.ts';
import { ProblemRaised } from './problems.ts';
import { SOFTWARE, VERSION } from './product.ts';
import { CONFIG, type Config, PRODUCT, type Product, STREAMS } from './wiring.ts';

/** Degraded: facts are recorded, but something else is not at hand. */
type Health = { status: 'ok' | 'degraded' | 'unavailable'; [detail: string]: unknown };

/** Whether it lives, whether it can serve, what it measures, which build it is. */
@Controller()
export class OperationsController {
  constructor(
    @Inject(PRODUCT) private readonly product: Product,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(STREAMS) private readonly streams: Streams,
    private readonly metrics: Metrics,
  ) {}

  @Get('health/live')
  @Documented({
    id: 'isAlive',
    tag: 'Exploitation',
    summary: 'Savoir si le serveur vit',
    public: true,
    answers: { 200: { says: 'Il vit', schema: 'Alive' } },
  })
  live(): Health {
    return { status: 'ok' };
  }

  @Get('health/ready')
  @Documented({
    id: 'isReady',
    tag: 'Exploitation',
    summary: 'Savoir si le serveur peut servir : journal, annuaire, vues et leur retard',
    description:
      'Tant que des faits peuvent être enregistrés, il le peut : « degraded » dit alors ce qui manque par ailleurs.',
    public: true,
    answers: {
      200: { says: 'Il peut servir, en tout ou en partie', schema: 'Readiness' },
      503: { says: 'Il ne peut rien enregistrer', schema: 'Readiness', headers: ['Retry-After'] },
    },
  })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<Health> {
    const journal = await this.#journal();
    const directory = await this.#directory();
    const readModels = await this.#readModels();
    const witnesses = this.product.proving.witnesses.status();
    const isCosigned = witnesses.every(({ status }) => status !== 'absent' && status !== 'refused');
    const { diverged } = this.product.proving.notary;
    const proof = diverged
      ? {
          status: 'diverged',
          reason: `${diverged.message} Rien n'est signé ni scellé : « jalon mend » dit comment réparer.`,
        }
      : { status: 'ok' };
    const whole = directory.status === 'ok' && readModels.status === 'ok' && isCosigned && diverged === null;
    const status = journal.status !== 'ok' ? 'unavailable' : whole ? 'ok' : 'degraded';
    if (status === 'unavailable') reply.code(503).header('retry-after', '2');
    return { status, journal, directory, readModels, proof, ...(witnesses.length > 0 ? { witnesses } : {}) };
  }

  @Get('version')
  @Documented({
    id: 'getVersion',
    tag: 'Exploitation',
    summary: 'Connaître la version du logiciel, et comment on s’y connecte',
    public: true,
    answers: { 200: { says: 'La version', schema: 'Version' } },
  })
  version(): object {
    const { demonstration, OIDC_ISSUER, OIDC_AUDIENCE, OIDC_CLIENT_ID, OIDC_ROLES_CLAIM } = this.config;
    const login = {
      issuer: OIDC_ISSUER,
      audience: OIDC_AUDIENCE,
      ...(OIDC_CLIENT_ID === undefined ? {} : { clientId: OIDC_CLIENT_ID }),
      rolesClaim: OIDC_ROLES_CLAIM,
    };
    const build = { name: 'jalon', version: VERSION, software: SOFTWARE, node: process.version };
    return { ...build, demonstration, ...(demonstration ? {} : { login }) };
  }

  /** In demonstration anyone on this machine may look; else an administrateur's token is needed. */
  @Get('metrics')
  @Documented({
    id: 'getMetrics',
    tag: 'Exploitation',
    summary: 'Relever les mesures (Prometheus)',
    description: 'Hors démonstration, un jeton du rôle administrateur est nécessaire.',
    public: true,
    answers: { 200: { says: 'Les mesures', media: 'text/plain' } },
    problems: ['non-authentifie', 'interdit'],
  })
  async measured(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    if (!this.config.demonstration && !callerOf(request).roles.includes('administrateur'))
      throw new ProblemRaised('interdit', 'Les mesures sont pour le rôle administrateur.');
    const { projector, leaving } = this.product;
    try {
      for (const { projection, facts } of await projector.lag()) this.metrics.lag.set({ projection }, facts);
      for (const { projection, parked } of projector.status().projections)
        this.metrics.parked.set({ projection }, parked);
    } catch (fault) {
      if (!(fault instanceof ReadModelsUnavailable)) throw fault;
      // What is not known is not said: a figure of before would look like one of now.
      this.metrics.lag.reset();
      this.metrics.parked.reset();
    }
    this.metrics.diverged.set(this.product.proving.notary.diverged ? 1 : 0);
    this.metrics.subscribers.set(this.streams.size);
    try {
      for (const [state, count] of Object.entries(await leaving.registry.backlog()))
        this.metrics.deliveries.set({ state }, count);
    } catch (fault) {
      if (!(fault instanceof DeliveriesUnavailable)) throw fault;
      this.metrics.deliveries.reset();
    }
    reply.header('content-type', this.metrics.registry.contentType);
    return this.metrics.registry.metrics();
  }

  async #journal(): Promise<Health> {
    try {
      const { journal } = this.product;
      const tip = await journal.tip();
      return { status: 'ok', position: tip === null ? null : String(tip), durability: await journal.durability() };
    } catch (fault) {
      return { status: 'unavailable', reason: (fault as Error).name };
    }
  }

  async #directory(): Promise<Health> {
    try {
      return { status: 'ok', durability: await this.product.directory.durability() };
    } catch (fault) {
      return { status: 'unavailable', reason: (fault as Error).name };
    }
  }

  async #readModels(): Promise<Health> {
    const { projector } = this.product;
    const { projections, failure } = projector.status();
    const failing = failure !== undefined || projections.some(({ outdated }) => outdated);
    try {
      const lags = await projector.lag();
      return {
        status: failing ? 'unavailable' : 'ok',
        projections: projections.map(({ projection, version, position, parked }) => ({
          projection,
          version,
          position: position === null ? null : String(position),
          behind: lags.find((lag) => lag.projection === projection)?.facts ?? null,
          parked,
        })),
      };
    } catch (fault) {
      return { status: 'unavailable', reason: (fault as Error).name };
    }
  }
}
