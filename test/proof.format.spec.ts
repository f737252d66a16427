import { createHash, createPrivateKey, createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { streamOf } from '@jalon/engine';
import { Catalogue } from '@jalon/flow';
import { canonicalJson, sha256 } from '@jalon/journal';
import {
  type Bundle,
  HeadFile,
  KeyFile,
  Keys,
  makeBundle,
  Notary,
  openSqliteProof,
  ProofStore,
  Prover,
  Sealer,
  verifyBundle,
} from '@jalon/proof';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { demande } from './demande.ts';
import { note, Office, piece } from './office.ts';

const PAGE = new URL('../libs/proof/FORMAT.md', import.meta.url);
const SCHEMA = new URL('../libs/proof/bundle.schema.json', import.meta.url);

/** The key of the example: everybody has it. */
const SEED = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex');

const files = { 'workflow.ts': '// Le texte de la procédure.\n' };
const workflows = new Catalogue([{ ...demande, hash: sha256(canonicalJson(files)) }]);
const find = (name: string, version: number) => workflows.find(name, version);

/** The bundle of a demand of three facts: ids, salts, instants and key are always the same. */
async function example(): Promise<string> {
  const office = await Office.open({ catalogue: workflows });
  const folder = mkdtempSync(join(tmpdir(), 'jalon-format-'));
  try {
    const id = await office.led(['agent', piece('Plan du quai')], ['agent', note('À rappeler.')]);
    const keyFile = join(folder, 'cle.pem');
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), SEED]);
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    writeFileSync(keyFile, key.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
    const clock = () => office.now;
    const store = new ProofStore(openSqliteProof(folder));
    const keys = new Keys(store, new KeyFile(keyFile), clock);
    const origin = () => store.origin(() => 'journal.example');
    const { journal, directory } = office;
    const head = new HeadFile(join(folder, 'tete'));
    const parts = { store, journal, keys, head, origin, clock, shared: false };
    const notary = new Notary({ ...parts, onTrouble: (error) => expect(error).toBeUndefined() });
    const stopping = new AbortController();
    const running = notary.run(stopping.signal);
    const prover = new Prover({ ...parts, notary });
    const events = await office.stored(id);
    const { proofs, checkpoint } = await prover.inclusions(
      events.map(({ envelope, position, hash }) => ({ id: envelope.id, position, hash })),
    );
    const sealer = new Sealer({ ...parts, assertExtends: () => notary.assertExtends() });
    const text = await makeBundle({
      dossier: id,
      events,
      isWithheld: () => false,
      isContextSaltTold: true,
      directory,
      find,
      definitionOf: () => files,
      proofs,
      erasures: [],
      checkpoint,
      keys: await prover.keys(),
      seal: (unsealed) => sealer.seal(unsealed),
    });
    expect(events[0]?.envelope.stream).toBe(streamOf(id));
    stopping.abort();
    await running;
    await store.close();
    return text;
  } finally {
    await office.close();
    rmSync(folder, { recursive: true });
  }
}

/** FORMAT.md with its example as it should be. */
function upToDate(page: string, text: string): string {
  const { summary, checkpoint } = JSON.parse(text) as Bundle;
  const block = (language: string, content: string) => `\`\`\`${language}\n${content.trimEnd()}\n\`\`\``;
  const section = [
    'Its checkpoint:',
    block('text', checkpoint),
    'Its summary:',
    block('json', JSON.stringify(summary, null, 2)),
    'The file, of which each byte counts:',
    block('text', text),
  ].join('\n\n');
  return page.replace(
    /(<!-- generated: example -->\n)[\s\S]*?(<!-- end -->)/,
    (_, open, close) => `${open}${section}\n${close}`,
  );
}

describe('FORMAT.md of the proofs', () => {
  let page: string;
  let text: string;
  beforeAll(async () => {
    text = await example();
    if (process.env.JALON_GENERATE) writeFileSync(PAGE, upToDate(readFileSync(PAGE, 'utf8'), text));
    page = readFileSync(PAGE, 'utf8');
  });

  test('is up to date (JALON_GENERATE=1 writes it)', () => {
    expect(page).toBe(upToDate(page, text));
    expect(page).toContain(text);
  });

  test('has an example that verifies', () => {
    const report = verifyBundle(text, { find });
    expect(report.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    expect(report.checks.filter(({ outcome }) => outcome === 'limited').map(({ check }) => check)).toEqual([
      'confiance',
    ]);
  });

  test('has an example that can be checked with SHA-256 and Ed25519 alone', () => {
    const [, written = ''] = /^(\{"bundle":1,.*\})$/m.exec(page) ?? [];
    const { seal, ...sealed } = JSON.parse(written) as Bundle;
    const [{ x, kid, name }] = sealed.keys as [Bundle['keys'][number]];
    const raw = Buffer.from(x, 'base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    const signed = Buffer.from(written.replace(/"seal":\{[^}]*\},/, ''));
    expect(verify(null, signed, key, Buffer.from(seal.signature, 'base64'))).toBe(true);
    const hash = (...parts: (string | Buffer)[]) =>
      parts.reduce((all, part) => all.update(part), createHash('sha256')).digest();
    expect(kid).toBe(hash(`${name}\n`, Buffer.of(1), raw).toString('hex', 0, 4));

    const leaf = (one: { hash: string }) => hash(Buffer.of(0), Buffer.from(one.hash, 'hex'));
    const node = (left: Buffer, right: Buffer) => hash(Buffer.of(1), left, right);
    const [first, second, third] = sealed.facts.map(leaf) as [Buffer, Buffer, Buffer];
    const root = node(node(first, second), third).toString('base64');
    expect(sealed.checkpoint.split('\n').slice(0, 4)).toEqual(['journal.example', '3', root, '']);
    const [, base64 = ''] = /^— journal\.example (\S+)$/m.exec(sealed.checkpoint) ?? [];
    const line = Buffer.from(base64, 'base64');
    expect(line.toString('hex', 0, 4)).toBe(kid);
    expect(verify(null, Buffer.from(`journal.example\n3\n${root}\n`), key, line.subarray(4))).toBe(true);
  });

  test('names every member of the bundle and every table', () => {
    const { properties } = JSON.parse(readFileSync(SCHEMA, 'utf8'));
    const [, members = ''] = /is +\|\n([\s\S]*?)\nA fact is one of/.exec(page) ?? [];
    expect([...members.matchAll(/^\| `(\w+)` /gm)].map(([, name]) => name)).toEqual(Object.keys(properties).sort());
    const tables = readFileSync(new URL('../libs/proof/tables.ts', import.meta.url), 'utf8');
    for (const [, name] of tables.matchAll(/create table (\w+)/g)) expect(page).toContain(`| \`${name}\` `);
  });
});
