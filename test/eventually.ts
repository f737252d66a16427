import { setTimeout as pause } from 'node:timers/promises';

/** How long something may take to become so. */
const PATIENCE_MS = 20_000;

/** Asks every few milliseconds until it is so. @throws Error after twenty seconds, or so many milliseconds */
export async function until(condition: () => Promise<boolean>, patienceMs = PATIENCE_MS): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`It never came to be: ${condition}`);
    await pause(10);
  }
}
