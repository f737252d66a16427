import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { buildProduct, ProductProcess, ServerProcess } from './server-process.ts';
import { fact } from './walk.ts';

const NAME = 'Gwénolé Kerdaniel-Abgrall';
const TEXT = 'Rappeler Madame Le Goffic au sujet du cloisonnement.';
const CORRECTED = 'Rappeler Monsieur Quéméneur.';

let folder: string;
let server: ServerProcess;
beforeAll(buildProduct, 60_000);
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'jalon-erase-'));
  server = await ServerProcess.start(folder);
});
afterEach(async () => {
  server.kill('SIGTERM');
  await server.exit;
  rmSync(folder, { recursive: true, force: true });
});

async function jalon(...args: string[]) {
  const command = new ProductProcess('apps/cli/jalon.mjs', args, { JALON_DATA: folder });
  const code = await command.exit;
  return { code, stdout: command.stdout, stderr: command.stderr };
}

/** Files of the data folder that hold these texts, in UTF-8 or as JSON escapes them. */
function holding(...texts: string[]): string[] {
  const files = readdirSync(folder, { recursive: true })
    .map((file) => join(folder, String(file)))
    .filter((file) => statSync(file).isFile());
  const wanted = texts.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
  return files.filter((file) => {
    const bytes = readFileSync(file);
    return wanted.some((text) => bytes.includes(text));
  });
}

async function token(role: string, nom?: string): Promise<string> {
  const claims = nom === undefined ? { role } : { role, nom, sub: 'g-kerdaniel' };
  return (await server.send('POST', '/api/demo/token', { body: claims })).body.access_token;
}

/** A dossier with a note by someone named, the note corrected; gives the ids of both facts. */
async function noted(): Promise<{ id: string; note: string; correction: string }> {
  const charge = await token('charge-de-qualification', NAME);
  const { role: _, ...opening } = fact('candidature.deposee');
  const opened = await server.send('POST', '/api/dossiers', {
    token: charge,
    body: { workflow: 'secnumcloud', fact: opening },
  });
  expect(opened.status).toBe(201);
  const { id } = opened.body;
  const propose = async (type: string, data: object) => {
    const { status, body } = await server.send('POST', `/api/dossiers/${id}/facts`, {
      token: charge,
      body: { type, data },
    });
    expect(status).toBe(201);
    return body.event.id;
  };
  const note = await propose('dossier.note-ajoutee', { texte: TEXT });
  const donnees = { texte: CORRECTED };
  const correction = await propose('dossier.fait-rectifie', { fait: note, donnees, motif: 'Nom erroné' });
  return { id, note, correction };
}

const read = async (path: string) => (await server.send('GET', path, { token: await token('auditeur') })).body;

describe('effacer', () => {
  test('un nom et des notes : rien n’en reste dans aucun fichier, et tout se vérifie encore, avant et après', async () => {
    const { id, note, correction } = await noted();
    await read(`/api/dossiers/${id}/timeline`);
    expect(holding(NAME, TEXT, CORRECTED)).not.toEqual([]);
    const before = join(folder, '..', `${id}.avant.json`);
    writeFileSync(before, JSON.stringify(await read(`/api/dossiers/${id}/bundle`)));
    const { actor } = (await read(`/api/dossiers/${id}/facts`)).items[0].meta;

    expect(await jalon('erase', actor.sub, '--iss', actor.iss)).toMatchObject({ code: 0, stderr: '' });
    for (const each of [note, correction])
      expect(await jalon('erase', '--fact', each)).toMatchObject({
        code: 0,
        stdout: `Contenu du fait ${each} effacé.\n`,
      });

    expect(holding(NAME, TEXT, CORRECTED)).toEqual([]);
    const { items } = await read(`/api/dossiers/${id}/facts`);
    expect(items[0].meta.actor).toMatchObject({ sub: actor.sub, nom: 'effacé' });
    expect(items[1]).toMatchObject({ data: {}, meta: { erased: true } });
    const after = join(folder, '..', `${id}.apres.json`);
    writeFileSync(after, JSON.stringify(await read(`/api/dossiers/${id}/bundle`)));
    for (const bundle of [before, after]) {
      const verified = await jalon('verify', bundle);
      expect({ bundle, code: verified.code, said: verified.stdout }).toMatchObject({ code: 0 });
      rmSync(bundle);
    }
    expect(await jalon('verify', '--journal')).toMatchObject({ code: 0 });

    server.kill('SIGTERM');
    await server.exit;
    expect(holding(NAME, TEXT, CORRECTED)).toEqual([]);
    server = await ServerProcess.start(folder);
    expect((await read(`/api/dossiers/${id}/timeline`)).entries[1]).toMatchObject({ erased: true });
    expect(holding(NAME, TEXT, CORRECTED)).toEqual([]);
    const acts = (await read('/api/accesses?limit=200')).items.filter(({ type }: { type: string }) =>
      /efface/.test(type),
    );
    expect(acts.map(({ type }: { type: string }) => type)).toEqual(
      Array.from({ length: 3 }, () => ['acces.effacement-demande', 'acces.efface']).flat(),
    );
  }, 120_000);

  test('sans serveur, la commande fait de même', async () => {
    const { note } = await noted();
    server.kill('SIGTERM');
    await server.exit;
    expect(await jalon('erase', '--fact', note)).toMatchObject({ code: 0 });
    expect(holding(TEXT)).toEqual([]);
    server = await ServerProcess.start(folder);
  }, 60_000);

  test('ce qui ne peut pas l’être est refusé en une ligne, avec la raison', async () => {
    const { id } = await noted();
    const [opening] = (await read(`/api/dossiers/${id}/facts`)).items;
    for (const [args, why] of [
      [['--fact', opening.id], /candidature\.deposee.*la procédure en dépend/],
      [['--fact', '00000000-0000-4000-8000-000000000000'], /Aucun fait/],
      [['personne', '--iss', 'https://inconnu.example'], /Aucun nom/],
      [['personne'], /--iss/],
    ] as const) {
      const { code, stdout, stderr } = await jalon('erase', ...args);
      expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(why) });
      expect(stderr.trim().split('\n')).toHaveLength(1);
    }
  }, 60_000);
});
