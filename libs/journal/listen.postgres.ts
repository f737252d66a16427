import { Pauses } from './pauses.ts';
import { DedicatedSession, either } from './session.postgres.ts';

/** How often a session that only listens is asked for a sign of life. */
const BEAT_MS = 5_000;

/** Something was told on a channel; null: whatever was told before now may have been missed. */
export type Heard = (channel: string | null, payload: string) => void;

/**
 * Hears what processes tell each other through a database (LISTEN), until `stopping` aborts. Reconnects by itself; what is
 * told meanwhile is lost: whoever relies on it asks from time to time as well.
 */
export async function listen(
  url: string,
  channels: readonly string[],
  heard: Heard,
  stopping: AbortSignal,
): Promise<void> {
  const pauses = new Pauses(stopping, { first: 100, longest: 2_000 });
  while (!stopping.aborted) {
    let session: DedicatedSession | undefined;
    let over: ReturnType<typeof either> | undefined;
    try {
      session = await DedicatedSession.open(url, 'jalon listens', {});
      over = either(stopping, session.lost);
      session.hear(heard);
      for (const channel of channels) await session.query(`listen ${channel}`);
      pauses.reset();
      heard(null, '');
      await session.beat(BEAT_MS, over.signal);
    } catch {
      // Those who rely on it find the database away when they ask, and say so.
    } finally {
      over?.release();
      await session?.close();
    }
    await pauses.take();
  }
}
