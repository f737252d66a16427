import {
  AccessDeniedError,
  CancelledError,
  DeadlineExceededError,
  MaxAppendSizeExceededError,
  NotLeaderError,
  StreamDeletedError,
  StreamNotFoundError,
  TimeoutError,
  WrongExpectedVersionError,
} from './client.eventstore.ts';
import { NO_STREAM } from './journal.ts';

/** The own timer of a call ended before the call did. */
export class TooLate extends Error {
  override readonly name = 'TooLate';
  constructor(ms: number) {
    super(`No answer within ${ms} ms.`);
  }
}

/** What a failed call means for whoever made it. */
export type Verdict =
  /** The stream is at revision `actual`; nothing was written. */
  | { kind: 'conflict'; actual: number }
  /** There is no such stream. */
  | { kind: 'no-stream' }
  /** Asking again gives the same answer; nothing was written. */
  | { kind: 'refused'; why: string }
  /** The append is larger than the server takes; nothing was written. */
  | { kind: 'too-large'; limit: number }
  /** It may succeed when tried again. `reached`: the server may have done it. */
  | { kind: 'passing'; reached: boolean };

/** Said when a call never left this process, or was turned away before it was looked at. */
const TURNED_AWAY =
  /no connection established|ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|name resolution failed|failed to discover|server is (not ready|too busy|busy)|no leader info/i;

/** gRPC status codes after which trying again is of no use: the server does not know or does not allow the call. */
const FINAL: Record<number, string> = {
  7: 'the server refuses access',
  12: 'the server does not know this call',
  16: 'the server does not accept the credentials',
};

/**
 * Reads a failure by class and, where the client has none, by code and text: while a server is down or starting, the
 * client throws plain errors with a code only, or `UnknownError`, which look final and are not. What nobody knows is
 * taken for passing: a retry with the same ids is harmless, a wrong "nothing was written" is not.
 */
export function judge(error: unknown): Verdict {
  if (error instanceof WrongExpectedVersionError) {
    const { actualVersion } = error;
    return { kind: 'conflict', actual: typeof actualVersion === 'bigint' ? Number(actualVersion) : NO_STREAM };
  }
  if (error instanceof StreamNotFoundError) return { kind: 'no-stream' };
  if (error instanceof StreamDeletedError)
    return { kind: 'refused', why: 'the stream was deleted for ever (tombstone)' };
  if (error instanceof MaxAppendSizeExceededError) return { kind: 'too-large', limit: error.maxAppendSize };
  if (error instanceof AccessDeniedError) return { kind: 'refused', why: 'the server refuses access' };
  if (error instanceof NotLeaderError) return { kind: 'passing', reached: false };

  const { code, message } = error as { code?: unknown; message?: string };
  const final = typeof code === 'number' ? FINAL[code] : undefined;
  if (final !== undefined) return { kind: 'refused', why: final };
  // A call that was cut short says much of its way ("name resolution: 0.029s"), and nothing of its outcome.
  const cutShort = [CancelledError, DeadlineExceededError, TimeoutError, TooLate].some((kind) => error instanceof kind);
  return { kind: 'passing', reached: cutShort || !TURNED_AWAY.test(String(message)) };
}

/** Whether the server dropped a subscription because its consumer was slow: reading on is enough, nothing is broken. */
export function isSlowConsumer(error: unknown): boolean {
  return error instanceof TimeoutError && /too slow/i.test(error.message);
}
