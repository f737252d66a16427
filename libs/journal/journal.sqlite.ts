import type { NewEvent, StoredEvent } from './envelope.ts';
import {
  type Appended,
  checkAppend,
  EventIdTaken,
  type Journal,
  JournalUnavailable,
  jsonText,
  RevisionConflict,
  type StreamFilter,
  type StreamRange,
} from './journal.ts';
import type { SqliteReader } from './reader.sqlite.ts';
import type { AppendRequest, Writer } from './writer.sqlite.ts';

/** The embedded journal: appends go to the writer thread, reads are answered here, microseconds each. */
export class SqliteJournal implements Journal {
  readonly #sleepers = new Set<() => void>();

  constructor(
    private readonly reader: SqliteReader,
    private readonly writer: Writer,
    private readonly closeFolder: () => Promise<void>,
  ) {}

  async append(stream: string, expected: number, events: readonly NewEvent[]): Promise<Appended> {
    checkAppend(stream, expected, events);
    const outcome = await this.writer.append(appendRequest(stream, expected, events));
    if (typeof outcome === 'object') {
      if (outcome.failed === 'taken') throw new EventIdTaken(outcome.id);
      throw new RevisionConflict(stream, expected, outcome.actual);
    }
    this.#wake();
    return { revision: expected + events.length, position: BigInt(outcome) };
  }

  read(stream: string, range?: StreamRange): AsyncIterable<StoredEvent[]> {
    return this.reader.read(stream, range);
  }

  readAll(after: bigint | null, filter?: StreamFilter): AsyncIterable<StoredEvent[]> {
    return this.reader.readAll(after, filter);
  }

  async *subscribe(after: bigint | null, filter: StreamFilter, signal: AbortSignal): AsyncGenerator<StoredEvent[]> {
    let cursor = Number(after ?? 0n);
    while (!signal.aborted) {
      const last = this.reader.last();
      // No await between this look and falling asleep: a commit in between finds the sleeper.
      if (last <= cursor) await this.#sleep(signal);
      else {
        for await (const page of this.reader.between(cursor, last, filter)) {
          if (signal.aborted) return;
          yield page;
        }
        cursor = last;
      }
    }
  }

  tip(): Promise<bigint | null> {
    return this.reader.tip();
  }

  async durability(): Promise<Record<string, string | number>> {
    if (this.writer.ended !== null) throw new JournalUnavailable(`Nothing can be written: ${this.writer.ended}.`);
    await this.writer.prove();
    const { batches, requests } = this.writer.answered;
    return { adapter: 'sqlite', ...this.writer.settings, batches, requests };
  }

  async close(): Promise<void> {
    await this.closeFolder();
    this.#wake();
  }

  /** Until the next commit or the end of `signal`. */
  #sleep(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const awake = () => {
        this.#sleepers.delete(awake);
        signal.removeEventListener('abort', awake);
        resolve();
      };
      this.#sleepers.add(awake);
      signal.addEventListener('abort', awake);
    });
  }

  #wake(): void {
    for (const awake of [...this.#sleepers]) awake();
  }
}

function appendRequest(stream: string, expected: number, events: readonly NewEvent[]): AppendRequest {
  const request: AppendRequest = [stream, expected];
  for (const { envelope, data, ...beside } of events) {
    const { hash, salt, contextSalt, digest } = beside;
    const meta = JSON.stringify({ envelope, hash, salt, contextSalt, digest });
    request.push(envelope.id, envelope.type, jsonText(data), meta);
  }
  return request;
}
