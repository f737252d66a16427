import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { NewEvent, StoredEvent } from './envelope.ts';
import { EventIdTaken, type Journal, JournalUnavailable, NO_STREAM, RevisionConflict } from './journal.ts';
import { collect, idsOf, sampleChain, sampleFact } from './sample.ts';

// For the specs of adapters that need more than this package to run.
export { type DirectorySite, describeDirectory } from './directory.contract.ts';
export { collect, idsOf, sampleChain, sampleFact } from './sample.ts';

/** An adapter on test. Its log may hold other streams already: the contract looks only at its own. */
export type JournalOnTest = {
  journal: Journal;
  /** Closes the journal and opens the same log again. */
  reopen(): Promise<Journal>;
  dispose(): Promise<void>;
};

/** How long a test that appends thousands of events may take where a journal is far and the machine busy. */
const LONG_MS = 30_000;

/** What every journal guarantees, whatever keeps it. Each adapter's spec calls this once. */
export function describeJournalContract(name: string, open: () => Promise<JournalOnTest>): void {
  describe(`${name} keeps the contract of a journal`, () => {
    let onTest: JournalOnTest;
    let journal: Journal;
    let family: string;
    /** A stream of this test alone. */
    const stream = (label = 'dossier') => `${family}-${label}-${randomUUID()}`;

    beforeEach(async () => {
      onTest = await open();
      journal = onTest.journal;
      family = `essai${randomUUID().slice(0, 8)}`;
    });
    afterEach(() => onTest.dispose());

    describe('append and read', () => {
      test('gives back what was appended, in order, member for member', async () => {
        const name = stream();
        const facts = [...sampleChain(name, 2)];
        facts.push({ ...sampleFact(name, { previous: facts[1] ?? null }), digest: 'd'.repeat(64) });
        const appended = await journal.append(name, NO_STREAM, facts);

        const read = await collect(journal.read(name));
        expect(read.map(({ position, ...event }) => event)).toEqual(facts);
        expect(appended).toEqual({ revision: 2, position: read[2]?.position });
        expect(increasing(read)).toBe(true);
      });

      test('appends further on, one revision after the other', async () => {
        const name = stream();
        const facts = sampleChain(name, 5);
        for (const [i, fact] of facts.entries())
          expect(await journal.append(name, i - 1, [fact])).toMatchObject({ revision: i });
        expect(idsOf(await collect(journal.read(name)))).toEqual(idsOf(facts));
      });

      test('knows nothing of an unknown stream', async () => {
        expect(await collect(journal.read(stream()))).toEqual([]);
      });

      test('reads from and to a revision, both inclusive', async () => {
        const name = stream();
        await journal.append(name, NO_STREAM, sampleChain(name, 10));
        const revisions = async (from?: number, to?: number) =>
          (
            await collect(journal.read(name, { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }))
          ).map(({ envelope }) => envelope.revision);
        expect(await revisions(3, 5)).toEqual([3, 4, 5]);
        expect(await revisions(8)).toEqual([8, 9]);
        expect(await revisions(undefined, 1)).toEqual([0, 1]);
        expect(await revisions(9, 400)).toEqual([9]);
        expect(await revisions(10)).toEqual([]);
        expect(await revisions(5, 4)).toEqual([]);
      });

      test('keeps any text that JSON can say', async () => {
        const name = stream();
        const data = JSON.parse(
          '{"é":"œuvre 🧾 日本 \\u0000 \\u2028 \\ud83d seul","__proto__":{"a":1},"n":[1e21,0.1,-5e-324,9007199254740991],"":null}',
        );
        const fact = sampleFact(name, { data, envelope: { type: 'j2.constat-enregistre', software: 'été 🚀' } });
        await journal.append(name, NO_STREAM, [fact]);
        const [read] = await collect(journal.read(name));
        expect(JSON.stringify(read?.data)).toBe(JSON.stringify(data));
        expect(read?.envelope).toEqual(fact.envelope);
      });

      test('keeps a payload of 200 KiB', async () => {
        const name = stream();
        const data = { texte: 'à'.repeat(100 * 1024) };
        await journal.append(name, NO_STREAM, [sampleFact(name, { data })]);
        expect((await collect(journal.read(name)))[0]?.data).toEqual(data);
      });

      test('refuses an append without events, or whose envelopes say another place', async () => {
        const name = stream();
        const [first, second] = sampleChain(name, 2) as [NewEvent, NewEvent];
        await expect(journal.append(name, NO_STREAM, [])).rejects.toThrow(TypeError);
        await expect(journal.append(name, NO_STREAM, [second])).rejects.toThrow(TypeError);
        await expect(journal.append(stream(), NO_STREAM, [first])).rejects.toThrow(TypeError);
        for (const expected of [-2, 0.5])
          await expect(journal.append(name, expected, series(name, expected, 1))).rejects.toThrow(TypeError);
        expect(await collect(journal.read(name))).toEqual([]);
      });

      test('refuses what JSON cannot say, and takes no other append down with it', async () => {
        const cycle: Record<string, unknown> = {};
        cycle.cycle = cycle;
        const impossible = [{ grand: 1n }, cycle, undefined] as Record<string, unknown>[];
        const refused = impossible.map((data) => {
          const name = stream();
          return journal.append(name, NO_STREAM, [{ ...(sampleFact(name) as NewEvent), data }]);
        });
        const good = Array.from({ length: 5 }, () => stream());
        const accepted = good.map((name) => journal.append(name, NO_STREAM, sampleChain(name, 2)));
        for (const outcome of await Promise.allSettled(refused))
          expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(TypeError) });
        await Promise.all(accepted);
        expect(await collect(journal.readAll(null, { prefixes: [family] }))).toHaveLength(10);
      });

      test('refuses an id that is twice in one append', async () => {
        const name = stream();
        const [first, second] = sampleChain(name, 2) as [NewEvent, NewEvent];
        const twice = sampleFact(name, { previous: first, envelope: { id: first.envelope.id } });
        await expect(journal.append(name, NO_STREAM, [first, twice])).rejects.toThrow(EventIdTaken);
        await journal.append(name, NO_STREAM, [first, second]);
        expect(idsOf(await collect(journal.read(name)))).toEqual(idsOf([first, second]));
      });

      test(
        'reads a long stream, and the log, in several pages',
        async () => {
          const name = stream();
          const facts = sampleChain(name, 1_200);
          await appendByParts(journal, name, facts, 300);
          for (const pages of [journal.read(name), journal.readAll(null, { prefixes: [family] })]) {
            const read: StoredEvent[][] = [];
            for await (const page of pages) read.push(page);
            expect(idsOf(read.flat())).toEqual(idsOf(facts));
            expect(Math.max(...read.map(({ length }) => length))).toBeLessThan(1_200);
          }
        },
        LONG_MS,
      );

      test('knows the position of the last event', async () => {
        const name = stream();
        const { position } = await journal.append(name, NO_STREAM, sampleChain(name, 3));
        expect(await journal.tip()).toBeGreaterThanOrEqual(position);
      });
    });

    describe('expected revision', () => {
      test('refuses an append that expects the stream elsewhere, and says where it is', async () => {
        const name = stream();
        const facts = sampleChain(name, 3);
        const stranger = (expected: number) => sampleFact(name, { envelope: { revision: expected + 1 } });
        const conflict = async (expected: number, actual: number) => {
          const refused = journal.append(name, expected, [stranger(expected)]);
          await expect(refused).rejects.toThrow(RevisionConflict);
          await expect(refused).rejects.toMatchObject({ stream: name, expected, actual });
        };
        await conflict(0, NO_STREAM);
        await journal.append(name, NO_STREAM, facts);
        await conflict(NO_STREAM, 2);
        await conflict(1, 2);
        await conflict(3, 2);
        expect(idsOf(await collect(journal.read(name)))).toEqual(idsOf(facts));
      });

      test('lets exactly one of 20 rivals for one revision win, with all of its events', async () => {
        const name = stream();
        const [opening] = sampleChain(name, 1) as [NewEvent];
        await journal.append(name, NO_STREAM, [opening]);
        const rivals = Array.from({ length: 20 }, () => sampleChain(name, 3, opening));
        const outcomes = await Promise.allSettled(rivals.map((facts) => journal.append(name, 0, facts)));

        const winners = rivals.filter((_, i) => outcomes[i]?.status === 'fulfilled');
        expect(winners).toHaveLength(1);
        for (const outcome of outcomes)
          if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(RevisionConflict);
        expect(idsOf(await collect(journal.read(name)))).toEqual(idsOf([opening, ...(winners[0] ?? [])]));
      });
    });

    describe('retries', () => {
      test('answer the same success when the same events are appended again, and store them once', async () => {
        const name = stream();
        const facts = sampleChain(name, 3);
        const first = await journal.append(name, NO_STREAM, facts);
        expect(await journal.append(name, NO_STREAM, facts)).toEqual(first);
        expect(await collect(journal.read(name))).toHaveLength(3);
      });

      test('still do after later events and after the log was closed and opened again', async () => {
        const name = stream();
        const facts = sampleChain(name, 6);
        await journal.append(name, NO_STREAM, facts.slice(0, 2));
        const middle = await journal.append(name, 1, facts.slice(2, 4));
        await journal.append(name, 3, facts.slice(4));
        expect(await journal.append(name, 1, facts.slice(2, 4))).toEqual(middle);
        journal = await onTest.reopen();
        expect(await journal.append(name, 1, facts.slice(2, 4))).toEqual(middle);
        expect(idsOf(await collect(journal.read(name)))).toEqual(idsOf(facts));
      });

      test('do when they run beside the first attempt', async () => {
        const name = stream();
        const facts = sampleChain(name, 2);
        const outcomes = await Promise.all(Array.from({ length: 10 }, () => journal.append(name, NO_STREAM, facts)));
        for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
        expect(await collect(journal.read(name))).toHaveLength(2);
      });

      test('are conflicts when only some of the events are those stored', async () => {
        const name = stream();
        const [a, b, c] = sampleChain(name, 3) as [NewEvent, NewEvent, NewEvent];
        await journal.append(name, NO_STREAM, [a, b, c]);
        const longer = [a, b, c, sampleFact(name, { previous: c })];
        const other = [a, sampleFact(name, { previous: a }), c];
        await expect(journal.append(name, NO_STREAM, longer)).rejects.toThrow(RevisionConflict);
        await expect(journal.append(name, NO_STREAM, other)).rejects.toThrow(RevisionConflict);
        await expect(journal.append(name, 0, [b, ...longer.slice(2)])).rejects.toThrow(RevisionConflict);
        expect(idsOf(await collect(journal.read(name)))).toEqual(idsOf([a, b, c]));
      });
    });

    describe('parts of a stored append', () => {
      test('are retries too, at its beginning and at its end', async () => {
        const name = stream();
        const facts = sampleChain(name, 3);
        await journal.append(name, NO_STREAM, facts);
        expect(await journal.append(name, NO_STREAM, facts.slice(0, 2))).toMatchObject({ revision: 1 });
        expect(await journal.append(name, 0, facts.slice(1))).toMatchObject({ revision: 2 });
        expect(idsOf(await collect(journal.read(name)))).toEqual(idsOf(facts));
      });

      test('are known by their ids alone: another payload is a success that changes nothing', async () => {
        const name = stream();
        const [first] = sampleChain(name, 1) as [NewEvent];
        const appended = await journal.append(name, NO_STREAM, [first]);
        const other = sampleFact(name, { data: { autre: true }, envelope: { id: first.envelope.id } });
        expect(await journal.append(name, NO_STREAM, [other])).toEqual(appended);
        expect(await collect(journal.read(name))).toEqual([{ ...first, position: appended.position }]);
      });
    });

    test(
      'agrees with a simple model on any series of appends, rivals and retries',
      async () => {
        const step = fc.record({
          stream: fc.nat(2),
          offset: fc.constantFrom(0, 0, 0, -1, -2, 1),
          count: fc.integer({ min: 1, max: 3 }),
          retry: fc.option(fc.nat(), { freq: 3 }),
        });
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
            const names = [stream('a'), stream('b'), stream('c')];
            const model = new Map<string, NewEvent[]>(names.map((name) => [name, []]));
            const made: { name: string; expected: number; facts: NewEvent[] }[] = [];
            for (const { stream: index, offset, count, retry } of steps) {
              const name = names[index] as string;
              const head = (model.get(name)?.length ?? 0) - 1;
              const expected = Math.max(NO_STREAM, head + offset);
              const fresh = { name, expected, facts: series(name, expected, count) };
              const attempt = retry === null || made.length === 0 ? fresh : made[retry % made.length];
              if (attempt === undefined) continue;
              made.push(attempt);
              const stored = model.get(attempt.name) as NewEvent[];
              const after = stored.slice(attempt.expected + 1);
              const same = idsOf(after.slice(0, attempt.facts.length)).join() === idsOf(attempt.facts).join();
              if (same || attempt.expected === stored.length - 1) {
                const { revision } = await journal.append(attempt.name, attempt.expected, attempt.facts);
                expect(revision).toBe(attempt.expected + attempt.facts.length);
                if (!same) stored.push(...attempt.facts);
              } else
                await expect(journal.append(attempt.name, attempt.expected, attempt.facts)).rejects.toThrow(
                  RevisionConflict,
                );
            }
            for (const [name, facts] of model) expect(idsOf(await collect(journal.read(name)))).toEqual(idsOf(facts));
          }),
          { numRuns: 25 },
        );
      },
      LONG_MS,
    );

    describe('the whole log', () => {
      test('is read in the order of its appends, across streams, after a position', async () => {
        const names = [stream('a'), stream('b')];
        const facts = names.map((name) => sampleChain(name, 3));
        const order: NewEvent[] = [];
        for (let revision = 0; revision < 3; revision += 1)
          for (const [i, name] of names.entries()) {
            const fact = facts[i]?.[revision] as NewEvent;
            await journal.append(name, revision - 1, [fact]);
            order.push(fact);
          }
        const all = await collect(journal.readAll(null, { prefixes: [family] }));
        expect(idsOf(all)).toEqual(idsOf(order));
        expect(increasing(all)).toBe(true);
        for (const [i, { position }] of all.entries())
          expect(idsOf(await collect(journal.readAll(position, { prefixes: [family] })))).toEqual(
            idsOf(order.slice(i + 1)),
          );
      });

      test('ends at what was there when reading began', async () => {
        const name = stream();
        const facts = sampleChain(name, 610);
        await appendByParts(journal, name, facts.slice(0, 600), 200);
        const read: StoredEvent[] = [];
        for await (const page of journal.readAll(null, { prefixes: [family] })) {
          if (read.length === 0) await journal.append(name, 599, facts.slice(600));
          read.push(...page);
        }
        expect(idsOf(read)).toEqual(idsOf(facts.slice(0, 600)));
        expect(await collect(journal.readAll(read.at(-1)?.position ?? null, { prefixes: [family] }))).toHaveLength(10);
      });

      test('is filtered by the beginnings of stream names', async () => {
        const names = [stream('dossier'), stream('acces'), stream('accessoire')];
        for (const name of names) await journal.append(name, NO_STREAM, sampleChain(name, 2));
        const streams = async (...labels: string[]) => {
          const prefixes = labels.map((label) => `${family}-${label}`);
          const found = await collect(journal.readAll(null, { prefixes }));
          return [...new Set(found.map(({ envelope }) => envelope.stream))];
        };
        expect(await streams('dossier-')).toEqual([names[0]]);
        expect(await streams('acces')).toEqual([names[1], names[2]]);
        expect(await streams('acces-', 'dossier-')).toEqual([names[0], names[1]]);
        expect(await streams('autre-')).toEqual([]);
        expect(await streams()).toEqual([]);
      });

      test(
        'holds thousands of events appended at once, each once, each stream in order',
        async () => {
          const names = Array.from({ length: 40 }, () => stream());
          const chains = names.map((name) => sampleChain(name, 75));
          await Promise.all(names.map((name, i) => appendByParts(journal, name, chains[i] ?? [], 5)));
          const all = await collect(journal.readAll(null, { prefixes: [family] }));
          expect(all).toHaveLength(3000);
          expect(increasing(all)).toBe(true);
          for (const [i, name] of names.entries())
            expect(idsOf(all.filter(({ envelope }) => envelope.stream === name))).toEqual(idsOf(chains[i] ?? []));
        },
        LONG_MS,
      );
    });

    describe('subscriptions', () => {
      let abort: AbortController;
      beforeEach(() => {
        abort = new AbortController();
      });
      afterEach(() => abort.abort());
      const subscribe = (after: bigint | null = null, label = '') =>
        journal.subscribe(after, { prefixes: [family + label] }, abort.signal);

      test(
        'give the past, then what is appended meanwhile and afterwards, without gap or duplicate',
        async () => {
          const names = Array.from({ length: 8 }, () => stream());
          const chains = names.map((name) => sampleChain(name, 150));
          const before = chains.map((chain) => chain.slice(0, 60));
          await Promise.all(names.map((name, i) => appendByParts(journal, name, before[i] ?? [], 20)));

          const received = take(subscribe(), 1200, abort);
          await Promise.all(
            names.map((name, i) => appendByParts(journal, name, chains[i]?.slice(60) ?? [], 1, chains[i]?.[59])),
          );
          const events = await received;
          expect(idsOf(events)).toEqual(idsOf(await collect(journal.readAll(null, { prefixes: [family] }))));
        },
        LONG_MS,
      );

      test('start after a position, and see only the streams they asked for', async () => {
        const [mine, other] = [stream('dossier'), stream('acces')];
        const facts = sampleChain(mine, 4);
        await journal.append(mine, NO_STREAM, facts.slice(0, 1));
        const { position } = await journal.append(mine, 0, facts.slice(1, 2));
        await journal.append(other, NO_STREAM, sampleChain(other, 5));
        await journal.append(mine, 1, facts.slice(2, 3));
        const received = take(subscribe(position, '-dossier'), 2, abort);
        await journal.append(mine, 2, facts.slice(3));
        expect(idsOf(await received)).toEqual(idsOf(facts.slice(2)));
      });

      test(
        'never miss an append made while they fall asleep',
        async () => {
          const name = stream();
          const facts = sampleChain(name, 300);
          const events = subscribe()[Symbol.asyncIterator]();
          for (const [i, fact] of facts.entries()) {
            const next = events.next();
            await journal.append(name, i - 1, [fact]);
            expect(idsOf((await next).value ?? [])).toEqual([fact.envelope.id]);
          }
        },
        LONG_MS,
      );

      test(
        'take hundreds of events that are appended at once while they are live',
        async () => {
          const name = stream();
          const facts = sampleChain(name, 801);
          const events = subscribe()[Symbol.asyncIterator]();
          const next = events.next();
          await journal.append(name, NO_STREAM, facts.slice(0, 1));
          const received = [...((await next).value ?? [])];
          await journal.append(name, 0, facts.slice(1));
          while (received.length < 801) received.push(...((await events.next()).value ?? []));
          expect(idsOf(received)).toEqual(idsOf(facts));
        },
        LONG_MS,
      );

      test('that ask for no stream see nothing, and end when aborted', async () => {
        const name = stream();
        const live = collect(journal.subscribe(null, { prefixes: [] }, abort.signal));
        await journal.append(name, NO_STREAM, sampleChain(name, 1));
        expect(await collect(journal.readAll(null, { prefixes: [] }))).toEqual([]);
        abort.abort();
        expect(await live).toEqual([]);
      });

      test(
        'hold up neither appends nor each other when a consumer is slow',
        async () => {
          const name = stream();
          const facts = sampleChain(name, 2000);
          const slow = subscribe()[Symbol.asyncIterator]();
          await journal.append(name, NO_STREAM, facts.slice(0, 1));
          const held = (await slow.next()).value as StoredEvent[];

          const quick = take(subscribe(), 2000, abort, { stop: false });
          await appendByParts(journal, name, facts.slice(1), 50, facts[0]);
          expect(idsOf(await quick)).toEqual(idsOf(facts));
          while (held.length < 2000) held.push(...((await slow.next()).value ?? []));
          expect(idsOf(held)).toEqual(idsOf(facts));
        },
        LONG_MS,
      );

      test('end without an error when aborted: before the start, while they wait, between two pages', async () => {
        const name = stream();
        await journal.append(name, NO_STREAM, sampleChain(name, 3));
        expect(await collect(journal.subscribe(null, {}, AbortSignal.abort()))).toEqual([]);

        const waiting = new AbortController();
        const events = journal.subscribe(null, { prefixes: [family] }, waiting.signal)[Symbol.asyncIterator]();
        let seen = 0;
        while (seen < 3) seen += ((await events.next()).value as StoredEvent[]).length;
        const next = events.next();
        await setImmediate();
        waiting.abort();
        expect(await next).toEqual({ done: true, value: undefined });

        for await (const page of subscribe()) {
          expect(page.length).toBeGreaterThan(0);
          abort.abort();
        }
      });
    });

    describe('closing', () => {
      test('lets what was accepted finish', async () => {
        const names = Array.from({ length: 50 }, () => stream());
        const accepted = names.map((name) => journal.append(name, NO_STREAM, sampleChain(name, 2)));
        const reopened = onTest.reopen();
        await Promise.all(accepted);
        journal = await reopened;
        expect(await collect(journal.readAll(null, { prefixes: [family] }))).toHaveLength(100);
      });

      test('makes everything afterwards unavailable, and ends waiting subscriptions with that error', async () => {
        const name = stream();
        const live = collect(journal.subscribe(await journal.tip(), {}, new AbortController().signal));
        const ended = expect(live).rejects.toThrow(JournalUnavailable);
        await setImmediate();
        await journal.close();
        await journal.close();
        await ended;
        await expect(journal.append(name, NO_STREAM, sampleChain(name, 1))).rejects.toThrow(JournalUnavailable);
        await expect(collect(journal.read(name))).rejects.toThrow(JournalUnavailable);
        await expect(collect(journal.readAll(null))).rejects.toThrow(JournalUnavailable);
        await expect(journal.tip()).rejects.toThrow(JournalUnavailable);
        await expect(journal.durability()).rejects.toThrow(JournalUnavailable);
      });
    });
  });
}

/** Facts at the revisions after `expected`, whatever is stored there. */
function series(stream: string, expected: number, count: number): NewEvent[] {
  return Array.from({ length: count }, (_, i) => sampleFact(stream, { envelope: { revision: expected + 1 + i } }));
}

async function appendByParts(
  journal: Journal,
  stream: string,
  facts: NewEvent[],
  size: number,
  previous?: NewEvent,
): Promise<void> {
  const first = previous ? previous.envelope.revision : NO_STREAM;
  for (let i = 0; i < facts.length; i += size) await journal.append(stream, first + i, facts.slice(i, i + size));
}

/** The first `count` events, or more when a page holds more; then the subscription is aborted, unless told otherwise. */
async function take(
  pages: AsyncIterable<StoredEvent[]>,
  count: number,
  abort: AbortController,
  { stop = true } = {},
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const page of pages) {
    events.push(...page);
    if (events.length >= count) break;
  }
  if (stop) abort.abort();
  return events;
}

function increasing(events: readonly StoredEvent[]): boolean {
  return events.every(({ position }, i) => i === 0 || position > (events[i - 1] as StoredEvent).position);
}
