import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { askServer } from '../apps/cli/hold.ts';
import { seed } from './bench/seed.ts';
import { peek } from './office.ts';
import { buildProduct, ProductProcess, ServerProcess } from './server-process.ts';

let folder: string;
beforeAll(buildProduct, 60_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jalon-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `jalon` to its end. */
async function jalon(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const command = new ProductProcess('apps/cli/jalon.mjs', args, { JALON_DATA: folder });
  const code = await command.exit;
  return { code, stdout: command.stdout, stderr: command.stderr };
}

const TABLES = { dossiers: 'id', chronologie: 'id', chronologie_faits: 'dossier, revision' };
const rows = () =>
  Object.entries(TABLES).map(([table, key]) => peek(folder, 'lectures.db', `select * from ${table} order by ${key}`));

const ONE_LINE = /^[^\n]+\n$/;

describe('jalon', () => {
  test('--help donne les commandes, en français', async () => {
    const { code, stdout, stderr } = await jalon('--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Emploi : jalon \[options\] \[commande\]\n/);
    const [, commands = ''] = stdout.split('Commandes :\n');
    expect(commands).toMatch(/^ {2}sample +enregistre les cas publics/m);
    expect(commands).toMatch(/^ {2}rebuild \[vue\] +reconstruit les vues/m);
    expect(stdout).not.toMatch(/\b(Usage|Commands|command|display|output|default)\b/);
  });

  test('--version donne la version', async () => {
    expect(await jalon('--version')).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  });

  test('une commande inconnue : sortie 1, et où trouver les autres', async () => {
    const { code, stdout, stderr } = await jalon('samples');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('jalon --help');
  });
});

describe('jalon witness', () => {
  const LOG = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';

  test('donne sa clé et son adresse, et garde les deux d’un démarrage à l’autre', async () => {
    const witness = () =>
      new ProductProcess(
        'apps/cli/jalon.mjs',
        ['witness', '--log', LOG, '--folder', join(folder, 'temoin'), '--port', '0'],
        {},
      );
    const first = witness();
    const [, key = '', url = ''] = await first.says(/JALON_WITNESSES="(\S+) (http:\S+)"/);
    expect(key).toMatch(/^temoin-[0-9a-f]{16}\+[0-9a-f]{8}\+B/);
    expect(await (await fetch(url)).text()).toBe(`${key}\n`);
    first.kill('SIGTERM');
    expect(await first.exit).toBe(0);
    const again = witness();
    expect((await again.says(/JALON_WITNESSES="(\S+) /))[1]).toBe(key);
    again.kill('SIGINT');
    expect(await again.exit).toBe(0);
  });

  test('refuse en une ligne ce qui n’est pas la clé d’un journal', async () => {
    const { code, stdout, stderr } = await jalon('witness', '--log', 'bonjour', '--folder', join(folder, 'temoin'));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(ONE_LINE);
    expect(existsSync(join(folder, 'temoin'))).toBe(false);
  });
});

describe('Le passé d’un dossier', () => {
  const listed = () => peek(folder, 'journal.db', 'select stream from events order by position limit 1')[0]?.stream;

  test('replay le rejoue fait par fait, diff compare deux de ses moments', async () => {
    await jalon('sample');
    const id = String(listed()).slice('dossier-'.length);
    const { code, stdout } = await jalon('replay', id);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^ {3}0 {2}\d{4}-\d\d-\d\d {2}.*\(candidature\.deposee\) {2}\(ouverture\) → candidature\.deposee$/m,
    );
    expect(stdout).toMatch(/^\d+ faits rejoués ; chaque état a l'empreinte enregistrée\.$/m);
    const steps = (await jalon('replay', id, '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(steps.map(({ revision }) => revision)).toEqual(steps.map((_, index) => index));
    const patch = JSON.parse((await jalon('diff', id, '--from', '0', '--to', '2')).stdout);
    expect(patch).toContainEqual({ op: 'replace', path: '/context/faits', value: 3 });
  }, 30_000);

  test('ce qui n’est pas un moment, ni un dossier, est dit en une ligne', async () => {
    await jalon('sample');
    const id = String(listed()).slice('dossier-'.length);
    for (const args of [
      ['diff', id, '--from', 'hier'],
      ['diff', id, '--from', '0', '--to-effective', '2025-02-30'],
      ['replay', '00000000-0000-4000-8000-000000000000'],
      ['replay', 'x'],
      ['diff', id, '--from', '999'],
    ]) {
      const { code, stdout, stderr } = await jalon(...args);
      expect({ args, code, stdout, stderr }).toEqual({
        args,
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(ONE_LINE),
      });
    }
  }, 30_000);
});

describe('Sans serveur', () => {
  test('sample enregistre les cas publics dans un dossier nouveau ; une seconde fois, rien', async () => {
    rmSync(folder, { recursive: true });
    const first = await jalon('sample');
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+ faits enregistrés, 0 déjà présents\.\n$/),
    });
    expect(first.stderr).toMatch(/^(.+, .+: dossier [0-9a-f-]{36}\n){6}$/);
    const [, count] = /^(\d+)/.exec(first.stdout)!;
    expect((await jalon('sample')).stdout).toBe(`0 faits enregistrés, ${count} déjà présents.\n`);
  });

  test('rebuild donne les mêmes vues : encore une fois, une seule, ou après les avoir toutes perdues', async () => {
    await jalon('sample');
    expect(await jalon('rebuild')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Vues reconstruites en [\d.]+ s : chronologie, dossiers.*\.\n$/),
      stderr: expect.stringMatching(/^(chronologie, dossiers.*) : \d+ faits\n$/),
    });
    const before = rows();
    expect(before[0]).toHaveLength(6);
    expect((await jalon('rebuild', 'dossiers')).stdout).toMatch(/ s : dossiers\.\n$/);
    expect(rows()).toEqual(before);
    for (const file of readdirSync(folder).filter((name) => name.startsWith('lectures.db'))) rmSync(join(folder, file));
    expect((await jalon('rebuild')).code).toBe(0);
    expect(rows()).toEqual(before);
  });

  test('une vue inconnue : une ligne, qui nomme celles qui existent ; sortie 1', async () => {
    await jalon('sample');
    const { code, stdout, stderr } = await jalon('rebuild', 'registres');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain('registres');
    expect(stderr).toContain('chronologie, dossiers');
  });

  test('rebuild ne crée rien là où il n’y a pas de journal', async () => {
    const absent = join(folder, 'absent');
    const { code, stdout, stderr } = await jalon('--data', absent, 'rebuild');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain(absent);
    expect(existsSync(absent)).toBe(false);
  });

  test.each<[string, () => void, RegExp]>([
    ['un fichier qui n’est pas une base', () => writeFileSync(join(folder, 'journal.db'), 'bonjour'), /journal\.db/],
    [
      'la base d’un autre programme',
      () => {
        const db = new Database(join(folder, 'journal.db'));
        db.exec('create table contacts (nom text)');
        db.close();
      },
      /journal\.db (was not written by Jalon|cannot be opened)/,
    ],
  ])('un dossier étranger (%s) : une ligne, et rien n’y est changé', async (_, plant, message) => {
    plant();
    const before = readdirSync(folder);
    for (const command of ['sample', 'rebuild']) {
      const { code, stdout, stderr } = await jalon(command);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(ONE_LINE);
      expect(stderr).toMatch(message);
    }
    const server = new ProductProcess('dist/api.mjs', [], { JALON_DATA: folder });
    expect(await server.exit).toBe(1);
    expect(server.stderr).toMatch(ONE_LINE);
    expect(server.stderr).toMatch(message);
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe('Avec un serveur sur le même dossier', () => {
  let server: ServerProcess;
  beforeEach(async () => {
    server = await ServerProcess.start(folder);
  }, 30_000);
  afterEach(async () => {
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    expect(server.stderr).toBe('');
    expect(existsSync(join(folder, 'jalon.sock'))).toBe(false);
  });

  test('les commandes passent par lui, et il répond pendant ce temps', async () => {
    const token = await server.token('auditeur');
    const list = async () => (await server.send('GET', '/api/dossiers?limit=200', { token })).body;
    expect((await list()).items).toEqual([]);
    expect((await jalon('sample')).stdout).toMatch(/^\d+ faits enregistrés, 0 déjà présents\.\n$/);
    const before = await list();
    expect(before.items).toHaveLength(6);
    const [rebuilt, meanwhile] = await Promise.all([jalon('rebuild'), list()]);
    expect(rebuilt).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Vues reconstruites/) });
    expect(meanwhile).toEqual(before);
    expect(await list()).toEqual(before);
  });

  test('import passe par lui : il sert aussitôt ce qui est importé, et n’y mêle rien d’autre', async () => {
    const file = join(folder, 'exporté.jsonl');
    const other = join(folder, 'autre');
    await jalon('--data', other, 'sample');
    await jalon('--data', other, 'export', file);
    const imported = await jalon('import', file);
    expect(imported).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/^\d+ faits, .* comparés\.\n$/),
    });
    const token = await server.token('charge-de-qualification');
    const list = async () => (await server.send('GET', '/api/dossiers', { token })).body.items;
    const [{ id }] = await list();
    expect(await list()).toHaveLength(6);
    expect(await jalon('import', file)).toEqual(imported);
    expect(await jalon('import', file, '--database', 'postgres://localhost/jalon')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Un serveur tourne sur ce dossier .*\n$/),
    });
    expect(await jalon('import', join(folder, 'absent'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(ONE_LINE),
    });

    const note = { type: 'dossier.note-ajoutee', data: { texte: 'Après.' } };
    expect((await server.send('POST', `/api/dossiers/${id}/facts`, { token, body: note })).status).toBe(201);
    expect(await jalon('import', file)).toMatchObject({
      code: 0,
      stdout: 'Tout est déjà au journal, et davantage : rien n’a été écrit.\n',
    });
  }, 60_000);

  test('import, le serveur tué en chemin : il reprend où il en était, et finit', async () => {
    const other = join(folder, 'autre');
    const file = join(folder, 'exporté.jsonl');
    await seed(other, new Array<number>(130).fill(20), () => undefined);
    await jalon('--data', other, 'export', file);
    const order = { command: 'import', file, elsewhere: false, partial: false } as const;
    const said: string[] = [];
    const killed = askServer(folder, order, (line) => {
      said.push(line);
      if (line === '1000 faits') server.kill('SIGKILL');
    });
    await expect(killed).rejects.toThrow("Le serveur s'est arrêté avant d'avoir fini.");
    expect(said).toEqual(['1000 faits vérifiés', '2000 faits vérifiés', '1000 faits']);
    await server.exit;
    server = await ServerProcess.start(folder);
    expect(peek(folder, 'journal.db', 'select count(*) as facts from events')[0]?.facts).toBeLessThan(2_600);
    expect((await jalon('import', file)).stdout).toMatch(/^2600 faits, /);
    const again = join(folder, 'encore.jsonl');
    await jalon('export', again);
    expect(readFileSync(again, 'utf8')).toBe(readFileSync(file, 'utf8'));
  }, 60_000);

  test('une vue inconnue : la même ligne, et le serveur continue', async () => {
    const { code, stdout, stderr } = await jalon('rebuild', 'registres');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain('chronologie, dossiers');
    expect((await server.send('GET', '/health/ready')).status).toBe(200);
  });
});

describe('npm start', () => {
  test('dit où regarder, et une première requête que l’on colle telle quelle dans bash (curl)', async () => {
    const server = await ServerProcess.start(folder, { JALON_SAMPLE: 'public' }, 'apps/api/start.mjs');
    try {
      const [welcome] = await server.says(/Jalon écoute[\s\S]*Arrêt : Ctrl-C.*\n/);
      for (const [, address = ''] of welcome.matchAll(/^ {2}\S+ {2,}(http\S+)$/gm))
        expect([address, (await fetch(address)).status]).toEqual([address, 200]);
      const [, request = ''] = /à coller dans un autre terminal :\n\n((?: {2}.*\n)+)/.exec(welcome)!;
      const listed = JSON.parse(execFileSync('bash', ['-euo', 'pipefail', '-c', request], { encoding: 'utf8' }));
      expect(listed.items).toHaveLength(6);
    } finally {
      server.kill('SIGINT');
    }
    expect(await server.exit).toBe(0);
  }, 60_000);
});
