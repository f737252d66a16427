import type { Catalogue } from '@jalon/flow';
import { askedPause, GIVE_UP_MS, pauseAfter } from './backoff.ts';
import { CursorRefused, placeOf } from './cursor.ts';
import type { Departure, Departures } from './departure.ts';
import type { Hub } from './hub.ts';
import type { Outbound, Outcome } from './outbound.ts';
import type { Recorder } from './recorder.ts';
import type { Recorded, Registry } from './registry.ts';
import { OVERLAP_MS, signedHeaders } from './secrets.ts';
import type { DeliveryRow, WebhookRow } from './tables.ts';
import type { Tail } from './tail.ts';
import { View } from './view.ts';

/** What deliveries are made with. */
export type LineParts = {
  hub: Hub;
  departures: Departures;
  catalogue: Catalogue;
  registry: Registry;
  recorder: Recorder;
  outbound: Outbound;
  clock: () => Date;
  /** A number from 0 to 1, for the jitter of retries. */
  random: () => number;
  /** Something failed here, not at the receiver; it is tried again. */
  onError: (error: unknown) => void;
  /** Requests under way to all receivers, bounded. */
  slots: Slots;
};

/** How many may do something at once. */
export class Slots {
  #taken = 0;
  readonly #waiting = new Set<() => void>();

  constructor(private readonly most: number) {}

  /** False when there is none: `free` is called when there is one again. */
  take(free: () => void): boolean {
    if (this.#taken >= this.most) {
      this.#waiting.add(free);
      return false;
    }
    this.#taken += 1;
    return true;
  }

  release(): void {
    this.#taken -= 1;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const free of waiting) free();
  }
}

type Pending = { row: DeliveryRow; departure: Departure | null };

/** Deliveries held in memory, and written down as pending, at most: what comes after is still in the journal. */
const WINDOW = 500;
const AT_ONCE = 200;

/** Requests under way to one receiver. */
const PER_RECEIVER = 16;

/** Failures in a row after which one request at a time finds out whether the receiver is back. */
const STRIKES = 5;

/** How long a line does nothing at most, and how often it notes how far it looked when nothing was wanted. */
const IDLE_MS = 1_000;
const NOTE_MS = 5_000;

/** Facts that come so soon after others, in milliseconds, are written down with them. */
const GATHER_MS = 20;

const GONE = 410;

/**
 * What one webhook wants, delivered: every fact at least once, those of one dossier one after the other. What was looked at
 * and is wanted is on record before it is sent, what came of it before the next fact of the dossier is.
 */
export class Line {
  readonly #stopping = new AbortController();
  readonly #queues = new Map<string, Pending[]>();
  readonly #busy = new Set<string>();
  readonly #view: View;
  #count = 0;
  #lastSeq = 0;
  #nextSeq = 0;
  /** Whether more is on record than is held. */
  #more = true;
  #noted = 0;
  #failures: number;
  #resumeAt: number;
  #struckAt = 0;
  #allowedAt = 0;
  #disabled = false;
  #poked = false;
  #wake: () => void = () => undefined;
  readonly #done: Promise<void>;

  constructor(
    private readonly parts: LineParts,
    readonly webhook: WebhookRow,
  ) {
    const { types, jalons, audience, failures, resume_at } = webhook;
    const selection = {
      ...(types === null ? {} : { types: JSON.parse(types) }),
      ...(jalons === null ? {} : { jalons: JSON.parse(jalons) }),
    };
    this.#view = View.alreadyRecorded(JSON.parse(audience), selection, parts.catalogue);
    this.#failures = failures;
    this.#resumeAt = resume_at;
    this.#done = this.#run();
  }

  /** Something may be due. */
  poke(): void {
    this.#poked = true;
    this.#wake();
  }

  /** Begins nothing more, and resolves when what was under way is on record. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.poke();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { hub, onError } = this.parts;
    const { signal } = this.#stopping;
    const stopListening = hub.listen(() => this.poke());
    let tail: Tail | undefined;
    while (!signal.aborted) {
      try {
        this.#poked = false;
        tail ??= await this.#begin();
        if (this.#count < WINDOW / 2) await this.#fill(tail);
        this.#send();
      } catch (error) {
        tail?.close();
        tail = undefined;
        if (!signal.aborted && !hub.closed) onError(error);
        this.#poked = false;
      }
      await this.#rest();
      if (!signal.aborted) await this.#woken(GATHER_MS, 'whole');
    }
    stopListening();
    tail?.close();
    while (this.#busy.size > 0) await this.#woken(IDLE_MS);
  }

  /** What is on record is held first; then comes what the journal has after the cursor. */
  async #begin(): Promise<Tail> {
    const { hub, registry } = this.parts;
    this.#queues.clear();
    this.#count = 0;
    this.#lastSeq = 0;
    this.#more = true;
    const { id } = this.webhook;
    this.#nextSeq = (await registry.lastSeq(id)) + 1;
    const cursor = (await registry.one(id))?.cursor ?? this.webhook.cursor;
    return hub.open(placeIn(cursor), this.#view);
  }

  /** Holds more of what is wanted, until there is none or enough. */
  async #fill(tail: Tail): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#more && this.#count < WINDOW && !signal.aborted) {
      const rows = await this.parts.registry.pending(this.webhook.id, this.#lastSeq, WINDOW);
      for (const row of rows) this.#hold({ row, departure: null });
      this.#more = rows.length === WINDOW;
    }
    while (this.#count < WINDOW && !signal.aborted) {
      const passed = await tail.take(Math.min(AT_ONCE, WINDOW - this.#count));
      if (passed.length === 0) return;
      const wanted = passed.filter((departure) => this.#view.has(departure));
      if (wanted.length === 0 && performance.now() - this.#noted < NOTE_MS) continue;
      if (!(await this.#want(wanted, tail.cursor))) return;
      this.#send();
    }
    tail.release();
  }

  /** False when the webhook changed meanwhile: another line takes over. */
  async #want(wanted: readonly Departure[], cursor: string): Promise<boolean> {
    const held = wanted.map((departure) => ({ row: this.#rowOf(departure), departure }));
    const rows = held.map(({ row }) => row);
    const written = await this.parts.registry.want(this.webhook, rows, cursor);
    this.#noted = performance.now();
    if (!written) {
      this.#stopping.abort();
      return false;
    }
    for (const pending of held) if (written.has(pending.row.event)) this.#hold(pending);
    return true;
  }

  #rowOf({ id, dossier, stream, revision, type, cursor }: Departure): DeliveryRow {
    const seq = this.#nextSeq;
    this.#nextSeq += 1;
    return {
      ...{ webhook: this.webhook.id, event: id, generation: this.webhook.generation, seq },
      ...{ dossier, stream, revision, type, cursor },
      ...{ state: 'pending', attempts: 0, first_at: 0, next_at: 0, done_at: 0 },
    };
  }

  #hold(pending: Pending): void {
    const { dossier, seq } = pending.row;
    const queue = this.#queues.get(dossier);
    if (queue) queue.push(pending);
    else this.#queues.set(dossier, [pending]);
    this.#count += 1;
    this.#lastSeq = Math.max(this.#lastSeq, seq);
  }

  /** Begins what is due, as far as receiver and process allow. */
  #send(): void {
    const now = this.parts.clock().getTime();
    const most = this.#failures >= STRIKES ? 1 : PER_RECEIVER;
    for (const [dossier, [first]] of this.#queues) {
      if (this.#disabled || this.#stopping.signal.aborted || now < Math.max(this.#resumeAt, this.#allowedAt)) return;
      if (this.#busy.size >= most) return;
      if (!first || this.#busy.has(dossier) || first.row.next_at > now) continue;
      if (!this.parts.slots.take(() => this.#send())) return;
      if (this.webhook.rate !== null) this.#allowedAt = now + Math.ceil(60_000 / this.webhook.rate);
      this.#busy.add(dossier);
      void this.#attempt(first, dossier);
    }
  }

  async #attempt(pending: Pending, dossier: string): Promise<void> {
    const began = performance.now();
    try {
      const departure = await this.#departureOf(pending);
      const at = this.parts.clock();
      const outcome = departure ? await this.#post(departure, at) : NOT_THERE;
      const recorded = this.#judge(pending.row, outcome, { at: at.getTime(), began, there: departure !== null });
      await this.parts.recorder.record(recorded);
      this.#settle(pending, recorded);
    } catch (error) {
      // Nothing is on record: it is sent again, with the same id.
      pending.departure = null;
      this.#resumeAt = Math.max(this.#resumeAt, this.parts.clock().getTime() + IDLE_MS);
      this.parts.onError(error);
    } finally {
      this.#busy.delete(dossier);
      this.parts.slots.release();
      this.#send();
      this.poke();
    }
  }

  /** The fact, when it is still there and the webhook may still receive it. */
  async #departureOf({ row, departure }: Pending): Promise<Departure | null> {
    const found = departure ?? (await this.parts.departures.at(row.stream, row.revision));
    return found?.id === row.event && this.#view.has(found) ? found : null;
  }

  #post(departure: Departure, at: Date): Promise<Outcome> {
    const { id } = departure;
    const { json } = this.#view.of(departure);
    return this.parts.outbound.send(
      'POST',
      this.webhook.url,
      {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        ...signedHeaders(secretsOf(this.webhook, at.getTime()), id, at, json),
      },
      json,
    );
  }

  /** What an attempt makes of a delivery and of its webhook. */
  #judge(
    row: DeliveryRow,
    { status, error, ms, headers }: Outcome,
    { at, began, there }: { at: number; began: number; there: boolean },
  ): Recorded {
    const now = this.parts.clock().getTime();
    const attempts = row.attempts + 1;
    const first_at = row.first_at || at;
    const attempt = { webhook: row.webhook, event: row.event, at, n: attempts, ms, status, error };
    const delivery = { ...row, attempts, first_at };
    if (!there) return { delivery: { ...delivery, state: 'dead', done_at: now }, attempt, webhook: {} };
    if (status !== null && status >= 200 && status < 300) {
      const webhook = this.#failures > 0 ? { failures: 0, resume_at: 0 } : {};
      return { delivery: { ...delivery, state: 'delivered', done_at: now }, attempt, webhook };
    }
    if (status === GONE) {
      const webhook = {
        state: 'disabled',
        reason: 'L’adresse a répondu 410 : elle ne veut plus rien recevoir.',
      } as const;
      return { delivery, attempt, webhook };
    }
    const asked = status === 429 || status === 503 ? askedPause(headers['retry-after'], now) : 0;
    // Requests that were under way together fail together: that is one failure of the receiver.
    const failures = began >= this.#struckAt ? this.#failures + 1 : this.#failures;
    if (failures > this.#failures) this.#struckAt = performance.now();
    const open = failures >= STRIKES ? pauseAfter(failures - STRIKES + 3, this.parts.random) : 0;
    const pause = Math.max(asked, open);
    const webhook = { failures, resume_at: pause > 0 ? Math.max(this.#resumeAt, now + pause) : this.#resumeAt };
    if (now - first_at >= GIVE_UP_MS)
      return { delivery: { ...delivery, state: 'dead', done_at: now }, attempt, webhook };
    const next_at = now + Math.max(pauseAfter(attempts, this.parts.random), asked);
    return { delivery: { ...delivery, next_at }, attempt, webhook };
  }

  /** Holds what is now on record. */
  #settle(pending: Pending, { delivery, webhook }: Recorded): void {
    const recovered = webhook.failures === 0;
    this.#failures = webhook.failures ?? this.#failures;
    this.#resumeAt = webhook.resume_at ?? this.#resumeAt;
    this.#disabled = webhook.state === 'disabled';
    pending.row = delivery;
    pending.departure = null;
    if (delivery.state !== 'pending') {
      const queue = this.#queues.get(delivery.dossier) ?? [];
      if (queue[0]?.row.event === delivery.event) {
        queue.shift();
        this.#count -= 1;
      }
      if (queue.length === 0) this.#queues.delete(delivery.dossier);
    }
    // The receiver is back: nobody waits any longer for a pause that was made for its absence.
    if (recovered) for (const [{ row } = { row: delivery }] of this.#queues.values()) row.next_at = 0;
  }

  /** Until something may be due. */
  async #rest(): Promise<void> {
    if (this.#poked) return;
    const now = this.parts.clock().getTime();
    let due = now + IDLE_MS;
    for (const [dossier, [first]] of this.#queues) {
      const at = Math.max(first?.row.next_at ?? due, this.#resumeAt, this.#allowedAt);
      // What is due already waits for something else, that tells when it is over.
      if (at > now && !this.#busy.has(dossier)) due = Math.min(due, at);
    }
    await this.#woken(Math.max(due - now, 1));
  }

  /** So many milliseconds; `poke` ends them early unless they are to be whole. */
  #woken(ms: number, whole?: 'whole'): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (whole && !this.#stopping.signal.aborted) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const NOT_THERE: Outcome = {
  status: null,
  error: 'Ce fait n’est plus dans le journal, ou n’est plus visible de cet abonné.',
  ms: 0,
  headers: {},
};

/** The secrets that sign: the one before for some time as well. */
export function secretsOf({ secret, old_secret, old_until }: WebhookRow, now: number): string[] {
  return old_secret !== null && now < old_until ? [secret, old_secret] : [secret];
}

/** What a webhook's secret becomes when it is replaced. */
export function rotated({ secret }: WebhookRow, next: string, now: number): Partial<WebhookRow> {
  return { secret: next, old_secret: secret, old_until: now + OVERLAP_MS };
}

function placeIn(cursor: string) {
  try {
    return placeOf(cursor);
  } catch (error) {
    if (error instanceof CursorRefused) return null;
    throw error;
  }
}
