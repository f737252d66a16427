import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { perform } from '../apps/api/control.ts';
import { mend } from '../apps/api/mend.ts';
import { verifyFile } from '../apps/cli/verify.ts';
import { verifyWhole } from '../apps/cli/verify-journal.ts';
import { bundleOf } from './bundles.ts';
import { until } from './eventually.ts';
import { lead, parties, propose, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { fact, upTo, walkToJ3 } from './walk.ts';

const now = () => new Date('2025-07-02T10:00:00Z');
const silent = () => undefined;

/** A folder as it was, with one dossier at J0, and what it became: another dossier, qualified. */
const work = mkdtempSync(join(tmpdir(), 'jalon-restaure-'));
const [older, newer] = [join(work, 'avant'), join(work, 'apres')];
const folder = join(work, 'dossier');
let kept: string;
let gone: string;

let server: Running;
let tokens: Tokens;

async function start(): Promise<void> {
  server = await run({ folder, now });
  tokens = await parties(server);
}

beforeAll(async () => {
  await start();
  kept = await lead(server, tokens, upTo('j0.acceptee'));
  await server.stop('keep');
  cpSync(folder, older, { recursive: true });
  await start();
  gone = await lead(server, tokens, walkToJ3());
  expect((await server.call(null, 'GET', '/api/register')).text).toContain(gone);
  expect((await server.call(tokens.auditeur, 'GET', '/api/deadlines?before=2040-01-01')).text).toContain(gone);
  await bundleOf(server, tokens.auditeur, gone);
  await server.stop('keep');
  cpSync(folder, newer, { recursive: true });
}, 60_000);
beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  cpSync(newer, folder, { recursive: true });
});
afterEach(async () => server.stop('keep'));
afterAll(() => rmSync(work, { recursive: true }));

const restore = (from: string, ...files: string[]) => {
  for (const file of files) {
    for (const end of ['', '-wal', '-shm']) rmSync(join(folder, file + end), { force: true });
    cpSync(join(from, file), join(folder, file));
  }
};
const ready = async () => (await server.call(null, 'GET', '/health/ready')).body;
const shown = async () => {
  const lists = ['/register', '/deadlines?before=2040-01-01', '/dossiers', '/findings', '/statistics'];
  const answers = await Promise.all(lists.map((path) => server.call(tokens.charge, 'GET', `/api${path}`)));
  for (const { status } of answers) expect(status).toBe(200);
  return answers.map(({ text }) => text).join();
};
const isBuilt = () => until(async () => (await server.call(tokens.charge, 'GET', '/api/dossiers')).status === 200);

describe('Un journal remis à un état antérieur', () => {
  beforeEach(async () => {
    restore(older, 'journal.db', 'personnes.db');
    await start();
  });

  test('n’a pas de fantômes : nulle vue ne montre ce qu’il n’a plus', async () => {
    expect((await server.call(tokens.charge, 'GET', `/api/dossiers/${gone}`)).status).toBe(404);
    await isBuilt();
    const text = await shown();
    expect(text).toContain(kept);
    expect(text).not.toContain(gone);
    expect((await server.call(null, 'GET', '/api/register')).body.items).toEqual([]);
    expect(server.alarms.join()).toContain('read models');
  });

  test('est dit : rien n’est signé ni scellé, les faits s’enregistrent', async () => {
    await until(async () => (await ready()).proof.status === 'diverged');
    expect(await ready()).toMatchObject({ status: 'degraded', journal: { status: 'ok' } });
    expect((await server.call(tokens.administrateur, 'GET', '/metrics')).text).toMatch(/^jalon_log_diverged 1$/m);
    expect((await propose(server, tokens, kept, fact('dossier.cible-annoncee'))).status).toBe(201);
    const before = (await server.call(null, 'GET', '/api/checkpoints/latest')).text;
    for (const path of [`/dossiers/${kept}/bundle`])
      expect((await server.call(tokens.auditeur, 'GET', `/api${path}`)).status).toBe(503);
    expect((await server.call(null, 'GET', '/api/checkpoints/latest')).text).toBe(before);
  });

  test('se répare sans signer de bifurcation : une origine fermée, une autre ouverte, les deux têtes inscrites', async () => {
    await until(async () => (await ready()).proof.status === 'diverged');
    const said = await perform(server.product, { command: 'mend', origin: 'journal.neuf' }, silent);
    expect(said).toMatch(/est fermée à \d+ faits.*\n.*journal\.neuf/);
    await until(async () => (await ready()).proof.status === 'ok');
    const { items } = (await server.call(tokens.auditeur, 'GET', '/api/accesses?limit=200')).body;
    expect(items.find(({ type }: { type: string }) => type === 'acces.origine-fermee').data).toMatchObject({
      fermee: { taille: expect.any(Number), racine: expect.any(String) },
      ouverte: { origine: 'journal.neuf', taille: expect.any(Number) },
    });
    const file = join(work, 'paquet.json');
    writeFileSync(file, await bundleOf(server, tokens.auditeur, kept));
    expect(verifyFile(file, [])).toMatchObject({ ok: true });
    await expect(mend(server.product, undefined)).rejects.toThrow('rien à réparer');
    const whole = await verifyWhole({ house: { folder }, checkpoints: [], keys: [], threads: 1, say: silent });
    expect(whole.lines.at(-1)).toBe('Le journal se vérifie.');
  });
});

describe('Un entrepôt remis seul à un état antérieur', () => {
  test.each([['lectures.db'], ['preuve.db'], ['livraisons.db'], ['reglages.db']])(
    '%s rattrape le journal',
    async (file) => {
      restore(older, file);
      await start();
      await isBuilt();
      expect(await shown()).toContain(gone);
      expect((await server.call(null, 'GET', '/api/register')).text).toContain(gone);
      await bundleOf(server, tokens.auditeur, gone);
      expect(await ready()).toMatchObject({ status: 'ok', proof: { status: 'ok' } });
      expect(server.alarms).toEqual([]);
    },
  );

  test('des vues d’un autre journal sont refaites', async () => {
    const other = join(work, 'ailleurs');
    mkdirSync(other, { recursive: true });
    const elsewhere = await run({ folder: other, now });
    const foreign = await lead(elsewhere, await parties(elsewhere), upTo('j0.acceptee'));
    await elsewhere.stop('keep');
    restore(other, 'lectures.db');
    await start();
    await isBuilt();
    const text = await shown();
    expect(text).not.toContain(foreign);
    expect(text).toContain(gone);
  });
});
