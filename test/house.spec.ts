import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startEventStore } from './eventstore/server.ts';
import { lead, parties, propose } from './parties.ts';
import { PostgresServer } from './postgres.ts';
import { type Running, run } from './running.ts';
import { fact, walkToJ3 } from './walk.ts';

const root = mkdtempSync(join(tmpdir(), 'jalon-house-'));
const file = join(root, 'journal.jsonl');
const execute = promisify(execFile);
const jalon = (...args: string[]) => execute(process.execPath, ['apps/cli/jalon.mjs', ...args]);

/** What an exported file holds, but its closing line. */
const linesOf = (exported: string) => readFileSync(exported, 'utf8').trimEnd().split('\n').slice(0, -1);

let server: Running;
let id: string;

beforeAll(async () => {
  server = await run({ folder: join(root, 'old') });
  const tokens = await parties(server);
  tokens.charge = await server.token('charge-de-qualification', { nom: 'Camille Martin' });
  id = await lead(server, tokens, walkToJ3());
  await propose(server, tokens, id, fact('dossier.note-ajoutee', { texte: 'Au coffre.' }));
});
afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});

test('a log exported beside the running server and imported elsewhere answers the same', async () => {
  const paths = ['', '/facts?limit=200', '/timeline'];
  const answers = async (at: Running) => {
    const token = await at.token('charge-de-qualification');
    const got = [];
    for (const path of paths) got.push((await at.call(token, 'GET', `/api/dossiers/${id}${path}`)).body);
    return got;
  };
  const before = await answers(server);
  expect(JSON.stringify(before)).toMatch(/Camille Martin.*Au coffre/s);

  expect((await jalon('--data', join(root, 'old'), 'export', file)).stdout).toContain('Exporté');
  const imported = await jalon('--data', join(root, 'new'), 'import', file);
  // Thirty of the dossier, three readings of what is confidential and the answer to the note, and that they have a stream.
  expect(imported.stdout).toMatch(/^35 faits, \d+ personnes et 1 contenus effaçables importés, relus et comparés\.\n$/);

  const moved = await run({ folder: join(root, 'new') });
  try {
    expect(await answers(moved)).toEqual(before);
  } finally {
    await moved.stop('keep');
  }
});

test('what a log that a server holds has already changes nothing; what is not there is refused in one line', async () => {
  const refusal = async (...args: string[]) => {
    const fault = await jalon(...args).then(
      () => null,
      (error: { code: number; stderr: string }) => error,
    );
    return [fault?.code, fault?.stderr.trim().split('\n').length, fault?.stderr];
  };
  // The export itself was recorded meanwhile.
  expect((await jalon('--data', join(root, 'old'), 'import', file)).stdout).toMatch(/^Tout est déjà au journal/);
  expect(await refusal('--data', join(root, 'third'), 'import', join(root, 'absent'))).toEqual([
    1,
    1,
    expect.anything(),
  ]);
  expect(readFileSync(file, 'utf8')).toContain('"end"');
});

test('while an import has the log for itself proposals are answered 503, to be sent again, and reads as before', async () => {
  const tokens = await parties(server);
  const note = fact('dossier.cible-annoncee');
  const before = await server.call(tokens.charge, 'GET', `/api/dossiers/${id}`);
  await server.product.journal.reserve('Un import est en cours.', async () => {
    const refused = await propose(server, tokens, id, note);
    expect([refused.status, refused.body.type, refused.headers.get('retry-after')]).toEqual([
      503,
      '/problems/journal-indisponible',
      '2',
    ]);
    expect((await server.call(tokens.charge, 'GET', `/api/dossiers/${id}`)).body).toEqual(before.body);
  });
  expect((await propose(server, tokens, id, note)).status).toBe(201);
});

test('a log moves to EventStoreDB and back, and the file is the same to the letter', async () => {
  const store = await startEventStore({ folder: join(root, 'eventstore') });
  try {
    const [node, back] = [join(root, 'node'), join(root, 'back')];
    const there = await jalon('--data', node, 'import', file, '--eventstore', store.connectionString);
    expect(there.stdout).toContain('relus et comparés');
    // Interrupted or not, the same import again changes nothing.
    await jalon('--data', node, 'import', file, '--eventstore', store.connectionString);
    const returned = join(root, 'returned.jsonl');
    await jalon('--data', node, 'export', returned, '--eventstore', store.connectionString);
    expect(readFileSync(returned, 'utf8')).toBe(readFileSync(file, 'utf8'));

    await jalon('--data', back, 'import', returned);
    const again = join(root, 'again.jsonl');
    await jalon('--data', back, 'export', again);
    expect(readFileSync(again, 'utf8')).toBe(readFileSync(file, 'utf8'));
  } finally {
    await store.stop();
  }
}, 60_000);

test('a directory moves to PostgreSQL and back with its log, beside the server that runs there', async () => {
  const store = await startEventStore({ folder: join(root, 'eventstore-2') });
  const postgres = await PostgresServer.start();
  const folder = join(root, 'grown');
  const [eventstore, database] = [
    ['--eventstore', store.connectionString],
    ['--database', postgres.url],
  ];
  try {
    await jalon('--data', folder, 'import', file, ...eventstore, ...database);
    const grown = await run({ folder, env: { ESDB_URL: store.connectionString, DATABASE_URL: postgres.url } });
    try {
      const token = await grown.token('charge-de-qualification');
      const { text } = await grown.call(token, 'GET', `/api/dossiers/${id}/timeline`);
      expect(text).toMatch(/Camille Martin.*Au coffre/s);
      const returned = join(root, 'returned-2.jsonl');
      await jalon('--data', folder, 'export', returned, ...eventstore, ...database);
      // The same to the letter, and then who read it there.
      const [sent, came] = [linesOf(file), linesOf(returned)];
      expect(came.slice(0, sent.length)).toEqual(sent);
      expect(came.slice(sent.length).filter((line) => !line.includes('"stream":"acces-'))).toEqual([]);
      // Without its directory, a log is not exported as if there were no names.
      const without = await jalon('--data', join(root, 'nowhere'), 'export', returned, ...eventstore).catch(
        (error) => error,
      );
      expect(without.stderr).toMatch(/personnes\.db does not exist/);
    } finally {
      await grown.stop('keep');
    }
    // Another log, whose persons have other salts: refused by name, and not mixed.
    const other = join(root, 'other.jsonl');
    const stranger = await run({ folder: join(root, 'stranger') });
    const tokens = await parties(stranger);
    tokens.charge = await stranger.token('charge-de-qualification', { nom: 'Camille Martin' });
    await lead(stranger, tokens, walkToJ3());
    await jalon('--data', join(root, 'stranger'), 'export', other);
    await stranger.stop('keep');
    const mixed = await jalon('--data', join(root, 'mixed'), 'import', other, ...database).catch((error) => error);
    expect(mixed.stderr).toMatch(/^The directory knows demo-charge-de-qualification .* another salt/);
  } finally {
    await store.stop();
    await postgres.stop();
  }
}, 60_000);
