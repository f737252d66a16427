import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from './eventually.ts';
import { Receiver } from './receiver.ts';
import { buildProduct, ServerProcess } from './server-process.ts';
import { fact } from './walk.ts';

const ROUNDS = process.env.JALON_TEST === 'long' ? 30 : 4;
const ENV = { JALON_WEBHOOK_ALLOW: '127.0.0.0/8' };

let folder: string;
let receiver: Receiver;
let server: ServerProcess;
beforeAll(async () => {
  buildProduct();
  folder = mkdtempSync(join(tmpdir(), 'jalon-webhooks-'));
  receiver = await Receiver.open();
  server = await ServerProcess.start(folder, ENV);
}, 60_000);
afterAll(async () => {
  server.kill('SIGTERM');
  await server.exit;
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens a dossier and records some facts in it; the ids of all of them. */
async function record(count: number): Promise<string[]> {
  const token = await server.token('charge-de-qualification');
  const { role: _, ...first } = fact('candidature.deposee');
  const opened = await server.send('POST', '/api/dossiers', { token, body: { workflow: 'secnumcloud', fact: first } });
  const ids = [opened.body.event.id];
  for (let i = 1; i < count; i += 1) {
    const { role: __, ...body } = fact('dossier.cible-annoncee');
    const { body: advanced } = await server.send('POST', `/api/dossiers/${opened.body.id}/facts`, { token, body });
    ids.push(advanced.event.id);
  }
  return ids;
}

describe('A server killed (kill -9) while it delivers', () => {
  test('goes on where it was: nothing is lost, nothing out of order, repeated only with the same id', async () => {
    const token = await server.token('charge-de-qualification');
    const made = await server.send('POST', '/api/webhooks', { token, body: { url: receiver.url } });
    expect(made.status).toBe(201);
    const recorded: string[][] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      // Killed while a message is under way, or right after it was answered and before that can be on record.
      const at = receiver.received.length + 1 + (round % 3) * 4;
      const dying = server;
      receiver.answer = (_, count) => {
        if (count === at) dying.kill('SIGKILL');
        return round % 2 === 0 && count === at ? 'hang' : { status: 204 };
      };
      recorded.push(...(await Promise.all(Array.from({ length: 3 }, () => record(4).catch(() => [])))));
      await dying.exit;
      receiver.answer = () => ({ status: 204 });
      server = await ServerProcess.start(folder, ENV);
      recorded.push(await record(2));
    }
    const all = recorded.flat();
    await until(async () => all.every((id) => receiver.ids.includes(id)));
    const once = [...new Set(receiver.ids)];
    for (const ids of recorded) expect(once.filter((id) => ids.includes(id))).toEqual(ids);
    // Each kill repeats at most what was under way, one fact of each dossier.
    expect(receiver.ids.length - once.length).toBeLessThanOrEqual(ROUNDS * 3);
    const bySubject = new Map<string, number>();
    for (const { subject, revision } of receiver.events) {
      expect(revision).toBeGreaterThanOrEqual(bySubject.get(subject) ?? 0);
      bySubject.set(subject, revision);
    }
  }, 300_000);
});
