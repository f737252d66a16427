// A test aid: a server that speaks EventStoreDB's gRPC protocol over a log in SQLite, so that what Jalon does with a
// database that fails, lies idle, redirects or forgets can be tested on any machine. It imitates what was measured on a
// real server (23.10.8); it is no substitute for the word of one: the same contract runs against a real server too.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import { type ConnectionInjector, Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { Access, type User } from './access.ts';
import { append, batchAppend, refusalOf, requiresLeader, type Weigh, weighPayload } from './append.ts';
import { deleteStream, tombstone } from './delete.ts';
import { Faults } from './faults.ts';
import { type Member, readGossip, supportedMethods } from './gossip.ts';
import { Outlet } from './outlet.ts';
import { GossipService, ServerFeaturesService, StreamsService } from './protocol.ts';
import { read } from './read.ts';
import { consumerTooSlow, type Endpoint, unavailable } from './refusals.ts';
import { Store } from './store.ts';
import { Subscriptions } from './subscriptions.ts';
import { Writer } from './writer.ts';

/** Of a test server only, for 127.0.0.1 and localhost: whoever reads this has its private key. */
const CERTIFICATE = fileURLToPath(new URL('certificate.pem', import.meta.url));
const KEY = fileURLToPath(new URL('certificate-key.pem', import.meta.url));

/** What a node knows of its cluster. */
export type Cluster = {
  members: () => Member[];
  /** Who leads, when it is not this node; without `leader`, nobody does. */
  leaderElsewhere: (self: Endpoint) => { leader?: Endpoint } | null;
};

/** How to start a server. */
export type Options = {
  /** Where the log lies; made when absent. */
  folder: string;
  /** 0, or nothing: a free one. */
  port?: number;
  weigh?: Weigh;
  /** Users beside admin (password `changeit`); with them it speaks TLS, under the certificate of this folder. */
  users?: Readonly<Record<string, User>>;
  /** Sets what goes wrong before it listens. */
  hooks?: (hooks: Faults) => void;
  /** How it ends when told to die at a moment of an append; `kill` when absent. */
  die?: () => void;
};

/** A node that listens on a port of the loopback, over a log that it may share with others of its process. */
export class Node {
  readonly faults: Faults;
  readonly id = randomUUID();
  /** How many events it sent to readers and subscribers. */
  sent = 0;
  readonly #sockets = new Set<Socket>();
  readonly #listener = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  readonly #grpc = new Server({
    // Kestrel's limits: one connection carries 100 calls at a time, one message weighs 17 MB.
    'grpc.max_concurrent_streams': 100,
    'grpc.max_receive_message_length': 17 * 1024 * 1024,
    'grpc.max_send_message_length': -1,
  });
  readonly #injector: ConnectionInjector;
  #port = 0;
  readonly #subscriptions: Subscriptions;
  readonly #access: Access;
  readonly #leaderElsewhere: () => { leader?: Endpoint } | null;

  constructor(
    readonly store: Store,
    { weigh = weighPayload, die, users }: Pick<Options, 'weigh' | 'die' | 'users'> = {},
    cluster?: Cluster,
  ) {
    this.#subscriptions = new Subscriptions(store);
    this.faults = new Faults(
      () => this.#cutConnections(),
      (why = 'unavailable') => this.#subscriptions.drop(why === 'too-slow' ? consumerTooSlow() : unavailable()),
      die ?? (() => void this.close(true)),
    );
    this.#leaderElsewhere = () => cluster?.leaderElsewhere(this.endpoint) ?? null;
    const writer = new Writer(store, this.faults, this.#leaderElsewhere);
    const access = new Access(store, users);
    this.#access = access;
    this.#grpc.addService(StreamsService, {
      append: append(writer, weigh, access),
      batchAppend: batchAppend(writer, weigh, access),
      delete: deleteStream(writer, access),
      tombstone: tombstone(writer, access),
      read: (call: ServerWritableStream<ReadReq, ReadResp>) => this.#read(call),
    });
    const alone = () => [{ id: this.id, endpoint: this.endpoint, alive: true, state: 'leader' as const }];
    this.#grpc.addService(GossipService, { read: readGossip(cluster?.members ?? alone) });
    this.#grpc.addService(ServerFeaturesService, { getSupportedMethods: supportedMethods() });
    this.#injector = this.#grpc.createConnectionInjector(
      users === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [
            { cert_chain: readFileSync(CERTIFICATE), private_key: readFileSync(KEY) },
          ]),
    );
  }

  /** Where it listens, or did: gossip tells of dead nodes too. */
  get endpoint(): Endpoint {
    return { address: '127.0.0.1', port: this.#port };
  }

  async listen(port = 0): Promise<void> {
    this.#listener.listen(port, '127.0.0.1');
    await once(this.#listener, 'listening');
    this.#port = (this.#listener.address() as AddressInfo).port;
  }

  /** Ends it; `cut`: as a crash does, with every connection reset. */
  async close(cut = false): Promise<void> {
    this.faults.end();
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    if (cut) this.#cutConnections();
    this.#injector.destroy();
    this.#grpc.forceShutdown();
    for (const socket of this.#sockets) socket.destroySoon();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    this.#injector.injectConnection(socket);
  }

  #cutConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async #read(call: ServerWritableStream<ReadReq, ReadResp>): Promise<void> {
    const outlet = new Outlet(call, () => {
      this.sent += 1;
    });
    const options = call.request.getOptions() as ReadReq.Options;
    await this.faults.whileFrozen();
    const elsewhere = requiresLeader(call) ? this.#leaderElsewhere() : null;
    const refused = this.faults.refusedRead() ?? (elsewhere && { why: 'not-leader', ...elsewhere });
    if (refused) return outlet.fail(refusalOf(refused));
    const denied = this.#access.refusedRead(call, options.getStream()?.getStreamIdentifier());
    if (denied) return outlet.fail(refusalOf({ why: denied }));
    if (outlet.isOver || this.faults.isEnded) return;
    if (options.hasSubscription()) await this.#subscriptions.run(options, outlet);
    else await read(this.store, options, outlet);
  }
}

/** A running server. */
export type EventStore = {
  /** For EventStoreDBClient.connectionString. */
  connectionString: string;
  port: number;
  /** What can be made to go wrong. */
  hooks: Faults;
  /** What is in it, as an operator on the machine may change it. */
  store: Store;
  /** How many events it sent to readers and subscribers. */
  sent(): number;
  /** Ends it in good order. */
  stop(): Promise<void>;
  /** Ends it as a crash does: connections are reset; what was acknowledged is on the disk. */
  kill(): Promise<void>;
};

/** Starts a server alone, in this process. */
export async function startEventStore({ folder, port = 0, hooks, ...options }: Options): Promise<EventStore> {
  const store = new Store(folder);
  const end = async (cut: boolean) => {
    if (node.faults.isEnded) return;
    const closed = node.close(cut);
    store.close();
    await closed;
  };
  const node: Node = new Node(store, { die: () => void end(true), ...options });
  hooks?.(node.faults);
  await node.listen(port);
  return {
    connectionString:
      options.users === undefined
        ? `esdb://127.0.0.1:${node.endpoint.port}?tls=false`
        : `esdb://admin:changeit@localhost:${node.endpoint.port}?tls=true&tlsCAFile=${CERTIFICATE}`,
    port: node.endpoint.port,
    hooks: node.faults,
    store,
    sent: () => node.sent,
    stop: () => end(false),
    kill: () => end(true),
  };
}
