import { once } from 'node:events';
import type { Journal } from '@jalon/journal';
import { openPostgresReadModels, PROJECTIONS, type SharedParts, SharedReadModels } from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import { median } from './load.ts';
import { type Line, perSecond } from './table.ts';

const ROUNDS = 3;
const PATIENCE_MS = 600_000;

type Log = SharedParts['journal'];

/** A log in which nothing was ever recorded. */
const EMPTY: Log = {
  async *read() {},
  async *readAll() {},
  async *subscribe(_after, _filter, signal) {
    if (!signal.aborted) await once(signal, 'abort');
    yield* [];
  },
  tip: async () => null,
};

/** What `act` gives of read models of a database that follow a log in this process, not yet started. */
export async function following<T>(
  database: string,
  journal: Log,
  projecting: boolean,
  act: (shared: SharedReadModels) => Promise<T>,
): Promise<T> {
  const store = openPostgresReadModels(database);
  const fail = (what: unknown) => {
    throw what instanceof Error ? what : new Error(JSON.stringify(what));
  };
  const parts = { store, journal, catalogue, projections: PROJECTIONS, onParked: fail, onError: fail };
  const shared = new SharedReadModels({ ...parts, projecting });
  try {
    return await act(shared);
  } finally {
    await shared.stop();
    await store.close();
  }
}

/** Leaves a database without read models. */
async function clear(database: string): Promise<void> {
  const store = openPostgresReadModels(database);
  await store.writer.schema.dropSchema('jalon').ifExists().cascade().execute();
  await store.close();
}

/** Leaves read models that were level with an empty log when whoever projects stopped. */
export async function leaveEmpty(database: string): Promise<void> {
  await clear(database);
  await following(database, EMPTY, true, async (shared) => {
    shared.start();
    await shared.caughtUp(null, PATIENCE_MS);
  });
}

/** Both read models of so many facts, from the start to level: into no tables at all, and into tables left empty. */
export async function measureCatchUp(
  name: string,
  database: string,
  journal: Journal,
  facts: number,
  say: (line: string) => void,
): Promise<Line[]> {
  const tip = await journal.tip();
  const rates = { built: [] as number[], followed: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1)
    for (const way of ['built', 'followed'] as const) {
      // New read models are built from the whole log; those that are there follow what was recorded since they stopped.
      await (way === 'built' ? clear(database) : leaveEmpty(database));
      const rate = await following(database, journal, true, async (shared) => {
        const started = performance.now();
        shared.start();
        await shared.caughtUp(tip, PATIENCE_MS);
        return facts / ((performance.now() - started) / 1000);
      });
      rates[way].push(rate);
      say(`${name}, catch-up of ${facts} facts, ${way}: ${perSecond(rate)}`);
    }
  const line = (what: string, measured: number): Line => ({
    ...{ what: `${name}: ${what}`, measured: perSecond(measured), against: '-', ratio: measured },
    ...{ wanted: '≥ 15,000/s', met: measured >= 15_000 },
  });
  const counted = facts.toLocaleString('en-US');
  return [
    line(`${counted} facts into PostgreSQL, read models that are new`, median(rates.built)),
    line(`${counted} facts into PostgreSQL, after an absence`, median(rates.followed)),
  ];
}
