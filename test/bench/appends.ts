import { randomUUID } from 'node:crypto';
import { EventStoreDBClient, jsonEvent, NO_STREAM as NEW_STREAM } from '@eventstore/db-client';
import { type NewEvent, NO_STREAM, openEventStoreJournal, type StoredEvent } from '@jalon/journal';
import type { Templates } from './copies.ts';
import { median } from './load.ts';
import { type Line, perSecond } from './table.ts';

const IN_FLIGHT = [1, 16, 128];
const ROUNDS = 5;
const ROUND_MS = 2_000;

type Append = (event: NewEvent) => Promise<unknown>;

/**
 * Appends of one fact to a stream of its own: by the adapter, and by the bare client with one call each (which the ratio
 * is to) and with its multiplexed appends, turn by turn in one process.
 */
export async function measureAppends(
  name: string,
  url: string,
  templates: Templates,
  say: (line: string) => void,
): Promise<Line[]> {
  const journal = await openEventStoreJournal(url);
  const multiplexing = EventStoreDBClient.connectionString(url);
  // A client that believes that its server cannot multiplex makes one call for each append, as the adapter does.
  const calling = Object.assign(EventStoreDBClient.connectionString(url), { supports: async () => false });
  const bare = (client: EventStoreDBClient, { envelope, data, ...beside }: NewEvent) => {
    const { id, stream, revision: _, type, correlationId, ...members } = envelope;
    const metadata = { ...members, $correlationId: correlationId, hash: beside.hash, salt: beside.salt };
    const event = jsonEvent({ id, type, data, metadata: metadata as never });
    return client.appendToStream(stream, [event], { expectedRevision: NEW_STREAM });
  };
  const ways: Record<'adapter' | 'single' | 'batch', Append> = {
    adapter: (event) => journal.append(event.envelope.stream, NO_STREAM, [event]),
    single: (event) => bare(calling, event),
    batch: (event) => bare(multiplexing, event),
  };
  const [first] = templates[0] as [StoredEvent];
  const lines: Line[] = [];
  // The first appends warm code and connection.
  for (const append of Object.values(ways)) await rateOf(append, first, 16);
  for (const inFlight of IN_FLIGHT) {
    const rates = { adapter: [] as number[], single: [] as number[], batch: [] as number[] };
    for (let round = 0; round < ROUNDS; round += 1)
      for (const way of ['single', 'adapter', 'batch'] as const)
        rates[way].push(await rateOf(ways[way], first, inFlight));
    const ratioTo = (other: number[]) => median(rates.adapter.map((rate, round) => rate / (other[round] as number)));
    say(
      `${name}, ${inFlight} in flight: ${Object.entries(rates).map(([way, all]) => `${way} ${perSecond(median(all))}`)}`,
    );
    const what = `${name}: adapter appends, ${inFlight} in flight`;
    const measured = perSecond(median(rates.adapter));
    const [single, batch] = [ratioTo(rates.single), ratioTo(rates.batch)];
    lines.push({
      ...{ what, measured, against: `bare client, one call each ${perSecond(median(rates.single))}` },
      ...{ ratio: single, wanted: '≥ 0.85', met: single >= 0.85 },
    });
    lines.push({
      ...{ what, measured, against: `bare client, multiplexed ${perSecond(median(rates.batch))}` },
      ...{ ratio: batch, wanted: '-', met: true },
    });
  }
  await Promise.all([calling.dispose(), multiplexing.dispose()]);
  await journal.close();
  return lines;
}

/** Appends per second with so many in flight. */
async function rateOf(append: Append, { envelope, ...beside }: StoredEvent, inFlight: number): Promise<number> {
  let appended = 0;
  const start = performance.now();
  const appender = async () => {
    while (performance.now() - start < ROUND_MS) {
      await append({ ...beside, envelope: { ...envelope, id: randomUUID(), stream: `dossier-${randomUUID()}` } });
      appended += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, appender));
  return appended / ((performance.now() - start) / 1000);
}
