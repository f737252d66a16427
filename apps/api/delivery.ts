import { randomBytes, randomUUID } from 'node:crypto';
import {
  CursorSeal,
  type DeliveryStore,
  Departures,
  Dispatcher,
  Hub,
  Outbound,
  openDeliveries,
  openPostgresDeliveries,
  Registry,
  readRanges,
  Webhooks,
} from '@jalon/delivery';
import type { Engine } from '@jalon/engine';
import type { Journal } from '@jalon/journal';
import { Lease, type PostgresReadModels } from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import { addressOf, type Config } from './config.ts';
import type { Alarm } from './read-models.ts';

/** What leaves: one subscription to the journal for all who listen, and webhooks. */
export type Leaving = {
  hub: Hub;
  /** What cursors leave by, and come back. */
  cursors: CursorSeal;
  registry: Registry;
  webhooks: Webhooks;
  /** Whether this process delivers webhooks at present. */
  isDelivering(): boolean;
  /** Begins to deliver webhooks, or to wait for this process's turn to. */
  deliver(): void;
  close(): Promise<void>;
};

type Parts = {
  folder: string;
  journal: Journal;
  engine: Engine;
  clock: () => Date;
  alarm: Alarm;
  config: Pick<Config, 'DATABASE_URL' | 'JALON_ROLES' | 'JALON_PUBLIC_URL' | 'HOST' | 'PORT' | 'JALON_WEBHOOK_ALLOW'>;
  /** The database that processes share, if they do: there one of them delivers. */
  shared: PostgresReadModels | undefined;
};

/** Opens what leaves. Nothing does before somebody listens, or `deliver`. @throws DeliveriesRefused */
export function openLeaving({ folder, journal, engine, clock, alarm, config, shared }: Parts): Leaving {
  const onError = (err: unknown) => alarm('what is recorded cannot leave, and will be tried again', { err });
  const base = addressOf(config);
  const summaryOf = (id: string, atLeast: number) => engine.summary(id, atLeast);
  const store: DeliveryStore =
    config.DATABASE_URL === undefined ? openDeliveries(folder) : openPostgresDeliveries(config.DATABASE_URL);
  const cursors = new CursorSeal(store);
  const seal = (cursor: string) => cursors.seal('place', cursor);
  const departures = new Departures({ journal, catalogue, base, summaryOf, seal });
  const hub = new Hub({ journal, departures, clock, onError });
  const ranges = readRanges(config.JALON_WEBHOOK_ALLOW);
  const outbound = new Outbound({ ranges });
  const registry = new Registry(store);
  const common = { hub, registry, outbound, catalogue, clock };
  const dispatcher = new Dispatcher({ ...common, departures, random: Math.random, onError });
  const webhooks = new Webhooks({
    ...common,
    journal,
    ranges,
    base,
    uuid: randomUUID,
    randomBytes,
    changed: () => dispatcher.poke(),
  });
  const stopping = new AbortController();
  let delivering: Promise<void> = Promise.resolve();
  return {
    hub,
    cursors,
    registry,
    webhooks,
    isDelivering: () => dispatcher.isRunning,
    deliver: () => {
      if (!config.JALON_ROLES.includes('delivery')) return;
      const { signal } = stopping;
      const work = (over: AbortSignal) => dispatcher.run(over);
      delivering = shared
        ? new Lease({ database: shared, role: 'delivery', onError }).hold((_, over) => work(over), signal)
        : work(signal);
    },
    close: async () => {
      stopping.abort();
      await delivering;
      await hub.close();
      await outbound.close();
      await store.close();
    },
  };
}
