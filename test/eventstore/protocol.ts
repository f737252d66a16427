// EventStoreDB's messages and services, as generated for its official client: CommonJS, and loaded by the very same
// require as the client's own, because google-protobuf keeps global names and a message of a second copy is none.
import { createRequire } from 'node:module';

import type * as Gossip from '@eventstore/db-client/generated/gossip_pb.js';
import type * as Features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import type * as Shared from '@eventstore/db-client/generated/shared_pb.js';
import type * as Status from '@eventstore/db-client/generated/status_pb.js';
import type * as Streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Any as AnyMessage } from 'google-protobuf/google/protobuf/any_pb.js';
import type { Empty as EmptyMessage } from 'google-protobuf/google/protobuf/empty_pb.js';

const require = createRequire(import.meta.url);

export const streams: typeof Streams = require('@eventstore/db-client/generated/streams_pb.js');
export const shared: typeof Shared = require('@eventstore/db-client/generated/shared_pb.js');
export const status: typeof Status = require('@eventstore/db-client/generated/status_pb.js');
export const gossip: typeof Gossip = require('@eventstore/db-client/generated/gossip_pb.js');
export const features: typeof Features = require('@eventstore/db-client/generated/serverfeatures_pb.js');
export const { Any }: { Any: typeof AnyMessage } = require('google-protobuf/google/protobuf/any_pb.js');
export const { Empty }: { Empty: typeof EmptyMessage } = require('google-protobuf/google/protobuf/empty_pb.js');

export const {
  StreamsService,
}: typeof import('@eventstore/db-client/generated/streams_grpc_pb.js') = require('@eventstore/db-client/generated/streams_grpc_pb.js');
export const {
  GossipService,
}: typeof import('@eventstore/db-client/generated/gossip_grpc_pb.js') = require('@eventstore/db-client/generated/gossip_grpc_pb.js');
export const {
  ServerFeaturesService,
}: typeof import('@eventstore/db-client/generated/serverfeatures_grpc_pb.js') = require('@eventstore/db-client/generated/serverfeatures_grpc_pb.js');

/** The name that a stream identifier carries, as text. */
export function nameOf(identifier: Shared.StreamIdentifier | undefined): string {
  return Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8');
}

/** A stream identifier of a name. */
export function identifierOf(stream: string): Shared.StreamIdentifier {
  return new shared.StreamIdentifier().setStreamName(new Uint8Array(Buffer.from(stream, 'utf8')));
}

/** A UUID as text, whichever of its two forms it came in. */
export function uuidOf(uuid: Shared.UUID | undefined): string {
  const structured = uuid?.getStructured();
  if (!structured) return (uuid?.getString() ?? '').toLowerCase();
  const hex = [structured.getMostSignificantBits(), structured.getLeastSignificantBits()]
    .map((half) => BigInt.asUintN(64, BigInt(half)).toString(16).padStart(16, '0'))
    .join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
