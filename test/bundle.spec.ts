import { generateKeyPairSync, sign } from 'node:crypto';
import { canonicalJson } from '@jalon/journal';
import { type Bundle, type BundleReport, type Check, noteKey, verifyBundle } from '@jalon/proof';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { erase } from '../apps/api/erase.ts';
import { catalogue } from '../workflows/index.ts';
import { bundleOf, fortyFacts, namedParties, resealed } from './bundles.ts';
import { lead, propose, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { fact, OTHER, wayTo } from './walk.ts';

const LONG = process.env.JALON_TEST === 'long';
const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);

let server: Running;
let tokens: Tokens;
let id: string;
let text: string;
/** The same dossier, bundled before its last fact. */
let older: string;
let trusted: Buffer;

beforeAll(async () => {
  server = await run({ now: () => new Date('2025-07-02T10:00:00Z') });
  tokens = await namedParties(server);
  id = await fortyFacts(server, tokens);
  older = await bundleOf(server, tokens.auditeur, id);
  await propose(server, tokens, id, fact('dossier.cible-annoncee'));
  text = await bundleOf(server, tokens.auditeur, id);
  trusted = Buffer.from(bundle().keys[0]!.x, 'base64url');
}, 30_000);
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const parsed = (file: string): Bundle => JSON.parse(file);
const bundle = () => parsed(text);
const find = (name: string, version: number) => catalogue.find(name, version);
const verified = (file: string, keys: Buffer[] = [trusted]) => verifyBundle(file, { keys, find });
const failures = ({ checks }: BundleReport): Check[] => checks.filter(({ outcome }) => outcome === 'failed');

/** Draws from 0 to below `bound`, the same from the same seed (mulberry32). */
function drawing(from: number): (bound: number) => number {
  let state = from;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  };
}

describe('Un dossier emporté', () => {
  test('se vérifie : chaque contrôle tient, et la clé est de confiance', () => {
    const report = verified(text);
    expect(failures(report)).toEqual([]);
    expect(report).toMatchObject({ ok: true, trusted: true, dossier: id, facts: 41 });
    expect(report.checks.map(({ check, outcome }) => `${check} ${outcome}`)).toEqual(
      [
        'forme',
        'sceau',
        'confiance',
        'controle',
        'arbre',
        'chaine',
        'contenus',
        'noms',
        'procedure',
        'rejeu',
        'resume',
      ].map((check) => `${check} ok`),
    );
  });

  test('sans clé donnée, tient aussi, et dit que la confiance n’est pas établie', () => {
    const report = verified(text, []);
    expect(report).toMatchObject({ ok: true, trusted: false });
    expect(report.checks).toContainEqual(
      expect.objectContaining({
        check: 'confiance',
        outcome: 'limited',
        says: expect.stringContaining("n'est pas établie"),
      }),
    );
  });

  test('avec une autre clé que celle qui l’a signé, ne tient pas', () => {
    expect(failures(verified(text, [Buffer.alloc(32, 7)])).map(({ check }) => check)).toEqual(['confiance']);
    expect(verified(text, [Buffer.alloc(32, 7), trusted]).ok).toBe(true);
  });

  test('se lit : le résumé dit chaque fait, avec les noms', () => {
    const { summary } = bundle();
    expect(summary).toMatchObject({
      procedure: "Qualification SecNumCloud d'un service d'informatique en nuage, version 1",
      facts: 41,
      withheld: 0,
      erased: 0,
    });
    expect(summary.lines).toHaveLength(41);
    expect(summary.lines.join('\n')).toMatch(/Camille Étienne, Chargé de qualification/);
    expect(summary.lines.join('\n')).toMatch(/pour le compte de Yann Guivarch, /);
    expect(summary.lines.join('\n')).toMatch(/franchit J3/);
  });

  test('pour son prestataire, a les faits non communiqués par leur empreinte seule, et dit « rejeu limité »', async () => {
    const theirs = await bundleOf(server, tokens.prestataire, id);
    const withheld = (JSON.parse(theirs) as Bundle).facts.filter((one) => 'withheld' in one);
    expect(withheld.length).toBeGreaterThan(3);
    for (const one of withheld) expect(Object.keys(one)).toEqual(['hash', 'revision', 'withheld']);
    for (const secret of ['À revoir en septembre', 'Revu.', 'Sans objet', '"type":"j3.avis-rendu"'])
      expect([secret, theirs.includes(secret), text.includes(secret)]).toEqual([secret, false, true]);
    // Ni la valeur ni la présence de ce que les faits tus écriront ne se devine : leur sel n'est pas là, et le rejeu aboutit.
    const [opening] = (JSON.parse(theirs) as Bundle).facts as Extract<Bundle['facts'][number], { salt: string }>[];
    expect(Object.keys(opening!.digests!)).toEqual(['avis', 'constats', 'enquete', 'faits', 'griefs']);
    expect([theirs.includes('"contextSalt":'), text.includes('"contextSalt":')]).toEqual([false, true]);
    const report = verified(theirs);
    expect(report).toMatchObject({ ok: true, trusted: true, facts: 41 });
    const [first] = withheld as { revision: number }[];
    expect(report.checks).toContainEqual({
      check: 'rejeu',
      outcome: 'limited',
      says: expect.stringMatching(`^rejeu limité : .*fait ${first!.revision}`),
    });
  });

  test('sous une procédure que ce logiciel n’a pas, tient sans rejeu, et le dit', () => {
    const report = verifyBundle(text, { keys: [trusted], find: () => undefined });
    expect(report.ok).toBe(true);
    expect(report.checks.filter(({ outcome }) => outcome === 'limited').map(({ check }) => check)).toEqual([
      'procedure',
      'rejeu',
      'resume',
    ]);
    expect(report.checks.find(({ check }) => check === 'rejeu')!.says).toContain("n'a pas la procédure secnumcloud 1");
  });

  test('dont des noms et une note ont été effacés se vérifie encore, et les montre effacés', async () => {
    const own = await lead(server, tokens, wayTo('candidature.complete'));
    await propose(server, tokens, own, fact('dossier.note-ajoutee', { texte: 'Secret de note.' }));
    const before = await bundleOf(server, tokens.auditeur, own);
    expect(before).toContain('Secret de note.');
    const { facts, names } = JSON.parse(before) as Bundle;
    const note = facts.at(-1) as { envelope: { id: string; actor: { iss: string; sub: string } } };
    await erase(server.product, { fact: note.envelope.id });
    await erase(server.product, { iss: note.envelope.actor.iss, sub: note.envelope.actor.sub });
    const after = await bundleOf(server, tokens.auditeur, own);
    expect(after).not.toMatch(/Secret de note|Camille Étienne/);
    expect((JSON.parse(after) as Bundle).names.length).toBeLessThan(names.length);
    expect((JSON.parse(after) as Bundle).summary.lines.at(-1)).toMatch(/par effacé, .*contenu effacé\.$/);
    for (const one of [before, after]) expect(failures(verified(one))).toEqual([]);
    expect(verified(after).checks.find(({ check }) => check === 'contenus')!.says).toContain('1 effacé');
    expect((JSON.parse(after) as Bundle).erasures).toEqual([
      expect.objectContaining({ envelope: expect.objectContaining({ type: 'acces.effacement-demande' }) }),
    ]);
    // Without the record, or with that of another fact, nothing says that it was erased on request.
    const { erasures: _, ...unproven } = JSON.parse(after) as Bundle;
    const [record] = (JSON.parse(after) as Bundle).erasures as NonNullable<Bundle['erasures']>;
    const forged = { ...record, data: { ...record?.data, fait: OTHER } };
    for (const changed of [unproven, { ...unproven, erasures: [forged] }])
      expect(failures(verified(await resealed(server, changed as Bundle)))).toContainEqual(
        expect.objectContaining({ check: 'contenus', field: 'data' }),
      );
    // So that the other bundles of this file can be made again.
    tokens = await namedParties(server);
  });

  test('n’est pas pour qui ne voit pas le dossier', async () => {
    for (const token of [tokens.abonne, tokens.administrateur, tokens.autre])
      expect((await server.call(token, 'GET', `/api/dossiers/${id}/bundle`)).status).toBe(404);
    expect((await server.call(null, 'GET', `/api/dossiers/${id}/bundle`)).status).toBe(401);
  });
});

/** Every place of a JSON value that holds no other, as its path. */
function leaves(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}

/** Another value of the same form: a digit, a letter, a number for another. */
function other(value: unknown): unknown {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (typeof value !== 'string') return 'a'.repeat(64);
  const at = value.search(/[0-9a-z](?=[^0-9a-z]*$)/);
  if (at < 0) return `${value}x`;
  const digit = value[at] as string;
  const next = /[0-8a-e]/.test(digit) ? String.fromCharCode(digit.charCodeAt(0) + 1) : digit === '9' ? '0' : 'a';
  return value.slice(0, at) + next + value.slice(at + 1);
}

function changed(original: Bundle, path: string[]): Bundle {
  const copy = structuredClone(original);
  let inside = copy as unknown as Record<string, unknown>;
  for (const key of path.slice(0, -1)) inside = inside[key] as Record<string, unknown>;
  const last = path.at(-1) as string;
  inside[last] = other(inside[last]);
  return copy;
}

function fieldOf([, , member, field, inside]: string[]): string {
  if (member === 'data' || member === 'salt' || member === 'contextSalt') return 'data';
  if (member !== 'envelope') return 'enveloppe';
  if (inside === 'name' && field !== 'workflow') return 'names';
  return ['from', 'to', 'stateHash', 'previousHash'].includes(field as string) ? (field as string) : 'enveloppe';
}

describe(`Ce qui y est changé se voit (graine ${seed}, reprise par JALON_SEED)`, () => {
  test('chaque champ de chaque fait : le fait est nommé, et le champ là où le recalcul le dit', async () => {
    const original = bundle();
    const facts = original.facts.flatMap((one, revision) => leaves(one, ['facts', String(revision)]));
    const draw = drawing(seed);
    const tried = LONG ? facts : facts.filter(() => draw(12) === 0);
    expect(tried.length).toBeGreaterThan(50);
    for (const path of tried) {
      const revision = Number(path[1]);
      const tampered = changed(original, path);
      const report = verified(canonicalJson(tampered));
      expect([
        path,
        report.ok,
        report.checks.some(
          ({ check, outcome }) =>
            (check === 'sceau' && outcome === 'failed') || (check === 'forme' && outcome === 'failed'),
        ),
      ]).toEqual([path, false, true]);
      // Sealed again with the true key: what the facts themselves say suffices.
      const again = verified(await resealed(server, tampered));
      const named = failures(again).map(({ fact, field }) => `${fact} ${field}`);
      expect([path, named]).toEqual([path, expect.arrayContaining([`${revision} ${fieldOf(path)}`])]);
    }
  }, 600_000);

  test('chaque octet', () => {
    const bytes = Buffer.from(text);
    const draw = drawing(seed);
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const passing: number[] = [];
    for (let i = 0; i < (LONG ? 4_000 : 500); i += 1) {
      const at = draw(bytes.length);
      const byte = bytes[at] as number;
      bytes[at] = byte ^ (1 + draw(255));
      try {
        if (verified(decoder.decode(bytes)).ok) passing.push(at);
      } catch (error) {
        // Not UTF-8 any more: it is no text.
        expect((error as Error).name).toBe('TypeError');
      }
      bytes[at] = byte;
    }
    expect(passing).toEqual([]);
    expect(verified(bytes.toString()).ok).toBe(true);
  }, 600_000);

  test.each<[string, (file: string) => string]>([
    ['un espace de plus', (file) => file.replace(':', ': ')],
    ['une fin de ligne', (file) => `${file}\n`],
    ['un octet d’ordre', (file) => `\ufeff${file}`],
    ['un membre écrit deux fois', (file) => file.replace('{"bundle":1,', '{"bundle":1,"bundle":1,')],
    ['un membre de plus', (file) => file.replace('{"bundle":1,', '{"ajout":1,"bundle":1,')],
    ['un échappement inutile', (file) => file.replace('"dossier"', '"\\u0064ossier"')],
    ['un nombre écrit autrement', (file) => file.replace('"bundle":1', '"bundle":1.0')],
    ['la signature dans une autre écriture', (file) => file.replace(/[AQgw]=="\}/, 'B=="}')],
    ['rien du tout', () => ''],
    ['un autre JSON', () => '[]'],
    ['un nombre sans fin', (file) => file.replace('"bundle":1', '"bundle":1e999')],
  ])('la forme compte aussi : %s', (_, change) => {
    const file = change(text);
    expect(file).not.toBe(text);
    expect(failures(verified(file)).map(({ check }) => check)).toContain('forme');
  });

  const tampering: [string, (bundle: Bundle) => unknown, check: string, fact: number | null][] = [
    ['un fait ôté', ({ facts, proofs }) => [facts.splice(7, 1), proofs.splice(7, 1)], 'chaine', 7],
    [
      'un fait ajouté',
      (one) => [one.facts, one.proofs].map((list) => list.splice(7, 0, list[7] as never)),
      'chaine',
      8,
    ],
    ['deux faits échangés', ({ facts }) => facts.splice(7, 2, facts[8]!, facts[7]!), 'chaine', 7],
    ['un fait sans sa preuve', ({ proofs }) => proofs.pop(), 'arbre', null],
    ['la preuve d’un autre fait', ({ proofs }) => proofs.splice(7, 1, proofs[8]!), 'arbre', 7],
    ['une preuve raccourcie', ({ proofs }) => proofs[7]!.hashes.pop(), 'arbre', 7],
    ['le sel du contexte', ({ facts }) => Object.assign(facts[0]!, { contextSalt: '0'.repeat(32) }), 'contenus', 0],
    ['le sel du contexte ôté', ({ facts }) => Reflect.deleteProperty(facts[0]!, 'contextSalt'), 'contenus', 0],
    ['des empreintes à sa place', ({ facts }) => veiled(facts[0]!, 'f'.repeat(64)), 'rejeu', 0],
    ['un contenu donné pour effacé', ({ facts }) => replace(facts, 7, 'erased'), 'contenus', 7],
    ['un contenu donné pour effaçable', ({ facts }) => Object.assign(facts[0]!, { erasable: true }), 'contenus', 0],
    ['un nom', ({ names }) => Object.assign(names[0]!, { name: 'Quelqu’un d’autre' }), 'noms', null],
    ['le sel d’un nom', ({ names }) => Object.assign(names[0]!, { salt: '0'.repeat(32) }), 'noms', null],
    ['le nom d’un autre', ({ names }) => Object.assign(names[0]!, { name: names[1]!.name }), 'noms', null],
    ['un nom de personne', ({ names }) => names.push({ ...names[0]!, commitment: 'f'.repeat(64) }), 'noms', null],
    [
      'le texte de la procédure',
      ({ workflows }) => Object.assign(workflows[0]!.files, { 'facts.ts': '' }),
      'procedure',
      null,
    ],
    ['une procédure de moins', ({ workflows }) => workflows.pop(), 'procedure', null],
    ['une ligne du résumé', ({ summary }) => summary.lines.splice(3, 1, 'Rien.'), 'resume', 3],
    ['l’état du résumé', ({ summary }) => Object.assign(summary, { state: 'Qualifiée' }), 'resume', null],
    ['le dossier', (one) => Object.assign(one, { dossier: OTHER }), 'chaine', 0],
    [
      'un point de contrôle antérieur',
      (one) => Object.assign(one, { checkpoint: parsed(older).checkpoint }),
      'arbre',
      null,
    ],
    [
      'la taille de l’arbre',
      (one) => Object.assign(one, { checkpoint: one.checkpoint.replace(/\n(\d+)\n/, '\n9$1\n') }),
      'controle',
      null,
    ],
    ['une clé', ({ keys }) => Object.assign(keys[0]!, { x: `A${keys[0]!.x.slice(1)}` }), 'sceau', null],
  ];
  test.each(tampering)('%s, même scellé de nouveau', async (_, change, check, revision) => {
    const tampered = bundle();
    change(tampered);
    expect(failures(verified(canonicalJson(tampered))).map((one) => one.check)).toContain('sceau');
    const found = failures(verified(await resealed(server, tampered))).find((one) => one.check === check);
    expect([check, found]).toEqual([check, expect.objectContaining(revision === null ? {} : { fact: revision })]);
  });

  test('un fait donné pour non communiqué : le sceau et le résumé le disent', () => {
    const tampered = bundle();
    replace(tampered.facts, 7, 'withheld');
    const names = failures(verified(canonicalJson(tampered))).map(({ check }) => check);
    expect(names).toEqual(expect.arrayContaining(['sceau', 'resume']));
  });

  test('l’historique tronqué : le sceau le dit', () => {
    const cut = bundle();
    cut.facts.pop();
    cut.proofs.pop();
    expect(failures(verified(canonicalJson(cut))).map(({ check }) => check)).toEqual(['sceau', 'confiance', 'resume']);
  });

  test('les preuves d’un autre dossier', async () => {
    const another = await lead(server, tokens, wayTo('j1.centre-attendu'));
    const theirs: Bundle = JSON.parse(await bundleOf(server, tokens.auditeur, another));
    const mixed = { ...theirs, proofs: bundle().proofs.slice(0, theirs.facts.length), checkpoint: bundle().checkpoint };
    expect(failures(verified(await resealed(server, mixed))).map(({ check }) => check)).toEqual(['arbre']);
  });

  test('scellé par une clé que le faussaire y met lui-même : le point de contrôle n’est pas d’elle', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const x = publicKey.export({ format: 'jwk' }).x as string;
    const { seal: _, ...forged } = bundle();
    const [own] = forged.keys;
    const kid = noteKey(own!.name, Buffer.from(x, 'base64url')).id;
    forged.keys = [{ ...own!, x, kid }, own!];
    const signature = sign(null, Buffer.from(canonicalJson(forged)), privateKey).toString('base64');
    const file = canonicalJson({ ...forged, seal: { kid, signature } });
    expect(failures(verified(file)).map(({ check }) => check)).toEqual(['confiance', 'controle']);
    expect(failures(verified(file, [])).map(({ check }) => check)).toEqual(['controle']);
  });
});

/** A fact that is shown, given for one that is not, or whose payload is not. */
function veiled(opening: Bundle['facts'][number], avis: string): void {
  Reflect.deleteProperty(opening, 'contextSalt');
  Object.assign(opening, { digests: { avis } });
}

function replace(facts: Bundle['facts'], revision: number, by: 'erased' | 'withheld'): void {
  const shown = facts[revision]!;
  if (!('envelope' in shown)) throw new Error(`Fact ${revision} is withheld.`);
  const { envelope, hash } = shown;
  facts[revision] = by === 'erased' ? { envelope, hash, erased: true } : { revision, hash, withheld: true };
}
