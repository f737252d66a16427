import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreProcess } from './eventstore/child.ts';
import { freePort } from './free-port.ts';
import { type Issuer, startIssuer } from './issuer.ts';
import { PostgresServer } from './postgres.ts';
import { buildProduct, ServerProcess } from './server-process.ts';

/** A process that goes away and is started again where it was, over what it left. */
type Mortal = {
  readonly name: string;
  /** kill -9 (PostgreSQL, which waits for no disk in tests, is stopped at once), and until it is gone. */
  kill(): Promise<void>;
  /** Until it answers again. */
  start(): Promise<void>;
};

/** One process of the product: a role, a folder and a port that outlive it. */
export class ClusterNode implements Mortal {
  process!: ServerProcess;
  /** Ends that nobody wished, and what was said on standard error. */
  readonly complaints: string[] = [];
  #killed = false;

  constructor(
    readonly name: string,
    readonly folder: string,
    private readonly port: number,
    private readonly env: Record<string, string>,
  ) {}

  async start(): Promise<void> {
    this.#killed = false;
    const process = await ServerProcess.startOn(this.port, this.folder, this.env);
    this.process = process;
    void process.exit.then((code) => {
      if (!this.#killed) this.complaints.push(`${this.name} ended with ${code}: ${process.stdout}`);
      if (process.stderr !== '') this.complaints.push(`${this.name} said: ${process.stderr}`);
    });
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    this.#killed = true;
    this.process.kill(signal);
    await this.process.exit;
  }
}

/** EventStoreDB's protocol over one folder and port. */
class Store implements Mortal {
  readonly name = 'eventstore';
  process!: EventStoreProcess;

  constructor(
    private readonly folder: string,
    private readonly port: number,
  ) {}

  async start(): Promise<void> {
    this.process = await EventStoreProcess.start(this.folder, this.port);
  }

  async kill(): Promise<void> {
    await this.process.kill();
  }
}

/** Nodes that serve, one that projects, and what they share: log, database, issuer of tokens. All real, on loopback. */
export class Cluster {
  readonly nodes: ClusterNode[] = [];
  projector!: ClusterNode;
  store!: Store;
  postgres!: PostgresServer;
  issuer!: Issuer;
  readonly #folder = mkdtempSync(join(tmpdir(), 'jalon-cluster-'));
  readonly #tokens = new Map<string, Promise<string>>();

  /** Starts everything, with so many nodes that serve. */
  static async start(serving: number): Promise<Cluster> {
    buildProduct();
    const cluster = new Cluster();
    try {
      cluster.postgres = await PostgresServer.start();
      cluster.issuer = await startIssuer(() => new Date());
      cluster.store = new Store(join(cluster.#folder, 'eventstore'), await freePort());
      await cluster.store.start();
      for (let i = 1; i <= serving; i += 1) cluster.nodes.push(await cluster.#node(`node${i}`, 'api'));
      cluster.projector = await cluster.#node('projector', 'projector');
      await Promise.all([...cluster.nodes, cluster.projector].map((node) => node.start()));
      return cluster;
    } catch (fault) {
      await cluster.stop();
      throw fault;
    }
  }

  get mortals(): Mortal[] {
    const { nodes, projector, store, postgres } = this;
    const database = { name: 'postgres', kill: () => postgres.pause(), start: () => postgres.resume() };
    return [...nodes, projector, store, database];
  }

  /** What processes told without being asked; empty at the end of a good test. */
  get complaints(): string[] {
    return [...this.nodes, this.projector].flatMap(({ complaints }) => complaints);
  }

  /** The environment of its processes. */
  get env(): Record<string, string> {
    return {
      ...this.issuer.env,
      ESDB_URL: this.store.process.connectionString,
      DATABASE_URL: this.postgres.url,
      JALON_RATE: '0',
    };
  }

  /** A token that every node takes. */
  token(role: string, sub: string, org?: string): Promise<string> {
    const who = JSON.stringify([role, sub, org]);
    let token = this.#tokens.get(who);
    if (!token) {
      token = this.issuer.token({ sub, name: `Personne ${sub}`, roles: [role], ...(org ? { org } : {}) });
      this.#tokens.set(who, token);
    }
    return token;
  }

  async stop(): Promise<void> {
    const started = [...this.nodes, ...(this.projector ? [this.projector] : [])].filter(({ process }) => process);
    await Promise.all(started.map((node) => node.kill('SIGTERM')));
    await this.store?.process?.stop();
    await this.issuer?.stop();
    await this.postgres?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #node(name: string, roles: string): Promise<ClusterNode> {
    return new ClusterNode(name, join(this.#folder, name), await freePort(), { ...this.env, JALON_ROLES: roles });
  }
}
