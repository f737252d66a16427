import { setTimeout as pause } from 'node:timers/promises';
import type { Place } from './cursor.ts';
import type { Departure } from './departure.ts';
import type { Hub } from './hub.ts';
import type { Range } from './ring.ts';
import type { Tail } from './tail.ts';
import type { View } from './view.ts';

/** Where an event stream is written: an answer over HTTP, which says when it can take no more. */
export type Sink = {
  /** False when it can take no more for now: `drained` is called once it can. */
  write(text: Buffer | string): boolean;
  drained(again: () => void): void;
  end(): void;
};

/** One who subscribes. */
export type Subscriber = { view: View; from: Place | null | 'now'; sink: Sink; until: number };

/** What streams are made of. */
export type StreamsParts = {
  hub: Hub;
  clock: () => Date;
  /** Makes a cursor that may leave. */
  seal: (cursor: string) => string;
  /** Something failed that ended a stream, which its subscriber can resume. */
  onError: (error: unknown) => void;
  /** A comment is sent so often, in milliseconds, so that proxies and clients see that the stream lives. */
  heartbeatMs?: number;
};

const HEARTBEAT_MS = 15_000;

/** Facts written at once, at most: what a subscriber that does not read costs in memory. */
const AT_ONCE = 256;

/**
 * Subscribers served in one go, and into how many goes many of them are divided. Between two of them the process does
 * something else for a while: each subscriber of many gets several facts at once, and nobody's request waits for all.
 */
const SLICE = 20;
const SLICES = 50;
const BETWEEN_MS = 2;

/** How often subscribers are looked through for heartbeats and tokens that expired. */
const SWEEP_MS = 1_000;

/** How long a client waits before it comes back, in milliseconds. */
const RETRY_MS = 2_000;

/**
 * Event streams (WHATWG HTML, server-sent events) over one hub. What is written is made once for all who get the same. A
 * subscriber that does not keep up is left alone until it has read what it was sent; it then goes on from the journal.
 */
export class Streams {
  readonly #streams = new Set<Stream>();
  readonly #chunks = new Chunks();
  readonly #stopListening: () => void;
  readonly #sweeping: NodeJS.Timeout;
  #round: Promise<void> | undefined;

  constructor(private readonly parts: StreamsParts) {
    this.#stopListening = parts.hub.listen(() => this.#schedule());
    this.#sweeping = setInterval(() => this.#sweep(), Math.min(SWEEP_MS, this.#heartbeatMs)).unref();
  }

  /** How many subscribers there are. */
  get size(): number {
    return this.#streams.size;
  }

  /**
   * Begins a stream; whatever is recorded from now on reaches it. Gives the function that ends it when the subscriber went
   * away.
   * @throws JournalUnavailable
   */
  async open({ view, from, sink, until }: Subscriber): Promise<() => void> {
    const tail = await this.parts.hub.open(from, view);
    const stream = new Stream(view, sink, until, tail, this.#chunks, (error) => this.#failed(error));
    stream.leave = () => {
      this.#streams.delete(stream);
      tail.close();
    };
    this.#streams.add(stream);
    stream.beat = performance.now();
    stream.greet(`:\nretry: ${RETRY_MS}\n${from === 'now' ? `id: ${this.parts.seal(tail.cursor)}\n` : ''}\n`);
    stream.pump();
    return () => stream.leave();
  }

  /** Ends every stream, at the end of what was written. */
  close(): void {
    this.#stopListening();
    clearInterval(this.#sweeping);
    for (const stream of [...this.#streams]) stream.end('Le serveur s’arrête.');
  }

  get #heartbeatMs(): number {
    return this.parts.heartbeatMs ?? HEARTBEAT_MS;
  }

  /** Begins a round over all subscribers, unless one is under way. */
  #schedule(): void {
    if (this.#round || this.#streams.size === 0) return;
    const { next } = this.parts.hub;
    this.#round = this.#serve().finally(() => {
      this.#round = undefined;
      // What came meanwhile may have reached only the last of them.
      if (this.parts.hub.next > next) this.#schedule();
    });
  }

  async #serve(): Promise<void> {
    const now = this.parts.clock().getTime();
    const slice = Math.max(SLICE, Math.ceil(this.#streams.size / SLICES));
    let served = 0;
    for (const stream of [...this.#streams]) {
      if (stream.until <= now) stream.end(EXPIRED);
      else stream.pump();
      served += 1;
      if (served % slice === 0) await pause(BETWEEN_MS);
    }
  }

  #sweep(): void {
    const now = this.parts.clock().getTime();
    const beat = performance.now() - this.#heartbeatMs;
    for (const stream of [...this.#streams])
      if (stream.until <= now) stream.end(EXPIRED);
      else if (stream.beat <= beat) stream.keepAlive();
  }

  #failed(error: unknown): void {
    if (!this.parts.hub.closed) this.parts.onError(error);
  }
}

const EXPIRED = 'Le jeton a expiré.';

/** What was made for one view, for the others who have the same one and are as far. */
class Chunks {
  readonly #made = new Map<string, { from: number; to: number; chunk: Buffer | null }>();

  of(view: View, range: Range, make: () => Buffer | null): Buffer | null {
    const known = this.#made.get(view.key);
    if (known?.from === range.from && known.to === range.to) return known.chunk;
    const chunk = make();
    if (this.#made.size >= VIEWS) this.#made.clear();
    this.#made.set(view.key, { ...range, chunk });
    return chunk;
  }
}

/** Views whose last chunk is held. */
const VIEWS = 64;

class Stream {
  leave: () => void = () => undefined;
  /** When it last was sent a heartbeat. */
  beat = 0;
  #full = false;
  #catchingUp = false;
  #ended = false;

  constructor(
    private readonly view: View,
    private readonly sink: Sink,
    /** When its right to receive ends, in milliseconds of Unix time. */
    readonly until: number,
    private readonly tail: Tail,
    private readonly chunks: Chunks,
    private readonly failed: (error: unknown) => void,
  ) {}

  greet(text: string): void {
    this.#write(text);
  }

  /** Writes all that has come, as long as the sink takes it. */
  pump(): void {
    while (!this.#full && !this.#catchingUp && !this.#ended) {
      const range = this.tail.range(AT_ONCE);
      if (range === null) void this.#catchUp();
      else if (range.to === range.from) return;
      else {
        const passed = this.tail.pass(range);
        const whole = passed.length === range.to - range.from;
        const chunk = whole ? this.chunks.of(this.view, range, () => this.#chunk(passed)) : this.#chunk(passed);
        if (chunk) this.#write(chunk);
      }
    }
  }

  keepAlive(): void {
    this.beat = performance.now();
    if (!this.#full) this.#write(':\n\n');
  }

  /** Ends it, saying why. */
  end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.leave();
    if (!this.#full) this.sink.write(`: ${why}\n\n`);
    this.sink.end();
  }

  async #catchUp(): Promise<void> {
    this.#catchingUp = true;
    try {
      while (this.tail.range(AT_ONCE) === null && !this.#ended) {
        const chunk = this.#chunk(await this.tail.take(AT_ONCE));
        if (chunk && !this.#ended) this.#write(chunk);
        if (!this.#full) continue;
        // Many may wait like this one: none of them holds anything.
        this.tail.release();
        await new Promise<void>((resolve) => this.sink.drained(resolve));
      }
    } catch (error) {
      this.failed(error);
      this.end('Le journal ne répond pas.');
    } finally {
      this.#catchingUp = false;
    }
    this.pump();
  }

  #chunk(passed: readonly Departure[]): Buffer | null {
    let text = '';
    for (const departure of passed) if (this.view.has(departure)) text += this.view.of(departure).frame;
    return text === '' ? null : Buffer.from(text);
  }

  #write(text: Buffer | string): void {
    if (this.sink.write(text)) return;
    this.#full = true;
    this.sink.drained(() => {
      this.#full = false;
      this.pump();
    });
  }
}
