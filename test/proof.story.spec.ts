import { createHash, createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lead, parties, propose, refused, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { fact, OTHER, walkToJ3 } from './walk.ts';

const now = new Date('2025-07-02T10:00:00Z');
let folder: string;
let server: Running;
let tokens: Tokens;
let id: string;

async function start(): Promise<void> {
  server = await run({ folder, now: () => now, env: { JALON_ORIGIN: 'journal.example' } });
  tokens = await parties(server);
}
async function stop(): Promise<void> {
  await server.stop('keep');
  expect(server.alarms).toEqual([]);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'jalon-proof-'));
  await start();
  id = await lead(server, tokens, walkToJ3());
  await propose(server, tokens, id, fact('dossier.note-ajoutee'));
});
afterAll(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

const get = (path: string, token: string | null = null) => server.call(token, 'GET', `/api${path}`);
const history = async (token: string) => (await get(`/dossiers/${id}/facts?limit=200`, token)).body.items;

// What follows is written from RFC 9162 and c2sp.org/signed-note alone, to check what the product says with none of its code.

const sha256 = (...parts: (Buffer | Uint8Array | string)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const node = (left: Buffer, right: Buffer) => sha256(Buffer.of(1), left, right);
const bytes = (hex: string) => Buffer.from(hex, 'hex');

/** RFC 9162, 2.1.3.2. */
function rootBy(index: number, size: number, leaf: Buffer, proof: Buffer[]): Buffer {
  let [fn, sn, r] = [BigInt(index), BigInt(size) - 1n, leaf];
  for (const p of proof) {
    if ((fn & 1n) === 1n || fn === sn) {
      r = node(p, r);
      while ((fn & 1n) === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else r = node(r, p);
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  expect(sn).toBe(0n);
  return r;
}

/** RFC 9162, 2.1.4.2. */
function rootsBy(first: number, second: number, old: Buffer, proof: Buffer[]): [Buffer, Buffer] {
  const [start, ...others] = (first & (first - 1)) === 0 ? [old, ...proof] : proof;
  let [fn, sn, fr, sr] = [first - 1, second - 1, start!, start!];
  while (fn & 1) [fn, sn] = [fn >> 1, sn >> 1];
  for (const c of others) {
    if (fn & 1 || fn === sn) {
      [fr, sr] = [node(c, fr), node(c, sr)];
      while (!(fn & 1) && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else sr = node(sr, c);
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  expect(sn).toBe(0);
  return [fr, sr];
}

type Jwk = { kty: string; crv: string; x: string; kid: string; name: string; since: string; until?: string };

/** The head of a tree, signed by one of these keys. */
function opened(note: string, keys: Jwk[]): { origin: string; size: number; root: Buffer; by: string[] } {
  const [text = '', signatures = ''] = note.split('\n\n');
  const by: string[] = [];
  for (const [, name = '', base64 = ''] of signatures.matchAll(/^— (\S+) (\S+)$/gm)) {
    const content = Buffer.from(base64, 'base64');
    for (const { kty, crv, x, kid, name: own } of keys) {
      const id = sha256(`${name}\n`, Buffer.of(1), Buffer.from(x, 'base64url')).subarray(0, 4);
      if (own !== name || !content.subarray(0, 4).equals(id)) continue;
      expect(kid).toBe(id.toString('hex'));
      const key = createPublicKey({ key: { kty, crv, x }, format: 'jwk' });
      expect(verify(null, Buffer.from(`${text}\n`), key, content.subarray(4))).toBe(true);
      by.push(kid);
    }
  }
  expect(by).not.toEqual([]);
  const [origin = '', size = '', root = ''] = text.split('\n');
  return { origin, size: Number(size), root: Buffer.from(root, 'base64'), by };
}

const keys = async (): Promise<Jwk[]> => (await get('/keys')).body.keys;

describe('Prouver, sans se fier au serveur, que rien n’a été touché', () => {
  test('chaque fait est dans l’arbre que le point de contrôle signe', async () => {
    const known = await keys();
    for (const { id, meta } of await history(tokens.auditeur)) {
      const { status, body } = await get(`/proofs/inclusion?event=${id}`, tokens.auditeur);
      expect(status).toBe(200);
      const { leafIndex, treeSize, leafHash, hashes, checkpoint } = body;
      const head = opened(checkpoint, known);
      expect(head).toMatchObject({ origin: 'journal.example', size: treeSize });
      expect(leafHash).toBe(sha256(Buffer.of(0), bytes(meta.hash)).toString('hex'));
      expect(rootBy(leafIndex, treeSize, bytes(leafHash), hashes.map(bytes))).toEqual(head.root);
    }
  });

  test('le dernier point de contrôle, les clés et la cohérence se lisent sans jeton', async () => {
    const latest = await get('/checkpoints/latest');
    expect([latest.status, latest.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8']);
    const { size } = opened(latest.text, await keys());
    for (let from = 1; from <= size; from += 1) {
      const { body } = await get(`/proofs/consistency?from=${from}&to=${size}`);
      expect([body.from, body.to]).toEqual([from, size]);
    }
    const answer = await get('/keys');
    expect(answer.headers.get('content-type')).toBe('application/jwk-set+json; charset=utf-8');
    expect(answer.body.keys).toEqual([
      {
        kty: 'OKP',
        crv: 'Ed25519',
        alg: 'EdDSA',
        use: 'sig',
        name: 'journal.example',
        since: now.toISOString(),
        x: expect.stringMatching(/^[\w-]{43}$/),
        kid: expect.stringMatching(/^[0-9a-f]{8}$/),
      },
    ]);
  });

  test('un fait qu’aucun point de contrôle ne couvre en fait signer un, qui prolonge le précédent', async () => {
    const old = opened((await get('/checkpoints/latest')).text, await keys());
    const added = await propose(server, tokens, id, fact('dossier.cible-annoncee'));
    const { body } = await get(`/proofs/inclusion?event=${added.body.event.id}`, tokens.charge);
    const latest = opened(body.checkpoint, await keys());
    expect(latest.size).toBeGreaterThan(old.size);
    const proof = (await get(`/proofs/consistency?from=${old.size}&to=${latest.size}`)).body.hashes.map(bytes);
    expect(rootsBy(old.size, latest.size, old.root, proof)).toEqual([old.root, latest.root]);
    expect((await get('/checkpoints/latest')).text).toBe(body.checkpoint);
  });

  test('la preuve d’un fait est pour qui le voit', async () => {
    const all = await history(tokens.auditeur);
    const seen = await history(tokens.prestataire);
    const path = (one: { id: string }) => `/proofs/inclusion?event=${one.id}`;
    const avis = all.find(({ type }: { type: string }) => type === 'j3.avis-rendu');
    expect(seen[avis.revision]).toEqual({ revision: avis.revision, hash: avis.meta.hash, withheld: true });
    for (const token of [tokens.prestataire, tokens.centre]) {
      expect((await get(path(all[0]), token)).status).toBe(200);
      await refused(server, 'introuvable', () => get(path(avis), token));
    }
    for (const token of [tokens.abonne, tokens.administrateur, tokens.autre])
      await refused(server, 'introuvable', () => get(path(all[0]), token));
    await refused(server, 'introuvable', () => get(`/proofs/inclusion?event=${OTHER}`, tokens.auditeur));
    await refused(server, 'non-authentifie', () => get(path(all[0])));
  });

  test.each([
    '/proofs/inclusion',
    '/proofs/inclusion?event=7',
    '/proofs/consistency',
    '/proofs/consistency?from=1',
    '/proofs/consistency?from=0&to=1',
    '/proofs/consistency?from=3&to=2',
    '/proofs/consistency?from=1&to=1e3',
    '/proofs/consistency?from=1&to=1&from=1',
    '/keys?kid=1',
  ])('%s est une requête mal formée', async (path) => {
    await refused(server, 'requete-mal-formee', () => get(path, tokens.auditeur));
  });

  test('un arbre plus grand que ce qui est signé est introuvable', async () => {
    await refused(server, 'introuvable', () => get('/proofs/consistency?from=1&to=100000'));
  });

  test('à l’arrêt, tout est couvert ; au redémarrage, l’arbre, l’origine et la clé sont les mêmes', async () => {
    await propose(server, tokens, id, fact('dossier.cible-annoncee'));
    const known = await keys();
    let facts = 0;
    for await (const page of server.product.journal.readAll(null)) facts += page.length;
    await stop();
    await start();
    const latest = (await get('/checkpoints/latest')).text;
    expect(opened(latest, known).size).toBe(facts);
    expect(await keys()).toEqual(known);
    expect(statSync(join(folder, 'cle.pem')).mode & 0o777).toBe(0o600);
  });

  test('la clé remplacée, les anciennes signatures se vérifient encore ; l’ancienne et la nouvelle ont signé le passage', async () => {
    const before = (await get('/checkpoints/latest')).text;
    const [old] = await keys();
    await server.product.proving.notary.rotate();
    const known = await keys();
    expect(known).toEqual([
      expect.not.objectContaining({ until: expect.anything() }),
      { ...old, until: now.toISOString() },
    ]);
    expect(opened(before, known).by).toEqual([old!.kid]);
    const between = (await get('/checkpoints/latest')).text;
    expect(opened(between, known).by).toEqual([known[0]!.kid, old!.kid]);
    const added = await propose(server, tokens, id, fact('dossier.cible-annoncee'));
    const { body } = await get(`/proofs/inclusion?event=${added.body.event.id}`, tokens.charge);
    expect(opened(body.checkpoint, known).by).toEqual([known[0]!.kid]);
  });
});
