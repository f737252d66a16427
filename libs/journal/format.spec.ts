import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { canonicalJson, saltedHash } from './canonical.ts';
import { dataHash, type Envelope, hashOfContextSalt, type NewEvent, seal } from './envelope.ts';
import { DIRECTORY, JOURNAL } from './folder.sqlite.ts';
import { openSqliteJournal } from './open.sqlite.ts';
import { temporaryFolder } from './sample.process.ts';
import { stateHash } from './state-hash.ts';

const PAGE = new URL('./FORMAT.md', import.meta.url);
const STREAM = 'dossier-5f0c7a52-6d5e-4a27-9d7a-0c5c86f6f1a1';
const NAME = { name: 'Camille Étienne', salt: '000102030405060708090a0b0c0d0e0f' };
const SALTS = ['101112131415161718191a1b1c1d1e1f', '202122232425262728292a2b2c2d2e2f'] as const;
const FOUND = {
  value: { j2: 'audits' },
  context: { perimetre: ['IaaS'], constats: { 'C-1': { exigence: '9.2.a', gravite: 'majeur' } } },
  keyed: new Set(['constats']),
  salts: { constats: SALTS[1] },
  withheldMembers: new Set(['constats', 'avis']),
  contextSalt: '303132333435363738393a3b3c3d3e3f',
};

/** Two facts with fixed ids, instants and salts. */
function exampleFacts(): [NewEvent, NewEvent] {
  const common = {
    format: 1,
    stream: STREAM,
    actor: {
      iss: 'https://connexion.example',
      sub: 'a-17',
      role: 'charge-de-qualification',
      name: saltedHash(NAME.salt, NAME.name),
    },
    workflow: { name: 'secnumcloud', version: 1, hash: createHash('sha256').update('définition').digest('hex') },
    correlationId: '9a4fd1f0-52f7-4e0e-8ad2-3c1f6d3b7b10',
    software: 'jalon 0.1.0',
  };
  const opening = { offre: 'Nuage Exemple', services: [{ id: 's1', type: 'IaaS' }] };
  const first: Envelope = {
    ...common,
    id: '0d6a2f4e-3a1b-4c5d-8e9f-a0b1c2d3e4f5',
    revision: 0,
    type: 'candidature.deposee',
    dataHash: dataHash(SALTS[0], opening),
    effectiveAt: '2026-01-12',
    recordedAt: '2026-01-12T09:30:00.000Z',
    from: null,
    to: 'candidature.deposee',
    contextSaltHash: hashOfContextSalt(FOUND.contextSalt),
    stateHash: stateHash({ ...FOUND, value: { candidature: 'deposee' }, context: { perimetre: ['IaaS'] }, salts: {} }),
    previousHash: null,
  };
  const deposited = seal(first, { data: opening, salt: SALTS[0], contextSalt: FOUND.contextSalt });
  const finding = { constat: 'C-1', exigence: '9.2.a', gravite: 'majeur' };
  const second: Envelope = {
    ...common,
    id: '1e7b3a5f-4b2c-4d6e-9fa0-b1c2d3e4f506',
    revision: 1,
    type: 'j2.constat-enregistre',
    dataHash: dataHash(SALTS[1], finding),
    onBehalfOf: { role: 'centre-evaluation', org: 'Centre Exemple' },
    effectiveAt: '2026-03-02',
    recordedAt: '2026-03-03T14:05:12.345Z',
    from: 'j2.audits',
    to: 'j2.audits',
    stateHash: stateHash(FOUND),
    previousHash: deposited.hash,
  };
  return [deposited, seal(second, { data: finding, salt: SALTS[1] })];
}

/** The generated parts of FORMAT.md, by name. */
function generated(): Record<string, string> {
  const sql = (schema: string) => schema.replace(/^ {4}/gm, '').trim();
  const block = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\``;
  const events = exampleFacts().flatMap(({ envelope, hash, data, salt }, i) => [
    `### Fact ${i}`,
    `Its envelope, canonical:`,
    block('text', canonicalJson(envelope)),
    `\`hash\` = H(that text) = \`${hash}\``,
    `Its payload, canonical, with the salt \`${salt}\`:`,
    block('text', canonicalJson(data)),
    `\`dataHash\` = H(salt ‖ that text) = \`${envelope.dataHash}\``,
  ]);
  const { context, salts, contextSalt } = FOUND;
  return {
    tables: block('sql', `-- journal.db\n${sql(JOURNAL.schema)}\n\n-- personnes.db\n${sql(DIRECTORY.schema)}`),
    example: [
      ...events,
      '### Name of the actor',
      `The directory holds name \`${NAME.name}\` and salt \`${NAME.salt}\`; H(salt ‖ name) = \`${saltedHash(NAME.salt, NAME.name)}\``,
      '### State hash of fact 1',
      `The workflow declares \`constats\` keyed, and its last writer was a withheld fact of salt \`${salts.constats}\`; withheld facts will write \`avis\`, for which fact 0 keeps the salt \`${contextSalt}\`, of \`contextSaltHash\` \`${hashOfContextSalt(contextSalt)}\`. From the state`,
      block('text', canonicalJson({ value: FOUND.value, context })),
      `\`stateHash\` = \`${stateHash(FOUND)}\``,
    ].join('\n\n'),
  };
}

/** FORMAT.md with its generated parts as they should be. */
function upToDate(page: string): string {
  return Object.entries(generated()).reduce(
    (text, [name, part]) =>
      text.replace(
        new RegExp(`(<!-- generated: ${name} -->\n)[^<]*(<!-- end -->)`),
        (_, open, close) => `${open}${part}\n${close}`,
      ),
    page,
  );
}

describe('FORMAT.md', () => {
  if (process.env.JALON_GENERATE) writeFileSync(PAGE, upToDate(readFileSync(PAGE, 'utf8')));
  const page = readFileSync(PAGE, 'utf8');
  const { folder, remove } = temporaryFolder();
  const facts = exampleFacts();
  let db: Database.Database;
  beforeAll(async () => {
    const { journal } = await openSqliteJournal(folder);
    await journal.append(STREAM, -1, facts);
    await journal.close();
    db = new Database(join(folder, 'journal.db'), { readonly: true });
  });
  afterAll(() => {
    db.close();
    remove();
  });

  test('is up to date (JALON_GENERATE=1 writes it)', () => {
    expect(page).toBe(upToDate(page));
    expect(page).toContain(facts[1].hash);
  });

  test('has an example whose every hash can be computed with SHA-256 alone', () => {
    const sha256 = (...parts: (string | Buffer)[]) =>
      parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');
    const [envelope0, data0, envelope1, data1] = [...page.matchAll(/```text\n(.*)\n```/g)].map(
      ([, text]) => text ?? '',
    );
    const hash0 = sha256(envelope0 ?? '');
    expect(page).toContain(`H(that text) = \`${hash0}\``);
    expect(page).toContain(`H(that text) = \`${sha256(envelope1 ?? '')}\``);
    expect(JSON.parse(envelope1 ?? '').previousHash).toBe(hash0);
    for (const [i, [envelope, data]] of [
      [envelope0, data0],
      [envelope1, data1],
    ].entries())
      expect(JSON.parse(envelope ?? '').dataHash).toBe(sha256(Buffer.from(SALTS[i] ?? '', 'hex'), data ?? ''));
    const name = sha256(Buffer.from(NAME.salt, 'hex'), NAME.name);
    expect(JSON.parse(envelope0 ?? '').actor.name).toBe(name);

    const entry = sha256('{"exigence":"9.2.a","gravite":"majeur"}');
    const constats = sha256(`{"digest":"${sha256(`{"C-1":"${entry}"}`)}","salt":"${SALTS[1]}"}`);
    const avis = sha256(`{"digest":"${sha256('')}","salt":"${FOUND.contextSalt}"}`);
    const context = `{"avis":"${avis}","constats":"${constats}","perimetre":"${sha256('["IaaS"]')}"}`;
    expect(JSON.parse(envelope1 ?? '').stateHash).toBe(sha256(`{"context":${context},"value":{"j2":"audits"}}`));
  });

  test('has a query that finds the facts where it says', () => {
    const [, query = ''] = /```sql\n(select [^`]*)```/.exec(page) ?? [];
    const rows = db.prepare<[], { position: number; hash: string; envelope: string; data: string }>(query).all();
    expect(rows.map(({ position }) => position)).toEqual([1, 2]);
    expect(rows.map(({ hash }) => hash)).toEqual(facts.map(({ hash }) => hash));
    expect(rows.map(({ envelope }) => JSON.parse(envelope))).toEqual(facts.map(({ envelope }) => envelope));
    expect(rows.map(({ data }) => JSON.parse(data))).toEqual(facts.map(({ data }) => data));
  });

  test('names every member of the envelope and every identifying number', () => {
    const schema = JSON.parse(readFileSync(new URL('./envelope.schema.json', import.meta.url), 'utf8'));
    const [, table = ''] = /## The envelope\n([\s\S]*?)\nBeside/.exec(page) ?? [];
    const firstCells = [...table.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell]) => cell).join();
    expect([...firstCells.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort()).toEqual(
      Object.keys(schema.properties).sort(),
    );
    for (const file of ['journal.db', 'personnes.db']) {
      const opened = new Database(join(folder, file), { readonly: true });
      const id = Number(opened.pragma('application_id', { simple: true }));
      expect(page).toContain(
        `\`${file}\` (${file === 'journal.db' ? '`application_id` ' : ''}0x${id.toString(16).toUpperCase()}`,
      );
      expect(opened.pragma('user_version', { simple: true })).toBe(1);
      opened.close();
    }
  });
});
