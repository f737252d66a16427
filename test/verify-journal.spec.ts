import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archiveOf, envelopeHash } from '@jalon/journal';
import { type JournalReport, StreamsCheck } from '@jalon/proof';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { erase } from '../apps/api/erase.ts';
import { exportTo } from '../apps/cli/export.ts';
import { type House, importFrom, openForReading } from '../apps/cli/house.ts';
import { readableHouse } from '../apps/cli/readable.ts';
import { openSource } from '../apps/cli/verified-source.ts';
import { verifyWhole } from '../apps/cli/verify-journal.ts';
import { fortyFacts, namedParties } from './bundles.ts';
import { startEventStore } from './eventstore/server.ts';
import { peek, tamper } from './office.ts';
import { lead } from './parties.ts';
import { type Running, run } from './running.ts';
import { buildProduct, ProductProcess } from './server-process.ts';
import { wayTo } from './walk.ts';

/** A folder with two dossiers, one of them of 40 facts, as a server left it. */
let model: string;
let folder: string;
let id: string;
let stream: string;
/** A checkpoint that somebody kept. */
let kept: string;

const silent = () => undefined;
/** The first dossier is recorded half an hour before all the rest. */
const before = () => new Date('2025-07-02T09:30:00Z');
const now = () => new Date('2025-07-02T10:00:00Z');

beforeAll(async () => {
  buildProduct();
  model = mkdtempSync(join(tmpdir(), 'jalon-model-'));
  const first = await run({ folder: model, now: before });
  id = await fortyFacts(first, await namedParties(first));
  stream = `dossier-${id}`;
  await first.stop('keep');
  const server = await run({ folder: model, now });
  const tokens = await namedParties(server);
  await lead(server, tokens, wayTo('j1.centre-attendu'));
  await server.stop('keep');
  kept = String(peek(model, 'preuve.db', 'select note from checkpoints order by size desc')[0]?.note);
}, 60_000);
afterAll(() => rmSync(model, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jalon-verify-'));
  cpSync(model, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

async function verified(options: Partial<Parameters<typeof verifyWhole>[0]> = {}) {
  const { ok, lines, report } = await verifyWhole({
    house: { folder },
    checkpoints: [],
    keys: [],
    threads: 1,
    say: silent,
    ...options,
  });
  return { ok, lines, report: report as JournalReport };
}

const where = (file: string, sql: string) => {
  const db = new Database(join(folder, file));
  db.exec(sql);
  db.close();
};

/** A statement that flips one bit of a column in a table's first row. */
const flipOf = (table: string, column: string) =>
  `update ${table} set ${column} = cast(x'ff' || substr(${column}, 2) as blob) where rowid = (select min(rowid) from ${table})`;

/** The table in which a read model keeps its rows at present. */
const tableOf = (name: string) =>
  String(peek(folder, 'lectures.db', 'select name from sqlite_schema where name like ?', `${name}_g%`)[0]?.name);

/** Changes what the journal holds beside a payload, at a revision. */
function rewrite(revision: number, change: (meta: { envelope: Record<string, unknown>; hash: string }) => void): void {
  tamper(folder, stream, revision, 'meta', (text) => {
    const meta = JSON.parse(text);
    change(meta);
    return JSON.stringify(meta);
  });
}

describe('Vérifier un journal', () => {
  test('tout tient : chaque flux, chaque point de contrôle ; le compte à la fin', async () => {
    const { ok, lines, report } = await verified();
    expect(ok).toBe(true);
    expect(report).toMatchObject({ facts: 49, streams: 4, faults: [], whole: [], covered: 49 });
    expect(report.checkpoints).toBeGreaterThan(0);
    expect(lines.at(-2)).toMatch(/^49 faits en 4 flux vérifiés ; \d+ points de contrôle tiennent, jusqu'au fait 49\.$/);
  });

  test.each<[string, () => void, string]>([
    ['un contenu', () => tamper(folder, stream, 7, 'data', (text) => text.replace('2', '3')), 'data'],
    [
      'un état de départ',
      () => rewrite(7, ({ envelope }) => Object.assign(envelope, { from: 'j3.instruction' })),
      'from',
    ],
    ["un état d'arrivée", () => rewrite(7, ({ envelope }) => Object.assign(envelope, { to: 'expiree' })), 'to'],
    [
      "l'empreinte d'un état",
      () => rewrite(7, ({ envelope }) => Object.assign(envelope, { stateHash: 'a'.repeat(64) })),
      'stateHash',
    ],
    [
      "l'empreinte du précédent",
      () => rewrite(7, ({ envelope }) => Object.assign(envelope, { previousHash: 'a'.repeat(64) })),
      'previousHash',
    ],
    [
      'un auteur',
      () => rewrite(7, ({ envelope }) => Object.assign(envelope.actor as object, { sub: 'autre' })),
      'enveloppe',
    ],
    [
      'une date',
      () => rewrite(7, ({ envelope }) => Object.assign(envelope, { effectiveAt: '2024-01-01' })),
      'enveloppe',
    ],
    ['une empreinte', () => rewrite(7, (meta) => Object.assign(meta, { hash: 'a'.repeat(64) })), 'enveloppe'],
    [
      'un type, hors de l’enveloppe',
      () => where('journal.db', "update events set type = 'x.y' where revision = 7"),
      'enveloppe',
    ],
    ['ce qui est illisible', () => tamper(folder, stream, 7, 'meta', () => 'bonjour'), 'enveloppe'],
  ])('%s changé dans SQLite : le premier fait en cause est nommé', async (_, change, field) => {
    change();
    const { ok, lines, report } = await verified();
    expect(ok).toBe(false);
    const fault = report.faults.find((one) => one.stream === stream)!;
    // A page that cannot be read whole is not read at all: what is told is where reading stopped.
    expect(fault.says.startsWith('illisible') ? fault.says : fault.revision).toEqual(
      fault.says.startsWith('illisible') ? expect.stringMatching(/position \d+/) : 7,
    );
    expect(fault.field).toBe(field);
    expect(lines).toContainEqual(expect.stringContaining(`✗ ${stream}, fait `));
    expect(lines.at(-1)).toBe('Le journal ne se vérifie pas.');
  });

  test('un flux récrit de bout en bout, chaîne comprise, ne passe pas les points de contrôle', async () => {
    let previousHash: string | null = null;
    for (let revision = 0; revision < 40; revision += 1)
      rewrite(revision, (meta) => {
        meta.envelope.previousHash = previousHash;
        if (revision >= 7) meta.envelope.correlationId = 'récrit';
        meta.hash = envelopeHash(meta.envelope as never);
        previousHash = meta.hash;
      });
    const { ok, report } = await verified();
    expect(report.faults).toEqual([]);
    expect(report.whole).toEqual([expect.stringContaining("n'ont pas la racine")]);
    expect(ok).toBe(false);
  });

  test.each<[string, string, RegExp[]]>([
    ['un fait ôté au milieu', `delete from events where position = 7`, [/positions? n'ont pas de fait|racine|couvre/]],
    [
      'le dernier fait ôté',
      'delete from events where position = 49',
      [/(couvre|compte) 49 faits, et le journal n'en a que 48/],
    ],
    ['les derniers points de contrôle', 'delete from events where position > 30', [/racine|couvre/]],
  ])('%s : le journal en son entier est en cause', async (_, sql, [says]) => {
    where('journal.db', sql);
    const { ok, report } = await verified();
    expect(ok).toBe(false);
    expect(report.whole.join()).toMatch(says!);
  });

  test('un point de contrôle gardé ailleurs dit ce que le dossier de données ne dit plus', async () => {
    const file = join(folder, 'garde.txt');
    writeFileSync(file, kept);
    expect((await verified({ checkpoints: [file] })).ok).toBe(true);
    where('journal.db', 'delete from events where position = 49');
    for (const kept of ['preuve.db', 'cle.pem', 'tete']) rmSync(join(folder, kept));
    expect((await verified()).ok).toBe(true);
    expect((await verified({ checkpoints: [file] })).report.whole).toEqual([
      expect.stringContaining('couvre 49 faits'),
    ]);
  });

  test.each<[string, () => void, RegExp]>([
    [
      'la dernière tête signée en couvre davantage',
      () => {
        where('journal.db', 'delete from events where position > 42');
        rmSync(join(folder, 'preuve.db'));
      },
      /couvre \d+ faits, et le journal n'en a que 42/,
    ],
    [
      'une clé est là, mais aucun point de contrôle',
      () => {
        for (const kept of ['preuve.db', 'tete']) rmSync(join(folder, kept));
      },
      /\d+ faits inscrits depuis plus de deux minutes, et aucun point de contrôle/,
    ],
    [
      'les points de contrôle ont été ôtés, et la tête',
      () => {
        where('preuve.db', 'delete from checkpoints');
        rmSync(join(folder, 'tete'));
      },
      /et aucun point de contrôle/,
    ],
    [
      'preuve.db en compte davantage',
      () => {
        where('preuve.db', 'delete from checkpoints; delete from keys');
        where('journal.db', 'delete from events where position > 42');
        for (const kept of ['cle.pem', 'tete']) rmSync(join(folder, kept));
      },
      /preuve\.db compte \d+ faits, et le journal n'en a que 42/,
    ],
    ['une tuile a changé', () => where('preuve.db', flipOf('tiles', 'hashes')), /tuile 0 du niveau 0/],
    [
      'une feuille désigne un autre fait',
      () => where('preuve.db', 'update entries set revision = revision + 1 where leaf = 7'),
      /place à la feuille 7 un autre fait/,
    ],
    [
      'le journal a un autre nom',
      () => where('preuve.db', "update log set origin = 'jalon-autre'"),
      /est celle du journal jalon-[0-9a-f]+, et preuve\.db dit jalon-autre/,
    ],
    [
      'une vue montre autre chose',
      () => where('lectures.db', `update ${tableOf('dossiers')} set prestataire = 'Autre'`),
      /la vue dossiers n'est pas celle que donne le journal pour \d+ dossiers/,
    ],
    [
      'une échéance a changé dans la vue',
      () => where('lectures.db', `delete from ${tableOf('echeances')}`),
      /la vue echeances n'est pas celle que donne le journal/,
    ],
  ])('%s : vu', async (_, change, says) => {
    expect((await verified()).lines.at(-1)).toBe('Le journal se vérifie.');
    change();
    const { ok, report } = await verified();
    expect([ok, report.whole.join()]).toEqual([false, expect.stringMatching(says)]);
  });

  test('un fichier que SQLite trouve endommagé est dit, quel qu’il soit', async () => {
    for (const file of ['livraisons.db', 'reglages.db']) {
      const bytes = readFileSync(join(folder, file));
      writeFileSync(join(folder, file), bytes.fill(0xff, 4_096, 4_200));
    }
    const { report } = await verified();
    expect(report.whole).toEqual([expect.stringMatching(/^livraisons\.db /), expect.stringMatching(/^reglages\.db /)]);
  });

  test('des faits inscrits depuis plus de deux minutes ne sont couverts de rien : vu', async () => {
    const [first] = peek(folder, 'preuve.db', 'select min(size) as size from checkpoints');
    const server = await run({ folder, now: () => new Date('2025-07-02T11:00:00Z') });
    const tokens = await namedParties(server);
    await server.call(tokens.auditeur, 'GET', `/api/dossiers/${id}/facts`);
    await server.stop('keep');
    where('preuve.db', `delete from checkpoints where size > ${first?.size}`);
    rmSync(join(folder, 'tete'));
    const { report } = await verified();
    expect(report.whole).toEqual([expect.stringMatching(/^7 faits .* ne sont couverts par aucun point de contrôle$/)]);
  });

  test('ce qui est jeune n’est que compté', async () => {
    where('preuve.db', 'delete from checkpoints where size > 45');
    rmSync(join(folder, 'tete'));
    const { ok, report, lines } = await verified({ now: before() });
    expect([ok, report.waiting]).toEqual([true, report.facts - report.covered]);
    expect(lines.at(-2)).toMatch(/^\d+ faits récents attendent leur point de contrôle\.$/);
  });

  test('un point de contrôle récrit n’est signé de personne', async () => {
    where('preuve.db', "update checkpoints set note = replace(note, 'jalon-', 'jason-')");
    const { ok, report } = await verified();
    expect(ok).toBe(false);
    expect(report.whole.join()).toMatch(/n'est signé d'aucune clé reconnue/);
  });

  test('les clés données d’ailleurs sont les seules reconnues', async () => {
    expect((await verified({ keys: [verifierKeyOf(folder)] })).ok).toBe(true);
    const other = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
    expect((await verified({ keys: [other] })).ok).toBe(false);
  });

  test('un nom changé dans le répertoire, un contenu effaçable changé, l’un ou l’autre ôté sans demande : vus', async () => {
    where('personnes.db', 'update erasables set data = \'{"texte":"Rien."}\'');
    const changed = expect.objectContaining({ stream, type: 'dossier.note-ajoutee', field: 'data' });
    expect((await verified()).report.faults).toEqual([changed]);
    where('personnes.db', 'delete from erasables');
    const lost = expect.stringContaining("nul n'a demandé");
    const note = expect.objectContaining({ type: 'dossier.note-ajoutee', says: lost });
    expect((await verified()).report.faults).toContainEqual(note);
    where('personnes.db', "update persons set name = 'Quelqu’un d’autre' where name like 'Gwena%'");
    const named = expect.objectContaining({ type: 'candidature.charge-designe', field: 'names' });
    expect((await verified()).report.faults).toEqual(expect.arrayContaining([named, named]));
    where('personnes.db', 'delete from persons');
    expect((await verified()).report.faults).toContainEqual(expect.objectContaining({ field: 'names', says: lost }));
  });

  test('ce qui fut effacé sur demande manque à bon droit, au journal comme dans un fichier exporté', async () => {
    const server = await run({ folder, now });
    const tokens = await namedParties(server);
    const { body } = await server.call(tokens.auditeur, 'GET', `/api/dossiers/${id}/facts?limit=200`);
    const notes = body.items.filter(({ type }: { type: string }) => type === 'dossier.note-ajoutee');
    await erase(server.product, { fact: notes[0].id });
    await erase(server.product, { iss: notes[1].meta.actor.iss, sub: notes[1].meta.actor.sub });
    await server.stop('keep');
    expect(await verified()).toMatchObject({ ok: true, report: { faults: [] } });
    const archive = join(folder, 'archive.jsonl');
    await exportTo(archive, { folder }, silent);
    expect(await verified({ archive })).toMatchObject({ ok: true });
    const there = mkdtempSync(join(tmpdir(), 'jalon-verify-'));
    expect(await importFrom(archive, { folder: there }, silent)).toContain('importés');
    rmSync(there, { recursive: true });
  });

  describe('dont un contenu fut falsifié, et le sel ôté qui le prouverait', () => {
    const forged = (data: Record<string, unknown>) =>
      JSON.stringify({ ...data, reference: 'FAUX-1', avantLe: '2031-01-01' });
    const unsalted = (meta: string) => JSON.stringify({ ...JSON.parse(meta), salt: undefined });

    /** Where each kind of event is: stream and revision of the first of a type. */
    const placeOf = (type: string) => {
      const [row] = peek(
        folder,
        'journal.db',
        'select stream, revision from events where type = ? order by position',
        type,
      );
      return row as { stream: string; revision: number };
    };

    test.each([
      ['une référence de J0', 'j0.acceptee'],
      ['une échéance', 'candidature.complements-demandes'],
      ['un numéro de décision', 'j3.qualification-accordee'],
      ['une rectification', 'dossier.fait-rectifie'],
      ['un accès', 'acces.faits-lus'],
      ['un contenu effaçable, au journal', 'dossier.note-ajoutee'],
    ])('%s : vu au journal, ni exporté ni importé', async (_, type) => {
      const archive = join(folder, 'archive.jsonl');
      await exportTo(archive, { folder }, silent);
      const place = placeOf(type);
      for (const [column, change] of [
        ['meta', unsalted],
        ['data', (data: string) => forged(JSON.parse(data))],
        ['data', () => '{}'],
      ] as const) {
        tamper(folder, place.stream, place.revision, column, change);
        if (column === 'meta' && type === 'dossier.note-ajoutee') continue;
        // Of a note nothing lies in the journal: with {} it is as it was.
        const isWhole = type === 'dossier.note-ajoutee' && change('{}') === '{}';
        const found = await verified();
        expect(found.ok).toBe(isWhole);
        if (isWhole) continue;
        expect(found.report.faults).toContainEqual(expect.objectContaining({ ...place, type, field: 'data' }));
        if (column === 'data' && change('{}') !== '{}')
          await expect(exportTo(join(folder, 'faux.jsonl'), { folder }, silent)).rejects.toThrow(
            /is damaged|does not hold/,
          );
      }

      const lines = readFileSync(archive, 'utf8').split('\n');
      const at = lines.findIndex((line) => line.includes(`"type":"${type}"`));
      const line = JSON.parse(lines[at] as string);
      const { salt: _salt, ...event } = line.event;
      for (const data of [{ ...event.data, reference: 'FAUX-1' }, {}]) {
        if (type === 'dossier.note-ajoutee' && Object.keys(data).length === 0) continue;
        writeFileSync(archive, lines.with(at, JSON.stringify({ event: { ...event, data } })).join('\n'));
        const found = await verified({ archive });
        expect(found.report.faults).toContainEqual(expect.objectContaining({ type, field: 'data' }));
        const there = join(folder, 'importe');
        await expect(importFrom(archive, { folder: there }, silent)).rejects.toThrow(/does not hold/);
        rmSync(there, { recursive: true });
      }
    });

    test('un serveur en marche ne le montre, ne le livre ni ne le projette, et va son chemin', async () => {
      const alarms: string[] = [];
      const server = await run({ folder, now });
      const tokens = await namedParties(server);
      const place = placeOf('candidature.complements-demandes');
      tamper(folder, place.stream, place.revision, 'meta', unsalted);
      tamper(folder, place.stream, place.revision, 'data', () => forged({ motif: 'TEXTE FAUX' }));
      const get = (path: string) => server.call(tokens.auditeur, 'GET', `/api${path}`);
      expect((await get(`/dossiers/${id}/facts?limit=200`)).status).toBe(500);
      expect((await get(`/dossiers/${id}/bundle`)).status).toBe(500);
      expect((await get(`/dossiers/${id}/replay`)).text).not.toContain('FAUX');
      const feed = await server.call(tokens.charge, 'GET', '/api/feed?limit=200');
      expect(feed.status).toBe(200);
      expect(feed.text).not.toContain('FAUX');
      const own = feed.body.filter((event: object) => JSON.stringify(event).includes(id));
      expect(own.map(({ type }: { type: string }) => type).join()).not.toContain('complements-demandes');
      expect(own.length).toBeGreaterThan(20);
      await server.product.projector.rebuild('all', silent);
      expect((await get('/deadlines?before=2040-01-01')).text).not.toContain('2031-01-01');
      expect(server.product.projector.parked().map(({ dossier }) => dossier)).toContain(id);
      alarms.push(...server.alarms);
      await server.stop('keep');
      expect(alarms.every((alarm) => alarm.includes('parked') || alarm.includes('cannot'))).toBe(true);
    });
  });

  test('une procédure que ce logiciel n’a pas est dite, pour chaque dossier qui la suit', async () => {
    const source = await openSource({ house: { folder } });
    const { faults } = await new StreamsCheck(source, () => undefined, 100n).check([stream]);
    await source.close();
    expect(faults).toEqual([
      expect.objectContaining({ revision: 0, says: expect.stringContaining("n'a pas la procédure") }),
    ]);
  });
});

describe('La commande', () => {
  async function jalon(...args: string[]) {
    const command = new ProductProcess('apps/cli/jalon.mjs', args, { JALON_DATA: folder });
    const code = await command.exit;
    return { code, stdout: command.stdout, stderr: command.stderr };
  }

  test('vérifie un journal à côté du serveur qui l’écrit', async () => {
    const server: Running = await run({ folder, now });
    const tokens = await namedParties(server);
    const writing = lead(server, tokens, wayTo('j1.centre-attendu'));
    const { code, stdout } = await jalon('verify', '--journal');
    await writing;
    expect([code, stdout]).toEqual([0, expect.stringMatching(/Le journal se vérifie\.\n$/)]);
    await server.stop('keep');
    expect(server.alarms).toEqual([]);
    const after = await jalon('verify', '--journal', folder, '--json');
    expect([after.code, JSON.parse(after.stdout)]).toEqual([
      0,
      // One of them says that the log was verified.
      expect.objectContaining({ ok: true, facts: 57, covered: 57 }),
    ]);
  });

  test('sort par 1 et une ligne par flux en cause', async () => {
    tamper(folder, stream, 7, 'data', (text) => text.replace('2', '3'));
    const { code, stdout } = await jalon('verify', '--journal');
    expect(code).toBe(1);
    expect(stdout.split('\n')[0]).toMatch(`✗ ${stream}, fait 7 (`);
    expect(stdout).toMatch(/1 flux en cause/);
  });

  test('vérifie un fichier exporté, et voit ce qui y est changé', async () => {
    const file = join(folder, 'journal.jsonl');
    await exportTo(file, { folder }, silent);
    const whole = await jalon('verify', '--archive', file);
    expect([whole.code, whole.stdout]).toEqual([0, expect.stringMatching(/^49 faits en 4 flux/)]);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"periode":"2027"', '"periode":"2028"'));
    const changed = await jalon('verify', '--archive', file);
    expect([changed.code, changed.stdout]).toEqual([
      1,
      expect.stringMatching(/^✗ dossier-.* \(dossier\.fait-rectifie\) : .*\(data\)/),
    ]);
    writeFileSync(file, text.split('\n').slice(0, -2).join('\n'));
    const cut = await jalon('verify', '--archive', file);
    expect([cut.code, cut.stderr]).toEqual([1, expect.stringMatching(/^The archive is cut short[^\n]+\n$/)]);
  });

  test.each([
    ['rien à vérifier', []],
    ['deux choses à la fois', ['x.json', '--journal']],
    ['une clé qui n’en est pas', ['package.json', '--key', 'clef']],
    ['un fichier absent', ['absent.json']],
  ])('%s : une ligne, sortie 1', async (_, args) => {
    const { code, stdout, stderr } = await jalon('verify', ...args);
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(/^[^\n]+\n$/)]);
  });
});

test('Un journal dans EventStoreDB se vérifie, et a le même arbre', async () => {
  const store = await startEventStore({ folder: join(folder, 'eventstore') });
  const own = join(folder, 'serveur');
  const server = await run({ folder: own, now, env: { ESDB_URL: store.connectionString } });
  const tokens = await namedParties(server);
  await fortyFacts(server, tokens);
  const before = (await server.call(null, 'GET', '/api/checkpoints/latest')).text;
  await server.product.proving.notary.rebuild(silent);
  await server.stop('keep');
  expect(server.alarms).toEqual([]);
  const house = { folder: own, eventStore: store.connectionString };
  const { ok, report } = await verified({ house });
  expect([ok, report]).toEqual([true, expect.objectContaining({ facts: 42, streams: 3, faults: [], covered: 42 })]);
  expect(before).toMatch(/^jalon-/);
  await store.stop();
}, 60_000);

/** The log's own key, as a verifier would have been given it. */
function verifierKeyOf(inFolder: string): string {
  const [{ id, name, public_key }] = peek(inFolder, 'preuve.db', 'select * from keys') as [Record<string, string>];
  const key = Buffer.concat([Buffer.of(1), Buffer.from(public_key as string, 'base64')]).toString('base64');
  return `${name}+${id}+${key}`;
}

test('un dossier où rien ne peut être écrit se vérifie, se rejoue et s’exporte dans une copie, et reste tel quel', async () => {
  const asLeft = () => readdirSync(folder).map((file) => [file, statSync(join(folder, file)).mtimeMs]);
  const found = asLeft();
  const said: string[] = [];
  const inCopy = <T>(work: (house: House) => Promise<T>) =>
    readableHouse(
      { folder },
      (line) => said.push(line),
      work,
      async () => false,
    );
  const copies: (string | undefined)[] = [];
  const { ok, report } = await inCopy((house) => {
    copies.push(house.copy);
    return verified({ house });
  });
  expect([ok, report.covered]).toEqual([true, report.facts]);
  const file = join(model, 'exporté.jsonl');
  const lines = await inCopy(async (house) => {
    const { journal, directory, close } = await openForReading(house);
    let text = '';
    for await (const line of archiveOf(journal, directory)) text += line;
    writeFileSync(file, text);
    await close();
    return house.copy;
  });
  copies.push(lines);
  expect((await verified({ archive: file })).ok).toBe(true);
  rmSync(file);
  expect(asLeft()).toEqual(found);
  expect(copies.map((copy) => copy !== undefined && existsSync(copy))).toEqual([false, false]);
  expect(said[0]).toBe(`${folder} ne peut être que lu : il l'est dans une copie.`);
});
