import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type EventStore, startEventStore } from './eventstore/server.ts';
import { opening, parties, propose, type Tokens, tokenOf } from './parties.ts';
import { PostgresServer } from './postgres.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, type Step, walkToJ3 } from './walk.ts';

const root = mkdtempSync(join(tmpdir(), 'jalon-eventstore-'));
const now = () => new Date('2025-07-02T10:00:00.000Z');

let store: EventStore;
let postgres: PostgresServer;
let embedded: Running;
let remote: Running;

beforeAll(async () => {
  store = await startEventStore({ folder: join(root, 'eventstore') });
  postgres = await PostgresServer.start();
  embedded = await run({ now });
  const env = { ESDB_URL: store.connectionString, DATABASE_URL: postgres.url };
  remote = await run({ now, folder: join(root, 'node'), env });
}, 60_000);
afterAll(async () => {
  await remote.stop();
  await embedded.stop();
  await store.stop();
  await postgres.stop();
  rmSync(root, { recursive: true, force: true });
});

/** The answers of a whole story: a walk, what is refused on the way, a repeated key, and what is read afterwards. */
async function story(server: Running): Promise<string[]> {
  const tokens: Tokens = await parties(server);
  const answers: Answer[] = [];
  const [first, ...others] = walkToJ3();
  answers.push(await server.call(tokens.prestataire, 'POST', '/api/dossiers', opening(first as Step)));
  const { id } = (answers[0] as Answer).body;
  for (const [index, step] of others.entries()) {
    answers.push(await propose(server, tokens, id, fact('suivi.renonciation')));
    const key = { 'idempotency-key': `pas-${index}` };
    const { role, ...proposed } = step;
    const path = `/api/dossiers/${id}/facts`;
    answers.push(await server.call(tokenOf(tokens, role), 'POST', path, proposed, key));
    answers.push(
      await server.call(tokenOf(tokens, role), 'POST', path, { ...proposed, effectiveAt: '2019-01-01' }, key),
    );
  }
  const stale = { 'if-match': '"3"' };
  answers.push(
    await server.call(
      tokens.charge,
      'POST',
      `/api/dossiers/${id}/facts`,
      { type: 'dossier.note-ajoutee', data: { texte: 'Trop tard.' } },
      stale,
    ),
  );
  for (const path of ['', '/facts?limit=10', '/timeline'])
    for (const token of [tokens.charge, tokens.prestataire, tokens.autre])
      answers.push(await server.call(token, 'GET', `/api/dossiers/${id}${path}`));
  answers.push(await server.call(tokens.dg, 'GET', '/api/dossiers?waiting=me'));
  for (const path of ['/deadlines?open=all', '/deadlines.ics', '/findings', '/register', '/statistics'])
    for (const token of [tokens.charge, tokens.prestataire, tokens.autre])
      answers.push(await server.call(token, 'GET', `/api${path}`));
  return answers.map(({ status, text }) => `${status} ${sameEverywhere(text, id)}`);
}

/** Without what is drawn at random or numbered by the store. */
function sameEverywhere(text: string, id: string): string {
  const drawn: string[] = [];
  return text
    .replaceAll(id, 'ID')
    .replaceAll(/"position":"\d+"/g, '"position":"N"')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}/g, (text) => {
      if (!drawn.includes(text)) drawn.push(text);
      return `#${drawn.indexOf(text)}`;
    });
}

test('the same story over EventStoreDB and PostgreSQL gets the same answers, to the letter', async () => {
  expect(await story(remote)).toEqual(await story(embedded));
});

test('while EventStoreDB is away nothing is recorded and nothing is lost, and it is found again', async () => {
  const tokens = await parties(remote);
  const id = (await remote.call(tokens.prestataire, 'POST', '/api/dossiers', opening(walkToJ3()[0] as Step))).body.id;
  store.hooks.refuseAppends({ why: 'not-ready' });
  const away = await propose(remote, tokens, id, fact('candidature.accuse-emis', {}, { effectiveAt: '2024-09-05' }));
  expect([away.status, away.headers.get('retry-after')]).toEqual([503, expect.any(String)]);
  store.hooks.refuseAppends(null);
  const back = await propose(remote, tokens, id, fact('candidature.accuse-emis', {}, { effectiveAt: '2024-09-05' }));
  expect([back.status, back.body.revision]).toEqual([201, 1]);
}, 30_000);
