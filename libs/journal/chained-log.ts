import type { Directory } from './directory.ts';
import { dataHash, type Envelope, FORMAT, type NewEvent, seal } from './envelope.ts';
import { type Journal, JournalUnavailable, NO_STREAM, OutcomeUnknown, RevisionConflict } from './journal.ts';
import { tailOf } from './tail.ts';

/** What is recorded beside dossiers: who did what. The name is committed to, never written. */
export type LogRecord = {
  type: string;
  actor: { iss: string; sub: string; role: string; org?: string; nom?: string };
  data: { [member: string]: unknown };
  correlationId: string;
};

/** What a chained log is made of. Clock and entropy are passed in. */
export type ChainedLogParts = {
  journal: Pick<Journal, 'append' | 'read'>;
  directory: Pick<Directory, 'commit'>;
  clock: () => Date;
  /** The calendar date of an instant, which envelopes carry (Europe/Paris). */
  dateOf: (instant: Date) => string;
  entropy: { uuid: () => string; salt: () => string };
  software: string;
  /** The stream that a record of this date belongs to. */
  streamOf: (date: string) => string;
  /** Is done before this process first writes to a stream. */
  beforeFirst?: (stream: string) => Promise<void>;
};

type Tail = { stream: string; revision: number; hash: string | null; recordedAt: string };
type Waiting = { record: LogRecord; done: () => void; failed: (fault: unknown) => void };

/** Records in one append: what came while the one before it was under way. */
const LARGEST_BATCH = 256;

/** How often an append is made again which another process forestalled. */
const ATTEMPTS = 8;

/** How often one is made whose outcome stays unknown: somebody waits for it. */
const TRIES = 2;

/**
 * Chained streams without a workflow, one for each month or whatever `streamOf` says. Records that come while an append is
 * under way leave together in the next one: none waits for more than two.
 */
export class ChainedLog {
  readonly #waiting: Waiting[] = [];
  #isRunning = false;
  #tail: Tail | undefined;

  constructor(private readonly parts: ChainedLogParts) {}

  /** Resolves when the record is durable. @throws JournalUnavailable when it may not be: it is not tried again */
  record(record: LogRecord): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ record, done, failed });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, LARGEST_BATCH);
      try {
        await this.#append(batch.map(({ record }) => record));
        for (const { done } of batch) done();
      } catch (fault) {
        this.#tail = undefined;
        for (const { failed } of batch) failed(fault);
      }
    }
    // At once: what comes next must find it so.
    this.#isRunning = false;
  }

  async #append(records: LogRecord[]): Promise<void> {
    const actors = await Promise.all(records.map(({ actor }) => this.#committed(actor)));
    for (let attempt = 1; ; attempt += 1) {
      const now = this.parts.clock();
      const date = this.parts.dateOf(now);
      const tail = await this.#tailOf(this.parts.streamOf(date));
      const events: NewEvent[] = [];
      for (const [i, record] of records.entries())
        events.push(this.#sealed(record, actors[i] as Envelope['actor'], date, now, following(tail, events.at(-1))));
      try {
        await this.#surely(tail.stream, tail.revision, events);
        this.#tail = following(tail, events.at(-1));
        return;
      } catch (fault) {
        // Another process of the same name: a folder that was copied, say.
        this.#tail = undefined;
        if (!(fault instanceof RevisionConflict) || attempt === ATTEMPTS) throw unavailable(fault);
      }
    }
  }

  /** The same ids at the same revision are the same success. */
  async #surely(stream: string, revision: number, events: readonly NewEvent[]): Promise<void> {
    for (let attempt = 1; ; attempt += 1)
      try {
        await this.parts.journal.append(stream, revision, events);
        return;
      } catch (fault) {
        if (!(fault instanceof OutcomeUnknown) || attempt === TRIES) throw fault;
      }
  }

  async #tailOf(stream: string): Promise<Tail> {
    if (this.#tail?.stream === stream) return this.#tail;
    await this.parts.beforeFirst?.(stream);
    const last = await tailOf(this.parts.journal, stream);
    return following({ stream, revision: NO_STREAM, hash: null, recordedAt: '' }, last ?? undefined);
  }

  #sealed(
    { type, data, correlationId }: LogRecord,
    actor: Envelope['actor'],
    date: string,
    now: Date,
    tail: Tail,
  ): NewEvent {
    const { entropy, software } = this.parts;
    const salt = entropy.salt();
    const instant = now.toISOString();
    const envelope: Envelope = {
      format: FORMAT,
      id: entropy.uuid(),
      stream: tail.stream,
      revision: tail.revision + 1,
      type,
      dataHash: dataHash(salt, data),
      actor,
      effectiveAt: date,
      // Never before the record before it, even when a clock was set back.
      recordedAt: [instant, tail.recordedAt].sort()[1] as string,
      correlationId,
      software,
      previousHash: tail.hash,
    };
    return seal(envelope, { data, salt });
  }

  // While the directory is away a record is made without a name rather than not at all.
  async #committed({ nom, ...actor }: LogRecord['actor']): Promise<Envelope['actor']> {
    if (nom === undefined) return actor;
    const { iss, sub } = actor;
    try {
      const salt = this.parts.entropy.salt();
      return { ...actor, name: await this.parts.directory.commit({ iss, sub, name: nom, salt }) };
    } catch (fault) {
      if (fault instanceof JournalUnavailable) return actor;
      throw fault;
    }
  }
}

/** The tail of a stream once this event is its last. */
function following(tail: Tail, last: NewEvent | undefined): Tail {
  if (!last) return tail;
  const { revision, recordedAt } = last.envelope;
  return { stream: tail.stream, revision, hash: last.hash, recordedAt };
}

function unavailable(fault: unknown): unknown {
  if (!(fault instanceof RevisionConflict || fault instanceof OutcomeUnknown)) return fault;
  return new JournalUnavailable(`It may not be recorded: ${fault.message}`, { cause: fault });
}
