import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { JournalUnavailable, OutcomeUnknown } from './journal.ts';

/** Absolute paths of the files that the writer thread opens; no journal when the log lies elsewhere. */
export type WriterFiles = { journal: string | null; directory: string };

/** One append: stream, expected revision, then id, type, data and meta of each event, as text ready to store. */
export type AppendRequest = [stream: string, expected: number, ...texts: string[]];

/** One act on the directory: its name, then the columns it takes. */
export type DirectoryRequest = [act: 'person' | 'keep' | 'drop' | 'forget' | 'purge', ...columns: string[]];

/** What the main thread posts: at most one batch for each file is under way. */
export type Batch =
  | { to: 'journal'; requests: AppendRequest[] }
  | { to: 'directory'; requests: DirectoryRequest[] }
  | { to: 'close' };

/** The revision decided, or an event of this id lies elsewhere: nothing was written, and the caller says it its way. */
export type Rejection = { failed: 'conflict'; actual: number } | { failed: 'taken'; id: string };

/** SQLite would not take this request (`refused`) or this batch. */
type Failure = { failed: 'refused' | 'unavailable' | 'unknown'; message: string };

/** Position of the last event, commitment, or number of rows touched; else what went wrong. */
export type Outcome = number | string | Rejection | Failure;

/** What the thread posts: its settings once open, then the outcomes of each batch, in the order of its requests. */
export type Answer = { ready: Settings } | { from: 'journal' | 'directory'; outcomes: Outcome[] };

/** Pragmas as read back from the write connection. */
export type Settings = { journal_mode: string; synchronous: number; secure_delete: number };

type Pending<Request> = {
  request: Request;
  resolve: (outcome: number | string | Rejection) => void;
  reject: (error: Error) => void;
};

/** The requests for one file: those the thread is busy with, and those that will make up the next batch. */
class Lane<Request> {
  underWay: Pending<Request>[] = [];
  waiting: Pending<Request>[] = [];
  get idle(): boolean {
    return this.underWay.length + this.waiting.length === 0;
  }
}

/** An append of nothing. */
const PROBE: AppendRequest = ['', -1];

/** For so long it is believed that what could be recorded still can. */
const PROVEN_MS = 1_000;

/** A batch larger than this would make its first request wait for its last. */
const LARGEST_BATCH = 512;

/**
 * The main thread's end of writer.sqlite.mjs. A request that finds the thread idle leaves at once; those that find it
 * busy leave together when it answers, and share one fsync.
 */
export class Writer {
  readonly #journal = new Lane<AppendRequest>();
  readonly #directory = new Lane<DirectoryRequest>();
  #ended: string | null = null;
  #closing = false;
  #drained: (() => void) | undefined;
  #provenUntil = 0;
  #proving: Promise<void> | undefined;
  /** Batches and requests answered since the start, probes left out: their ratio is what group commit saves. */
  readonly answered = { batches: 0, requests: 0 };

  private constructor(
    readonly thread: Worker,
    readonly settings: Settings,
  ) {
    thread.on('message', (answer: Answer) => 'from' in answer && this.#settle(answer.from, answer.outcomes));
    thread.on('error', (error) => this.#end(`the writer thread failed: ${error.message}`));
    thread.on('exit', () => this.#end(this.#closing ? 'the journal is closed' : 'the writer thread stopped'));
  }

  /** Starts the thread; rejects with its error when it cannot open the files or make them durable. */
  static async open(files: WriterFiles): Promise<Writer> {
    // No execArgv: a loader given to the process (swc-node) has nothing to do in the thread.
    const thread = new Worker(new URL('./writer.sqlite.mjs', import.meta.url), { workerData: files, execArgv: [] });
    const [answer] = (await once(thread, 'message')) as [Answer];
    if (!('ready' in answer)) throw new Error('The writer thread did not say that it is ready.');
    return new Writer(thread, answer.ready);
  }

  /** @throws JournalUnavailable, OutcomeUnknown; a rejection is given back. */
  append(request: AppendRequest): Promise<number | string | Rejection> {
    return this.#submit('journal', this.#journal, request);
  }

  /**
   * Proves, by writing on the disk what is there already, that facts can be recorded: a full disk, or another program's
   * lock, is told before anybody's fact is refused. @throws JournalUnavailable
   */
  async prove(): Promise<void> {
    if (performance.now() < this.#provenUntil) return;
    this.#proving ??= this.#prove().finally(() => {
      this.#proving = undefined;
    });
    await this.#proving;
  }

  async #prove(): Promise<void> {
    try {
      await this.append(PROBE);
      this.#provenUntil = performance.now() + PROVEN_MS;
    } catch (cause) {
      throw new JournalUnavailable(`Nothing can be recorded: ${(cause as Error).message}`, { cause });
    }
  }

  /** @throws JournalUnavailable, OutcomeUnknown. */
  direct(request: DirectoryRequest): Promise<number | string | Rejection> {
    return this.#submit('directory', this.#directory, request);
  }

  /** Accepts nothing more, and resolves when what was accepted is answered. */
  async drain(): Promise<void> {
    this.#closing = true;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
      this.#checkDrained();
    });
  }

  /** Empties the WALs and ends the thread, after `drain`. */
  async close(): Promise<void> {
    if (this.#ended !== null) return;
    const exit = once(this.thread, 'exit');
    this.#post({ to: 'close' });
    await exit;
  }

  /** Why nothing can be written any more, or null. */
  get ended(): string | null {
    return this.#ended ?? (this.#closing ? 'the journal is closed' : null);
  }

  #submit<Request>(
    to: 'journal' | 'directory',
    lane: Lane<Request>,
    request: Request,
  ): Promise<number | string | Rejection> {
    return new Promise((resolve, reject) => {
      if (this.ended !== null) return reject(new JournalUnavailable(`Nothing was written: ${this.ended}.`));
      lane.waiting.push({ request, resolve, reject });
      if (lane.underWay.length === 0) this.#send(to);
    });
  }

  #send(to: 'journal' | 'directory'): void {
    const lane: Lane<AppendRequest | DirectoryRequest> = to === 'journal' ? this.#journal : this.#directory;
    lane.underWay = lane.waiting.splice(0, LARGEST_BATCH);
    if (lane.underWay.length > 0) this.#post({ to, requests: lane.underWay.map(({ request }) => request) } as Batch);
  }

  #post(batch: Batch): void {
    this.thread.postMessage(batch);
  }

  #settle(from: 'journal' | 'directory', outcomes: Outcome[]): void {
    const lane = from === 'journal' ? this.#journal : this.#directory;
    const answered = lane.underWay;
    this.#send(from);
    const asked = answered.filter(({ request }) => request !== PROBE).length;
    this.answered.batches += asked > 0 ? 1 : 0;
    this.answered.requests += asked;
    for (const [i, { resolve, reject }] of answered.entries()) {
      const outcome = outcomes[i] ?? { failed: 'unknown', message: 'the writer thread gave no answer' };
      if (typeof outcome === 'object' && 'message' in outcome) reject(failureOf(outcome));
      else resolve(outcome);
    }
    this.#checkDrained();
  }

  #checkDrained(): void {
    if (this.#journal.idle && this.#directory.idle) this.#drained?.();
  }

  #end(reason: string): void {
    this.#ended ??= reason;
    for (const lane of [this.#journal, this.#directory]) {
      for (const { reject } of lane.underWay.splice(0))
        reject(new OutcomeUnknown(`It may have been written: ${this.#ended}. The same append again tells.`));
      for (const { reject } of lane.waiting.splice(0))
        reject(new JournalUnavailable(`Nothing was written: ${this.#ended}.`));
    }
    this.#drained?.();
  }
}

function failureOf({ failed, message }: Failure): Error {
  if (failed === 'unknown')
    return new OutcomeUnknown(`It may have been written: ${message}. The same append again tells.`);
  return new JournalUnavailable(`Nothing was written: ${message}.`);
}
