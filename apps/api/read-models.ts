import { type Journal, JournalUnavailable, rest } from '@jalon/journal';
import {
  openPostgresReadModels,
  openReadModels,
  ownProjection,
  type PostgresReadModels,
  PROJECTIONS,
  type Projection,
  Projector,
  type ProjectorParts,
  type ReadModelFeed,
  type ReadModelStore,
  SharedReadModels,
} from '@jalon/projections';
import { catalogue, readModels } from '@jalon/workflows';
import type { Config } from './config.ts';

/** Every read model: those that any procedure has, and those that procedures have of their own. */
export const projections: readonly Projection[] = [
  ...PROJECTIONS,
  ...readModels.map((model) => ownProjection(model, catalogue) as Projection),
];

/** How often a log that was away at the start is looked for. */
const LOG_AWAY_MS = 1_000;

/** What goes wrong in the background, told to whoever runs the product. */
export type Alarm = (what: string, details?: Record<string, unknown>) => void;

/** Read models that follow the journal, until they are stopped. */
export type Following = {
  projector: ReadModelFeed;
  store: ReadModelStore;
  /** The same store, when several processes share it. */
  shared?: PostgresReadModels;
  stop(): Promise<void>;
};

/**
 * Opens the read models and begins to feed or to follow them: those of a folder, or of the database that several processes
 * share. A database that is away is told once, and found again when it is back.
 */
export async function followJournal(
  folder: string,
  journal: Journal,
  alarm: Alarm,
  { DATABASE_URL, JALON_ROLES }: Pick<Config, 'DATABASE_URL' | 'JALON_ROLES'>,
): Promise<Following> {
  const parts: Omit<ProjectorParts, 'store'> = {
    journal,
    catalogue,
    projections,
    onParked: (parked) =>
      alarm('a read model cannot follow a dossier', { ...parked, position: String(parked.position) }),
    onError: (err) => alarm('the read models failed and will be tried again', { err }),
  };
  if (DATABASE_URL !== undefined) {
    const store = openPostgresReadModels(DATABASE_URL, alarm);
    const projector = new SharedReadModels({ ...parts, store, projecting: JALON_ROLES.includes('projector') });
    projector.start();
    return { projector, store, shared: store, stop: () => stopped(projector, store) };
  }
  const store = openReadModels(folder, alarm);
  const projector = new Projector({ ...parts, store });
  const stopping = new AbortController();
  try {
    const started = await begun(projector, alarm);
    const starting = started ? undefined : beginLater(projector, alarm, stopping.signal);
    const stop = async () => {
      stopping.abort();
      await starting;
      await stopped(projector, store);
    };
    return { projector, store, stop };
  } catch (fault) {
    await store.close();
    throw fault;
  }
}

/** Whether the projector has begun to follow; not while the log is away. */
async function begun(projector: Projector, alarm: Alarm): Promise<boolean> {
  try {
    await projector.start();
    return true;
  } catch (err) {
    if (!(err instanceof JournalUnavailable)) throw err;
    alarm('the read models wait for the log, which is away', { err });
    return false;
  }
}

/** Begins as soon as the log is there, unless it is stopped before. */
async function beginLater(projector: Projector, alarm: Alarm, stopping: AbortSignal): Promise<void> {
  const silent = () => undefined;
  while (!stopping.aborted) {
    await rest(LOG_AWAY_MS, stopping);
    if (stopping.aborted) return;
    try {
      if (await begun(projector, silent)) return;
    } catch (err) {
      alarm('the read models failed and will be tried again', { err });
    }
  }
}

async function stopped(projector: { stop(): Promise<void> }, store: ReadModelStore): Promise<void> {
  await projector.stop();
  await store.close();
}
