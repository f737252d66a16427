import {
  CancelledError,
  DeadlineExceededError,
  StreamNotFoundError,
  TimeoutError,
  UnavailableError,
  UnknownError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { describe, expect, test } from '@jest/globals';
import { isSlowConsumer, judge, TooLate, type Verdict } from './errors.eventstore.ts';

type Kind = new (error?: never, message?: string) => Error;

/** An error as the client makes it of a gRPC status. */
const made = (Kind: unknown, code: number, message: string) => new (Kind as Kind)({ code, message } as never);
/** What the client throws as it came, without a class of its own. */
const plain = (code: number, message: string) => Object.assign(new Error(message), { code });
const nothingDone: Verdict = { kind: 'passing', reached: false };
const perhapsDone: Verdict = { kind: 'passing', reached: true };
const REFUSED = '14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:2113.';
const LATE = '4 DEADLINE_EXCEEDED: Deadline exceeded after 0.491s,name resolution: 0.029s,metadata filters: 0.003s';

describe('What a failure of EventStoreDB means', () => {
  test.each<[string, Error, Verdict]>([
    ['no connection, with a class', made(UnavailableError, 14, REFUSED), nothingDone],
    ['no connection, without one', plain(14, REFUSED), nothingDone],
    ['no node that answers', new Error('Failed to discover after 10 attempts.'), nothingDone],
    ['a server that is starting', made(UnknownError, 2, 'Could not recognize Server Is Not Ready'), nothingDone],
    [
      'a server that starts, over one call',
      made(UnavailableError, 14, '14 UNAVAILABLE: Server Is Not Ready'),
      nothingDone,
    ],
    ['a server that is busy', made(UnknownError, 2, 'Could not recognize Server Is Busy'), nothingDone],
    ['an election', made(UnknownError, 2, '2 UNKNOWN: No leader info available in response'), nothingDone],
    ['a connection lost under way', made(UnavailableError, 14, '14 UNAVAILABLE: read ECONNRESET'), perhapsDone],
    ['a connection dropped', made(UnavailableError, 14, '14 UNAVAILABLE: Connection dropped'), perhapsDone],
    ['a deadline, whatever it says of the way', made(DeadlineExceededError, 4, LATE), perhapsDone],
    [
      'a write that timed out',
      made(TimeoutError, 10, '10 ABORTED: Operation timed out: Prepare phase timeout.'),
      perhapsDone,
    ],
    ['a call that was cancelled', made(CancelledError, 1, '1 CANCELLED: Call cancelled'), perhapsDone],
    ['the own timer', new TooLate(5_000), perhapsDone],
    [
      'something that nobody knows',
      made(UnknownError, 13, '13 INTERNAL: Received RST_STREAM with code 2'),
      perhapsDone,
    ],
    [
      'wrong credentials',
      plain(16, '16 UNAUTHENTICATED'),
      { kind: 'refused', why: 'the server does not accept the credentials' },
    ],
    ['another service', plain(12, '12 UNIMPLEMENTED'), { kind: 'refused', why: 'the server does not know this call' }],
    ['an unknown stream', new StreamNotFoundError(null as never, 'dossier-a'), { kind: 'no-stream' }],
  ])('%s', (_, error, verdict) => {
    expect(judge(error)).toEqual(verdict);
  });

  test.each<[bigint | 'no_stream', number]>([
    [7n, 7],
    ['no_stream', -1],
  ])('a conflict with a stream at %s', (current, actual) => {
    const error = new WrongExpectedVersionError(null as never, { streamName: 'dossier-a', current, expected: 3n });
    expect(judge(error)).toEqual({ kind: 'conflict', actual });
  });

  test('a subscriber that is too slow is told from a write that timed out', () => {
    const slow = '10 ABORTED: Operation timed out: Consumer too slow to handle event while live.';
    expect(isSlowConsumer(made(TimeoutError, 10, slow))).toBe(true);
    expect(isSlowConsumer(made(TimeoutError, 10, '10 ABORTED: Operation timed out: Commit phase timeout.'))).toBe(
      false,
    );
  });
});
