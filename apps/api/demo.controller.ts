import { validatePayload } from '@jalon/flow';
import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { DemonstrationToken, PARTIES } from './demonstration-token.ts';
import { Documented } from './documentation.ts';
import { ProblemRaised } from './problems.ts';
import { Tokens } from './tokens.ts';
import { CONFIG, type Config } from './wiring.ts';

/** Tokens for whoever asks, in demonstration mode only: the server then answers this machine alone. */
@Controller('api/demo')
export class DemoController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly tokens: Tokens,
  ) {}

  @Post('token')
  @HttpCode(200)
  @Documented({
    id: 'makeDemonstrationToken',
    tag: 'Démonstration',
    summary: 'Obtenir un jeton pour essayer',
    public: true,
    body: 'DemonstrationToken',
    answers: { 200: { says: 'Le jeton', schema: 'Token' } },
    problems: ['introuvable'],
  })
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
