/** The first retry comes within this, and each later one after twice the time of the one before, up to the longest. */
const FIRST_MS = 4_000;
const LONGEST_MS = 3_600_000;

/** After so long in vain, a delivery is given up and kept as a dead letter. */
export const GIVE_UP_MS = 3 * 24 * 3_600_000;

/** What a receiver may ask for at most. */
const LONGEST_ASKED_MS = 24 * 3_600_000;

/** How long to wait after so many failures in a row (from 1), in milliseconds; `random` is from 0 to 1. */
export function pauseAfter(failures: number, random: () => number): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  return Math.round(longest * (0.5 + random() / 2));
}

/** What `Retry-After` asks for (RFC 9110, section 10.2.3: seconds, or a date), in milliseconds; 0 when it asks for nothing. */
export function askedPause(header: string | string[] | undefined, now: number): number {
  const text = [header ?? ''].flat()[0] ?? '';
  const asked = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(asked) ? Math.min(Math.max(asked, 0), LONGEST_ASKED_MS) : 0;
}
