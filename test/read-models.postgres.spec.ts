import {
  describeChronologie,
  describeDossierList,
  describeEcheances,
  describeProjector,
  describeStore,
  inPostgres,
  type Scratch,
  scratchDatabase,
} from '@jalon/projections/contract';
import { afterAll, beforeAll, describe } from '@jest/globals';
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
  describeChronologie(inDatabase);
  describeDossierList(inDatabase);
  describeEcheances(inDatabase);
  describeProjector(inDatabase);
  describeStore(inDatabase);
});
