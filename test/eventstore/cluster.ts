// Three nodes that gossip about one leader. They share one log, so replication is instant and nothing is ever lost in
// an election: what is imitated is what a client sees of a cluster, not what makes one.
import { Node } from './server.ts';
import { Store } from './store.ts';

/** A running cluster. */
export type EventStoreCluster = {
  /** Names every node, so that a client asks by gossip who leads. */
  connectionString: string;
  nodes: readonly Node[];
  /** Makes a node the leader; null: an election that does not end. */
  lead(index: number | null): void;
  /** Ends a node as a crash does; gossip says so. */
  kill(index: number): Promise<void>;
  stop(): Promise<void>;
};

/** Starts three nodes in this process, over one log in `folder`; the first one leads. */
export async function startCluster({ folder }: { folder: string }): Promise<EventStoreCluster> {
  const store = new Store(folder);
  let leader: Node | null = null;
  const dead = new Set<Node>();
  const cluster = {
    members: () =>
      nodes.map((node) => ({
        id: node.id,
        endpoint: node.endpoint,
        alive: !dead.has(node),
        state: !leader ? ('unknown' as const) : node === leader ? ('leader' as const) : ('follower' as const),
      })),
    leaderElsewhere: ({ port }: { port: number }) =>
      leader === null ? {} : leader.endpoint.port === port ? null : { leader: leader.endpoint },
  };
  const nodes: readonly Node[] = [0, 1, 2].map(() => new Node(store, {}, cluster));
  for (const node of nodes) await node.listen();
  leader = nodes[0] as Node;
  return {
    connectionString: `esdb://${nodes.map(({ endpoint }) => `127.0.0.1:${endpoint.port}`).join(',')}?tls=false`,
    nodes,
    lead(index) {
      leader = index === null ? null : (nodes[index] as Node);
    },
    async kill(index) {
      const node = nodes[index] as Node;
      dead.add(node);
      await node.close(true);
    },
    async stop() {
      await Promise.all(nodes.filter((node) => !dead.has(node)).map((node) => node.close()));
      store.close();
    },
  };
}
