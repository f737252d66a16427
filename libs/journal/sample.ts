import { randomBytes, randomUUID } from 'node:crypto';
import { dataHash, type Envelope, FORMAT, type NewEvent, type StoredEvent, seal } from './envelope.ts';

/** What a sample fact may say otherwise. */
export type SampleOptions = {
  data?: Record<string, unknown>;
  envelope?: Partial<Envelope>;
  previous?: NewEvent | null;
};

/** A sealed fact for tests: the successor of `previous` in `stream`, its first one when there is none. */
export function sampleFact(stream: string, { data, envelope, previous = null }: SampleOptions = {}): NewEvent {
  const payload = data ?? { objet: 'Plan d’audit', phases: [1, 2, 3] };
  const salt = randomBytes(16).toString('hex');
  return seal(
    {
      format: FORMAT,
      id: randomUUID(),
      stream,
      revision: previous ? previous.envelope.revision + 1 : 0,
      type: 'j2.plan-propose',
      dataHash: dataHash(salt, payload),
      actor: { iss: 'https://connexion.example', sub: 'a-17', role: 'charge-de-qualification' },
      effectiveAt: '2026-03-02',
      recordedAt: '2026-03-02T09:00:00.000Z',
      correlationId: randomUUID(),
      software: 'jalon 0.1.0',
      previousHash: previous?.hash ?? null,
      ...envelope,
    },
    { data: payload, salt },
  );
}

/** `count` facts of one stream, each the successor of the one before, the first of `previous`. */
export function sampleChain(stream: string, count: number, previous: NewEvent | null = null): NewEvent[] {
  const chain: NewEvent[] = [];
  for (let i = 0; i < count; i += 1)
    chain.push(sampleFact(stream, { data: { rang: i }, previous: chain.at(-1) ?? previous }));
  return chain;
}

/** All events of `pages` in one array. Also the check that no page is ever empty. */
export async function collect(pages: AsyncIterable<StoredEvent[]>): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const page of pages) {
    if (page.length === 0) throw new Error('A journal gave an empty page.');
    events.push(...page);
  }
  return events;
}

/** The ids of `events`, in order. */
export function idsOf(events: readonly NewEvent[]): string[] {
  return events.map(({ envelope }) => envelope.id);
}
