// Writers that do not give up, as the engine does not, and the check of what they left behind.
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import {
  chainFault,
  type Journal,
  JournalUnavailable,
  type NewEvent,
  OutcomeUnknown,
  type StoredEvent,
} from '@jalon/journal';
import { collect, idsOf, sampleFact } from '@jalon/journal/contract';
import { expect } from '@jest/globals';

/** A stream that nobody else writes. */
export const freshStream = () => `dossier-${randomUUID()}`;

/** Appends the very same event until it is acknowledged; whatever is not "again later" is thrown. */
export async function appendUntilStored(journal: Journal, fact: NewEvent): Promise<StoredEvent> {
  for (;;) {
    try {
      const { position } = await journal.append(fact.envelope.stream, fact.envelope.revision - 1, [fact]);
      return { ...fact, position };
    } catch (error) {
      if (!(error instanceof JournalUnavailable || error instanceof OutcomeUnknown)) throw error;
      await setTimeout(20);
    }
  }
}

/** Appenders at work, each on a stream of its own. */
export class Appenders {
  /** What was acknowledged so far. */
  readonly stored: StoredEvent[] = [];
  readonly #done: Promise<unknown>;
  #stopping = false;
  #heard: () => void = () => undefined;

  constructor(journal: Journal, count = 16) {
    this.#done = Promise.all(Array.from({ length: count }, () => this.#work(journal)));
    // `stop` tells; until then a failure must not end the process.
    this.#done.catch(() => this.#heard());
  }

  /** Until `count` more events were acknowledged; rejects when an appender failed for good. */
  async more(count: number): Promise<void> {
    const wanted = this.stored.length + count;
    while (this.stored.length < wanted)
      await Promise.race([this.#done, new Promise<void>((resolve) => (this.#heard = resolve))]);
  }

  /** Lets each finish its event. */
  async stop(): Promise<StoredEvent[]> {
    this.#stopping = true;
    await this.#done;
    return this.stored;
  }

  async #work(journal: Journal): Promise<void> {
    const stream = freshStream();
    for (let previous: NewEvent | null = null; !this.#stopping; ) {
      const fact: NewEvent = sampleFact(stream, { previous });
      this.stored.push(await appendUntilStored(journal, fact));
      previous = fact;
      this.#heard();
    }
  }
}

/** Every acknowledged event is in the log exactly once, at its acknowledged position, nothing else is, every chain holds. */
export async function expectEachOnce(journal: Journal, acknowledged: readonly StoredEvent[]): Promise<void> {
  const all = await collect(journal.readAll(null));
  expect(byPosition(all)).toEqual(byPosition(acknowledged));
  const heads = new Map<string, StoredEvent>();
  for (const event of all) {
    expect(chainFault(event, heads.get(event.envelope.stream) ?? null)).toBeNull();
    heads.set(event.envelope.stream, event);
  }
}

/** A subscription from the beginning, and what it received. */
export class Follower {
  readonly received: StoredEvent[] = [];
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;
  #heard: () => void = () => undefined;

  /** `each`: what the consumer does with a page before it takes the next. */
  constructor(journal: Journal, each: (page: StoredEvent[]) => Promise<unknown> = async () => undefined) {
    this.#done = (async () => {
      for await (const page of journal.subscribe(null, {}, this.#abort.signal)) {
        this.received.push(...page);
        this.#heard();
        await each(page);
      }
    })();
    this.#done.catch(() => this.#heard());
  }

  async until(count: number): Promise<void> {
    while (this.received.length < count)
      await Promise.race([this.#done, new Promise<void>((resolve) => (this.#heard = resolve))]);
  }

  /** Waits for as many events as `acknowledged`, and expects the very same ones, each once, in the order of the log. */
  async expect(acknowledged: readonly StoredEvent[]): Promise<void> {
    await this.until(acknowledged.length);
    this.#abort.abort();
    await this.#done;
    expect(idsOf(this.received)).toEqual(byPosition(acknowledged).map(([, id]) => id));
  }
}

function byPosition(events: readonly StoredEvent[]): [bigint, string][] {
  const places = events.map(({ position, envelope }) => [position, envelope.id] as [bigint, string]);
  return places.sort(([one], [other]) => (one < other ? -1 : 1));
}
