import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Issuer, startIssuer } from './issuer.ts';
import { opening, PRESTATAIRE, refused } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, upTo } from './walk.ts';

// Tokens of an issuer of ours: the same caller comes back after a restart.
let issuer: Issuer;
let server: Running;
let charge: string;
let other: string;
const now = new Date('2025-07-02T10:00:00Z');
const folder = mkdtempSync(join(tmpdir(), 'jalon-'));
const start = () => run({ folder, now: () => now, env: issuer.env });

beforeAll(async () => {
  issuer = await startIssuer(() => now);
  server = await start();
  charge = await issuer.token({ sub: 'c', roles: ['charge-de-qualification'], name: 'Nolwenn Le Bris' });
  other = await issuer.token({ sub: 'd', roles: ['charge-de-qualification', 'chef-de-bureau'] });
});
afterAll(async () => {
  await server.stop();
  await issuer.stop();
  rmSync(folder, { recursive: true, force: true });
  expect(server.alarms).toEqual([]);
});

const tip = () => server.product.journal.tip();
const without = ({ role: _, ...step }: ReturnType<typeof fact>) => step;
const keyed = (key: string) => ({ 'idempotency-key': key });
const note = (texte: string) => without(fact('dossier.note-ajoutee', { texte }));

async function opened(token = charge): Promise<string> {
  const [deposit] = upTo('candidature.deposee');
  const answer = await server.call(token, 'POST', '/api/dossiers', opening(deposit!));
  expect(answer.status).toBe(201);
  return answer.body.id;
}
const send = (id: string, body: unknown, headers = {}, token = charge): Promise<Answer> =>
  server.call(token, 'POST', `/api/dossiers/${id}/facts`, body, headers);

describe('the same key with the same body', () => {
  const receipt = without(fact('candidature.accuse-emis', {}, { effectiveAt: '2024-09-05' }));

  test('answers the first 201 again and appends nothing: at once, after later facts, after a restart', async () => {
    const id = await opened();
    const first = await send(id, receipt, keyed('une'));
    expect(first.status).toBe(201);
    const afterFirst = await tip();
    const again = async (body: unknown = receipt) => {
      const answer = await send(id, body, keyed('une'));
      expect(answer.status).toBe(201);
      expect(answer.headers.get('etag')).toBe('"1"');
      expect(answer.body).toEqual(first.body);
    };
    await again();
    expect(await tip()).toBe(afterFirst);

    for (const step of upTo('candidature.complements-demandes').slice(2))
      expect((await send(id, without(step), {}, other)).status).toBe(201);
    const afterLater = await tip();
    await again();

    await server.stop('keep');
    server = await start();
    await again();
    // Members in another order are the same body (RFC 8785).
    const { type, data, effectiveAt } = receipt;
    await again({ effectiveAt, data, type });
    await again(`{ "data": ${JSON.stringify(data)} , "type":"candidature.accuse-emis", "effectiveAt": "2024-09-05" }`);
    expect(await tip()).toBe(afterLater);
  });

  test('without data, it is that of an empty payload', async () => {
    const id = await opened();
    for (const step of upTo('candidature.complements-recus').slice(1))
      expect((await send(id, without(step), {}, other)).status).toBe(201);
    const first = await send(id, { type: 'candidature.completee' }, keyed('vide'));
    expect(first.status).toBe(201);
    const again = await send(id, { type: 'candidature.completee', data: {} }, keyed('vide'));
    expect(again.body).toEqual(first.body);
  });

  test('opens one dossier, and gives its address again, also after a restart', async () => {
    const body = opening(fact('candidature.deposee'));
    const open = () => server.call(charge, 'POST', '/api/dossiers', body, keyed('ouverture'));
    const first = await open();
    expect(first.status).toBe(201);
    await send(first.body.id, note('Plus tard.'));
    const before = await tip();
    await server.stop('keep');
    server = await start();
    const again = await open();
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect(again.headers.get('etag')).toBe('"0"');
    expect(await tip()).toBe(before);
  });

  test('of an erasable fact too, of which the payload lies elsewhere', async () => {
    const id = await opened();
    const first = await send(id, note('Rappeler lundi.'), keyed('note'));
    const again = await send(id, note('Rappeler lundi.'), keyed('note'));
    expect([again.status, again.body]).toEqual([201, first.body]);
    await refused(server, 'cle-reutilisee', () => send(id, note('Rappeler mardi.'), keyed('note')));
  });

  test('in the minimal form, when that is asked this time', async () => {
    const id = await opened();
    const first = await send(id, receipt, keyed('forme'));
    const again = await send(id, receipt, { ...keyed('forme'), prefer: 'return=minimal' });
    expect(again.body).toEqual({
      id,
      revision: 1,
      position: first.body.position,
      state: 'candidature.deposee',
      event: { id: first.body.event.id },
    });
  });
});

describe('the same key with another body', () => {
  test('is refused (422), whatever differs', async () => {
    const id = await opened();
    const first = without(fact('candidature.accuse-emis'));
    expect((await send(id, first, keyed('k'))).status).toBe(201);
    for (const another of [
      { ...first, data: { reference: 'AR-2024-119' } },
      { ...first, effectiveAt: '2025-07-01' },
      { ...first, correlationId: 'c' },
      note('Autre chose.'),
    ])
      await refused(server, 'cle-reutilisee', () => send(id, another, keyed('k')));
    const open = (offre: string) =>
      server.call(charge, 'POST', '/api/dossiers', opening(fact('candidature.deposee', { offre })), keyed('o'));
    const { id: other } = (await open('Une offre')).body;
    const again = await refused(server, 'cle-reutilisee', () => open('Une autre'));
    expect(again.headers.get('location')).toBe(`/api/dossiers/${other}/facts?limit=1`);
  });

  test('is told where what was recorded is read', async () => {
    const id = await opened();
    await send(id, without(fact('candidature.accuse-emis')), keyed('where'));
    const { headers } = await refused(server, 'cle-reutilisee', () => send(id, note('Autre.'), keyed('where')));
    expect(headers.get('location')).toBe(`/api/dossiers/${id}/facts?after=0&limit=1`);
  });
});

describe('a key is of its caller and route', () => {
  test('another caller, another dossier or another route use it anew', async () => {
    const [id, second] = [await opened(), await opened()];
    const before = (await tip()) as bigint;
    const answers = [
      await send(id, note('Un.'), keyed('partagee')),
      await send(id, note('Deux.'), keyed('partagee'), other),
      await send(second, note('Trois.'), keyed('partagee')),
      await server.call(charge, 'POST', '/api/dossiers', opening(fact('candidature.deposee')), keyed('partagee')),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(new Set(answers.map(({ body }) => body.event.id)).size).toBe(4);
    expect(await tip()).toBe(before + 4n);
  });

  test('a caller of the same subject at another issuer is another caller', async () => {
    const demonstration = await run({ now: () => now });
    const [a, b] = [await demonstration.token('charge-de-qualification', { sub: 'c' }), charge];
    const body = opening(fact('candidature.deposee'));
    const here = await server.call(b, 'POST', '/api/dossiers', body, keyed('emetteur'));
    const there = await demonstration.call(a, 'POST', '/api/dossiers', body, keyed('emetteur'));
    expect(there.body.id).not.toBe(here.body.id);
    await demonstration.stop();
  });

  test('a refused proposal leaves its key free', async () => {
    const id = await opened();
    const tooSoon = { type: 'candidature.completee' };
    await refused(server, 'fait-refuse', () => send(id, tooSoon, keyed('refusee')), {
      fact: 'candidature.completee',
      state: 'candidature.deposee',
      reasons: expect.any(Array),
      possible: expect.any(Array),
    });
    expect((await send(id, note('Avec la même clé.'), keyed('refusee'))).status).toBe(201);
  });
});

describe('at the same time', () => {
  test('twenty times the same request with one key: one fact, one answer', async () => {
    const id = await opened();
    const before = (await tip()) as bigint;
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(id, note('Une.'), keyed('vingt'))));
    for (const answer of answers) expect([answer.status, answer.body]).toEqual([201, answers[0]?.body]);
    expect(await tip()).toBe(before + 1n);
  });

  test('twenty times the same opening with one key: one dossier', async () => {
    const body = opening(fact('candidature.deposee'));
    const before = (await tip()) as bigint;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => server.call(charge, 'POST', '/api/dossiers', body, keyed('vingt'))),
    );
    for (const answer of answers) expect([answer.status, answer.body]).toEqual([201, answers[0]?.body]);
    expect(await tip()).toBe(before + 1n);
  });

  test('twenty different facts on one dossier: each is decided in its turn', async () => {
    const id = await opened();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => send(id, note(`Note ${n}.`))));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    const revisions = answers.map(({ body }) => body.revision).sort((a, b) => a - b);
    expect(revisions).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    const receipts = await Promise.all(
      Array.from({ length: 5 }, () => send(id, without(fact('candidature.accuse-emis')))),
    );
    // Decided on what the first one left: the receipt is acknowledged once.
    expect(receipts.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409]);
  });

  test('twenty that name the same revision: one wins, the others are told the new one', async () => {
    const id = await opened();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => send(id, note(`Note ${n}.`), { 'if-match': '"0"' })),
    );
    const lost = answers.filter(({ status }) => status !== 201);
    expect(lost).toHaveLength(19);
    for (const { status, body } of lost) expect([status, body.revision]).toEqual([412, 1]);
  });

  test('a prestataire retries over and over while officers write: its fact is recorded once', async () => {
    const mine = await issuer.token({ sub: 'p', roles: ['prestataire'], org: PRESTATAIRE });
    const id = await opened();
    const target = without(fact('dossier.cible-annoncee'));
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, n) =>
        n % 2 === 0 ? send(id, target, keyed('cible'), mine) : send(id, note(`Entre-temps ${n}.`)),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(16).fill(201));
    const { items } = (await server.call(charge, 'GET', `/api/dossiers/${id}/facts`)).body;
    expect(items.filter(({ type }: { type: string }) => type === target.type)).toHaveLength(1);
    expect(items).toHaveLength(10);
  });
});
