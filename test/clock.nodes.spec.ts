import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addDays, parisDate } from '@jalon/flow';
import { chainFault, openEventStoreJournal, type StoredEvent } from '@jalon/journal';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Cluster, ClusterNode } from './cluster.ts';
import { until } from './eventually.ts';
import { freePort } from './free-port.ts';
import { orgOf } from './proposals.ts';
import { fact, type Step, upTo, walkToJ3 } from './walk.ts';

// A node that serves, one that projects, two that keep time in turn: each a process, over one log and one database.
const root = mkdtempSync(join(tmpdir(), 'jalon-clocks-'));
const today = parisDate(new Date());
let cluster: Cluster;
const clocks: ClusterNode[] = [];

beforeAll(async () => {
  cluster = await Cluster.start(1);
  for (const name of ['clock1', 'clock2']) {
    const env = { ...cluster.env, JALON_ROLES: 'clock' };
    const node = new ClusterNode(name, join(root, name), await freePort(), env);
    await node.start();
    clocks.push(node);
  }
}, 120_000);
afterAll(async () => {
  await Promise.all(clocks.map((node) => node.kill('SIGTERM')));
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
  expect(clocks.flatMap(({ complaints }) => complaints)).toEqual([]);
}, 60_000);

async function led([first, ...others]: readonly Step[]): Promise<string> {
  const send = async ({ role, ...proposed }: Step, path: string, body: unknown = proposed) => {
    const token = await cluster.token(role, role, orgOf(role));
    const answer = await cluster.nodes[0]!.process.send('POST', path, { token, body });
    expect([proposed.type, answer.status]).toEqual([proposed.type, 201]);
    return answer.body;
  };
  const { role: _, ...opening } = first as Step;
  const { id } = await send(first as Step, '/api/dossiers', { workflow: 'secnumcloud', fact: opening });
  for (const step of others) await send(step, `/api/dossiers/${id}/facts`);
  return id;
}

/** A qualification that was over a year ago, and of which nobody has said so yet. */
const forgotten = (): Step[] => [
  ...walkToJ3().slice(0, -1),
  fact('j3.qualification-accordee', { valideJusquAu: '2025-09-30', reserves: [] }, { effectiveAt: '2025-07-01' }),
];

/** What is to be done a week from now. */
const pressing = (): Step[] => [
  ...upTo('candidature.charge-designe'),
  fact('candidature.complements-demandes', { avantLe: addDays(today, 7) }, { effectiveAt: today }),
];

async function stored(...prefixes: string[]): Promise<StoredEvent[]> {
  const journal = await openEventStoreJournal(cluster.env.ESDB_URL as string);
  const events: StoredEvent[] = [];
  for await (const page of journal.readAll(null, { prefixes })) events.push(...page);
  await journal.close();
  return events;
}
const byTheClock = async () =>
  (await stored('dossier-', 'rappels-')).filter(({ envelope }) => envelope.actor.role === 'horloge');

test('of several processes one keeps time, and another when it is killed: nothing is recorded twice', async () => {
  const first = [await led(forgotten()), await led(pressing())];
  await until(async () => (await byTheClock()).length >= 2, 40_000);
  await clocks[0]!.kill();
  const second = [await led(forgotten()), await led(pressing())];
  await until(async () => (await byTheClock()).length >= 4, 40_000);
  await clocks[0]!.start();
  await clocks[1]!.kill();
  const third = [await led(forgotten()), await led(pressing())];
  await until(async () => (await byTheClock()).length >= 6, 40_000);
  await clocks[1]!.start();

  const recorded = await byTheClock();
  const told = recorded.map(({ envelope, data }) =>
    envelope.stream.startsWith('dossier-') ? `${envelope.stream.slice(8)} expire` : `${data.dossier} ${data.delai}`,
  );
  expect(told.sort()).toEqual([first, second, third].flatMap(([over, due]) => [`${over} expire`, `${due} P7D`]).sort());
  let previous: StoredEvent | null = null;
  for (const event of await stored('rappels-')) {
    expect(chainFault(event, previous)).toBeNull();
    previous = event;
  }
}, 150_000);
