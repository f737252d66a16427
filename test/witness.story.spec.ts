import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyFile, readVerifierKey, serveWitness, verifierKey, Witness } from '@jalon/proof';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { VerificationRefused, verifyFile } from '../apps/cli/verify.ts';
import { bundleOf } from './bundles.ts';
import { until } from './eventually.ts';
import { lead, parties, propose, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { fact, type Step, upTo } from './walk.ts';

const now = new Date('2025-07-02T10:00:00Z');
const work = mkdtempSync(join(tmpdir(), 'jalon-temoins-'));
const folder = join(work, 'journal');
const older = join(work, 'sauvegarde');
const closing: (() => unknown)[] = [];
let server: Running;
let tokens: Tokens;
let id: string;
let key: string;

async function start(env: Record<string, string> = {}): Promise<void> {
  server = await run({ folder, now: () => now, env });
  tokens = await parties(server);
}

/** A bundle as somebody takes it away, and what `jalon verify` says of it. */
async function taken(name: string, witnesses: string[]) {
  const file = join(work, name);
  writeFileSync(file, await bundleOf(server, tokens.auditeur, id));
  const { ok, lines } = verifyFile(file, [], witnesses);
  return { ok, witnessed: lines.find((line) => line.includes('témoins')) };
}

async function recorded(step: Step): Promise<void> {
  expect((await propose(server, tokens, id, step)).status).toBe(201);
}

const readiness = async () => (await server.call(null, 'GET', '/health/ready')).body;

let env: Record<string, string>;

beforeAll(async () => {
  await start();
  id = await lead(server, tokens, upTo('candidature.accuse-emis'));
  const [jwk] = (await server.call(null, 'GET', '/api/keys')).body.keys;
  const log = (await server.product.proving.keys.published()).find((one) => one.id === jwk.kid);
  const keyFile = new KeyFile(join(work, 'temoin.pem'));
  const witness = new Witness({
    folder: work,
    pair: keyFile.create(),
    name: 'temoin.example',
    draw: () => '',
    logs: log ? [log] : [],
    clock: () => now,
  });
  const { url, close } = await serveWitness(witness, '127.0.0.1', 0);
  closing.push(close, () => witness.close());
  key = verifierKey(witness.key, 'cosignature');
  env = { JALON_WITNESSES: `${key} ${url}` };
  await server.stop('keep');
});
afterAll(async () => {
  await server.stop('keep');
  for (const close of closing) await close();
  rmSync(work, { recursive: true });
});

test('un dossier emporté porte la cosignature du témoin, et la vérification peut l’exiger', async () => {
  await start(env);
  await recorded(fact('candidature.charge-designe'));
  expect(await taken('temoigne.json', [key])).toEqual({
    ok: true,
    witnessed: '✓ témoins : cosigné par temoin.example, le 2025-07-02T10:00:00.000Z',
  });
  const other = verifierKey({ ...readVerifierKey(key, 'cosignature'), name: 'autre', id: '00000000' }, 'cosignature');
  expect(() => verifyFile(join(work, 'temoigne.json'), [], [other])).toThrow(VerificationRefused);
  expect(await readiness()).toMatchObject({ status: 'ok', witnesses: [{ name: 'temoin.example', status: 'ok' }] });
  await server.stop('keep');
  expect(server.alarms).toEqual([]);
});

test('un administrateur qui revient en arrière avec tout, clé comprise, est trouvé par qui tient un dossier emporté', async () => {
  cpSync(folder, older, { recursive: true });
  await start(env);
  await recorded(fact('dossier.note-ajoutee'));
  expect((await taken('avant.json', [key])).ok).toBe(true);
  await server.stop('keep');

  rmSync(folder, { recursive: true });
  cpSync(older, folder, { recursive: true });
  await start(env);
  await recorded(fact('dossier.cible-annoncee'));
  await recorded(fact('dossier.cible-annoncee'));
  expect(await taken('apres.json', [])).toMatchObject({ ok: true, witnessed: undefined });
  expect(await taken('apres.json', [key])).toEqual({
    ok: false,
    witnessed: expect.stringMatching(/^✗ témoins : le point de contrôle n'est pas cosigné par temoin\.example/),
  });
  await until(async () => (await readiness()).witnesses[0].status === 'refused');
  expect((await readiness()).status).toBe('degraded');
  expect(server.alarms).toEqual(['a witness refuses to cosign the log']);
});
