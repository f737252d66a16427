import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Directory, Disclosed, type Journal, openSqliteJournal } from '@jalon/journal';
import {
  Chronologie,
  DeadlineList,
  DossierList,
  openReadModels,
  type Parked,
  PROJECTIONS,
  type Projection,
  Projector,
  type ReadModelStore,
  type TimelineView,
} from './index.ts';
import { type KeptStore, openKept } from './kept.ts';
import { TOYS } from './toy.ts';

/** A view for specs: everything is shown, no name is known. */
export const EVERYTHING: TimelineView = {
  today: '2026-06-15',
  hidden: () => false,
  disclose: async (asked) => new Disclosed(asked, [], [], true),
};

/** Where sites keep their read models: all in which databases differ for specs. */
export type Keeping = {
  open(folder: string, onSetAside: (sentence: string) => void): ReadModelStore;
  /** What is kept beside the read models. */
  kept(folder: string): Promise<KeptStore>;
  /** Forgets what earlier sites left. */
  clear(): Promise<void>;
  /** What a process of its own is told, to find the same. */
  env: Readonly<Record<string, string>>;
};

export const IN_SQLITE: Keeping = { open: openReadModels, kept: openKept, clear: async () => undefined, env: {} };

/** A data folder for specs with all that runs on it, in the system's temporary folder. */
export class Site {
  journal!: Journal;
  directory!: Directory;
  store!: ReadModelStore;
  projector!: Projector;
  readonly parked: Parked[] = [];
  readonly errors: unknown[] = [];
  readonly said: string[] = [];

  private constructor(
    readonly keeping: Keeping,
    readonly folder: string,
    public projections: readonly Projection[],
  ) {}

  /** Opens a new folder, or one that another process left. */
  static async open(
    keeping: Keeping,
    projections: readonly Projection[] = PROJECTIONS,
    folder?: string,
  ): Promise<Site> {
    if (folder === undefined) await keeping.clear();
    const site = new Site(keeping, folder ?? mkdtempSync(join(tmpdir(), 'jalon-projections-')), projections);
    ({ journal: site.journal, directory: site.directory } = await openSqliteJournal(site.folder));
    await site.startProjecting();
    return site;
  }

  get timelines(): Chronologie {
    return new Chronologie(this.store, TOYS);
  }

  get list(): DossierList {
    return new DossierList(this.store, TOYS);
  }

  get deadlines(): DeadlineList {
    return new DeadlineList(this.store, TOYS);
  }

  async startProjecting({ following = true } = {}): Promise<void> {
    this.store = this.keeping.open(this.folder, (sentence) => this.said.push(sentence));
    this.projector = new Projector({
      store: this.store,
      journal: this.journal,
      catalogue: TOYS,
      projections: this.projections,
      onParked: (parked) => this.parked.push(parked),
      onError: (error) => this.errors.push(error),
    });
    if (following) await this.projector.start();
  }

  async stopProjecting(): Promise<void> {
    await this.projector.stop();
    await this.store.close();
  }

  /** Until the read models hold all that the journal holds. */
  async level(): Promise<void> {
    await this.projector.caughtUp(await this.journal.tip(), 20_000);
  }

  /** Every row of the read models, as readers find them. */
  rows(): Promise<Record<string, unknown[]>> {
    return rowsOf(this.store, this.projections);
  }

  /** The names of all tables, those that nobody should see included. */
  async tables(): Promise<string[]> {
    return (await this.store.reader.introspection.getTables()).map(({ name }) => name).sort();
  }

  async close(): Promise<void> {
    await this.stopProjecting();
    await this.journal.close();
    rmSync(this.folder, { recursive: true });
  }
}

/** Every row of these read models, as readers find them. */
export async function rowsOf(
  { reader }: Pick<ReadModelStore, 'reader'>,
  projections: readonly Projection[],
): Promise<Record<string, unknown[]>> {
  const rows: Record<string, unknown[]> = {};
  for (const { tables } of projections)
    for (const [name, { key }] of Object.entries(tables)) {
      let query = reader.selectFrom(name).selectAll();
      for (const column of key) query = query.orderBy(column);
      rows[name] = await query.execute();
    }
  return rows;
}
