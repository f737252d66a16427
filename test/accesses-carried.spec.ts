import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { recordFirstKey } from '../apps/api/keys.ts';
import { peek, tamper } from './office.ts';
import { lead, parties, propose, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { ProductProcess } from './server-process.ts';
import { fact, upTo } from './walk.ts';

const root = mkdtempSync(join(tmpdir(), 'jalon-accesses-'));
const old = join(root, 'old');

let server: Running;
let tokens: Tokens;
let id: string;
beforeAll(async () => {
  server = await run({ folder: old });
  tokens = await parties(server);
  id = await lead(server, tokens, upTo('j2.constat-releve'));
  await server.call(tokens.charge, 'GET', `/api/dossiers/${id}`);
});
afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});

async function jalon(folder: string, ...args: string[]) {
  const command = new ProductProcess('apps/cli/jalon.mjs', args, { JALON_DATA: folder });
  const code = await command.exit;
  return { code, stdout: command.stdout, stderr: command.stderr };
}

async function accesses(
  of: Running,
  token: string,
): Promise<{ id: string; type: string; data: Record<string, unknown> }[]> {
  const { status, body } = await of.call(token, 'GET', '/api/accesses?limit=200');
  expect(status).toBe(200);
  return body.items;
}

test('the log of accesses is in the tree that proves the dossiers, and only an auditeur has it proven', async () => {
  const [record] = await accesses(server, tokens.auditeur);
  const proof = `/api/proofs/inclusion?event=${record?.id}`;
  const { status, body } = await server.call(tokens.auditeur, 'GET', proof);
  expect([status, body.leafIndex < body.treeSize]).toEqual([200, true]);
  expect((await server.call(tokens.charge, 'GET', proof)).status).toBe(404);
});

test('neither the feed nor a read model ever sees it, and read models follow past it', async () => {
  const { product, call } = server;
  const last = (await propose(server, tokens, id, fact('dossier.cible-annoncee'))).body.event;
  await product.accesses.record('acces.exporte', { iss: 'i', sub: 's', role: 'r' }, { operation: 'o' });
  const { body } = await call(tokens.charge, 'GET', '/api/feed?limit=200');
  expect(body.length).toBeGreaterThan(5);
  expect(body.filter(({ type }: { type: string }) => /acces/.test(type))).toEqual([]);
  expect((await call(tokens.charge, 'GET', `/api/dossiers?min-position=${last.position}`)).body.items).toHaveLength(1);
});

test('who reads a folder by the command line is recorded: by the server that runs, else in the folder, covered', async () => {
  const known = (await accesses(server, tokens.auditeur)).length;
  const operations = async (of: Running, token: string) =>
    (await accesses(of, token)).slice(known).map(({ data }) => `${data.operation} ${data.dossier ?? ''}`);
  const read = [`jalon replay ${id}`, `jalon diff ${id}`, 'jalon verify '];
  const readings = [
    ['replay', id],
    ['diff', id, '--from', '0'],
    ['verify', '--journal'],
  ];
  for (const args of readings) expect(await jalon(old, ...args)).toMatchObject({ code: 0 });
  expect(await operations(server, tokens.auditeur)).toEqual(read);

  // In use, and nobody to ask: it is read all the same, and said that nothing is recorded.
  rmSync(join(old, 'jalon.sock'));
  expect(await jalon(old, 'replay', id)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('faits rejoués'),
    stderr: expect.stringMatching(/^Cette lecture n'est pas inscrite au journal des accès : .+\n$/),
  });
  await server.stop('keep');
  for (const args of readings) expect(await jalon(old, ...args)).toMatchObject({ code: 0 });
  const report = JSON.parse((await jalon(old, 'verify', '--journal', '--json')).stdout);
  expect(report).toMatchObject({ ok: true, facts: report.covered });
  // What does not hold is left as it was found, and so is what may not be written to.
  const changed = join(root, 'changed');
  cpSync(old, changed, { recursive: true });
  tamper(changed, `dossier-${id}`, 3, 'data', (text) => text.replace('2', '3'));
  const before = peek(changed, 'journal.db', 'select count(*) as n from events')[0];
  expect(await jalon(changed, 'verify', '--journal')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("n'est pas inscrite au journal des accès"),
  });
  expect(peek(changed, 'journal.db', 'select count(*) as n from events')[0]).toEqual(before);
  server = await run({ folder: old });
  tokens = await parties(server);
  expect(await operations(server, tokens.auditeur)).toEqual([...read, ...read, 'jalon verify ']);
}, 60_000);

test('the first key that is made is recorded with the next access, and nothing before', async () => {
  const own = await run();
  try {
    void recordFirstKey(own.product);
    const theirs = await parties(own);
    await lead(own, theirs, upTo('candidature.accuse-emis'));
    await own.call(null, 'GET', '/api/checkpoints/latest');
    const { body } = await own.call(null, 'GET', '/api/keys');
    expect(String(await own.product.journal.tip())).toBe('2');
    const [key] = await accesses(own, theirs.auditeur);
    expect(key).toMatchObject({ type: 'acces.cle-creee', data: { cle: body.keys[0].kid } });
  } finally {
    await own.stop();
  }
});

test('exports and new keys are recorded; an export carries the log, and it verifies where it is imported', async () => {
  expect(await jalon(old, 'keys', 'rotate')).toMatchObject({ code: 0 });
  const file = join(root, 'journal.jsonl');
  const before = await accesses(server, tokens.auditeur);
  expect(before.at(-1)).toMatchObject({ type: 'acces.cle-remplacee', data: { operation: 'jalon keys rotate' } });
  expect(await jalon(old, 'export', file)).toMatchObject({ code: 0 });
  expect((await accesses(server, tokens.auditeur)).slice(before.length)).toMatchObject([
    { type: 'acces.exporte', data: { operation: 'jalon export', fichier: file } },
  ]);

  const next = join(root, 'new');
  expect(await jalon(next, 'import', file)).toMatchObject({ code: 0 });
  expect(await jalon(next, 'verify', '--journal')).toMatchObject({ code: 0 });
  const moved = await run({ folder: next });
  try {
    const carried = await accesses(moved, await moved.token('auditeur'));
    expect(carried.slice(0, before.length)).toEqual(before);
    // Who verified it read it.
    expect(carried.slice(before.length).map(({ type }) => type)).toEqual(['acces.journal-verifie']);
    // Another node begins a stream of its own, and leaves what it received as it is.
    await moved.call(await moved.token('charge-de-qualification'), 'GET', `/api/dossiers/${id}`);
    const after = await accesses(moved, await moved.token('auditeur'));
    // Besides, that this log was read here.
    expect(after.slice(carried.length).map(({ type }) => type)).toEqual(['acces.journal-lu', 'acces.faits-lus']);
  } finally {
    await moved.stop('keep');
  }
}, 60_000);
