import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import {
  ANY,
  type AppendExpectedRevision,
  type AppendToStreamOptions,
  BACKWARDS,
  binaryEvent,
  END,
  type EventStoreDBClient,
  eventTypeFilter,
  jsonEvent,
  NO_STREAM,
  STREAM_EXISTS,
  streamNameFilter,
} from '@eventstore/db-client';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { weighAll } from './append.ts';
import { EventStoreProcess } from './child.ts';
import { startCluster } from './cluster.ts';
import {
  cleanUp,
  collect,
  connect,
  ended,
  errorOf,
  events,
  heavy,
  Listener,
  retried,
  temporaryFolder,
  UNARY,
} from './guest.ts';
import { type EventStore, startEventStore } from './server.ts';

// The official client against the server of this folder: what is stated here was measured on a real server.

// Processes that start, die and start again take their time on a busy machine.
jest.setTimeout(30_000);

let folder: string;
let server: EventStore;
let client: EventStoreDBClient;

beforeEach(async () => {
  folder = temporaryFolder();
  server = ended(await startEventStore({ folder }), () => server.stop());
  client = connect(server.connectionString);
});
afterEach(cleanUp);

/** Ends the server and starts it again over the same log, on the same port. */
async function restart(): Promise<void> {
  await server.stop();
  server = await startEventStore({ folder, port: server.port });
  client = connect(server.connectionString);
  // Clients of one process share connections: until it has noticed that the old one is gone, calls still go there.
  await retried(() => collect(client.readAll({ maxCount: 1 })));
}

const PATHS: [string, AppendToStreamOptions][] = [
  ['the batch stream', {}],
  ['a unary call', UNARY],
];

describe.each(PATHS)('An append by %s', (_path, path) => {
  const append = (stream: string, expectedRevision: string | bigint, ids: number | string[]) =>
    client.appendToStream(stream, events(ids), {
      ...path,
      expectedRevision: expectedRevision as AppendExpectedRevision,
    });

  test('tells the revision and position of its last event, and is read back as it was', async () => {
    const id = randomUUID();
    const before = Date.now();
    const appended = await client.appendToStream(
      'dossier-1',
      [
        jsonEvent({ type: 'a', data: {} }),
        jsonEvent({ id, type: 'é', data: { œ: '🧾' }, metadata: { $correlationId: 'c' } }),
      ],
      { ...path, expectedRevision: NO_STREAM },
    );
    const [, read] = await collect(client.readStream('dossier-1'));
    expect(read).toEqual({
      streamId: 'dossier-1',
      id,
      revision: 1n,
      type: 'é',
      data: { œ: '🧾' },
      metadata: { $correlationId: 'c' },
      isJson: true,
      created: expect.any(Date),
      position: appended.position,
    });
    expect(appended).toEqual({ success: true, nextExpectedRevision: 1n, position: read?.position });
    expect(read?.created.getTime()).toBeGreaterThanOrEqual(before);
  });

  test('keeps bytes that are no JSON', async () => {
    const bytes = Uint8Array.from([0, 255, 10]);
    await client.appendToStream('octets', binaryEvent({ type: 'b', data: bytes, metadata: bytes }), path);
    await client.appendToStream('octets', binaryEvent({ type: 'b', data: new Uint8Array() }), path);
    const [first, second] = await collect(client.readStream('octets'));
    expect(first).toMatchObject({ isJson: false });
    expect([first?.data, first?.metadata].map((part) => [...(part as Uint8Array)])).toEqual([[...bytes], [...bytes]]);
    expect(second).toMatchObject({ data: new Uint8Array(), metadata: undefined });
  });

  test('conflicts where the stream is elsewhere, and says where', async () => {
    await append('dossier-1', NO_STREAM, 3);
    for (const expected of [NO_STREAM, 0n, 1n, 7n]) {
      const error = await errorOf(append('dossier-1', expected, 1));
      expect(error).toMatchObject({ type: 'wrong-expected-version', streamName: 'dossier-1', actualVersion: 2n });
      expect(error).toMatchObject({ expectedVersion: expected, message: '' });
    }
    for (const expected of [0n, STREAM_EXISTS])
      expect(await errorOf(append('absent', expected, 1))).toMatchObject({
        type: 'wrong-expected-version',
        expectedVersion: expected,
        actualVersion: 'no_stream',
      });
    expect(await append('dossier-1', STREAM_EXISTS, 1)).toMatchObject({ nextExpectedRevision: 3n });
    expect(await append('dossier-1', ANY, 1)).toMatchObject({ nextExpectedRevision: 4n });
  });

  test('wins alone among 20 rivals of three events, whole', async () => {
    await append('dossier-1', NO_STREAM, 1);
    const rivals = Array.from({ length: 20 }, () => events(3));
    const outcomes = await Promise.allSettled(
      rivals.map((rival) => client.appendToStream('dossier-1', rival, { ...path, expectedRevision: 0n })),
    );
    const won = rivals.filter((_, i) => outcomes[i]?.status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ type: 'wrong-expected-version' });
    const stored = await collect(client.readStream('dossier-1', { fromRevision: 1n }));
    expect(stored.map(({ id }) => id)).toEqual(won[0]?.map(({ id }) => id));
  });

  test('of no event succeeds at 0 on a new stream, and conflicts on one that is further', async () => {
    const nothing = await append('vide', NO_STREAM, 0);
    expect(nothing).toMatchObject({
      success: true,
      nextExpectedRevision: 0n,
      position: { commit: expect.any(BigInt) },
    });
    await append('dossier-1', NO_STREAM, 1);
    expect(await errorOf(append('dossier-1', NO_STREAM, 0))).toMatchObject({ type: 'wrong-expected-version' });
  });

  test('may weigh 1,048,576 bytes of payload, and not one more', async () => {
    const half = 1_048_576 / 2;
    await client.appendToStream('lourd', [heavy(half), heavy(half)], { ...path, expectedRevision: NO_STREAM });
    const error = await errorOf(client.appendToStream('lourd', [heavy(half), heavy(half + 1)], path));
    expect(error).toMatchObject({ type: 'maximum-append-size-exceeded', maxAppendSize: 1_048_576 });
    expect(await collect(client.readStream('lourd'))).toHaveLength(2);
  });

  test('without a stream name or an event type gives an UnknownError', async () => {
    expect(await errorOf(append('', ANY, 1))).toMatchObject({ type: 'unknown' });
    expect(await errorOf(client.appendToStream('dossier-1', events(1, ''), path))).toMatchObject({ type: 'unknown' });
    await append('dossier-1', NO_STREAM, 1);
  });

  describe('that is made again', () => {
    const [a, b, c, d, e, other] = Array.from({ length: 6 }, () => randomUUID()) as [string, ...string[]] as string[];
    const ids = (...letters: (string | undefined)[]) => letters as string[];
    beforeEach(async () => {
      await append('dossier-1', NO_STREAM, ids(a, b, c));
      await append('dossier-1', 2n, ids(d, e));
    });

    test.each([
      ['with the same ids at the same revision', NO_STREAM, ids(a, b, c), 2n],
      ['with the first ids alone', NO_STREAM, ids(a, b), 1n],
      ['with the last ids alone, after the first', 0n, ids(b, c), 2n],
      ['across two appends', 1n, ids(c, d), 3n],
    ])('%s is the same success, also after a restart', async (_what, expected, again, revision) => {
      const [stored] = await collect(client.readStream('dossier-1', { fromRevision: revision, maxCount: 1 }));
      const success = { success: true, nextExpectedRevision: revision, position: stored?.position };
      expect(await append('dossier-1', expected, again)).toEqual(success);
      await restart();
      expect(await append('dossier-1', expected, again)).toEqual(success);
      expect(await collect(client.readStream('dossier-1'))).toHaveLength(5);
    });

    test('with another type and body is still a success: only ids are compared', async () => {
      const changed = jsonEvent({ id: a as string, type: 'autre', data: 'autre' });
      const options = { ...path, expectedRevision: NO_STREAM } as const;
      expect(await client.appendToStream('dossier-1', changed, options)).toMatchObject({ nextExpectedRevision: 0n });
      const [first] = await collect(client.readStream('dossier-1'));
      expect(first).toMatchObject({ type: 'essai.fait' });
    });

    test.each([
      ['with a new id after those stored', NO_STREAM, ids(a, b, c, d, e, other)],
      ['with another id between', NO_STREAM, ids(a, other, c)],
      ['with the ids in another order', NO_STREAM, ids(b, a)],
      ['at another revision', 0n, ids(a)],
    ])('%s conflicts', async (_what, expected, again) => {
      const conflict = { type: 'wrong-expected-version', actualVersion: 4n };
      expect(await errorOf(append('dossier-1', expected, again))).toMatchObject(conflict);
    });

    test('at the current tail is stored again, as on another stream, or twice in one append', async () => {
      expect(await append('dossier-1', 4n, ids(d, e))).toMatchObject({ nextExpectedRevision: 6n });
      expect(await append('dossier-2', NO_STREAM, ids(a, a))).toMatchObject({ nextExpectedRevision: 1n });
    });

    test.each([[ANY], [STREAM_EXISTS]])(
      'with %s is known until the next restart, then stored twice',
      async (expected) => {
        expect(await append('dossier-1', expected, ids(b, c))).toMatchObject({ nextExpectedRevision: 2n });
        expect(await errorOf(append('dossier-1', expected, ids(e, other)))).toMatchObject({ actualVersion: 4n });
        await restart();
        expect(await append('dossier-1', expected, ids(b, c))).toMatchObject({ nextExpectedRevision: 6n });
      },
    );
  });
});

describe('The batch stream', () => {
  test('takes one append in several messages', async () => {
    const parts = Array.from({ length: 5 }, () => heavy(150_000));
    await client.appendToStream('lourd', parts, { batchAppendSize: 200_000 });
    expect(await collect(client.readStream('lourd'))).toHaveLength(5);
    const tooMuch = Array.from({ length: 8 }, () => heavy(150_000));
    const refused = errorOf(client.appendToStream('lourd', tooMuch, { batchAppendSize: 200_000 }));
    expect(await refused).toMatchObject({ type: 'maximum-append-size-exceeded' });
    expect(await client.appendToStream('lourd', events(1))).toMatchObject({ nextExpectedRevision: 5n });
  });

  test('breaks on a message of 20 MB, with every append that is under way', async () => {
    await client.appendToStream('dossier-1', events(1));
    server.hooks.delayAnswers(60_000);
    const underWay = errorOf(client.appendToStream('dossier-2', events(1)));
    expect(await errorOf(client.appendToStream('dossier-3', heavy(20_000_000)))).toMatchObject({ code: 8 });
    expect(await underWay).toMatchObject({ code: 8 });
  });

  test('answers an append whose deadline has passed with a timeout', async () => {
    const late = client.appendToStream('dossier-1', events(1), { deadline: -1000 });
    expect(await errorOf(late)).toMatchObject({ type: 'deadline-exceeded' });
  });

  test('reports a conflict, when asked not to throw, with a revision that is wrong', async () => {
    const lenient = connect(`${server.connectionString}&throwOnAppendFailure=false`);
    await lenient.appendToStream('dossier-1', events(5));
    const refused = await lenient.appendToStream('dossier-1', events(1), { expectedRevision: NO_STREAM });
    expect(refused).toMatchObject({ success: false, nextExpectedRevision: 1n });
  });
});

test('A later version weighs metadata and types too', async () => {
  const later = ended(await startEventStore({ folder: temporaryFolder(), weigh: weighAll }), (later) => later.stop());
  const heavyMetadata = jsonEvent({ type: 't', data: {}, metadata: { m: 'x'.repeat(1_048_576) } });
  const refused = errorOf(connect(later.connectionString).appendToStream('lourd', heavyMetadata));
  expect(await refused).toMatchObject({ type: 'maximum-append-size-exceeded' });
  await client.appendToStream('lourd', heavyMetadata);
});

describe('A read', () => {
  const revisions = async (...args: Parameters<EventStoreDBClient['readStream']>) =>
    (await collect(client.readStream(...args))).map(({ revision }) => Number(revision));

  test('of a stream goes from a revision on, inclusive, in either direction', async () => {
    await client.appendToStream('dossier-1', events(70));
    expect(await revisions('dossier-1')).toEqual(Array.from({ length: 70 }, (_, i) => i));
    expect(await revisions('dossier-1', { fromRevision: 67n })).toEqual([67, 68, 69]);
    expect(await revisions('dossier-1', { fromRevision: 3n, maxCount: 2 })).toEqual([3, 4]);
    expect(await revisions('dossier-1', { fromRevision: 2n, direction: BACKWARDS })).toEqual([2, 1, 0]);
    expect(await revisions('dossier-1', { fromRevision: END, direction: BACKWARDS, maxCount: 2 })).toEqual([69, 68]);
    expect(await revisions('dossier-1', { fromRevision: 70n })).toEqual([]);
    expect(await errorOf(revisions('dossier-1', { fromRevision: END }))).toMatchObject({ type: 'unknown', code: 2 });
    expect(await revisions('dossier-1', { direction: BACKWARDS })).toEqual([0]);
  });

  test('of an unknown stream fails as it is iterated; of no event at all, always', async () => {
    const unknown = await errorOf(collect(client.readStream('absent')));
    expect(unknown).toMatchObject({ type: 'stream-not-found', streamName: 'absent' });
    await client.appendToStream('dossier-1', events(1));
    expect(await errorOf(collect(client.readStream('dossier-1', { maxCount: 0 })))).toMatchObject({ type: 'unknown' });
    // Of $all nothing ever comes.
    const reading = client.readAll({ maxCount: 0 });
    const silent = collect(reading).then(
      () => 'ended',
      () => 'failed',
    );
    await collect(client.readAll());
    expect(await Promise.race([silent, Promise.resolve('silent')])).toBe('silent');
    await reading.cancel();
  });

  test("of $all gives every stream in the order of positions, the server's own among them", async () => {
    await client.appendToStream('dossier-1', events(2));
    await client.appendToStream('dossier-2', events(1));
    await client.appendToStream('dossier-1', events(40));
    const all = await collect(client.readAll());
    expect(all.some(({ streamId }) => streamId.startsWith('$'))).toBe(true);
    const own = all.filter(({ streamId }) => !streamId.startsWith('$'));
    expect(own.slice(0, 4).map(({ streamId }) => streamId)).toEqual([
      'dossier-1',
      'dossier-1',
      'dossier-2',
      'dossier-1',
    ]);
    const positions = all.map(({ position }) => position?.commit ?? -1n);
    expect(positions.every((position, i) => i === 0 || position > (positions[i - 1] as bigint))).toBe(true);

    const from = (i: number) => ({ fromPosition: own[i]?.position as NonNullable<(typeof own)[0]['position']> });
    const ids = async (options: Parameters<EventStoreDBClient['readAll']>[0]) =>
      (await collect(client.readAll(options))).map(({ id }) => id);
    expect(await ids({ ...from(1), maxCount: 2 })).toEqual([own[1]?.id, own[2]?.id]);
    expect(await ids({ fromPosition: END, direction: BACKWARDS, maxCount: 1 })).toEqual([own.at(-1)?.id]);
    expect(await ids({ ...from(2), direction: BACKWARDS, maxCount: 2 })).toEqual([own[1]?.id, own[0]?.id]);
    expect(await ids({ fromPosition: END })).toEqual([]);
  });

  test('of $all from no place of the log is an error of an unknown kind, forwards, backwards and subscribed to', async () => {
    const { position } = await client.appendToStream('dossier-1', events(2));
    const { commit } = position as NonNullable<typeof position>;
    for (const place of [
      { commit: commit - 1n, prepare: commit - 1n },
      { commit: commit + 10_000_000n, prepare: commit + 10_000_000n },
      { commit, prepare: commit + 1n },
    ]) {
      const unknown = { type: 'unknown', code: 2, message: expect.stringContaining('Unexpected ReadAllResult: Error') };
      expect(await errorOf(collect(client.readAll({ fromPosition: place })))).toMatchObject(unknown);
      expect(await errorOf(collect(client.readAll({ fromPosition: place, direction: BACKWARDS })))).toMatchObject(
        unknown,
      );
      expect(await errorOf(Listener.toAll(client, { fromPosition: place }).live())).toMatchObject({
        message: expect.stringContaining('Exception was thrown by handler'),
      });
    }
  });

  test('of $all begins with what the server itself wrote', async () => {
    const [first] = await collect(client.readAll({ maxCount: 1 }));
    expect(first?.streamId).toBe('$$$scavenges');
  });
});

describe('A subscription', () => {
  test('to $all gives the past, says that it caught up, then what is appended', async () => {
    await client.appendToStream('dossier-1', events(100));
    const { position } = (await collect(client.readStream('dossier-1', { fromRevision: 97n })))[0] ?? {};
    const listener = Listener.toAll(client, { fromPosition: position as NonNullable<typeof position> });
    await listener.live();
    expect(listener.said).toEqual(['confirmation', '98@dossier-1', '99@dossier-1', 'caughtUp']);
    await client.appendToStream('dossier-2', events(2));
    await listener.until(({ events }) => events.length === 4);
    expect(listener.events.slice(2)).toEqual(['0@dossier-2', '1@dossier-2']);

    const fromStart = Listener.toAll(client);
    await fromStart.live();
    expect(fromStart.events).toHaveLength(100 + 2 + 4);
    const fromEnd = Listener.toAll(client, { fromPosition: END });
    await fromEnd.live();
    expect(fromEnd.events).toEqual([]);
  });

  test('to a stream starts after a revision, and waits for a stream that is not there yet', async () => {
    const early = Listener.toStream(client, 'dossier-1');
    await early.live();
    await client.appendToStream('dossier-1', events(3));
    await client.appendToStream('dossier-2', events(1));
    await early.until(({ events }) => events.length === 3);
    const later = Listener.toStream(client, 'dossier-1', { fromRevision: 1n });
    const atEnd = Listener.toStream(client, 'dossier-1', { fromRevision: END });
    await Promise.all([later.live(), atEnd.live()]);
    expect(later.said).toEqual(['confirmation', '2@dossier-1', 'caughtUp']);
    await client.appendToStream('dossier-1', events(1));
    for (const listener of [early, later, atEnd]) await listener.until(({ events }) => events.at(-1) === '3@dossier-1');
    expect(atEnd.said).toEqual(['confirmation', 'caughtUp', '3@dossier-1']);
  });

  test('misses nothing and repeats nothing of what is appended while it catches up', async () => {
    await client.appendToStream('dossier-1', events(500));
    const appending = (async () => {
      for (let i = 0; i < 150; i += 1) await client.appendToStream('dossier-1', events(3));
    })();
    const filter = streamNameFilter({ prefixes: ['dossier-1'] });
    const listeners: Listener[] = [];
    for (let i = 0; i < 10; i += 1) {
      await client.appendToStream('autre', events(1));
      listeners.push(Listener.toStream(client, 'dossier-1'), Listener.toAll(client, { filter }));
    }
    await appending;
    const all = Array.from({ length: 950 }, (_, i) => `${i}@dossier-1`);
    for (const listener of listeners) {
      await listener.until(({ events }) => events.length >= 950);
      expect(listener.events).toEqual(all);
    }
  });

  test.each([
    [
      'stream prefixes',
      streamNameFilter({ prefixes: ['dossier-', 'autre-1'] }),
      ['0@dossier-1', '0@autre-1', '0@dossier-2'],
    ],
    ['a regular expression on streams', streamNameFilter({ regex: '-2$' }), ['0@autre-2', '0@dossier-2']],
    ['event type prefixes', eventTypeFilter({ prefixes: ['j2.'] }), ['0@autre-1', '0@dossier-2']],
    [
      'a regular expression on types',
      eventTypeFilter({ regex: '^j[12]\\.' }),
      ['0@dossier-1', '0@autre-1', '0@dossier-2'],
    ],
  ])('is filtered by %s, in the past and live', async (_what, filter, expected) => {
    const past = Listener.toAll(client, { fromPosition: END, filter });
    await past.live();
    for (const [stream, type] of [
      ['dossier-1', 'j1.a'],
      ['autre-1', 'j2.a'],
      ['autre-2', 'j3.a'],
      ['dossier-2', 'j2.b'],
    ] as const)
      await client.appendToStream(stream, events(1, type));
    await past.until(({ events }) => events.length === expected.length);
    const later = Listener.toAll(client, { filter });
    await later.live();
    expect([past.events, later.events]).toEqual([expected, expected]);
  });

  test('that is filtered reaches a checkpoint every interval times window events looked at', async () => {
    const filter = streamNameFilter({ prefixes: ['dossier-'], maxSearchWindow: 10, checkpointInterval: 3 });
    for (let i = 0; i < 10; i += 1) await client.appendToStream('autre', events(10));
    const listener = Listener.toAll(client, { filter });
    await listener.live();
    // 104 events with the server's own: three checkpoints, and 14 events towards the next.
    expect(listener.checkpoints).toHaveLength(3);
    expect(listener.events).toEqual([]);
    await client.appendToStream('autre', events(15));
    const last = await client.appendToStream('dossier-1', events(1));
    await listener.until(({ checkpoints }) => checkpoints.length === 4);
    expect(listener.said.slice(-2)).toEqual(['0@dossier-1', 'checkpoint']);
    expect(listener.checkpoints.at(-1)).toBe(last.position?.commit);
    const resumed = Listener.toAll(client, {
      filter,
      fromPosition: { commit: listener.checkpoints[2] as bigint, prepare: listener.checkpoints[2] as bigint },
    });
    await resumed.live();
    expect(resumed.events).toEqual(['0@dossier-1']);
  });

  test('that is live holds 32 events of one append, and is dropped by a larger one', async () => {
    const listener = Listener.toAll(client, { fromPosition: END });
    await listener.live();
    await client.appendToStream('dossier-1', events(32));
    await listener.until(({ events }) => events.length === 32);
    await client.appendToStream('dossier-1', events(300));
    const error = await listener.failure();
    expect(error).toMatchObject({ type: 'timeout', code: 10 });
    expect(error.message).toBe(
      '10 ABORTED: Operation timed out: Consumer too slow to handle event while live. Client resubscription required.',
    );
    expect(listener.said).not.toContain('end');
  });

  test('whose consumer stalls is dropped while it is live; one that catches up is waited for', async () => {
    const paused = Listener.toAll(client, { fromPosition: END });
    await paused.live();
    paused.pause();
    for (let i = 0; i < 250; i += 1) await client.appendToStream('dossier-1', heavy(2000));
    const past = Listener.toAll(client);
    await past.until(({ events }) => events.length > 20);
    past.pause();
    paused.resume();
    expect((await paused.failure()).message).toContain('Consumer too slow');
    const before = past.events.length;
    past.resume();
    await past.live();
    expect(before).toBeLessThan(254);
    expect(past.events).toHaveLength(254);
  });

  test('gets no data when it is one of more than 100 calls of a connection', async () => {
    await client.appendToStream('dossier-1', events(1));
    const listeners = Array.from({ length: 110 }, () => Listener.toStream(client, 'dossier-1'));
    const served = () => listeners.filter(({ events }) => events.length > 0);
    while (served().length < 99) await setTimeout(5);
    await client.appendToStream('dossier-1', events(1));
    for (const listener of served()) await listener.until(({ events }) => events.length === 2);
    expect(served()).toHaveLength(99);
  });
});

describe('A deleted stream', () => {
  const revisions = async (stream: string) =>
    (await collect(client.readStream(stream))).map(({ revision }) => revision);

  test.each([[NO_STREAM], [2n], [ANY]])(
    'is gone for readers, and goes on with its numbers when appended to at %s',
    async (expectedRevision) => {
      await client.appendToStream('dossier-1', events(3));
      await client.deleteStream('dossier-1');
      expect(await errorOf(collect(client.readStream('dossier-1')))).toMatchObject({ type: 'stream-not-found' });
      await restart();
      expect(await errorOf(collect(client.readStream('dossier-1')))).toMatchObject({ type: 'stream-not-found' });
      const again = await client.appendToStream('dossier-1', events(2), {
        expectedRevision: expectedRevision as AppendExpectedRevision,
      });
      expect(again).toMatchObject({ nextExpectedRevision: 4n });
      expect(await revisions('dossier-1')).toEqual([3n, 4n]);
      const all = await collect(client.readAll());
      expect(all.filter(({ streamId }) => streamId === 'dossier-1')).toHaveLength(5);
      expect(all.filter(({ streamId }) => streamId === '$$dossier-1')).toHaveLength(2);
    },
  );

  test('stays deleted when the append that began it is made again, which is told as a success', async () => {
    const begun = events(2);
    await client.appendToStream('dossier-1', begun, { expectedRevision: NO_STREAM });
    await client.deleteStream('dossier-1', { expectedRevision: 1n });
    const again = client.appendToStream('dossier-1', begun, { expectedRevision: NO_STREAM });
    expect(await again).toMatchObject({ success: true, nextExpectedRevision: 1n });
    expect((await again).position).toBeUndefined();
    expect(await errorOf(collect(client.readStream('dossier-1')))).toMatchObject({ type: 'stream-not-found' });
    const exists = client.appendToStream('dossier-1', events(1), { expectedRevision: STREAM_EXISTS });
    expect(await errorOf(exists)).toMatchObject({ type: 'stream-deleted' });
  });

  test('that never was cannot be deleted, whatever is expected', async () => {
    const refused = await errorOf(client.deleteStream('absent', { expectedRevision: ANY }));
    expect(refused).toMatchObject({ type: 'wrong-expected-version' });
  });

  test('leaves gaps in $all after a scavenge, from which reads still begin', async () => {
    await client.appendToStream('dossier-1', events(3));
    await client.appendToStream('dossier-2', events(1));
    const [first] = await collect(client.readStream('dossier-1', { maxCount: 1 }));
    await client.setStreamMetadata('dossier-1', { truncateBefore: 2 });
    expect(server.store.scavenge()).toBe(2);
    const own = (all: { streamId: string; revision: bigint }[]) =>
      all
        .filter(({ streamId }) => !streamId.startsWith('$'))
        .map(({ streamId, revision }) => `${revision}@${streamId}`);
    expect(own(await collect(client.readAll()))).toEqual(['2@dossier-1', '0@dossier-2']);
    const fromPosition = first?.position as NonNullable<typeof first>['position'] as {
      commit: bigint;
      prepare: bigint;
    };
    expect(own(await collect(client.readAll({ fromPosition })))).toEqual(['2@dossier-1', '0@dossier-2']);
    await client.deleteStream('dossier-2');
    server.store.scavenge();
    expect(await client.appendToStream('dossier-2', events(1))).toMatchObject({ nextExpectedRevision: 1n });
  });

  test('is not deleted at another revision than its own', async () => {
    await client.appendToStream('dossier-1', events(2));
    const refused = await errorOf(client.deleteStream('dossier-1', { expectedRevision: 0n }));
    expect(refused).toMatchObject({ type: 'wrong-expected-version', expectedVersion: 0n, actualVersion: 1n });
    expect(await revisions('dossier-1')).toEqual([0n, 1n]);
  });

  test('with a tombstone is deleted for everything, for ever', async () => {
    await client.appendToStream('dossier-1', events(2));
    await client.tombstoneStream('dossier-1');
    await restart();
    const attempts = [
      () => client.appendToStream('dossier-1', events(1)),
      () => client.appendToStream('dossier-1', events(1), UNARY),
      () => collect(client.readStream('dossier-1')),
      () => client.deleteStream('dossier-1'),
      () => client.tombstoneStream('dossier-1'),
      () => client.setStreamMetadata('dossier-1', {}),
      () => Listener.toStream(client, 'dossier-1').live(),
    ];
    for (const attempt of attempts)
      expect(await errorOf(attempt())).toMatchObject({
        type: 'stream-deleted',
        streamName: expect.stringContaining('dossier-1'),
      });
    const last = await collect(client.readAll({ fromPosition: END, direction: BACKWARDS, maxCount: 2 }));
    expect(last.map(({ type }) => type)).toContain('$streamDeleted');
  });
});

describe('Stream metadata', () => {
  const revisions = async () => (await collect(client.readStream('dossier-1'))).map(({ revision }) => Number(revision));
  beforeEach(async () => {
    await client.appendToStream('dossier-1', events(5));
  });

  test('are read back, the last ones alone', async () => {
    expect(await client.getStreamMetadata('dossier-1')).toEqual({ streamName: 'dossier-1' });
    await client.setStreamMetadata('dossier-1', { maxCount: 4 });
    await client.setStreamMetadata('dossier-1', { maxCount: 3, essai: 'é' });
    const { metadata, metastreamRevision } = await client.getStreamMetadata('dossier-1');
    expect(metadata).toEqual({ maxCount: 3, essai: 'é' });
    const [last, ...hidden] = await collect(client.readStream('$$dossier-1'));
    expect(hidden).toEqual([]);
    // What the client calls a revision here is a position.
    expect([last?.revision, metastreamRevision]).toEqual([1n, last?.position?.commit]);
  });

  test('hide events at once: by number, by revision, by age', async () => {
    await client.setStreamMetadata('dossier-1', { maxCount: 2 });
    expect(await revisions()).toEqual([3, 4]);
    await client.setStreamMetadata('dossier-1', { truncateBefore: 1 });
    expect(await revisions()).toEqual([1, 2, 3, 4]);
    await client.setStreamMetadata('dossier-1', { truncateBefore: 9 });
    expect(await revisions()).toEqual([]);
    await client.setStreamMetadata('dossier-1', { maxAge: 3600 });
    expect(await revisions()).toEqual([0, 1, 2, 3, 4]);
    await setTimeout(1100);
    await client.setStreamMetadata('dossier-1', { maxAge: 1 });
    await client.appendToStream('dossier-1', events(1));
    expect(await revisions()).toEqual([5]);
  });
});

describe('A server with users', () => {
  beforeEach(async () => {
    const users = { jalon: { password: 'secret' }, panier: { password: 'autre', groups: ['vendeurs'] } };
    server = ended(await startEventStore({ folder: temporaryFolder(), users }), () => server.stop());
  });
  const as = (credentials: string) => connect(server.connectionString.replace('admin:changeit', credentials));
  const denied = { type: 'access-denied' };

  test('takes a right name and password, and no other', async () => {
    await as('jalon:secret').appendToStream('dossier-1', events(1));
    expect(await errorOf(collect(as('jalon:faux').readStream('dossier-1')))).toMatchObject({ code: 16 });
    expect(await errorOf(collect(as('personne:faux').readStream('dossier-1')))).toMatchObject({ code: 16 });
  });

  test('lets administrators alone read $all and streams of its own, unless their lists say otherwise', async () => {
    const [admin, jalon] = [as('admin:changeit'), as('jalon:secret')];
    expect(await errorOf(collect(jalon.readAll({ maxCount: 1 })))).toMatchObject(denied);
    expect(await errorOf(collect(jalon.readStream('$settings')))).toMatchObject(denied);
    await admin.setStreamMetadata('$all', { acl: { readRoles: ['$admins', 'jalon'] } });
    expect(await collect(jalon.readAll({ maxCount: 1 }))).toHaveLength(1);
    expect(await errorOf(collect(as('panier:autre').readAll({ maxCount: 1 })))).toMatchObject(denied);
  });

  test('lets any user do anything to streams, unless the default list or their own says otherwise', async () => {
    const [admin, jalon, panier] = [as('admin:changeit'), as('jalon:secret'), as('panier:autre')];
    await panier.appendToStream('dossier-1', events(1));
    await panier.setStreamMetadata('dossier-1', { maxCount: 9 });
    const ours = ['$admins', 'jalon'];
    const $userStreamAcl = { $r: ours, $w: ours, $mr: ours, $d: '$admins', $mw: '$admins' };
    await admin.appendToStream('$settings', jsonEvent({ type: 'update-default-acl', data: { $userStreamAcl } }));
    await jalon.appendToStream('dossier-1', events(1));
    expect(await collect(jalon.readStream('dossier-1'))).toHaveLength(2);
    expect((await jalon.getStreamMetadata('dossier-1')).metadata).toMatchObject({ maxCount: 9 });
    const attempts = [
      () => panier.appendToStream('dossier-1', events(1), { credentials: { username: 'panier', password: 'autre' } }),
      () => collect(panier.readStream('dossier-1')),
      () => jalon.deleteStream('dossier-1'),
      () => jalon.tombstoneStream('dossier-1'),
      () => jalon.setStreamMetadata('dossier-1', { maxCount: 1 }),
    ];
    for (const attempt of attempts) expect(await errorOf(attempt())).toMatchObject(denied);
    await admin.setStreamMetadata('panier-1', { acl: { writeRoles: ['vendeurs'], readRoles: ['vendeurs'] } });
    await panier.appendToStream('panier-1', events(1));
    expect(await errorOf(collect(jalon.readStream('panier-1')))).toMatchObject(denied);
  });
});

describe('Faults', () => {
  test('may be set before the server listens: it starts, and is not ready', async () => {
    const hooks: Parameters<typeof startEventStore>[0]['hooks'] = (hooks) =>
      hooks.refuseAppends({ why: 'not-ready' }, 1);
    const late = ended(await startEventStore({ folder: temporaryFolder(), hooks }), (late) => late.stop());
    const guest = connect(late.connectionString);
    expect((await errorOf(guest.appendToStream('dossier-1', events(1)))).message).toContain('Server Is Not Ready');
    expect(await guest.appendToStream('dossier-1', events(1))).toMatchObject({ nextExpectedRevision: 0n });
  });

  test('hold what is frozen back for ever when the server ends meanwhile', async () => {
    await client.appendToStream('dossier-1', events(1));
    server.hooks.freeze();
    const held = errorOf(client.appendToStream('dossier-1', events(1)));
    await errorOf(client.appendToStream('dossier-1', events(1), { ...UNARY, deadline: 50 }));
    await server.kill();
    expect(await held).toMatchObject({ type: 'unavailable' });
    server = await startEventStore({ folder, port: server.port });
    client = connect(server.connectionString);
    expect(await retried(() => collect(client.readStream('dossier-1')))).toHaveLength(1);
  });

  test.each(PATHS)('refuse appends by %s, as often as they are told', async (_path, path) => {
    const attempt = () => client.appendToStream('dossier-1', events(1), path);
    const refused = async (why: Parameters<EventStore['hooks']['refuseAppends']>[0]) => {
      server.hooks.refuseAppends(why, 1);
      return errorOf(attempt());
    };
    await attempt();
    const unary = path === UNARY;
    expect(await refused({ why: 'not-ready' })).toMatchObject(
      unary
        ? { type: 'unavailable', message: '14 UNAVAILABLE: Server Is Not Ready' }
        : { type: 'unknown', message: 'Could not recognize Server Is Not Ready' },
    );
    expect(await refused({ why: 'too-busy' })).toMatchObject({ type: unary ? 'unavailable' : 'unknown' });
    expect(await refused({ why: 'access-denied' })).toMatchObject({ type: 'access-denied' });
    expect(await refused({ why: 'timeout' })).toMatchObject({ type: unary ? 'timeout' : 'deadline-exceeded' });
    expect(await refused({ why: 'not-leader' })).toMatchObject({ type: 'unknown' });
    expect(await refused({ why: 'unavailable' })).toMatchObject({ type: 'unavailable', code: 14 });
    const leader = { address: '127.0.0.1', port: server.port };
    expect(await refused({ why: 'not-leader', leader })).toMatchObject({ type: 'not-leader', leader });
    expect(await attempt()).toMatchObject({ nextExpectedRevision: 1n });
  });

  test('refuse reads and subscriptions', async () => {
    await client.appendToStream('dossier-1', events(1));
    server.hooks.refuseReads({ why: 'not-ready' }, 2);
    expect(await errorOf(collect(client.readStream('dossier-1')))).toMatchObject({ type: 'unavailable' });
    expect(await Listener.toAll(client).failure()).toMatchObject({ type: 'unavailable' });
    expect(await collect(client.readStream('dossier-1'))).toHaveLength(1);
  });

  test.each([
    ['before-storing', 0],
    ['after-storing', 1],
  ] as const)('cut the connection %s an append, which a retry resolves', async (moment, stored) => {
    for (const [, path] of PATHS) {
      const stream = `dossier-${randomUUID()}`;
      const append = events(2);
      const attempt = () => client.appendToStream(stream, append, { ...path, expectedRevision: NO_STREAM });
      await client.appendToStream('autre', events(1), path);
      server.hooks.cutAppends(moment);
      const error = await errorOf(attempt());
      expect(error).toMatchObject({ type: 'unavailable', code: 14 });
      expect(error.message).toMatch(/ECONNRESET|Connection dropped/);
      const found = await collect(client.readStream(stream)).catch(() => []);
      expect(found).toHaveLength(2 * stored);
      expect(await attempt()).toMatchObject({ nextExpectedRevision: 1n });
      expect(await collect(client.readStream(stream))).toHaveLength(2);
    }
  });

  test('drop subscriptions with an error and nothing else, or with the connection', async () => {
    const drops = [
      () => server.hooks.dropSubscriptions(),
      () => server.hooks.dropSubscriptions('too-slow'),
      () => server.hooks.cutConnections(),
    ];
    for (const [i, drop] of drops.entries()) {
      const listener = Listener.toAll(client, { fromPosition: END });
      await listener.live();
      drop();
      expect(await listener.failure()).toMatchObject({ type: i === 1 ? 'timeout' : 'unavailable' });
      expect(listener.said).toEqual(['confirmation', 'caughtUp']);
    }
  });

  test('hold answers back after the append is stored', async () => {
    server.hooks.delayAnswers(300);
    const before = Date.now();
    const listener = Listener.toAll(client, { fromPosition: END });
    await listener.live();
    const answered = client.appendToStream('dossier-1', events(1)).then(() => Date.now());
    await listener.until(({ events }) => events.length === 1);
    const seen = Date.now();
    expect((await answered) - before).toBeGreaterThanOrEqual(299);
    expect(seen).toBeLessThan(await answered);
  });

  test('freeze appends, reads and subscriptions until they go on, in order', async () => {
    await client.appendToStream('dossier-1', events(1));
    server.hooks.freeze();
    const late = client.appendToStream('dossier-1', events(1), { ...UNARY, deadline: 100 });
    expect(await errorOf(late)).toMatchObject({ type: 'deadline-exceeded' });
    const held = [
      client
        .appendToStream('dossier-1', events(1), { deadline: 50 })
        .then(({ nextExpectedRevision }) => nextExpectedRevision),
      collect(client.readStream('dossier-1')).then(({ length }) => BigInt(length)),
      Listener.toStream(client, 'dossier-1')
        .live()
        .then(() => 0n),
    ];
    expect(await Promise.race([...held, setTimeout(300, 'frozen')])).toBe('frozen');
    server.hooks.thaw();
    // The append whose caller gave up is stored all the same.
    expect((await Promise.all(held))[0]).toBe(2n);
  });
});

describe('A server in a process of its own', () => {
  let other: EventStoreProcess;
  const start = async (port?: number) => {
    other = await EventStoreProcess.start(folder, port);
  };
  beforeEach(async () => {
    folder = temporaryFolder();
    ended(null, () => other.kill());
    await start();
    client = connect(other.connectionString);
  });

  test('killed and started again has every append that it acknowledged, and each retry once', async () => {
    const streams = Array.from({ length: 8 }, (_, i) => `dossier-${i}`);
    const acknowledged = new Map<string, string>();
    const failed: unknown[] = [];
    let killed: Promise<void> | null = null;
    const appendThirty = async (stream: string) => {
      for (let revision = -1n; revision < 29n; ) {
        const [event] = events(1) as [ReturnType<typeof jsonEvent>];
        const expectedRevision = revision < 0n ? NO_STREAM : revision;
        const appended = await retried(
          () => client.appendToStream(stream, event, { expectedRevision }),
          (error) => failed.push(error),
        );
        revision = appended.nextExpectedRevision;
        acknowledged.set(`${revision}@${stream}`, event.id);
        if (acknowledged.size === 100) killed ??= other.kill().then(() => start(other.port));
      }
    };
    await Promise.all(streams.map(appendThirty));
    await killed;
    expect(failed.length).toBeGreaterThan(0);
    const stored = (await collect(client.readAll())).filter(({ streamId }) => streamId.startsWith('dossier-'));
    expect(stored).toHaveLength(240);
    for (const { id, revision, streamId } of stored) expect(acknowledged.get(`${revision}@${streamId}`)).toBe(id);
  });

  test.each([
    ['before-storing', 0],
    ['after-storing', 1],
  ] as const)('dies %s an append: in flight it is unavailable, then down', async (moment, stored) => {
    const listener = Listener.toAll(client, { fromPosition: END });
    await listener.live();
    await client.appendToStream('autre', events(1));
    await other.tell('dieAtAppend', moment);
    const append = events(1);
    const attempt = () => client.appendToStream('dossier-1', append, { expectedRevision: NO_STREAM });
    expect(await errorOf(attempt())).toMatchObject({ type: 'unavailable', code: 14 });
    expect(await listener.failure()).toMatchObject({ type: 'unavailable' });
    expect(listener.said.slice(0, 3)).toEqual(['confirmation', 'caughtUp', '0@autre']);
    await other.ended;
    const down = await errorOf(attempt());
    expect(down).toMatchObject({ code: 14 });
    expect(down.type).toBeUndefined();
    expect(await errorOf(client.appendToStream('dossier-1', append, UNARY))).toMatchObject({ code: 14 });

    await start(other.port);
    client = connect(other.connectionString);
    expect(await collect(client.readStream('dossier-1')).catch(() => [])).toHaveLength(stored);
    await attempt();
    expect(await collect(client.readStream('dossier-1'))).toHaveLength(1);
  });

  test('stopped by SIGSTOP answers nothing: unary calls obey their deadline, the batch stream does not', async () => {
    await client.appendToStream('dossier-1', events(1));
    other.pause();
    const unary = client.appendToStream('dossier-1', events(1), { ...UNARY, deadline: 200 });
    const batch = client.appendToStream('dossier-1', events(1), { deadline: 200 });
    expect(await errorOf(unary)).toMatchObject({ type: 'deadline-exceeded' });
    expect(await Promise.race([batch, setTimeout(500, 'pending')])).toBe('pending');
    other.resume();
    // Its deadline has passed when the server reads it; or it was read before the server was stopped, and is stored.
    await batch.catch((error) => expect(error).toMatchObject({ type: 'deadline-exceeded' }));
  });
});

describe('A cluster', () => {
  const startThree = async () => {
    const cluster = ended(await startCluster({ folder: temporaryFolder() }), (cluster) => cluster.stop());
    client = connect(cluster.connectionString);
    return cluster;
  };
  const node = (cluster: Awaited<ReturnType<typeof startThree>>, index: number) => {
    const { address, port } = cluster.nodes[index]?.endpoint ?? { address: '', port: 0 };
    return { endpoint: { address, port }, connectionString: `esdb://${address}:${port}?tls=false` };
  };

  test('is discovered by gossip: the client works with the leader, or a follower if it prefers', async () => {
    const cluster = await startThree();
    for (const refuses of [1, 2]) cluster.nodes[refuses]?.faults.refuseAppends({ why: 'access-denied' });
    await client.appendToStream('dossier-1', events(1));
    const follower = connect(`${cluster.connectionString}&nodePreference=follower`);
    expect(await errorOf(follower.appendToStream('dossier-1', events(1)))).toMatchObject({ type: 'access-denied' });
    expect(await collect(follower.readStream('dossier-1'))).toHaveLength(1);
  });

  test.each(PATHS)('redirects an append by %s that wants the leader, and the client follows', async (_path, path) => {
    const cluster = await startThree();
    const wanting = { ...path, requiresLeader: true };
    await client.appendToStream('dossier-1', events(1), wanting);
    cluster.lead(2);
    const { endpoint } = node(cluster, 2);
    const refused = await errorOf(client.appendToStream('dossier-1', events(1), wanting));
    expect(refused).toMatchObject({ type: 'not-leader', leader: endpoint });
    expect(await client.appendToStream('dossier-1', events(1), wanting)).toMatchObject({ nextExpectedRevision: 1n });
    const read = connect(node(cluster, 0).connectionString).readStream('dossier-1', { requiresLeader: true });
    expect(await errorOf(collect(read))).toMatchObject({ type: 'not-leader', leader: endpoint });
  });

  test('passes an append on from a follower, when the leader was not asked for', async () => {
    const cluster = await startThree();
    const follower = connect(node(cluster, 1).connectionString);
    expect(await follower.appendToStream('dossier-1', events(1))).toMatchObject({ success: true });
    expect(await collect(client.readStream('dossier-1'))).toHaveLength(1);
  });

  test('goes on with the next leader when the first is killed', async () => {
    const cluster = await startThree();
    const listener = Listener.toAll(client, { fromPosition: END });
    await listener.live();
    await client.appendToStream('dossier-1', events(1));
    await cluster.kill(0);
    cluster.lead(1);
    expect(await listener.failure()).toMatchObject({ type: 'unavailable' });
    const append = events(1);
    const appended = await retried(() => client.appendToStream('dossier-1', append, { expectedRevision: 0n }));
    expect(appended).toMatchObject({ nextExpectedRevision: 1n });
    expect(await collect(client.readStream('dossier-1'))).toHaveLength(2);
  });

  test('without a leader refuses appends, and discovery finds nobody', async () => {
    const cluster = await startThree();
    await client.appendToStream('dossier-1', events(1));
    cluster.lead(null);
    const refused = await errorOf(client.appendToStream('dossier-1', events(1)));
    expect(refused.message).toBe('Could not recognize No leader info available in response');
    const late = connect(`${cluster.connectionString}&maxDiscoverAttempts=2`);
    expect((await errorOf(late.appendToStream('dossier-1', events(1)))).message).toMatch(/Failed to discover/);
  });
});
