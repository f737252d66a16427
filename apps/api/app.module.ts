import { Streams } from '@jalon/delivery';
import type { DynamicModule } from '@nestjs/common';
import type { Logger } from 'pino';
import { AccessesController } from './accesses.controller.ts';
import { CalendarTokensController } from './calendar-tokens.controller.ts';
import { Confidential } from './confidential.ts';
import type { Config } from './config.ts';
import { DeadlinesController } from './deadlines.controller.ts';
import { DemoController } from './demo.controller.ts';
import { DossiersController } from './dossiers.controller.ts';
import { Facts, Metrics } from './metrics.ts';
import { OperationsController } from './operations.controller.ts';
import { PastController } from './past.controller.ts';
import { ProblemsController } from './problems.controller.ts';
import type { Product } from './product.ts';
import { ProofController } from './proof.controller.ts';
import { ReadModelsController } from './read-models.controller.ts';
import { RegistryController } from './registry.controller.ts';
import { SubscriptionsController } from './subscriptions.controller.ts';
import { Tokens } from './tokens.ts';
import { WebhooksController } from './webhooks.controller.ts';
import { CONFIG, ENGINE, PRODUCT, STREAMS } from './wiring.ts';
import { WorkflowsController } from './workflows.controller.ts';

class AppModule {}

/** The wiring of the HTTP server: its controllers, and what they are given. */
export function appModule(product: Product, config: Config, tokens: Tokens, log: Logger): DynamicModule {
  const {
    clock,
    leaving: { hub },
  } = product;
  const seal = (cursor: string) => product.leaving.cursors.seal('place', cursor, 'fresh');
  const onError = (err: unknown) => log.warn({ err }, 'a stream ended: its subscriber can resume it');
  return {
    module: AppModule,
    // A process that does not serve the API still says how it is.
    controllers: config.JALON_ROLES.includes('api')
      ? [
          DossiersController,
          AccessesController,
          PastController,
          ProofController,
          ReadModelsController,
          DeadlinesController,
          CalendarTokensController,
          SubscriptionsController,
          WebhooksController,
          RegistryController,
          WorkflowsController,
          DemoController,
          ProblemsController,
          OperationsController,
        ]
      : [OperationsController],
    providers: [
      { provide: PRODUCT, useValue: product },
      { provide: ENGINE, useValue: product.engine },
      { provide: CONFIG, useValue: config },
      { provide: STREAMS, useValue: new Streams({ hub, clock, seal, onError }) },
      { provide: Tokens, useValue: tokens },
      { provide: Confidential, useValue: new Confidential(product) },
      Metrics,
      Facts,
    ],
  };
}
