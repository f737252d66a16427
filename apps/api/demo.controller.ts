import { OneOf, Text, validatePayload } from '@jalon/flow';
import { catalogue } from '@jalon/workflows';
import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ProblemRaised } from './problems.ts';
import { Tokens } from './tokens.ts';
import { CONFIG, type Config } from './wiring.ts';

const ROLES = [...new Set(catalogue.workflows.flatMap(({ roles }) => Object.keys(roles)))].filter(
  (r) => r !== 'horloge',
);
const PARTIES = new Set(catalogue.workflows.flatMap(({ parties }) => Object.keys(parties)));

/** What a demonstration token is asked with. */
export class DemonstrationToken {
  @OneOf(ROLES, { label: 'Rôle' }) role!: string;
  @Text({ label: 'Identifiant', max: 128, optional: true }) sub?: string;
  @Text({ label: 'Nom', max: 200, optional: true }) nom?: string;
  @Text({ label: 'Organisation', max: 200, optional: true }) org?: string;
}

/** Tokens for whoever asks, in demonstration mode only: the server then answers this machine alone. */
@Controller('api/demo')
export class DemoController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly tokens: Tokens,
  ) {}

  @Post('token')
  @HttpCode(200)
  @RouteConfig({ public: true })
  token(@Body() body: unknown): Promise<object> {
    if (!this.config.demonstration) throw new ProblemRaised('introuvable', 'Ce serveur n’est pas en démonstration.');
    const errors = validatePayload(DemonstrationToken, body);
    const { role, sub = `demo-${role}`, nom, org } = (body ?? {}) as DemonstrationToken;
    if (errors.length === 0 && PARTIES.has(role) && org === undefined)
      errors.push({ path: '/org', message: `Le rôle ${role} agit pour une organisation : donnez-la.` });
    if (errors.length > 0)
      throw new ProblemRaised('proposition-invalide', 'La demande de jeton est invalide.', { errors });
    return this.tokens.demonstrationToken(role, sub, nom, org);
  }
}
