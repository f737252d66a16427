import { type Journal, JournalUnavailable, type StoredEvent } from '@jalon/journal';
import { cursorOf, type Place, placeAfter } from './cursor.ts';
import { FILTER } from './declared.ts';
import type { Departure, Departures } from './departure.ts';
import type { Range, Ring } from './ring.ts';

/** What a tail moves over. */
export type TailParts = {
  ring: Ring;
  journal: Pick<Journal, 'readAll' | 'tip'>;
  departures: Departures;
  /** Reads the journal when it is this tail's turn. */
  reading: <T>(read: () => Promise<T>) => Promise<T>;
  /** Whether nothing comes any more. */
  isOver: () => boolean;
  onClose: () => void;
};

/**
 * A cursor that this log does not know was given by the log before it was restored, or moved to another store. What was
 * recorded since then, or at most so long before, is sent again rather than lost: with the same ids.
 */
const BEFORE_RESTORE_MS = 3_600_000;

/**
 * A place in the log that moves forward: over the recent facts of the hub, or over the journal's while it is further
 * back. However slowly it moves, it holds no more than a page of the journal.
 */
export class Tail {
  /** Number in the hub's ring of what comes next; undefined while the journal is read. */
  #number: number | undefined;
  #pages: AsyncIterator<StoredEvent[]> | undefined;
  /** Where the log ended before `#pages` were asked for: they hold every fact up to there. */
  #end: bigint | null = null;
  #page: StoredEvent[] = [];
  #closed = false;
  #trusted: boolean;
  readonly #parties: boolean;

  constructor(
    private readonly parts: TailParts,
    private place: Place | null,
    /** Whether the place is known to be one of this log, and whether it matters whose dossiers they are. */
    { trusted, parties }: { trusted: boolean; parties: boolean },
  ) {
    this.#parties = parties;
    this.#trusted = trusted || place === null || parts.ring.knows(place);
    if (this.#trusted) this.#settle();
  }

  /** Where it is: right after the last fact that was taken. */
  get cursor(): string {
    return cursorOf(this.place);
  }

  /**
   * What comes next, in order, at most `limit` facts; none when the tail is level with the hub, which is told of what is
   * recorded as soon as it is acknowledged.
   * @throws JournalUnavailable
   */
  async take(limit: number): Promise<readonly Departure[]> {
    for (;;) {
      const range = this.range(limit);
      if (range) return this.pass(range);
      if (this.#page.length === 0 && !(await this.#turn())) continue;
      const events = this.#page.splice(0, limit);
      const before = this.place?.position ?? null;
      const read = await this.parts.departures.of(events, before, { parties: this.#parties });
      if (this.#closed) return [];
      this.place = (read.at(-1) as Departure).place;
      return read;
    }
  }

  /** Numbers of what comes next in the hub's ring, at most `limit`; null when the journal must be read, by `take`. */
  range(limit: number): Range | null {
    if (this.#closed || this.parts.isOver()) return { from: 0, to: 0 };
    if (this.#number === undefined) return null;
    if (this.parts.ring.holds(this.#number)) {
      return { from: this.#number, to: Math.min(this.parts.ring.next, this.#number + limit) };
    }
    this.#number = undefined;
    return null;
  }

  /** Moves over a range of the hub's ring; gives what lies in it. */
  pass({ from, to }: Range): readonly Departure[] {
    if (to <= from) return [];
    const passed = this.parts.ring.slice({ from, to });
    this.#number = to;
    // The journal may have been read further than the hub had come.
    const known = this.#position;
    const fresh = (passed[0] as Departure).position > known ? passed : passed.filter((each) => each.position > known);
    this.place = fresh.at(-1)?.place ?? this.place;
    return fresh;
  }

  /** Lets go of what was read ahead, by one that goes no further for now: it is read again when it does. */
  release(): void {
    this.#page = [];
    void this.#pages?.return?.();
    this.#pages = undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.release();
    this.parts.onClose();
  }

  get #position(): bigint {
    return this.place?.position ?? -1n;
  }

  /** Finds the place in the hub's ring, if that reaches back so far. */
  #settle(): boolean {
    this.#number = this.parts.ring.numberAfter(this.#position);
    if (this.#number !== undefined) this.#pages = undefined;
    return this.#number !== undefined;
  }

  /** Turns to the next page of the journal; false when the hub holds what comes next, or when there was none. */
  async #turn(): Promise<boolean> {
    if (this.#trusted && this.#settle()) return false;
    const { done, value } = await this.parts.reading(async () => {
      this.#pages ??= await this.#pagesFrom();
      if (this.#page.length > 0) return { done: false, value: this.#page };
      // The place is known by now: the hub may hold all that comes after it.
      return this.#settle() ? { done: false, value: [] } : this.#pages.next();
    });
    if (done) {
      this.#pages = undefined;
      this.parts.ring.reachBack(this.#position, this.#end ?? -1n);
    }
    this.#page = done ? [] : value;
    return this.#page.length > 0;
  }

  /** The journal from the place on. What was read of it to know the place again is the first page. */
  async #pagesFrom(): Promise<AsyncIterator<StoredEvent[]>> {
    const { place } = this;
    this.#end = await this.parts.journal.tip();
    const pages = await this.#known(place);
    this.#trusted = true;
    if (pages) return pages;
    this.place = null;
    return this.#since((place as Place).recordedAt - BEFORE_RESTORE_MS);
  }

  /** The journal after a place of this log; null when the place is not one. */
  async #known(place: Place | null): Promise<AsyncIterator<StoredEvent[]> | null> {
    const { journal } = this.parts;
    const after = (position: bigint | null) => journal.readAll(position, FILTER)[Symbol.asyncIterator]();
    if (this.#trusted || place === null) return after(place?.position ?? null);
    if (this.#end === null || this.#end < place.position) return null;
    if (place.hash === '') return after(place.position);
    const pages = after(place.before);
    try {
      const { value } = await pages.next();
      const [there, ...next] = (value ?? []) as StoredEvent[];
      if (!there || there.position !== place.position) return null;
      if (placeAfter(there, place.before).hash !== place.hash) return null;
      this.#page = next;
      return pages;
    } catch (error) {
      // Another store's position may be none of this one's; or the journal is away, which it says again.
      if (!(error instanceof JournalUnavailable)) throw error;
      await journal.tip();
      return null;
    }
  }

  /** The whole journal, but what was recorded before an instant, until something was not. */
  async *#since(instant: number): AsyncGenerator<StoredEvent[]> {
    let passing = true;
    for await (const page of this.parts.journal.readAll(null, FILTER)) {
      let wanted = 0;
      for (const event of passing ? page : []) {
        passing = Date.parse(event.envelope.recordedAt) < instant;
        if (!passing) break;
        this.place = placeAfter(event, this.place?.position ?? null);
        wanted += 1;
      }
      if (wanted < page.length) yield page.slice(wanted);
    }
  }
}
