import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { lead, parties, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { walkToJ3 } from './walk.ts';

let server: Running;
let tokens: Tokens;
let id: string;
let now = new Date('2025-07-02T10:00:00Z');

/** The system's own actor, which no token names. */
const HORLOGE = { iss: 'urn:jalon:horloge', sub: 'horloge', roles: ['horloge'] };

const expire = (effectiveAt: string) =>
  server.product.engine.advance(
    HORLOGE,
    id,
    { type: 'suivi.qualification-expiree', effectiveAt },
    { route: 'horloge' },
  );

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  id = await lead(server, tokens, walkToJ3());
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

test("refuse l'expiration avant le lendemain de la fin de validité, et après", async () => {
  now = new Date('2028-07-15T10:00:00Z');
  for (const date of ['2028-06-30', '2028-07-02'])
    await expect(expire(date)).rejects.toMatchObject({ name: 'Refused', state: 'qualifiee.valide' });
});

test("l'horloge, et elle seule, enregistre l'expiration le lendemain de la fin de validité", async () => {
  tokens = await parties(server);
  const own = { type: 'suivi.qualification-expiree', effectiveAt: '2028-07-01' };
  expect((await server.call(tokens.dg, 'POST', `/api/dossiers/${id}/facts`, own)).status).toBe(403);

  const { event } = await expire('2028-07-01');
  expect(event.envelope).toMatchObject({ from: 'qualifiee.valide', to: 'expiree', actor: { role: 'horloge' } });
  expect((await server.call(tokens.charge, 'GET', `/api/dossiers/${id}`)).body.state).toBe('expiree');
});
