// How the server says no: as a gRPC status with trailers (unary calls, reads, whole streams), or as a google.rpc.Status
// inside an answer of the batch stream. Wordings and codes are those of a real server, for the client parses them.

import type { Status } from '@eventstore/db-client/generated/status_pb.js';
import { status as codes, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Expected } from './expected.ts';
import { Any, Empty, identifierOf, shared, status } from './protocol.ts';

/** Where a node listens. */
export type Endpoint = { address: string; port: number };

/** A refusal that ends a call: its gRPC status, and trailers that the client turns into an error class. */
export class Refusal extends Error implements ServiceError {
  readonly metadata = new Metadata();
  constructor(
    readonly code: number,
    readonly details: string,
    trailers: Record<string, string> = {},
  ) {
    super(details);
    for (const [name, value] of Object.entries(trailers)) this.metadata.set(name, value);
  }
}

export const serverNotReady = () => new Refusal(codes.UNAVAILABLE, 'Server Is Not Ready');
export const serverTooBusy = () => new Refusal(codes.UNAVAILABLE, 'Server Is Too Busy');
export const unavailable = () => new Refusal(codes.UNAVAILABLE, 'Connection dropped');
export const timedOut = (what: string) => new Refusal(codes.ABORTED, `Operation timed out: ${what}`);
export const accessDenied = () => new Refusal(codes.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' });
export const notLeader = ({ address, port }: Endpoint) =>
  new Refusal(codes.NOT_FOUND, 'Leader info available', {
    exception: 'not-leader',
    'leader-endpoint-host': address,
    'leader-endpoint-port': String(port),
  });
export const noLeader = () => new Refusal(codes.UNKNOWN, 'No leader info available in response');
export const streamDeleted = (stream: string) =>
  new Refusal(codes.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': stream,
  });
export const tooLarge = (limit: number) =>
  new Refusal(codes.INVALID_ARGUMENT, `Maximum Append Size of ${limit} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(limit),
  });
export const consumerTooSlow = () =>
  timedOut('Consumer too slow to handle event while live. Client resubscription required.');
/** A read of what is no place of the log: the real server does not say more. */
export const readFailed = () => new Refusal(codes.UNKNOWN, 'Unexpected ReadAllResult: Error');
export const unauthenticated = () => new Refusal(codes.UNAUTHENTICATED, 'Unauthenticated');
/** What a .NET server says when a handler threw. */
export const handlerThrew = () => new Refusal(codes.UNKNOWN, 'Exception was thrown by handler.');

/** A conflict as deletes say it; appends have an answer for it. */
export function wrongExpectedVersion(operation: string, stream: string, expected: Expected, actual: number): Refusal {
  const number = { no_stream: -1, any: -2, stream_exists: -4 };
  const version = typeof expected === 'number' ? expected : number[expected];
  return new Refusal(
    codes.FAILED_PRECONDITION,
    `${operation} failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${version}, Actual version: ${actual}`,
    {
      exception: 'wrong-expected-version',
      'stream-name': stream,
      'expected-version': String(version),
      'actual-version': String(actual),
    },
  );
}

/** The refusals of the batch stream, one google.rpc.Status each. */
export const batchError = {
  wrongExpectedVersion(expected: Expected, actual: number): Status {
    const details = new shared.WrongExpectedVersion();
    if (actual < 0) details.setCurrentNoStream(new Empty());
    else details.setCurrentStreamRevision(String(actual));
    if (expected === 'any') details.setExpectedAny(new Empty());
    else if (expected === 'no_stream') details.setExpectedNoStream(new Empty());
    else if (expected === 'stream_exists') details.setExpectedStreamExists(new Empty());
    else details.setExpectedStreamPosition(String(expected));
    return packed(6, 'WrongExpectedVersion', details);
  },
  streamDeleted: (stream: string) =>
    packed(5, 'StreamDeleted', new shared.StreamDeleted().setStreamIdentifier(identifierOf(stream))),
  accessDenied: () => packed(7, 'AccessDenied', new shared.AccessDenied()),
  timeout: () => packed(4, 'Timeout', new shared.Timeout()),
  unknown: () => packed(2, 'Unknown', new shared.Unknown()),
  tooLarge: (limit: number) =>
    packed(3, 'MaximumAppendSizeExceeded', new shared.MaximumAppendSizeExceeded().setMaxappendsize(limit)),
  badRequest: (message: string) => packed(3, 'BadRequest', new shared.BadRequest().setMessage(message)),
  /** These carry nothing that the client knows: it makes an UnknownError of them, though another try may pass. */
  notReady: () => packed(0, 'Server Is Not Ready', new Empty(), 'google.protobuf.Empty'),
  noLeader: () => packed(0, 'No leader info available in response', new Empty(), 'google.protobuf.Empty'),
  tooBusy: () => packed(0, 'Server Is Busy', new Empty(), 'google.protobuf.Empty'),
};

function packed(
  code: number,
  message: string,
  details: { serializeBinary(): Uint8Array },
  type = `event_store.client.${message}`,
): Status {
  const any = new Any();
  any.pack(details.serializeBinary(), type);
  return new status.Status().setCode(code).setMessage(message).setDetails(any);
}
