import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isConsistent, type JournalReport, readCheckpoint, verifyBundle } from '@jalon/proof';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { verifyWhole } from '../apps/cli/verify-journal.ts';
import { catalogue } from '../workflows/index.ts';
import { Clients } from './clients.ts';
import { buildProduct, ServerProcess } from './server-process.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);
const ROUNDS = process.env.JALON_TEST === 'long' ? 30 : 2;

let folder: string;
beforeAll(() => {
  buildProduct();
  folder = mkdtempSync(join(tmpdir(), 'jalon-proof-crash-'));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const find = (name: string, version: number) => catalogue.find(name, version);

test(
  `kill -9 while facts are written and checkpoints cut, ${ROUNDS} times: every checkpoint given before still holds (seed ${seed}, again by JALON_SEED)`,
  async () => {
    const moments = fc.sample(fc.integer({ min: 50, max: 400 }), { seed, numRuns: ROUNDS });
    /** What was told to clients, before any kill. */
    const told: string[] = [];
    let server = await ServerProcess.start(folder);
    const latest = async () => (await fetch(`${server.url}/api/checkpoints/latest`)).text();
    for (const accepted of moments) {
      told.push(await latest());
      const clients = new Clients();
      await clients.load(server, accepted);
      const token = await server.token('auditeur');
      const [known] = [...clients.sent].filter(({ answered }) => answered);
      const { dossier, id } = known!.answered!;
      const { body } = await server.send('GET', `/api/proofs/inclusion?event=${id}`, { token });
      told.push(body.checkpoint);
      server.kill('SIGKILL');
      await Promise.all([server.exit, clients.done()]);

      server = await ServerProcess.start(folder);
      const again = await server.token('auditeur');
      const answer = await fetch(`${server.url}/api/dossiers/${dossier}/bundle`, {
        headers: { authorization: `Bearer ${again}` },
      });
      const report = verifyBundle(await answer.text(), { find });
      expect(report.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
      const now = readCheckpoint(await latest());
      for (const note of told) {
        const before = readCheckpoint(note);
        expect(before.size).toBeLessThanOrEqual(now.size);
        if (before.size === 0) continue;
        const path = `/api/proofs/consistency?from=${before.size}&to=${now.size}`;
        const { hashes } = (await server.send('GET', path)).body as { hashes: string[] };
        expect(
          isConsistent(
            before,
            now,
            hashes.map((hash) => Buffer.from(hash, 'hex')),
          ),
        ).toBe(true);
      }
    }
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    expect(server.stderr).toBe('');
    const { ok, report } = await verifyWhole({
      house: { folder },
      checkpoints: [],
      keys: [],
      threads: 1,
      say: () => undefined,
    });
    const { facts, covered } = report as JournalReport;
    expect({ ok, covered }).toEqual({ ok: true, covered: facts });
  },
  60_000 + ROUNDS * 20_000,
);
