import { randomBytes, randomUUID } from 'node:crypto';
import {
  type DeliveryStore,
  Departures,
  Dispatcher,
  Hub,
  Outbound,
  type OutboundParts,
  type Owner,
  openDeliveries,
  Registry,
  readRanges,
  type WebhookRow,
  Webhooks,
} from '@jalon/delivery';
import { DEMANDES } from './demande.ts';
import { until } from './eventually.ts';
import type { Office } from './office.ts';

/** An agent of the office, who may receive everything. */
export const AGENT: Owner = { iss: 'https://connexion.example', sub: 'agent', audience: { roles: ['agent'] } };

type Options = { store?: DeliveryStore; outbound?: Partial<OutboundParts>; random?: () => number };

/** Webhooks over the journal of an office, as one process has them. */
export class Delivering {
  readonly errors: unknown[] = [];
  readonly hub: Hub;
  readonly registry: Registry;
  readonly webhooks: Webhooks;
  readonly dispatcher: Dispatcher;
  readonly #store: DeliveryStore;
  readonly #outbound: Outbound;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(
    readonly office: Office,
    { store, outbound = {}, random = () => 1 }: Options = {},
  ) {
    const { journal, folder } = office;
    const clock = () => office.now;
    const onError = (error: unknown) => this.errors.push(error);
    const base = 'https://jalon.example';
    const ranges = readRanges(['127.0.0.0/8']);
    const catalogue = DEMANDES;
    const summaryOf = (id: string, atLeast: number) => office.engine.summary(id, atLeast);
    const seal = (cursor: string) => cursor;
    const departures = new Departures({ journal, catalogue, base, summaryOf, seal });
    this.hub = new Hub({ journal, departures, clock, onError });
    this.#store = store ?? openDeliveries(folder);
    this.registry = new Registry(this.#store);
    this.#outbound = new Outbound({ ranges, patienceMs: 500, ...outbound });
    const parts = { hub: this.hub, registry: this.registry, outbound: this.#outbound, catalogue, clock };
    this.dispatcher = new Dispatcher({ ...parts, departures, random, onError });
    this.webhooks = new Webhooks({
      ...parts,
      journal,
      uuid: randomUUID,
      randomBytes,
      ranges,
      base,
      changed: () => this.dispatcher.poke(),
    });
  }

  /** Begins to deliver. */
  start(): this {
    this.#running = this.dispatcher.run(this.#stopping.signal);
    return this;
  }

  /** Sets a webhook up for an agent. */
  async register(url: string, wanted: Parameters<Webhooks['register']>[1] | object = {}, owner = AGENT) {
    return (await this.webhooks.register(owner, { url, ...wanted })).webhook;
  }

  /** The webhook as it is on record. */
  async row({ id }: Pick<WebhookRow, 'id'>): Promise<WebhookRow> {
    const row = await this.registry.one(id);
    if (!row) throw new Error('There is no such webhook.');
    return row;
  }

  async counts({ id }: Pick<WebhookRow, 'id'>) {
    return this.registry.counts(id);
  }

  /** Lets time pass, and what is due be done. */
  pass(ms: number): void {
    this.office.now = new Date(this.office.now.getTime() + ms);
    this.dispatcher.poke();
  }

  /** Lets time pass, a step at a time, until something is so. */
  async passUntil(condition: () => Promise<boolean>, stepMs = 1_000): Promise<void> {
    await until(async () => {
      if (await condition()) return true;
      this.pass(stepMs);
      return false;
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.hub.close();
    await this.#outbound.close();
    await this.#store.close();
  }
}
