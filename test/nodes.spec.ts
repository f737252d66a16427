import { randomUUID } from 'node:crypto';
import { openPostgresReadModels, PROJECTIONS } from '@jalon/projections';
import { rowsOf } from '@jalon/projections/contract';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Cluster } from './cluster.ts';
import { until } from './eventually.ts';
import { orgOf } from './proposals.ts';
import { ProductProcess } from './server-process.ts';
import { fact, walkToJ3 } from './walk.ts';

// Two nodes that serve, one that projects, each a process with a folder of its own.
let cluster: Cluster;
let id: string;
beforeAll(async () => {
  cluster = await Cluster.start(2);
  const [{ role, ...deposit }] = walkToJ3() as [ReturnType<typeof fact>];
  const token = await cluster.token(role, role, orgOf(role));
  const body = { workflow: 'secnumcloud', fact: deposit };
  const opened = await cluster.nodes[0]!.process.send('POST', '/api/dossiers', { token, body });
  expect(opened.status).toBe(201);
  ({ id } = opened.body);
}, 120_000);
afterAll(() => cluster?.stop(), 60_000);

const charge = () => cluster.token('charge-de-qualification', 'charge');

/** A fact that is always accepted, proposed to the first node. */
async function advance(): Promise<{ revision: number; position: string }> {
  const { role: _, ...body } = fact('dossier.cible-annoncee');
  const path = `/api/dossiers/${id}/facts`;
  const { status, body: answer } = await cluster.nodes[0]!.process.send('POST', path, {
    token: await charge(),
    body,
    key: randomUUID(),
  });
  expect(status).toBe(201);
  return answer;
}

/** What the second node shows, which took no part in what was recorded. */
async function read(path: string, position?: string) {
  const asked = position === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}min-position=${position}`;
  return cluster.nodes[1]!.process.send('GET', asked, { token: await charge() });
}

/** Runs `jalon` on the folder of a node that serves, to its end. */
async function jalon(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const env = { ...cluster.env, JALON_ROLES: 'api' };
  const command = new ProductProcess('apps/cli/jalon.mjs', ['--data', cluster.nodes[1]!.folder, ...args], env);
  return { code: await command.exit, stdout: command.stdout, stderr: command.stderr };
}

async function rows(): Promise<Record<string, unknown[]>> {
  const store = openPostgresReadModels(cluster.postgres.url);
  const rows = await rowsOf(store, PROJECTIONS);
  await store.close();
  return rows;
}

describe('What one node acknowledged', () => {
  test('shows on another as soon as its position is asked for: in the timeline and in the list', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { revision, position } = await advance();
      const timeline = await read(`/api/dossiers/${id}/timeline`, position);
      expect([timeline.status, timeline.body.revision, timeline.headers.get('x-position')]).toEqual([
        200,
        revision,
        position,
      ]);
      const list = await read('/api/dossiers?limit=1', (await advance()).position);
      expect([list.status, list.body.items[0].revision]).toEqual([200, revision + 1]);
    }
  });

  test('is waited for five seconds while nobody projects: then 503, and when to come back', async () => {
    await cluster.projector.kill('SIGTERM');
    const { revision, position } = await advance();
    const asked = performance.now();
    const late = await read(`/api/dossiers/${id}/timeline`, position);
    expect(performance.now() - asked).toBeGreaterThan(4_900);
    expect([late.status, late.body.type, late.headers.get('retry-after')]).toEqual([
      503,
      '/problems/lecture-en-retard',
      '2',
    ]);
    // Who names no position is shown what there is.
    const before = await read(`/api/dossiers/${id}/timeline`);
    expect([before.status, before.body.revision]).toEqual([200, revision - 1]);
    expect((await read(`/api/dossiers/${id}`)).body.revision).toBe(revision);

    await cluster.projector.start();
    await until(async () => (await read(`/api/dossiers/${id}/timeline`, position)).status === 200);
    expect((await read(`/api/dossiers/${id}/timeline`)).body.revision).toBe(revision);
  }, 60_000);

  test('a position that the log does not have yet is waited for in vain', async () => {
    const { position } = await advance();
    expect((await read('/api/dossiers', `${position}0`)).status).toBe(503);
  }, 30_000);
});

describe('jalon rebuild, on a node that does not project', () => {
  test('is carried out by the one that does, with its progress; the same rows are there', async () => {
    const { position } = await advance();
    expect((await read('/api/dossiers', position)).status).toBe(200);
    const before = await rows();
    expect(await jalon('rebuild')).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^Vues reconstruites en [\d.]+ s : chronologie, dossiers/),
      stderr: expect.stringMatching(/^chronologie, dossiers.* : \d+ faits\n$/),
    });
    expect(await rows()).toEqual(before);
    expect((await jalon('rebuild', 'dossiers')).stdout).toMatch(/ s : dossiers\.\n$/);
  }, 60_000);

  test('also when no server runs on its folder', async () => {
    await cluster.nodes[1]!.kill('SIGTERM');
    expect(await jalon('rebuild', 'chronologie')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/chronologie/),
    });
    await cluster.nodes[1]!.start();
  }, 60_000);

  test('names the views that there are when asked for another, and says so when nobody projects', async () => {
    const unknown = await jalon('rebuild', 'registres');
    expect(unknown).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^[^\n]*registres[^\n]*\n$/) });
    await cluster.projector.kill('SIGTERM');
    const nobody = await jalon('rebuild');
    expect(nobody).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^No process [^\n]*\n$/) });
    await cluster.projector.start();
    expect((await jalon('rebuild')).code).toBe(0);
    expect(cluster.complaints).toEqual([]);
  }, 90_000);
});

test('jalon import is refused by a node whose log others write to as well, in a line that says what to do', async () => {
  expect(await jalon('import', 'jalon.jsonl')).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^Le journal de ce serveur est dans EventStoreDB, [^\n]* arrêtez-les tous[^\n]*\n$/),
  });
}, 30_000);
