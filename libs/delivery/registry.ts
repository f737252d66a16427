import type { Kysely } from 'kysely';
import type { DeliveryStore } from './store.ts';
import type { AttemptRow, DeliveryRow, Tables, WebhookRow } from './tables.ts';

/** What an attempt made of a delivery, and of its webhook. */
export type Recorded = { delivery: DeliveryRow; attempt: AttemptRow; webhook: Partial<WebhookRow> };

/** A delivery as the log shows it. */
export type Logged = DeliveryRow & { tries: AttemptRow[] };

/** Rows per statement, at most: few enough parameters for any database. */
const CHUNK = 50;

/** Webhooks and their deliveries, as they are kept. Every method throws DeliveriesUnavailable while the database is away. */
export class Registry {
  constructor(private readonly store: DeliveryStore) {}

  /** Every webhook, or those of one owner, oldest first. */
  list(owner?: { iss: string; sub: string }): Promise<WebhookRow[]> {
    return this.store.transact((db) => {
      let query = db.selectFrom('webhooks').selectAll().orderBy('created_at').orderBy('id');
      if (owner) query = query.where('iss', '=', owner.iss).where('sub', '=', owner.sub);
      return query.execute();
    });
  }

  one(id: string): Promise<WebhookRow | undefined> {
    return this.store.transact((db) => find(db, id));
  }

  async add(row: WebhookRow): Promise<void> {
    await this.store.transact((db) => db.insertInto('webhooks').values(row).execute(), 'durable');
  }

  /** Changes settings, and gives the webhook as it then is; undefined when it is not there any more. */
  change(id: string, change: Partial<WebhookRow>): Promise<WebhookRow | undefined> {
    return this.store.transact(async (db) => {
      await db
        .updateTable('webhooks')
        .set((row) => ({ ...change, version: row('version', '+', 1) }))
        .where('id', '=', id)
        .execute();
      return find(db, id);
    }, 'durable');
  }

  /** Removes a webhook with its log. */
  async remove(id: string): Promise<void> {
    await this.store.transact(async (db) => {
      await db.deleteFrom('webhooks').where('id', '=', id).execute();
      await db.deleteFrom('deliveries').where('webhook', '=', id).execute();
      await db.deleteFrom('attempts').where('webhook', '=', id).execute();
    }, 'durable');
  }

  /** Goes back to a cursor: what is wanted from there on is delivered again. */
  async replay(id: string, cursor: string): Promise<void> {
    await this.store.transact(
      (db) =>
        db
          .updateTable('webhooks')
          .set((row) => ({ cursor, generation: row('generation', '+', 1), version: row('version', '+', 1) }))
          .where('id', '=', id)
          .execute(),
      'durable',
    );
  }

  /** Delivers the dead letters again; gives how many there are. */
  replayDead(id: string): Promise<number> {
    return this.store.transact(async (db) => {
      const { numUpdatedRows } = await db
        .updateTable('deliveries')
        .set({ state: 'pending', attempts: 0, first_at: 0, next_at: 0, done_at: 0 })
        .where('webhook', '=', id)
        .where('state', '=', 'dead')
        .executeTakeFirst();
      await db
        .updateTable('webhooks')
        .set((row) => ({ version: row('version', '+', 1) }))
        .where('id', '=', id)
        .execute();
      return Number(numUpdatedRows);
    }, 'durable');
  }

  /** The log of a webhook, latest first, before a place in it. */
  log(
    id: string,
    { before, state, limit }: { before?: number; state?: DeliveryRow['state']; limit: number },
  ): Promise<Logged[]> {
    return this.store.transact(async (db) => {
      let query = db.selectFrom('deliveries').selectAll().where('webhook', '=', id).orderBy('seq', 'desc').limit(limit);
      if (before !== undefined) query = query.where('seq', '<', before);
      if (state !== undefined) query = query.where('state', '=', state);
      const deliveries = await query.execute();
      const events = deliveries.map(({ event }) => event);
      const attempts = events.length
        ? await db
            .selectFrom('attempts')
            .selectAll()
            .where('webhook', '=', id)
            .where('event', 'in', events)
            .orderBy('at')
            .orderBy('n')
            .execute()
        : [];
      return deliveries.map((row) => ({ ...row, tries: attempts.filter(({ event }) => event === row.event) }));
    });
  }

  /** How many deliveries of a webhook are in each state. */
  async counts(id: string): Promise<Record<DeliveryRow['state'], number>> {
    const rows = await this.store.transact((db) =>
      db
        .selectFrom('deliveries')
        .select((row) => ['state', row.fn.countAll<number>().as('count')])
        .where('webhook', '=', id)
        .groupBy('state')
        .execute(),
    );
    const found = Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)]));
    return { pending: 0, delivered: 0, dead: 0, ...found };
  }

  /** How many deliveries of all webhooks wait, and how many were given up. */
  async backlog(): Promise<{ pending: number; dead: number }> {
    const rows = await this.store.transact((db) =>
      db
        .selectFrom('deliveries')
        .select((row) => ['state', row.fn.countAll<number>().as('count')])
        .where('state', 'in', ['pending', 'dead'])
        .groupBy('state')
        .execute(),
    );
    const of = (wanted: string) => Number(rows.find(({ state }) => state === wanted)?.count ?? 0);
    return { pending: of('pending'), dead: of('dead') };
  }

  /** Pending deliveries after a place in the order of a webhook. */
  pending(id: string, after: number, limit: number): Promise<DeliveryRow[]> {
    return this.store.transact((db) =>
      db
        .selectFrom('deliveries')
        .selectAll()
        .where('webhook', '=', id)
        .where('state', '=', 'pending')
        .where('seq', '>', after)
        .orderBy('seq')
        .limit(limit)
        .execute(),
    );
  }

  /** The last place in the order of a webhook. */
  async lastSeq(id: string): Promise<number> {
    const row = await this.store.transact((db) =>
      db
        .selectFrom('deliveries')
        .select((eb) => eb.fn.max('seq').as('seq'))
        .where('webhook', '=', id)
        .executeTakeFirst(),
    );
    return Number(row?.seq ?? 0);
  }

  /**
   * Takes note that everything up to `cursor` was looked at, and of what is wanted of it. Gives the ids of those that are
   * to be delivered, without those already settled in this generation; null when settings changed meanwhile: nothing was
   * written.
   */
  want(
    { id, version }: Pick<WebhookRow, 'id' | 'version'>,
    rows: readonly DeliveryRow[],
    cursor: string,
  ): Promise<Set<string> | null> {
    return this.store.transact(async (db) => {
      const { numUpdatedRows } = await db
        .updateTable('webhooks')
        .set({ cursor })
        .where('id', '=', id)
        .where('version', '=', version)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return null;
      const wanted = new Set<string>();
      for (let start = 0; start < rows.length; start += CHUNK) {
        const written = await db
          .insertInto('deliveries')
          .values(rows.slice(start, start + CHUNK))
          .onConflict((conflict) =>
            conflict
              .columns(['webhook', 'event'])
              .doUpdateSet((row) => ({
                generation: row.ref('excluded.generation'),
                seq: row.ref('excluded.seq'),
                cursor: row.ref('excluded.cursor'),
                state: row.ref('excluded.state'),
                attempts: row.ref('excluded.attempts'),
                first_at: row.ref('excluded.first_at'),
                next_at: row.ref('excluded.next_at'),
                done_at: row.ref('excluded.done_at'),
              }))
              .whereRef('deliveries.generation', '<', 'excluded.generation'),
          )
          .returning('event')
          .execute();
        for (const { event } of written) wanted.add(event);
      }
      return wanted;
    });
  }

  /** Records what came of attempts. */
  async record(done: readonly Recorded[]): Promise<void> {
    await this.store.transact(async (db) => {
      for (const { delivery, webhook } of done) {
        const { state, attempts, first_at, next_at, done_at } = delivery;
        await db
          .updateTable('deliveries')
          .set({ state, attempts, first_at, next_at, done_at })
          .where('webhook', '=', delivery.webhook)
          .where('event', '=', delivery.event)
          .where('generation', '=', delivery.generation)
          .execute();
        if (Object.keys(webhook).length > 0)
          await db.updateTable('webhooks').set(webhook).where('id', '=', delivery.webhook).execute();
      }
      for (let start = 0; start < done.length; start += CHUNK)
        await db
          .insertInto('attempts')
          .values(done.slice(start, start + CHUNK).map(({ attempt }) => attempt))
          .onConflict((conflict) => conflict.doNothing())
          .execute();
    });
  }

  /** Forgets what was delivered before an instant. Dead letters are kept. */
  async purge(before: number): Promise<void> {
    await this.store.transact(async (db) => {
      await db.deleteFrom('deliveries').where('state', '=', 'delivered').where('done_at', '<', before).execute();
      await db
        .deleteFrom('attempts')
        .where('at', '<', before)
        .where((row) =>
          row.not(
            row.exists(
              row
                .selectFrom('deliveries')
                .select('event')
                .whereRef('deliveries.webhook', '=', 'attempts.webhook')
                .whereRef('deliveries.event', '=', 'attempts.event'),
            ),
          ),
        )
        .execute();
    });
  }
}

function find(db: Kysely<Tables>, id: string): Promise<WebhookRow | undefined> {
  return db.selectFrom('webhooks').selectAll().where('id', '=', id).executeTakeFirst();
}
