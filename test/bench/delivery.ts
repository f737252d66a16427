import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openProduct } from '../../apps/api/product.ts';
import { build } from '../../build.mjs';
import type { FromListeners, ToListeners } from './listeners.ts';
import { median, quantile } from './load.ts';
import { finding, seed } from './seed.ts';
import { type Measured, residentMiB, startFloor, startJalon } from './servers.ts';
import { type Line, perSecond, shown, table } from './table.ts';
import { tokensOf } from './tokens.ts';

/** Dossiers of 20 facts, to catch up with, and dossiers to which facts are appended. */
const STORED = 2_000;
const ADVANCED = 400;
const RATE = 200;
const LISTENERS = 1_000;
const STALLED = 20;
const ROUND_MS = 10_000;
const STALLED_MS = 60_000;

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** What leaves: streams, the feed, catching up, webhooks, and what subscribers cost that never read. */
export async function benchDelivery(say: (line: string) => void): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'jalon-bench-'));
  const running: Measured[] = [];
  const keep = async <T extends Measured>(starting: Promise<T>): Promise<T> => {
    const started = await starting;
    running.push(started);
    return started;
  };
  try {
    await build({ force: false, silent: true });
    say(`Filling a journal with ${STORED} dossiers of 20 facts…`);
    const folder = join(root, 'full');
    const sizes = [...Array.from({ length: STORED }, () => 20), ...Array.from({ length: ADVANCED }, () => 11)];
    const ids = await seed(folder, sizes, say);
    const facts = STORED * 20 + ADVANCED * 11;
    const inProcess = await measureCatchUp(folder, facts);
    say('Streams…');
    const jalon = await keep(startJalon(folder, { JALON_WEBHOOK_ALLOW: '127.0.0.0/8' }));
    const token = { ...(await tokensOf(jalon.url)), abonne: await tokenOf(jalon.url, 'auditeur') };
    const stage: Stage = { jalon, token, dossiers: ids.slice(STORED), say };
    const streams = await measureStreams(stage);
    const feed = await measureFeed(stage, facts);
    const receiver = await keep(startFloor(here('./receiver.ts')));
    const webhooks = await measureWebhooks(stage, receiver.url);
    const stalled = await measureStalled(stage);
    return table([...streams, inProcess, feed, webhooks, stalled]);
  } finally {
    for (const server of running) await server.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

type Stage = {
  jalon: Measured;
  token: Record<string, string>;
  dossiers: readonly string[];
  say: (line: string) => void;
};

/** Subscribers in a process of their own. */
class Listeners {
  private constructor(private readonly child: ChildProcess) {}

  static async start(): Promise<Listeners> {
    const child = fork(here('./listeners.ts'), [], { execArgv: ['--import', '@swc-node/register/esm-register'] });
    await once(child, 'message');
    return new Listeners(child);
  }

  async come({ jalon, token }: Stage, count: number, reading = true): Promise<void> {
    const there = once(this.child, 'message');
    this.#ask({ url: jalon.url, path: '/api/events', token: token.abonne as string, count, reading });
    await there;
  }

  async go(): Promise<Map<string, number>> {
    const told = once(this.child, 'message') as Promise<[Extract<FromListeners, { ids: string[] }>]>;
    this.#ask({ gone: true });
    const [{ ids, lastAt }] = await told;
    return new Map(ids.map((id, i) => [id, lastAt[i] ?? Number.NaN]));
  }

  stop(): void {
    this.child.kill();
  }

  #ask(asked: ToListeners): void {
    this.child.send(asked);
  }
}

let findings = 500_000;

/** Appends so many facts a second, each sent at its time however long others take; the latencies, and when each was acknowledged. */
async function append({ jalon, token, dossiers }: Stage, ms: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const latencies: number[] = [];
  const acknowledged = new Map<string, number>();
  const began = performance.now();
  const sent: Promise<void>[] = [];
  for (let n = 0; n < (ms / 1000) * RATE; n += 1) {
    const due = began + (n * 1000) / RATE;
    const wait = due - performance.now();
    if (wait > 1) await pause(wait);
    sent.push(
      (async () => {
        const { role, ...proposed } = finding(findings++);
        const at = performance.now();
        const path = `/api/dossiers/${dossiers[n % dossiers.length]}/facts`;
        const answer = await post(agent, jalon.url + path, token[role] as string, JSON.stringify(proposed));
        latencies.push(performance.now() - at);
        acknowledged.set(answer.event.id, performance.timeOrigin + performance.now());
      })(),
    );
  }
  await Promise.all(sent);
  agent.destroy();
  return { latencies, acknowledged };
}

function post(agent: Agent, url: string, token: string, body: string): Promise<{ event: { id: string } }> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      prefer: 'return=minimal',
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const asked = request(url, { agent, method: 'POST', headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.once('end', () =>
        answer.statusCode === 201 ? resolve(JSON.parse(text)) : reject(new Error(`${answer.statusCode} ${text}`)),
      );
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

/** One subscriber, a thousand, and appends beside none and beside a thousand. */
async function measureStreams(stage: Stage): Promise<Line[]> {
  const { say } = stage;
  const listeners = await Listeners.start();
  const round = async (count: number) => {
    if (count > 0) await listeners.come(stage, count);
    const { latencies, acknowledged } = await append(stage, ROUND_MS);
    await pause(500);
    const arrived = count > 0 ? await listeners.go() : new Map<string, number>();
    const late = count > 0 ? [...acknowledged].map(([id, at]) => (arrived.get(id) ?? Number.NaN) - at) : [];
    const lost = late.filter((each) => Number.isNaN(each)).length;
    if (lost > 0) throw new Error(`${lost} of ${late.length} facts did not reach all of ${count} subscribers.`);
    say(
      `${count} subscribers: append ${ms(median(latencies))} (p99 ${ms(quantile(latencies, 0.99))})${
        count > 0 ? `, last subscriber p50 ${ms(median(late))}, p99 ${ms(quantile(late, 0.99))}` : ''
      }`,
    );
    return { latency: median(latencies), p99: quantile(latencies, 0.99), late: quantile(late, 0.99) };
  };
  try {
    await round(0);
    type Round = Awaited<ReturnType<typeof round>>;
    const rounds: Record<'none' | 'one' | 'many', Round[]> = { none: [], one: [], many: [] };
    for (let again = 0; again < 3; again += 1) {
      rounds.one.push(await round(1));
      rounds.none.push(await round(0));
      rounds.many.push(await round(LISTENERS));
    }
    const middle = (of: keyof typeof rounds, what: 'latency' | 'p99' | 'late') =>
      median(rounds[of].map((each) => each[what]));
    // Of each round beside the one before it, since the machine has other things to do as well.
    const beside = (what: 'latency' | 'p99') =>
      median(rounds.many.map((each, i) => each[what] / (rounds.none[i] as Round)[what]));
    const [ratio, tail] = [beside('latency'), beside('p99')];
    return [
      {
        what: `${LISTENERS} subscribers, ${RATE} facts/s: p99 from acknowledgement to the last of them`,
        measured: ms(middle('many', 'late')),
        against: '-',
        ratio: middle('many', 'late'),
        wanted: '< 250 ms',
        met: middle('many', 'late') < 250,
      },
      {
        what: 'an append meanwhile, median latency',
        measured: ms(middle('many', 'latency')),
        against: `no subscriber, ${ms(middle('none', 'latency'))}`,
        ratio,
        wanted: '≤ 1.3',
        met: ratio <= 1.3,
      },
      {
        what: 'an append meanwhile, p99 latency',
        measured: ms(middle('many', 'p99')),
        against: `no subscriber, ${ms(middle('none', 'p99'))}`,
        ratio: tail,
        wanted: '-',
        met: true,
      },
      {
        what: `1 subscriber, ${RATE} facts/s: p99 from acknowledgement`,
        measured: ms(middle('one', 'late')),
        against: '-',
        ratio: middle('one', 'late'),
        wanted: '< 15 ms',
        met: middle('one', 'late') < 15,
      },
    ];
  } finally {
    listeners.stop();
  }
}

/** All facts as they leave, read from the journal in this process. */
async function measureCatchUp(folder: string, facts: number): Promise<Line> {
  const product = await openProduct(
    folder,
    () => new Date(),
    () => undefined,
  );
  await product.leaving.cursors.ready();
  const rates: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    const tail = await product.leaving.hub.open(null, { parties: false });
    const began = performance.now();
    let left = 0;
    for (let passed = await tail.take(500); passed.length > 0; passed = await tail.take(500))
      for (const departure of passed) left += departure.as('numbered').frame.length > 0 ? 1 : 0;
    tail.close();
    if (left !== facts) throw new Error(`${left} facts left of ${facts}.`);
    // The first is for warming up.
    if (round > 0) rates.push(left / ((performance.now() - began) / 1000));
  }
  await product.close();
  const rate = median(rates);
  return {
    what: 'catching up in process, facts made ready to leave',
    measured: perSecond(rate),
    against: '-',
    ratio: rate,
    wanted: '≥ 50,000/s',
    met: rate >= 50_000,
  };
}

/** All facts pulled from the feed, page after page. */
async function measureFeed({ jalon, token }: Stage, facts: number): Promise<Line> {
  const rates: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    let [next, pulled] = ['/api/feed?limit=200', 0];
    const began = performance.now();
    while (pulled < facts) {
      const answer = await fetch(jalon.url + next, { headers: { authorization: `Bearer ${token.abonne}` } });
      pulled += ((await answer.json()) as unknown[]).length;
      next = /^<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1] as string;
    }
    rates.push(pulled / ((performance.now() - began) / 1000));
  }
  const rate = median(rates);
  return {
    what: 'catching up over `/feed`, 200 facts a page, one client',
    measured: perSecond(rate),
    against: '-',
    ratio: rate,
    wanted: '≥ 15,000/s',
    met: rate >= 15_000,
  };
}

/** Everything recorded so far, sent again to a receiver on this machine. */
async function measureWebhooks({ jalon, token }: Stage, receiver: string): Promise<Line> {
  const headers = { authorization: `Bearer ${token.abonne}`, 'content-type': 'application/json' };
  const send = (method: string, path: string, body?: object) =>
    fetch(jalon.url + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  const { id } = (await (await send('POST', '/api/webhooks', { url: `${receiver}/` })).json()) as { id: string };
  await send('POST', `/api/webhooks/${id}/replay`, { from: 'start' });
  const received = async () => Number((await fetch(receiver)).headers.get('x-received'));
  await pause(2_000);
  const [before, began] = [await received(), performance.now()];
  await pause(ROUND_MS);
  const rate = ((await received()) - before) / ((performance.now() - began) / 1000);
  await send('DELETE', `/api/webhooks/${id}`);
  return {
    what: 'webhooks, signed, to a receiver on the same machine',
    measured: perSecond(rate),
    against: '-',
    ratio: rate,
    wanted: '≥ 500/s',
    met: rate >= 500,
  };
}

/** Resident memory while facts are appended and some subscribers never read. */
async function measureStalled(stage: Stage): Promise<Line> {
  const listeners = await Listeners.start();
  try {
    await append(stage, ROUND_MS);
    await listeners.come(stage, STALLED, false);
    const resident: { at: number; mib: number }[] = [];
    const began = performance.now();
    const watch = setInterval(
      () => resident.push({ at: performance.now() - began, mib: residentMiB(stage.jalon.pid) }),
      250,
    );
    await append(stage, STALLED_MS);
    clearInterval(watch);
    const over = (from: number, to: number) =>
      median(resident.flatMap(({ at, mib }) => (at >= from && at < to ? mib : [])));
    const [early, late] = [over(10_000, 25_000), over(45_000, 60_000)];
    stage.say(`${STALLED} that never read: resident ${shown(early)} MiB, then ${shown(late)} MiB`);
    return {
      what: `${STALLED} subscribers that never read, ${RATE} facts/s: resident memory, 45-60 s`,
      measured: `${Math.round(late)} MiB`,
      against: `10-25 s, ${Math.round(early)} MiB`,
      ratio: late / early,
      wanted: '≤ 1.05',
      met: late / early <= 1.05,
    };
  } finally {
    listeners.stop();
  }
}

async function tokenOf(url: string, role: string): Promise<string> {
  const body = JSON.stringify({ role });
  const answer = await fetch(`${url}/api/demo/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

function ms(figure: number): string {
  return `${shown(figure)} ms`;
}
