import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chainFault, readSqliteJournal, type StoredEvent } from '@jalon/journal';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { carryOut } from '../apps/cli/hold.ts';
import { Clients } from './clients.ts';
import { payloadHash } from './recompute.ts';
import { buildProduct, ProductProcess, ServerProcess } from './server-process.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);
const ROUNDS = process.env.JALON_TEST === 'long' ? 100 : 3;

let folder: string;
beforeAll(() => {
  buildProduct();
  folder = mkdtempSync(join(tmpdir(), 'jalon-crash-'));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Reads what is new in the log each time it is asked, and checks it: positions, chains, payloads, notes. */
class Log {
  #position: bigint | null = null;
  readonly #heads = new Map<string, StoredEvent>();

  constructor(private readonly folder: string) {}

  /** The new facts of dossiers, whole: none is missing, out of place, half-written. What was denied is recorded beside. */
  async next(): Promise<StoredEvent[]> {
    const { journal, directory } = await readSqliteJournal(this.folder);
    const events: StoredEvent[] = [];
    for await (const page of journal.readAll(this.#position))
      for (const event of page) {
        const { stream, id, dataHash } = event.envelope;
        expect(event.position).toBe((this.#position ?? 0n) + 1n);
        expect(chainFault(event, this.#heads.get(stream) ?? null)).toBeNull();
        if (event.salt === undefined) {
          const kept = (await directory.payload(id))!;
          expect(payloadHash(kept.salt, kept.data)).toBe(dataHash);
        }
        this.#heads.set(stream, event);
        this.#position = event.position;
        events.push(event);
      }
    await Promise.all([journal.close(), directory.close()]);
    return events.filter(({ envelope }) => envelope.stream.startsWith('dossier-'));
  }
}

/** Every dossier of the list, and the timelines of some. */
async function readModels(server: ServerProcess, token: string, dossiers: readonly string[]): Promise<unknown[]> {
  const shown: unknown[] = [];
  for (let path: string | undefined = '/api/dossiers?limit=200'; path; ) {
    const { status, body } = await server.send('GET', path, { token });
    expect(status).toBe(200);
    shown.push(...body.items);
    path = body.next;
  }
  for (const id of dossiers) shown.push((await server.send('GET', `/api/dossiers/${id}/timeline`, { token })).body);
  return shown;
}

const lines = (facts: readonly { id: string; dossier: string; revision: number }[]) =>
  facts.map(({ id, dossier, revision }) => `${id} ${dossier} ${revision}`).sort();

const asLine = ({ envelope: { id, stream, revision } }: StoredEvent) => ({
  id,
  dossier: stream.slice('dossier-'.length),
  revision,
});

describe(`The server, killed under the load of 16 clients (seed ${seed}, again by JALON_SEED)`, () => {
  const moments = fc.sample(fc.record({ accepted: fc.integer({ min: 20, max: 400 }), ms: fc.nat(40) }), {
    seed,
    numRuns: ROUNDS,
  });

  test(
    `kill -9, ${ROUNDS} times: what was acknowledged is there once, what was not can be sent again`,
    async () => {
      const log = new Log(folder);
      let server = await ServerProcess.start(folder);
      for (const { accepted, ms } of moments) {
        const clients = new Clients();
        await clients.load(server, accepted);
        await new Promise((resolve) => setTimeout(resolve, ms));
        server.kill('SIGKILL');
        await Promise.all([server.exit, clients.done()]);
        const acknowledged = [...clients.sent].flatMap(({ answered = [] }) => answered);

        server = await ServerProcess.start(folder);
        const before = lines((await log.next()).map(asLine));
        expect(before).toEqual(expect.arrayContaining(lines(acknowledged)));

        await clients.retry(server);
        expect(clients.odd).toEqual([]);
        const answered = [...clients.sent].map((sent) => sent.answered!);
        expect(answered).not.toContain(undefined);
        const after = lines((await log.next()).map(asLine));
        expect([...before, ...after].sort()).toEqual(lines(answered));

        const token = await server.token('charge-de-qualification');
        const some = [...new Set(answered.map(({ dossier }) => dossier))].slice(0, 20);
        const shown = await readModels(server, token, some);
        await carryOut(folder, { command: 'rebuild' }, () => {});
        expect(await readModels(server, token, some)).toEqual(shown);
        expect(server.stderr).toBe('');
      }
      server.kill('SIGTERM');
      expect(await server.exit).toBe(0);
    },
    60_000 + ROUNDS * 10_000,
  );

  test('SIGTERM: what was accepted is answered, and nothing else was; the folder is free again', async () => {
    const own = mkdtempSync(join(tmpdir(), 'jalon-term-'));
    const server = await ServerProcess.start(own);
    const clients = new Clients();
    await clients.load(server, moments[0]!.accepted);
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    await clients.done();
    expect(clients.odd).toEqual([]);
    expect(server.stderr).toBe('');

    const answered = [...clients.sent].flatMap((sent) => sent.answered ?? []);
    expect(answered.length).toBeGreaterThanOrEqual(moments[0]!.accepted);
    expect(lines((await new Log(own).next()).map(asLine))).toEqual(lines(answered));
    const again = await ServerProcess.start(own);
    again.kill('SIGINT');
    expect(await again.exit).toBe(0);
    rmSync(own, { recursive: true });
  }, 60_000);

  test('a second process on the same folder is refused in one line, and the first goes on', async () => {
    const own = mkdtempSync(join(tmpdir(), 'jalon-two-'));
    const server = await ServerProcess.start(own);
    const second = new ProductProcess('dist/api.mjs', [], { JALON_DATA: own });
    expect(await second.exit).toBe(1);
    expect(second.stderr).toBe(
      `Jalon cannot start: Another Jalon process is already writing in ${own}: stop it or choose another JALON_DATA.\n`,
    );
    expect(second.stdout).toBe('');
    const clients = new Clients();
    await clients.load(server, 20);
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    await clients.done();
    expect(clients.odd).toEqual([]);
    rmSync(own, { recursive: true });
  }, 60_000);
});
