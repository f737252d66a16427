import type { Kysely } from 'kysely';

/** A webhook. Structures are JSON text, instants milliseconds of Unix time. */
export type WebhookRow = {
  id: string;
  iss: string;
  sub: string;
  /** Audience: what its owner might receive when it was set up. */
  audience: string;
  url: string;
  types: string | null;
  jalons: string | null;
  secret: string;
  /** The secret before, which signs as well until then. */
  old_secret: string | null;
  old_until: number;
  /** Requests a minute that the address agreed to. */
  rate: number | null;
  state: 'active' | 'disabled';
  /** Why it was disabled, in a sentence. */
  reason: string | null;
  created_at: number;
  /** Everything up to here was looked at, and what it wants of it is in `deliveries`. */
  cursor: string;
  /** Raised by every replay: what was delivered before may be delivered again. */
  generation: number;
  /** Raised by every change of settings, so that who delivers takes note. */
  version: number;
  /** Failures in a row, and when it may be tried again. */
  failures: number;
  resume_at: number;
};

/** A fact that a webhook wants. Pending ones of a dossier go one after the other, in the order of `seq`. */
export type DeliveryRow = {
  webhook: string;
  /** Id of the fact, and of the message. */
  event: string;
  generation: number;
  /** Order in which the webhook came to want them. */
  seq: number;
  dossier: string;
  stream: string;
  revision: number;
  type: string;
  cursor: string;
  state: 'pending' | 'delivered' | 'dead';
  attempts: number;
  /** Of the first attempt, and not before which the next one comes. */
  first_at: number;
  next_at: number;
  done_at: number;
};

/** One attempt to deliver. */
export type AttemptRow = {
  webhook: string;
  event: string;
  at: number;
  /** Counts up over all attempts of the delivery. */
  n: number;
  ms: number;
  status: number | null;
  error: string | null;
};

export type Tables = {
  webhooks: WebhookRow;
  deliveries: DeliveryRow;
  attempts: AttemptRow;
  layout: { version: number };
  /** Keys of the store, in hex, by what they are for. */
  secrets: { name: string; secret: string };
};

type Step = (db: Kysely<Tables>) => Promise<void>;

/** From each layout to the next. What is here cannot be derived again: a layout is never thrown away. */
export const STEPS: readonly Step[] = [
  async (db) => {
    await db.schema
      .createTable('webhooks')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('iss', 'text', (column) => column.notNull())
      .addColumn('sub', 'text', (column) => column.notNull())
      .addColumn('audience', 'text', (column) => column.notNull())
      .addColumn('url', 'text', (column) => column.notNull())
      .addColumn('types', 'text')
      .addColumn('jalons', 'text')
      .addColumn('secret', 'text', (column) => column.notNull())
      .addColumn('old_secret', 'text')
      .addColumn('old_until', 'bigint', (column) => column.notNull())
      .addColumn('rate', 'bigint')
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('reason', 'text')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('cursor', 'text', (column) => column.notNull())
      .addColumn('generation', 'bigint', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .addColumn('failures', 'bigint', (column) => column.notNull())
      .addColumn('resume_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('deliveries')
      .addColumn('webhook', 'text', (column) => column.notNull())
      .addColumn('event', 'text', (column) => column.notNull())
      .addColumn('generation', 'bigint', (column) => column.notNull())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .addColumn('dossier', 'text', (column) => column.notNull())
      .addColumn('stream', 'text', (column) => column.notNull())
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('cursor', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('attempts', 'bigint', (column) => column.notNull())
      .addColumn('first_at', 'bigint', (column) => column.notNull())
      .addColumn('next_at', 'bigint', (column) => column.notNull())
      .addColumn('done_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('deliveries_key', ['webhook', 'event'])
      .execute();
    await db.schema.createIndex('deliveries_seq').on('deliveries').columns(['webhook', 'seq']).execute();
    await db.schema.createIndex('deliveries_state').on('deliveries').columns(['webhook', 'state', 'seq']).execute();
    await db.schema
      .createTable('attempts')
      .addColumn('webhook', 'text', (column) => column.notNull())
      .addColumn('event', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('n', 'bigint', (column) => column.notNull())
      .addColumn('ms', 'bigint', (column) => column.notNull())
      .addColumn('status', 'bigint')
      .addColumn('error', 'text')
      .addPrimaryKeyConstraint('attempts_key', ['webhook', 'event', 'n', 'at'])
      .execute();
  },
  // How many wait or were given up, of all webhooks, without looking at what was delivered.
  async (db) => {
    await db.schema.createIndex('deliveries_by_state').on('deliveries').column('state').execute();
  },
  // What cursors are sealed with.
  async (db) => {
    await db.schema
      .createTable('secrets')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('secret', 'text', (column) => column.notNull())
      .execute();
  },
];
