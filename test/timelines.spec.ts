import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { lead, parties, propose, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { fact, upTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
let id: string;
let now = new Date('2025-01-20T10:00:00Z');

/** Tokens as of now: they last eight hours. */
async function ask(): Promise<void> {
  const charge = await server.token('charge-de-qualification', { nom: 'Camille Martin' });
  tokens = { ...(await parties(server)), charge };
}

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = {
    ...(await parties(server)),
    charge: await server.token('charge-de-qualification', { nom: 'Camille Martin' }),
  };
  id = await lead(server, tokens, upTo('j1.strategie-validee'));
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

const timeline = async (token = tokens.charge) =>
  (await server.call(token, 'GET', `/api/dossiers/${id}/timeline`)).body;

test('a timeline read twice is the same, and one more fact is in the next reading', async () => {
  const before = await timeline();
  expect(await timeline()).toEqual(before);
  await propose(server, tokens, id, fact('dossier.note-ajoutee', { texte: 'Relire la stratégie.' }));
  const after = await timeline();
  expect(after.entries).toHaveLength(before.entries.length + 1);
  expect(after.entries.at(-1)).toMatchObject({ type: 'dossier.note-ajoutee', data: { texte: 'Relire la stratégie.' } });
});

test('what one reader was shown is not what another is shown', async () => {
  const types = async (token: string) => (await timeline(token)).entries.map(({ type }: { type: string }) => type);
  expect(await types(tokens.charge)).toContain('dossier.note-ajoutee');
  expect(await types(tokens.prestataire)).not.toContain('dossier.note-ajoutee');
  expect((await server.call(tokens.autre, 'GET', `/api/dossiers/${id}/timeline`)).status).toBe(404);
});

test('a target is missed from the day after its end, though nothing was recorded', async () => {
  await propose(server, tokens, id, fact('dossier.cible-annoncee', { jalon: 'J2', periode: '2025-01' }));
  expect((await timeline()).targets.at(-1)).toMatchObject({ periode: '2025-01', missed: false });
  now = new Date('2025-02-01T10:00:00Z');
  await ask();
  expect((await timeline()).targets.at(-1)).toMatchObject({ periode: '2025-01', missed: true });
});

test('a name or a note that is erased is gone from the very next reading', async () => {
  const { directory } = server.product;
  expect(JSON.stringify(await timeline())).toContain('Camille Martin');
  const note = (await timeline()).entries.find(({ type }: { type: string }) => type === 'dossier.note-ajoutee');
  await directory.drop(note.id);
  await directory.forget('urn:jalon:demonstration', 'demo-charge-de-qualification');
  const erased = await timeline();
  expect(JSON.stringify(erased)).not.toMatch(/Camille Martin|Relire la stratégie/);
  expect(erased.entries.find(({ id: one }: { id: string }) => one === note.id)).toMatchObject({ erased: true });
  expect(JSON.stringify(erased)).toContain('effacé');
});
