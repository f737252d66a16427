// Streams.Append (one append a call; the client takes it when a call has credentials of its own) and
// Streams.BatchAppend (all appends of a client on one stream, told apart by correlation ids).

import type { UUID } from '@eventstore/db-client/generated/shared_pb.js';
import type { Status } from '@eventstore/db-client/generated/status_pb.js';
import type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerDuplexStream, ServerReadableStream, sendUnaryData } from '@grpc/grpc-js';
import type { Access } from './access.ts';
import type { Expected } from './expected.ts';
import type { Refused } from './faults.ts';
import { Empty, identifierOf, nameOf, shared, streams, uuidOf } from './protocol.ts';
import * as refusals from './refusals.ts';
import { batchError } from './refusals.ts';
import type { Proposed } from './store.ts';
import type { Answer, Writer } from './writer.ts';

/** The most that one append may weigh, in bytes. */
const MAX_APPEND_SIZE = 1_048_576;

/** How the server weighs an append; 23.10 counts the payloads only, later ones metadata and types too. */
export type Weigh = (event: Proposed) => number;
export const weighPayload: Weigh = ({ data }) => data.length;
export const weighAll: Weigh = ({ data, metadata, type }) => data.length + metadata.length + 2 * type.length;

/** Streams.Append. */
export function append(writer: Writer, weigh: Weigh, access: Access) {
  return (call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>): void => {
    let options: AppendReq.Options | undefined;
    const events: Proposed[] = [];
    let size = 0;
    call.on('error', () => {});
    call.on('data', (request: AppendReq) => {
      options ??= request.getOptions();
      const message = request.getProposedMessage();
      if (!message) return;
      events.push(proposed(message));
      size += weigh(events.at(-1) as Proposed);
    });
    call.on('end', async () => {
      if (size > MAX_APPEND_SIZE) return answer(refusals.tooLarge(MAX_APPEND_SIZE));
      const stream = nameOf(options?.getStreamIdentifier());
      if (!options || complaint(stream, events)) return answer(refusals.handlerThrew());
      const denied = access.refused(call, '$w', stream);
      if (denied) return answer(refusalOf({ why: denied }));
      const expected = expectedOf(options, options.getRevision());
      const written = await writer.write({ kind: 'append', stream, expected, events }, requiresLeader(call));
      if (written.kind === 'lost') return;
      if (written.kind === 'refused') return answer(refusalOf(written.refused));
      if (written.kind === 'deleted') return answer(refusals.streamDeleted(stream));
      answer(null, written.kind === 'conflict' ? conflict(expected, written.actual) : success(written));
    });
  };
}

/** An append of the batch stream, from its first message to its last. */
type Pending = { stream: string; expected: Expected; events: Proposed[]; size: number };

/** Streams.BatchAppend. */
export function batchAppend(writer: Writer, weigh: Weigh, access: Access) {
  return (call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>): void => {
    const pending = new Map<string, Pending>();
    let unanswered = 0;
    let ended = false;
    let failed = false;
    const finish = () => {
      if (ended && unanswered === 0 && !failed) call.end();
    };
    const fail = (refusal: refusals.Refusal) => {
      if (failed) return;
      failed = true;
      call.emit('error', refusal);
    };
    const answer = (id: UUID | undefined, stream: string, result: { error: Status } | { success: Answer }) => {
      if (!failed && !call.cancelled && !call.destroyed) call.write(batchAnswer(id, stream, result));
    };

    call.on('error', () => {});
    call.on('end', () => {
      ended = true;
      finish();
    });
    call.on('data', async (request: BatchAppendReq) => {
      const id = request.getCorrelationId();
      const options = request.getOptions();
      if (options) {
        const stream = nameOf(options.getStreamIdentifier());
        const deadline = options.getDeadline();
        if (deadline && deadline.toDate().getTime() <= Date.now())
          return answer(id, stream, { error: batchError.timeout() });
        const expected = expectedOf(options, options.getStreamPosition());
        pending.set(uuidOf(id), { stream, expected, events: [], size: 0 });
      }
      const append = pending.get(uuidOf(id));
      if (!append) return;
      const { stream, expected, events } = append;
      for (const message of request.getProposedMessagesList()) events.push(proposed(message));
      append.size = events.reduce((size, event) => size + weigh(event), 0);
      const refused =
        append.size > MAX_APPEND_SIZE
          ? batchError.tooLarge(MAX_APPEND_SIZE)
          : request.getIsFinal() && complaint(stream, events)
            ? batchError.badRequest(complaint(stream, events) as string)
            : null;
      if (refused || request.getIsFinal()) pending.delete(uuidOf(id));
      if (refused) return answer(id, stream, { error: refused });
      if (!request.getIsFinal()) return;

      const denied = access.refused(call, '$w', stream);
      if (denied) return fail(refusalOf({ why: denied }));
      unanswered += 1;
      const written = await writer.write({ kind: 'append', stream, expected, events }, requiresLeader(call));
      unanswered -= 1;
      if (written.kind === 'lost') return;
      if (written.kind === 'success') answer(id, stream, { success: written });
      else if (written.kind === 'conflict')
        answer(id, stream, { error: batchError.wrongExpectedVersion(expected, written.actual) });
      else if (written.kind === 'deleted') answer(id, stream, { error: batchError.streamDeleted(stream) });
      else {
        const error = errorOf(written.refused);
        if (error) answer(id, stream, { error });
        else fail(refusalOf(written.refused));
      }
      finish();
    });
  };
}

/** What the client is told, as the status of its call. */
export function refusalOf(refused: Refused): refusals.Refusal {
  if (refused.why === 'not-leader') return refused.leader ? refusals.notLeader(refused.leader) : refusals.noLeader();
  return {
    'not-ready': refusals.serverNotReady,
    'too-busy': refusals.serverTooBusy,
    unavailable: refusals.unavailable,
    'access-denied': refusals.accessDenied,
    unauthenticated: refusals.unauthenticated,
    timeout: () => refusals.timedOut('Prepare phase timeout.'),
  }[refused.why]();
}

/** The same inside an answer of the batch stream; null when the refusal ends the stream, and all that is under way on it. */
function errorOf(refused: Refused): Status | null {
  if (refused.why === 'not-ready') return batchError.notReady();
  if (refused.why === 'too-busy') return batchError.tooBusy();
  if (refused.why === 'access-denied') return batchError.accessDenied();
  if (refused.why === 'timeout') return batchError.timeout();
  if (refused.why === 'not-leader' && !refused.leader) return batchError.noLeader();
  return null;
}

/** Whether the client wants the leader itself. */
export function requiresLeader(call: { metadata: { get(key: string): unknown[] } }): boolean {
  return call.metadata.get('requires-leader')[0] === 'true';
}

/** Expected revision of a request; `revision` is where its kind of options keeps a number. */
export function expectedOf(
  options: { hasAny(): boolean; hasNoStream(): boolean; hasStreamExists(): boolean },
  revision: string,
): Expected {
  if (options.hasAny()) return 'any';
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasStreamExists()) return 'stream_exists';
  return Number(revision);
}

function proposed(message: AppendReq.ProposedMessage | BatchAppendReq.ProposedMessage): Proposed {
  const metadata = message.getMetadataMap();
  return {
    id: uuidOf(message.getId()),
    type: metadata.get('type') ?? '',
    json: metadata.get('content-type') === 'application/json',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}

/** What a real server stumbles over, in its words. */
function complaint(stream: string, events: readonly Proposed[]): string | null {
  if (stream === '') return "eventStreamId should not be empty. (Parameter 'eventStreamId')";
  if (events.some(({ type }) => type === '')) return "Empty eventType provided. (Parameter 'eventType')";
  return null;
}

function success({ revision, position }: Answer & { kind: 'success' }): AppendResp {
  const done = new streams.AppendResp.Success();
  if (revision < 0) done.setNoStream(new shared.Empty());
  else done.setCurrentRevision(String(revision));
  if (position === null) done.setNoPosition(new shared.Empty());
  else
    done.setPosition(
      new streams.AppendResp.Position().setCommitPosition(String(position)).setPreparePosition(String(position)),
    );
  return new streams.AppendResp().setSuccess(done);
}

function conflict(expected: Expected, actual: number): AppendResp {
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (actual < 0) wrong.setCurrentNoStream(new shared.Empty());
  else wrong.setCurrentRevision(String(actual));
  if (expected === 'any') wrong.setExpectedAny(new shared.Empty());
  else if (expected === 'no_stream') wrong.setExpectedNoStream(new shared.Empty());
  else if (expected === 'stream_exists') wrong.setExpectedStreamExists(new shared.Empty());
  else wrong.setExpectedRevision(String(expected));
  return new streams.AppendResp().setWrongExpectedVersion(wrong);
}

function batchAnswer(
  id: UUID | undefined,
  stream: string,
  result: { error: Status } | { success: Answer },
): BatchAppendResp {
  const answer = new streams.BatchAppendResp().setCorrelationId(id).setStreamIdentifier(identifierOf(stream));
  if ('error' in result) return answer.setError(result.error);
  const { revision, position } = result.success as Answer & { kind: 'success' };
  const done = new streams.BatchAppendResp.Success();
  if (revision < 0) done.setNoStream(new Empty());
  else done.setCurrentRevision(String(revision));
  if (position === null) done.setNoPosition(new Empty());
  else
    done.setPosition(
      new shared.AllStreamPosition().setCommitPosition(String(position)).setPreparePosition(String(position)),
    );
  return answer.setSuccess(done);
}
