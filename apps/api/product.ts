import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { Engine } from '@jalon/engine';
import { type Directory, type Journal, openSqliteJournal } from '@jalon/journal';
import { Chronologie, DossierList, openReadModels, PROJECTIONS, Projector } from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import manifest from '../../package.json' with { type: 'json' };

/** Version of this build. */
export const VERSION: string = manifest.version;

/** Name and version of this build, as every fact keeps it. */
export const SOFTWARE = `jalon/${VERSION}`;

/** Dossiers held in memory, counted in facts: about 1 kB each. */
const FACTS_HELD = 30_000;

/** What Jalon is made of, without a transport: journal, directory, engine and read models over one data folder. */
export type Product = {
  folder: string;
  journal: Journal;
  directory: Directory;
  engine: Engine;
  projector: Projector;
  timelines: Chronologie;
  list: DossierList;
  clock: () => Date;
  close(): Promise<void>;
};

/** What goes wrong in the background, told to whoever runs the product. */
export type Alarm = (what: string, details?: Record<string, unknown>) => void;

/**
 * Opens a data folder, creating it when absent. The read models begin to follow the journal; `projector.caughtUp` tells
 * when they have.
 * @throws JournalRefused when it is in use, foreign or damaged
 */
export async function openProduct(folder: string, clock: () => Date, alarm: Alarm): Promise<Product> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { journal, directory } = await openSqliteJournal(folder);
  try {
    const engine = new Engine({
      journal,
      directory,
      catalogue,
      clock,
      entropy: { uuid: randomUUID, salt: drawSalts() },
      software: SOFTWARE,
      soleWriter: true,
      factsHeld: FACTS_HELD,
      acknowledged: await journal.tip(),
    });
    const store = openReadModels(folder, (sentence) => alarm(sentence));
    const projector = new Projector({
      store,
      journal,
      catalogue,
      projections: PROJECTIONS,
      onParked: (parked) =>
        alarm('a read model cannot follow a dossier', { ...parked, position: String(parked.position) }),
      onError: (err) => alarm('the read models failed and will be tried again', { err }),
    });
    await projector.start();
    const close = async () => {
      await projector.stop();
      await store.close();
      await journal.close();
    };
    const timelines = new Chronologie(store, catalogue);
    const list = new DossierList(store, catalogue);
    return { folder, journal, directory, engine, projector, timelines, list, clock, close };
  } catch (fault) {
    await journal.close();
    throw fault;
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
