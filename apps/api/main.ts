import 'reflect-metadata';
import { resolve } from 'node:path';
import { DeliveriesRefused } from '@jalon/delivery';
import { JournalRefused } from '@jalon/journal';
import { OriginTaken } from '@jalon/proof';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ConfigRefused, readConfig } from './config.ts';
import { openControl } from './control.ts';
import { recordFirstKey } from './keys.ts';
import { openLog } from './log.ts';
import { openProduct } from './product.ts';
import { seeded, seedLater } from './sample.ts';
import { createServer } from './server.ts';
import { welcome } from './welcome.ts';

/** Starts the server: configuration, product, sample on an empty demonstration folder, HTTP; stops on SIGTERM or SIGINT. */
async function main(): Promise<void> {
  const started = performance.now();
  const config = readConfig(process.env);
  const log = openLog(config.LOG_LEVEL);
  const folder = resolve(config.JALON_DATA);
  const clock = () => new Date();
  const product = await openProduct(folder, clock, (what, details = {}) => log.error(details, what), config);
  let app: NestFastifyApplication | undefined;
  let closeControl: (() => Promise<void>) | undefined;
  let stopping: Promise<void> | undefined;
  let seeding: Promise<void> | undefined;
  const ending = new AbortController();
  const stop = (reason: string) => {
    stopping ??= (async () => {
      log.info({ reason }, 'stopping: finishing what was accepted');
      ending.abort();
      await app?.close();
      await closeControl?.();
      await seeding;
      await product.close();
      log.flush();
    })();
    return stopping;
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void stop(signal).then(() => process.exit(0)));

  try {
    const serves = config.JALON_ROLES.includes('api');
    const say = (line: string) => log.info(line);
    if (serves && config.demonstration && config.JALON_SAMPLE === 'public' && !(await seeded(product, say)))
      seeding = seedLater(product, say, ending.signal).catch((err) =>
        log.error({ err }, 'the sample was not recorded'),
      );
    void recordFirstKey(product).catch((err) => log.error({ err }, 'that the first key was made is not recorded'));
    app = await createServer(product, config, log);
    closeControl = await openControl(product, log);
    await app.listen(config.PORT, config.HOST);
    product.leaving.deliver();
    product.timekeeper.begin();
  } catch (fault) {
    await stop('failed to start');
    throw fault;
  }
  const address = config.JALON_PUBLIC_URL ?? (await app.getUrl()).replace('[::1]', 'localhost');
  log.info({ address, folder, startedInMs: Math.round(performance.now() - started) }, 'ready');
  if (config.demonstration && config.JALON_ROLES.includes('api')) process.stdout.write(welcome(address, folder));
}

main().catch((fault: unknown) => {
  const foreseen =
    fault instanceof ConfigRefused ||
    fault instanceof JournalRefused ||
    fault instanceof DeliveriesRefused ||
    fault instanceof OriginTaken ||
    (fault as { code?: string }).code === 'EADDRINUSE';
  const line = foreseen ? (fault as Error).message : fault;
  process.stderr.write(`Jalon cannot start: ${foreseen ? line : (fault as Error).stack}\n`);
  process.exit(1);
});
