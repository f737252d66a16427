import type { NewEvent, StoredEvent } from './envelope.ts';
import { type Appended, type Journal, JournalUnavailable, type StreamFilter, type StreamRange } from './journal.ts';

/** A journal whose appends one of its users may have for itself for a while: others are told JournalUnavailable. */
export class ReservableJournal implements Journal {
  readonly #underWay = new Set<Promise<unknown>>();
  #reserved: string | undefined;

  constructor(private readonly journal: Journal) {}

  /**
   * Runs `work` with the journal for it alone, once the appends under way are over; readers are not concerned.
   * @throws JournalUnavailable when it is reserved already
   */
  async reserve<T>(why: string, work: (journal: Journal) => Promise<T>): Promise<T> {
    this.#assertFree();
    this.#reserved = why;
    try {
      await Promise.allSettled(this.#underWay);
      return await work(this.journal);
    } finally {
      this.#reserved = undefined;
    }
  }

  async append(stream: string, expected: number, events: readonly NewEvent[]): Promise<Appended> {
    this.#assertFree();
    const appending = this.journal.append(stream, expected, events);
    this.#underWay.add(appending);
    try {
      return await appending;
    } finally {
      this.#underWay.delete(appending);
    }
  }

  read(stream: string, range?: StreamRange): AsyncIterable<StoredEvent[]> {
    return this.journal.read(stream, range);
  }

  readAll(after: bigint | null, filter?: StreamFilter): AsyncIterable<StoredEvent[]> {
    return this.journal.readAll(after, filter);
  }

  subscribe(after: bigint | null, filter: StreamFilter, signal: AbortSignal): AsyncIterable<StoredEvent[]> {
    return this.journal.subscribe(after, filter, signal);
  }

  tip(): Promise<bigint | null> {
    return this.journal.tip();
  }

  durability(): Promise<Record<string, string | number>> {
    return this.journal.durability();
  }

  close(): Promise<void> {
    return this.journal.close();
  }

  #assertFree(): void {
    if (this.#reserved !== undefined) throw new JournalUnavailable(this.#reserved);
  }
}
