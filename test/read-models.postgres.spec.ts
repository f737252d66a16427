import { CalendarTokens, openPostgresKept } from '@jalon/projections';
import {
  describeCalendarTokens,
  describeChronologie,
  describeDossierList,
  describeEcheances,
  describeOwn,
  describeProjector,
  describeStatistics,
  describeStore,
  inPostgres,
  type Scratch,
  scratchDatabase,
} from '@jalon/projections/contract';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { somePostgres } from './postgres.ts';

// Over the server that DATABASE_URL names, when it is set, else over one of this file's own.
let server: Awaited<ReturnType<typeof somePostgres>>;
let database: Scratch;

beforeAll(async () => {
  server = await somePostgres();
  database = await scratchDatabase(server.url);
}, 30_000);
afterAll(async () => {
  await database.drop();
  await server.stop();
});

const inDatabase = () => inPostgres(database.url);

describe('In PostgreSQL,', () => {
  describeCalendarTokens(inDatabase);
  describeChronologie(inDatabase);
  describeDossierList(inDatabase);
  describeEcheances(inDatabase);
  describeOwn(inDatabase);
  describeProjector(inDatabase);
  describeStatistics(inDatabase);
  describeStore(inDatabase);

  test('several processes that begin at once keep what each is asked to', async () => {
    const stores = [1, 2, 3].map(() => openPostgresKept(database.url));
    const owner = { iss: 'urn:test', sub: 'a', roles: ['charge'] };
    const kept = stores.map((store, i) =>
      new CalendarTokens(store).keep({ id: `t${i}`, owner, createdAt: '2026-01-01T00:00:00.000Z' }, `${i}`.repeat(64)),
    );
    await Promise.all(kept);
    expect(await new CalendarTokens(stores[0]!).list(owner)).toHaveLength(3);
    for (const store of stores) await store.close();
  });
});
