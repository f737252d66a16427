// Streams.Delete hides a stream, and it may go on later; Streams.Tombstone ends it for ever.

import type { DeleteReq, DeleteResp, TombstoneReq, TombstoneResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Access } from './access.ts';
import { expectedOf, refusalOf, requiresLeader } from './append.ts';
import { nameOf, shared, streams } from './protocol.ts';
import * as refusals from './refusals.ts';
import type { Writer } from './writer.ts';

/** Streams.Delete. */
export function deleteStream(writer: Writer, access: Access) {
  return (call: ServerUnaryCall<DeleteReq, DeleteResp>, answer: sendUnaryData<DeleteResp>): Promise<void> =>
    remove(writer, access, 'delete', call, answer, (position) =>
      position === null
        ? new streams.DeleteResp().setNoPosition(new shared.Empty())
        : new streams.DeleteResp().setPosition(
            new streams.DeleteResp.Position().setCommitPosition(String(position)).setPreparePosition(String(position)),
          ),
    );
}

/** Streams.Tombstone. */
export function tombstone(writer: Writer, access: Access) {
  return (call: ServerUnaryCall<TombstoneReq, TombstoneResp>, answer: sendUnaryData<TombstoneResp>): Promise<void> =>
    remove(writer, access, 'tombstone', call, answer, (position) =>
      position === null
        ? new streams.TombstoneResp().setNoPosition(new shared.Empty())
        : new streams.TombstoneResp().setPosition(
            new streams.TombstoneResp.Position()
              .setCommitPosition(String(position))
              .setPreparePosition(String(position)),
          ),
    );
}

async function remove<Req extends DeleteReq | TombstoneReq, Resp>(
  writer: Writer,
  access: Access,
  kind: 'delete' | 'tombstone',
  call: ServerUnaryCall<Req, Resp>,
  answer: sendUnaryData<Resp>,
  done: (position: number | null) => Resp,
): Promise<void> {
  const options = call.request.getOptions();
  const stream = nameOf(options?.getStreamIdentifier());
  if (!options || stream === '') return answer(refusals.handlerThrew());
  const denied = access.refused(call, '$d', stream);
  if (denied) return answer(refusalOf({ why: denied }));
  const expected = expectedOf(options, options.getRevision());
  const removed = await writer.write({ kind, stream, expected }, requiresLeader(call));
  if (removed.kind === 'lost') return;
  if (removed.kind === 'refused') return answer(refusalOf(removed.refused));
  if (removed.kind === 'deleted') return answer(refusals.streamDeleted(stream));
  if (removed.kind === 'conflict')
    return answer(refusals.wrongExpectedVersion('Delete', stream, expected, removed.actual));
  answer(null, done(removed.position));
}
