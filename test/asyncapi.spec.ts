import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { catalogue } from '../workflows/index.ts';
import { lead, parties } from './parties.ts';
import { type Running, run } from './running.ts';
import { walkToJ3 } from './walk.ts';

let server: Running;
// biome-ignore lint/suspicious/noExplicitAny: a document is looked into at many places
let document: any;
beforeAll(async () => {
  server = await run({
    now: () => new Date('2025-07-02T10:00:00Z'),
    env: { JALON_PUBLIC_URL: 'https://jalon.example' },
  });
  document = (await server.call(null, 'GET', '/asyncapi.json')).body;
});
afterAll(() => server.stop());

const facts = [...(catalogue.find('secnumcloud')?.facts.values() ?? [])];

describe('the AsyncAPI document', () => {
  test('is valid for the AsyncAPI parser, which finds nothing to say against it', async () => {
    const script = fileURLToPath(new URL('./asyncapi.check.mjs', import.meta.url));
    const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(JSON.stringify(document));
    let said = '';
    for await (const part of child.stdout.setEncoding('utf8')) said += part;
    const { valid, found, messages, operations } = JSON.parse(said);
    // Severity 0 is an error, 1 a warning; what is below is advice.
    expect(found.filter(({ severity }: { severity: number }) => severity <= 1)).toEqual([]);
    expect([document.asyncapi, valid, messages, operations]).toEqual(['3.0.0', true, facts.length + 3, 4]);
  }, 60_000);

  test('tells of every type of fact that leaves, with the schema of its public view', () => {
    for (const { type, label, publicFields = [] } of facts) {
      expect(document.components.messages[type]).toEqual({
        name: `fr.jalon.${type}.v1`,
        title: label,
        payload: { $ref: `#/components/schemas/event.${type}` },
      });
      const data = document.components.schemas[`data.secnumcloud.1.${type}`];
      const members = new Set(publicFields.map((path) => path.split('.')[0]));
      if (type === 'dossier.fait-rectifie') members.add('donnees');
      expect([type, new Set(Object.keys(data.properties))]).toEqual([type, members]);
    }
  });

  test('is true of what leaves', async () => {
    const tokens = await parties(server);
    await lead(server, tokens, walkToJ3());
    const { body } = await server.call(tokens.auditeur, 'GET', '/api/feed?limit=200');
    const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { uuid: true, 'date-time': true, date: true } });
    ajv.addSchema(document, 'asyncapi');
    expect(body).toHaveLength(29);
    for (const event of body) {
      const type = event.type.slice('fr.jalon.'.length, -'.v1'.length);
      const validate = ajv.compile({ $ref: `asyncapi#/components/schemas/event.${type}` });
      expect([type, validate(event), validate.errors]).toEqual([type, true, null]);
    }
  });
});
