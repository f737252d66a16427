// What a client asks before it works: which nodes there are and who leads them (Gossip.Read), and what the server can
// do (ServerFeatures.GetSupportedMethods).

import type { ClusterInfo } from '@eventstore/db-client/generated/gossip_pb.js';
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import type { Empty } from '@eventstore/db-client/generated/shared_pb.js';
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { features, GossipService, gossip, ServerFeaturesService, StreamsService, shared } from './protocol.ts';
import type { Endpoint } from './refusals.ts';

/** The version that the server says it is: the one that its behaviour was measured on. */
const VERSION = '23.10.8';

/** A node as gossip tells of it. */
export type Member = { id: string; endpoint: Endpoint; alive: boolean; state: 'leader' | 'follower' | 'unknown' };

/** Gossip.Read. */
export function readGossip(members: () => Member[]) {
  return (_call: ServerUnaryCall<Empty, ClusterInfo>, answer: sendUnaryData<ClusterInfo>): void => {
    const states = gossip.MemberInfo.VNodeState;
    const numbers = { leader: states.LEADER, follower: states.FOLLOWER, unknown: states.UNKNOWN };
    const infos = members().map(({ id, endpoint, alive, state }) =>
      new gossip.MemberInfo()
        .setInstanceId(new shared.UUID().setString(id))
        .setTimeStamp(String(BigInt(Date.now()) * 10_000n))
        .setState(numbers[state])
        .setIsAlive(alive)
        .setHttpEndPoint(new gossip.EndPoint().setAddress(endpoint.address).setPort(endpoint.port)),
    );
    answer(null, new gossip.ClusterInfo().setMembersList(infos));
  };
}

/** ServerFeatures.GetSupportedMethods. */
export function supportedMethods() {
  return (_call: ServerUnaryCall<Empty, SupportedMethods>, answer: sendUnaryData<SupportedMethods>): void => {
    const methods = [StreamsService, GossipService, ServerFeaturesService]
      .flatMap((service) => Object.values(service) as { path: string }[])
      .map(({ path }) => {
        const [, service = '', method = ''] = path.toLowerCase().split('/');
        return new features.SupportedMethod().setServiceName(service).setMethodName(method);
      });
    answer(null, new features.SupportedMethods().setMethodsList(methods).setEventStoreServerVersion(VERSION));
  };
}
