import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { Engine } from '@jalon/engine';
import {
  assertDatabaseFits,
  type Directory,
  DirectoryUnavailable,
  type Journal,
  JournalRefused,
  JournalUnavailable,
  moveDirectory,
  openEventStoreJournal,
  openPostgresDirectory,
  openSqliteDirectory,
  openSqliteJournal,
  ReservableJournal,
} from '@jalon/journal';
import {
  CalendarTokens,
  Chronologie,
  DeadlineList,
  DossierList,
  OwnRows,
  openKept,
  openPostgresKept,
  type ReadModelFeed,
  StatisticsReader,
} from '@jalon/projections';
import { catalogue, constats, registre } from '@jalon/workflows';
import manifest from '../../package.json' with { type: 'json' };
import { Accesses } from './accesses.ts';
import { openTimekeeper, type Timekeeper } from './clock.ts';
import { Config } from './config.ts';
import { assertReachable } from './control-socket.ts';
import { type Leaving, openLeaving } from './delivery.ts';
import { nodeName } from './node-name.ts';
import { openProving, type Proving } from './proof.ts';
import { type Alarm, followJournal } from './read-models.ts';

export type { Alarm } from './read-models.ts';

/** Version of this build. */
export const VERSION: string = manifest.version;

/** Name and version of this build, as every fact keeps it. */
export const SOFTWARE = `jalon/${VERSION}`;

/** Dossiers held in memory, counted in facts: about 1 kB each. */
const FACTS_HELD = 15_000;

/** What Jalon is made of, without a transport: journal, directory, engine and read models over one data folder. */
export type Product = {
  folder: string;
  /** The name of this node. */
  node: string;
  journal: ReservableJournal;
  /** Whether no other process writes to the log. */
  soleWriter: boolean;
  directory: Directory;
  engine: Engine;
  /** Who keeps the read models level with the journal, here or in another process. */
  projector: ReadModelFeed;
  timelines: Chronologie;
  list: DossierList;
  deadlines: DeadlineList;
  calendarTokens: CalendarTokens;
  /** What evaluations found, and the public register. */
  findings: OwnRows;
  register: OwnRows;
  statistics: StatisticsReader;
  /** What leaves, to streams, the feed and webhooks. */
  leaving: Leaving;
  /** Who read what is withheld from others, who was denied, what was exported or erased. */
  accesses: Accesses;
  /** What makes true what a date does. */
  timekeeper: Timekeeper;
  /** The log of proofs over all facts, and who signs it. */
  proving: Proving;
  clock: () => Date;
  close(): Promise<void>;
};

/**
 * Opens a data folder, creating it when absent. The read models begin to follow the journal; `projector.caughtUp` tells
 * when they have. They are in the folder, or in the database of the configuration, which need not be there yet.
 * @throws JournalRefused when it is in use, foreign or damaged
 */
export async function openProduct(
  folder: string,
  clock: () => Date,
  alarm: Alarm,
  config: Config = new Config(),
): Promise<Product> {
  assertReachable(folder);
  if (config.DATABASE_URL !== undefined) await assertDatabaseFits(config.DATABASE_URL);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { ESDB_URL } = config;
  const { journal: log, directory, closeLog } = await openLog(folder, config, alarm);
  const journal = new ReservableJournal(log);
  const soleWriter = ESDB_URL === undefined;
  try {
    const salt = drawSalts();
    const engine = new Engine({
      journal,
      directory,
      catalogue,
      clock,
      entropy: { uuid: randomUUID, salt },
      software: SOFTWARE,
      soleWriter,
      factsHeld: FACTS_HELD,
      acknowledged: await tipOf(journal, alarm),
    });
    const entropy = { uuid: randomUUID, salt };
    const node = nodeName(folder);
    const accesses = new Accesses({ journal, directory, clock, entropy, software: SOFTWARE, node });
    const { DATABASE_URL } = config;
    const kept = DATABASE_URL === undefined ? await openKept(folder) : openPostgresKept(DATABASE_URL);
    const following = followJournal(folder, journal, alarm, config).catch(async (fault) => {
      await kept.close();
      throw fault;
    });
    const { projector, store, shared, stop } = await following;
    let leaving: Leaving;
    try {
      leaving = openLeaving({ folder, journal, engine, clock, alarm, config, shared });
    } catch (fault) {
      await stop();
      await kept.close();
      throw fault;
    }
    let proving: Proving;
    try {
      proving = await openProving({ folder, journal, clock, alarm, config, shared });
    } catch (fault) {
      await leaving.close();
      await stop();
      await kept.close();
      throw fault;
    }
    const close = async () => {
      await timekeeper.close();
      await leaving.close();
      await proving.stop();
      await stop();
      await kept.close();
      await closeLog();
    };
    const read = {
      projector,
      timelines: new Chronologie(store, catalogue),
      list: new DossierList(store, catalogue),
      deadlines: new DeadlineList(store, catalogue),
      calendarTokens: new CalendarTokens(kept),
      findings: new OwnRows(store, catalogue, constats),
      register: new OwnRows(store, catalogue, registre),
      statistics: new StatisticsReader(store),
    };
    const keeping = { engine, journal, projector, deadlines: read.deadlines, clock, salt, software: SOFTWARE, alarm };
    const timekeeper = openTimekeeper(keeping, config, shared);
    return {
      folder,
      node,
      journal,
      soleWriter,
      directory,
      engine,
      ...read,
      leaving,
      accesses,
      timekeeper,
      proving,
      clock,
      close,
    };
  } catch (fault) {
    await closeLog();
    throw fault;
  }
}

type Stores = Pick<Config, 'ESDB_URL' | 'DATABASE_URL'>;

/** The log in the folder, or in EventStoreDB; the directory of persons in the folder, or in the database. */
async function openLog(folder: string, { ESDB_URL, DATABASE_URL }: Stores, alarm: Alarm) {
  const { journal, directory } = await openLocally(folder, ESDB_URL, alarm);
  const closeLocal = async () => {
    await journal.close();
    await directory.close();
  };
  if (DATABASE_URL === undefined) return { journal, directory, closeLog: closeLocal };
  try {
    const onTrouble = (err: unknown) => alarm('the directory of persons is away, and will be tried again', { err });
    const shared = await openPostgresDirectory(DATABASE_URL, onTrouble);
    const closeLog = async () => {
      await closeLocal();
      await shared.close();
    };
    await moveOver(folder, directory, shared).catch(async (fault: unknown) => {
      await shared.close();
      throw fault;
    });
    return { journal, directory: shared, closeLog };
  } catch (fault) {
    await closeLocal();
    throw fault;
  }
}

/** The folder is locked for this process and has a directory of its own, whatever lies elsewhere. */
async function openLocally(folder: string, eventStore: string | undefined, alarm: Alarm) {
  if (eventStore === undefined) return openSqliteJournal(folder);
  const directory = await openSqliteDirectory(folder);
  const onTrouble = (err: unknown) => alarm('EventStoreDB is away, and will be tried again', { err });
  const journal = await openEventStoreJournal(eventStore, { onTrouble });
  return { journal, directory };
}

/** What a folder's own directory held before there was a shared one moves there, once: it would seem erased otherwise. */
async function moveOver(folder: string, own: Directory, shared: Directory): Promise<void> {
  try {
    await moveDirectory(own, shared);
  } catch (fault) {
    const { message } = fault as Error;
    const line =
      fault instanceof DirectoryUnavailable
        ? `The names in ${folder} must move to the database of DATABASE_URL, which does not answer: ${message}`
        : `The names in ${folder} cannot move to the database of DATABASE_URL: ${message}`;
    throw new JournalRefused(line, { cause: fault });
  }
}

/** A log that is away at the start is found when it is back; until then nothing is known to be acknowledged. */
async function tipOf(journal: Journal, alarm: Alarm): Promise<bigint | null> {
  try {
    return await journal.tip();
  } catch (err) {
    if (!(err instanceof JournalUnavailable)) throw err;
    alarm('the log is away at the start', { err });
    return null;
  }
}

/** Salts of 16 random bytes, in hex. Drawn many at a time: one call to the system's generator costs more than a salt. */
function drawSalts(): () => string {
  let drawn = '';
  return () => {
    if (drawn === '') drawn = randomBytes(16 * 256).toString('hex');
    const salt = drawn.slice(0, 32);
    drawn = drawn.slice(32);
    return salt;
  };
}
