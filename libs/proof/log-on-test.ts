import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Directory,
  dataHash,
  FORMAT,
  type Journal,
  type NewEvent,
  openSqliteJournal,
  type StoredEvent,
  seal,
} from '@jalon/journal';
import {
  HeadFile,
  KeyFile,
  Keys,
  Notary,
  originOf,
  type Pace,
  ProofStore,
  Prover,
  type StoredCheckpoint,
} from './index.ts';
import { openSqliteProof } from './store.sqlite.ts';
import type { ProofDatabase } from './store.ts';
import { GrowingTree } from './tiles.ts';
import { type Hash, leafHash } from './tree.ts';

/** Where logs of specs are kept: all in which databases differ for them. */
export type Keeping = {
  open(folder: string): ProofDatabase;
  /** Forgets what earlier specs left. */
  clear(): Promise<void>;
  shared: boolean;
};

export const IN_SQLITE: Keeping = { open: openSqliteProof, clear: async () => undefined, shared: false };

/** A notary that cuts nothing by itself for a long time, and does what it is asked at once. */
const PATIENT: Partial<Pace> = { cutAfter: 600_000, apart: 0, flushAfter: 5, look: 10, pause: 20 };

type Options = {
  pace?: Partial<Pace>;
  keyFile?: string;
  journal?: Journal;
  onSigned?: (checkpoint: StoredCheckpoint) => void;
  /** What a log without an origin gets. */
  origin?: string;
};

/** A log over a journal of its own, in a temporary folder, for specs. */
export class LogOnTest {
  journal!: Journal;
  directory!: Directory;
  store!: ProofStore;
  keys!: Keys;
  notary!: Notary;
  prover!: Prover;
  readonly troubles: unknown[] = [];
  #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  readonly #tails = new Map<string, NewEvent>();

  private constructor(
    readonly keeping: Keeping,
    readonly folder: string,
  ) {}

  static async open(keeping: Keeping, options: Options = {}): Promise<LogOnTest> {
    await keeping.clear();
    const log = new LogOnTest(keeping, mkdtempSync(join(tmpdir(), 'jalon-proof-')));
    await log.start(options);
    return log;
  }

  /** Another process that shares the log and the journal, with a key file of its own. */
  async join(options: Options = {}): Promise<LogOnTest> {
    const log = new LogOnTest(this.keeping, mkdtempSync(join(tmpdir(), 'jalon-proof-')));
    await log.start({ ...options, journal: this.journal });
    return log;
  }

  /** Opens the folder and begins to follow its journal. */
  async start({
    pace = {},
    keyFile = join(this.folder, 'cle.pem'),
    journal,
    onSigned = () => undefined,
    origin = 'journal.example',
  }: Options = {}): Promise<void> {
    if (journal) this.journal = journal;
    else ({ journal: this.journal, directory: this.directory } = await openSqliteJournal(this.folder));
    const { shared } = this.keeping;
    const clock = () => new Date();
    this.store = new ProofStore(this.keeping.open(this.folder));
    this.keys = new Keys(this.store, new KeyFile(keyFile), clock);
    this.notary = new Notary({
      store: this.store,
      journal: this.journal,
      keys: this.keys,
      head: new HeadFile(join(this.folder, 'tete')),
      origin: () => originOf(this.store, undefined, () => origin),
      clock,
      shared,
      onTrouble: (error) => this.troubles.push(error),
      onSigned,
      pace: { ...PATIENT, ...pace },
    });
    const { store, notary } = this;
    const { patience = 5_000 } = pace;
    this.prover = new Prover({ store, journal: this.journal, notary, shared, patience });
    this.#stopping = new AbortController();
    this.#running = this.notary.run(this.#stopping.signal);
  }

  /** Ends as a server does: the notary first. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.store.close();
    if (this.directory) await this.journal.close();
  }

  /** When the notary ended by itself. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** The journal is another now: its streams begin anew. */
  forget(): void {
    this.#tails.clear();
  }

  /** Records facts in a stream, one after the other. */
  async record(stream: string, count = 1): Promise<StoredEvent[]> {
    const recorded: StoredEvent[] = [];
    for (let i = 0; i < count; i += 1) {
      const fact = sampleFact(stream, this.#tails.get(stream) ?? null);
      const { position } = await this.journal.append(stream, fact.envelope.revision - 1, [fact]);
      this.#tails.set(stream, fact);
      recorded.push({ ...fact, position });
    }
    return recorded;
  }

  /** Every fact of the journal. */
  async facts(): Promise<StoredEvent[]> {
    const facts: StoredEvent[] = [];
    for await (const page of this.journal.readAll(null)) facts.push(...page);
    return facts;
  }

  /** The root over the first facts of the journal. */
  async rootOf(size: number): Promise<Hash> {
    const tree = new GrowingTree();
    tree.add((await this.facts()).slice(0, size).map(({ hash }) => leafHash(Buffer.from(hash, 'hex'))));
    return tree.root();
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }
}

function sampleFact(stream: string, previous: NewEvent | null): NewEvent {
  const id = randomUUID();
  const salt = randomBytes(16).toString('hex');
  const data = { rang: (previous?.envelope.revision ?? -1) + 1 };
  return seal(
    {
      format: FORMAT,
      id,
      stream,
      revision: data.rang,
      type: 'demande.piece-recue',
      dataHash: dataHash(salt, data),
      actor: { iss: 'https://connexion.example', sub: 'a-17', role: 'agent' },
      effectiveAt: '2026-03-02',
      recordedAt: '2026-03-02T09:00:00.000Z',
      correlationId: id,
      software: 'jalon/spec',
      previousHash: previous?.hash ?? null,
    },
    { data, salt },
  );
}
