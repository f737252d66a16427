import type { Place } from './cursor.ts';
import type { Departure } from './departure.ts';

/** Numbers of facts in a ring, without the last. */
export type Range = { from: number; to: number };

/** Recent facts, numbered as they come, of which the oldest go. */
export class Ring {
  readonly #recent: Departure[] = [];
  #first = 0;
  #floor: bigint | null = null;
  #follows = false;

  /** Holds `size` facts at least, twice as many at most. */
  constructor(private readonly size: number) {}

  /** Number that the next fact will have. */
  get next(): number {
    return this.#first + this.#recent.length;
  }

  get last(): Departure | undefined {
    return this.#recent.at(-1);
  }

  /** Begins anew: all that is recorded after this position will come. */
  begin(floor: bigint | null): void {
    this.end();
    this.#floor = floor;
    this.#follows = true;
  }

  /** Holds nothing any more. */
  end(): void {
    this.#first = this.next;
    this.#recent.length = 0;
    this.#follows = false;
  }

  push(departures: readonly Departure[]): void {
    for (const departure of departures) this.#recent.push(departure);
    // Not at every fact: moving what is held costs as much as holding it.
    if (this.#recent.length < 2 * this.size) return;
    const gone = this.#recent.splice(0, this.#recent.length - this.size);
    this.#first += gone.length;
    this.#floor = (gone.at(-1) as Departure).position;
  }

  slice({ from, to }: Range): Departure[] {
    return this.#recent.slice(from - this.#first, to - this.#first);
  }

  /** Whether the fact of this number is still there, or to come. */
  holds(number: number): boolean {
    return this.#follows && number >= this.#first;
  }

  /**
   * Nothing that leaves lies between these two positions of the log (there may be what never does): whoever is at the first
   * need not read the log for what comes after the second.
   */
  reachBack(from: bigint, to: bigint): void {
    const floor = this.#floor ?? -1n;
    if (from < floor && floor <= to) this.#floor = from;
  }

  /** Number of the first fact after a position of this log; undefined when the ring does not reach back to it. */
  numberAfter(position: bigint): number | undefined {
    if (!this.#follows || position < (this.#floor ?? -1n)) return undefined;
    return this.#first + this.#countUpTo(position);
  }

  /** Whether the very fact that a place names is there, so that the place is one of this log. */
  knows(place: Place): boolean {
    const there = this.#recent[this.#countUpTo(place.position) - 1]?.place;
    return there?.position === place.position && there.hash === place.hash;
  }

  /** How many facts lie at this position or before. */
  #countUpTo(position: bigint): number {
    let [low, high] = [0, this.#recent.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#recent[middle] as Departure).position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
