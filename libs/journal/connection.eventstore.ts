import { setTimeout as delay } from 'node:timers/promises';
import { closeClient, connected, type EventStoreDBClient, serverVersion } from './client.eventstore.ts';
import { judge, TooLate, type Verdict } from './errors.eventstore.ts';
import { JournalUnavailable, OutcomeUnknown } from './journal.ts';

const PAUSE_MS = { first: 50, longest: 1_000 };

/** A call that failed for good, and what the failure means. */
export class Failed extends Error {
  override readonly name = 'Failed';
  constructor(
    readonly verdict: Exclude<Verdict, { kind: 'passing' }>,
    /** Whether an earlier try may have done what was asked all the same. */
    readonly reached: boolean,
    cause: unknown,
  ) {
    super(verdict.kind, { cause });
  }
}

/**
 * The way to the server: every call has an own timer here, and is tried again while its failure may pass, so that a
 * restart or a change of leader goes unnoticed. Once a call had to give up, others give up at their first failure until
 * one succeeds: while a server stays down, nobody waits for the end of a timer to hear it.
 */
export class Connection {
  readonly #calls = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;
  #down = false;
  #troubled = false;

  constructor(
    readonly client: EventStoreDBClient,
    /** How long a call may take, all tries included. */
    readonly timeoutMs: number,
    private readonly onTrouble: (error: unknown) => void,
  ) {}

  /** Aborts when `close` is called. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** @throws JournalUnavailable once closed */
  assertOpen(): void {
    if (this.closing.aborted) throw new JournalUnavailable('The journal is closed.');
  }

  /**
   * What `call` gives, trying it again while that may help. `call` gets the milliseconds that are left and a signal
   * that aborts when they are over.
   * @throws Failed; JournalUnavailable when surely no try did anything, else OutcomeUnknown
   */
  run<Result>(what: string, call: (ms: number, signal: AbortSignal) => Promise<Result>): Promise<Result> {
    if (this.closing.aborted) return Promise.reject(new JournalUnavailable('The journal is closed.'));
    const running = this.#try(what, call);
    this.#calls.add(running);
    const over = () => this.#calls.delete(running);
    running.then(over, over);
    return running;
  }

  /** Tells of a failure that is tried again: the first since anything succeeded, for many calls fail together. */
  report(error: unknown): void {
    if (!this.#troubled) this.onTrouble(error);
    this.#troubled = true;
  }

  /** Like `run` for what changes nothing. */
  async ask<Result>(what: string, call: (ms: number, signal: AbortSignal) => Promise<Result>): Promise<Result> {
    try {
      return await this.run(what, call);
    } catch (error) {
      throw error instanceof OutcomeUnknown ? new JournalUnavailable(error.message, { cause: error.cause }) : error;
    }
  }

  /** The version that the server says it has, when it says it in time. */
  async version(): Promise<string | undefined> {
    return within(this.timeoutMs, () => serverVersion(this.client)).catch(() => undefined);
  }

  /** Lets the calls under way finish, then ends the connection. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#closing.abort();
      await Promise.allSettled(this.#calls);
      await closeClient(this.client);
    })();
    return this.#closed;
  }

  #wellAgain(): void {
    this.#down = false;
    this.#troubled = false;
  }

  async #try<Result>(what: string, call: (ms: number, signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const until = performance.now() + this.timeoutMs;
    let reached = false;
    for (let pause = PAUSE_MS.first; ; pause = Math.min(2 * pause, PAUSE_MS.longest)) {
      let sent = false;
      try {
        const result = await within(until - performance.now(), async (signal) => {
          await connected(this.client);
          // Too late to begin: that nothing was sent is what the caller was told.
          signal.throwIfAborted();
          sent = true;
          return call(until - performance.now(), signal);
        });
        this.#wellAgain();
        return result;
      } catch (error) {
        const verdict = judge(error);
        if (verdict.kind !== 'passing') {
          this.#wellAgain();
          throw new Failed(verdict, reached, error);
        }
        reached ||= sent && verdict.reached;
        const wait = jittered(pause);
        if (this.#down || performance.now() + wait >= until) {
          this.#down = true;
          const sentence = `EventStoreDB cannot ${what} now: ${sentenceOf(error)}`;
          throw new (reached ? OutcomeUnknown : JournalUnavailable)(sentence, { cause: error });
        }
        this.report(error);
        await delay(wait);
      }
    }
  }
}

/** `ms`, or down to half as long: those who failed together do not come back together. */
export function jittered(ms: number): number {
  return ms * (0.5 + Math.random() / 2);
}

/**
 * What `call` gives within `ms`; its signal aborts when they are over.
 * @throws TooLate when they are
 */
async function within<Result>(ms: number, call: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const ending = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new TooLate(Math.round(ms));
      ending.abort(error);
      reject(error);
    }, ms);
  });
  try {
    return await Promise.race([call(ending.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

function sentenceOf(error: unknown): string {
  const { message } = error as Error;
  return `${message || String(error)}.`.replace(/\.\.$/, '.');
}
