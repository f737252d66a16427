import ip from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

const MINUTE = 60_000;

/** So many callers or addresses are remembered; those heard of longest ago are forgotten, and begin anew. */
const REMEMBERED = 50_000;

/**
 * How many requests each key may make per minute: all at once, or spread. It keeps one number per key, the instant until
 * which the key has spent its minute (the generic cell rate algorithm).
 */
class Allowance {
  readonly #spentUntil = new LRUCache<string, number>({ max: REMEMBERED });

  constructor(
    readonly perMinute: number,
    private readonly clock: () => Date,
  ) {}

  /** Seconds until the key may ask again; 0 when it may now. */
  wait(key: string): number {
    const now = this.clock().getTime();
    const over = this.#after(key, now) - MINUTE - now;
    // A thousandth of a millisecond: fractions do not add up to a minute exactly.
    return over > 0.001 ? Math.ceil(over / 1000) : 0;
  }

  /** Counts a request of the key. */
  take(key: string): void {
    this.#spentUntil.set(key, this.#after(key, this.clock().getTime()));
  }

  #after(key: string, now: number): number {
    return Math.max(this.#spentUntil.get(key) ?? 0, now) + MINUTE / this.perMinute;
  }
}

/** How many tokens of one address, not yet known to be valid, are being verified at once. */
const VERIFIED_AT_ONCE = 500;

/**
 * Limits requests before their work is done. What carries no token, or one that is refused, counts for the address it
 * comes from; what carries a valid one counts for its caller, so that an office behind one address is not one caller.
 */
export class Rate {
  readonly #addresses: Allowance;
  readonly #callers: Allowance;
  readonly #verifying = new Map<string, number>();

  constructor(perMinute: number, clock: () => Date) {
    this.#addresses = new Allowance(perMinute, clock);
    this.#callers = new Allowance(perMinute, clock);
  }

  /** Counts a request without a valid token. @throws RateExceeded */
  byAddress(address: string): void {
    spend(this.#addresses, placeOf(address));
  }

  /** Counts a request of a caller. @throws RateExceeded */
  byCaller({ iss, sub }: { iss: string; sub: string }): void {
    spend(this.#callers, JSON.stringify([iss, sub]));
  }

  /**
   * Verifies a token of which nothing is known yet; whatever is thrown counts for the address.
   * @throws RateExceeded, without verifying, when the address has none left
   */
  async verifying<T>(address: string, verify: () => Promise<T>): Promise<T> {
    const place = placeOf(address);
    const seconds = this.#addresses.wait(place);
    const waiting = this.#verifying.get(place) ?? 0;
    if (seconds > 0 || waiting >= VERIFIED_AT_ONCE) throw new RateExceeded(seconds || 1);
    this.#verifying.set(place, waiting + 1);
    try {
      return await verify();
    } catch (fault) {
      this.#addresses.take(place);
      throw fault;
    } finally {
      const others = (this.#verifying.get(place) as number) - 1;
      if (others > 0) this.#verifying.set(place, others);
      else this.#verifying.delete(place);
    }
  }
}

/** The minute of a caller or an address is spent. */
export class RateExceeded extends Error {
  override readonly name = 'RateExceeded';
  constructor(
    /** Until it may ask again. */
    readonly seconds: number,
  ) {
    super(`to be asked again in ${seconds} s`);
  }
}

function spend(allowance: Allowance, key: string): void {
  const seconds = allowance.wait(key);
  if (seconds > 0) throw new RateExceeded(seconds);
  allowance.take(key);
}

/**
 * What is counted as one place: an IPv4 address in whatever form it is written, or the /64 of an IPv6 one, of which one
 * subscriber has all. Some proxies add the port.
 */
export function placeOf(address: string): string {
  const bare = address.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^(\d+(?:\.\d+){3}):\d+$/, '$1');
  const [unzoned = ''] = bare.split('%');
  if (!ip.isValid(unzoned)) return 'unknown';
  const parsed = ip.process(unzoned);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return `${(parsed as ip.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}
