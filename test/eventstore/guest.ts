// What the spec needs around the real client: one server and its clients for one test, and their end; what a
// subscription said so far, and waiting for it to say more.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  type AllStreamSubscription,
  type AppendToStreamOptions,
  type EventData,
  EventStoreDBClient,
  jsonEvent,
  type ResolvedEvent,
  type StreamSubscription,
  type SubscribeToAllOptions,
  type SubscribeToStreamOptions,
} from '@eventstore/db-client';

/** What is to be undone when a test ends, the last first. */
const undone: (() => unknown)[] = [];

/** Undoes all that the test began; call it after each. */
export async function cleanUp(): Promise<void> {
  for (const undo of undone.splice(0).reverse()) await undo();
}

/** Something with an end, ended with the test. */
export function ended<T>(thing: T, end: (thing: T) => unknown): T {
  undone.push(() => end(thing));
  return thing;
}

/** A folder for the log of one test. */
export function temporaryFolder(): string {
  return ended(mkdtempSync(join(tmpdir(), 'jalon-eventstore-')), (folder) => rmSync(folder, { recursive: true }));
}

/** A client of its own connection. */
export function connect(connectionString: string): EventStoreDBClient {
  return ended(EventStoreDBClient.connectionString(connectionString), (client) => client.dispose());
}

/** Credentials in the call make the client append by a unary call instead of its batch stream. */
export const UNARY: AppendToStreamOptions = { credentials: { username: 'admin', password: 'changeit' } };

/** Events with these ids, or new ones. */
export function events(ids: number | readonly string[], type = 'essai.fait'): EventData[] {
  const all = typeof ids === 'number' ? Array.from({ length: ids }, () => randomUUID()) : ids;
  return all.map((id, i) => jsonEvent({ id, type, data: { i } }));
}

/** An event that weighs so many bytes of payload. */
export function heavy(bytes: number): EventData {
  return jsonEvent({ type: 'essai.lourd', data: 'x'.repeat(bytes - 2) });
}

/** All that a read gives. */
export async function collect(read: AsyncIterable<ResolvedEvent>): Promise<NonNullable<ResolvedEvent['event']>[]> {
  const found = [];
  for await (const { event } of read) if (event) found.push(event);
  return found;
}

/** The error that a promise or a read ends with. */
export async function errorOf(attempt: Promise<unknown>): Promise<Record<string, unknown> & Error> {
  const error = await attempt.then(
    (answer) => {
      throw new Error(`It succeeded: ${typeof answer}`);
    },
    (error) => error,
  );
  return error;
}

/** The answer of the first attempt that succeeds, within 20 s; `failed` hears of those that do not. */
export async function retried<T>(attempt: () => Promise<T>, failed: (error: unknown) => void = () => {}): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      failed(error);
      await setTimeout(20);
    }
  }
}

/** A subscription, and what it said so far, in order: events as `revision@stream`, and the names of the others. */
export class Listener {
  readonly said: string[] = [];
  readonly checkpoints: bigint[] = [];
  error: (Error & { type?: string; code?: number }) | null = null;
  readonly #subscription;
  #heard = () => {};

  /** Subscribes to $all. */
  static toAll(client: EventStoreDBClient, options: SubscribeToAllOptions = {}): Listener {
    return new Listener((listener) =>
      client.subscribeToAll({
        ...options,
        ...(options.filter && {
          filter: {
            ...options.filter,
            checkpointReached: async (_subscription, { commit }) => {
              listener.checkpoints.push(commit);
              listener.#say('checkpoint');
            },
          },
        }),
      }),
    );
  }

  /** Subscribes to a stream. */
  static toStream(client: EventStoreDBClient, stream: string, options: SubscribeToStreamOptions = {}): Listener {
    return new Listener(() => client.subscribeToStream(stream, options));
  }

  private constructor(subscribe: (listener: Listener) => AllStreamSubscription | StreamSubscription) {
    this.#subscription = subscribe(this);
    this.#subscription
      .on('confirmation', () => this.#say('confirmation'))
      .on('caughtUp', () => this.#say('caughtUp'))
      .on('data', ({ event }) => this.#say(`${event?.revision}@${event?.streamId}`))
      .on('end', () => this.#say('end'))
      .on('close', () => this.#say('close'))
      .on('error', (error) => {
        this.error = error;
        this.#heard();
      });
    ended(this.#subscription, (subscription) => subscription.unsubscribe());
  }

  /** The events alone. */
  get events(): string[] {
    return this.said.filter((said) => said.includes('@'));
  }

  /** Stops taking events, so that they wait in the connection and then in the server. */
  pause(): void {
    this.#subscription.pause();
  }

  resume(): void {
    this.#subscription.resume();
  }

  /** Until `condition` holds; rejects when the subscription fails before. */
  async until(condition: (listener: this) => boolean): Promise<void> {
    while (!condition(this)) {
      if (this.error) throw this.error;
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  /** Until it is live. */
  live(): Promise<void> {
    return this.until(({ said }) => said.includes('caughtUp'));
  }

  /** The error that it ends with. */
  async failure(): Promise<Error & { type?: string; code?: number }> {
    if (!this.error) await once(this.#subscription, 'error').catch(() => {});
    return this.error as Error;
  }

  #say(what: string): void {
    this.said.push(what);
    this.#heard();
  }
}
