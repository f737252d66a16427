import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openProduct } from '../../apps/api/product.ts';
import { build } from '../../build.mjs';
import { walkToJ3 } from '../walk.ts';
import { quantile } from './load.ts';
import { led } from './seed.ts';
import { startJalon } from './servers.ts';
import { type Line, shown, table } from './table.ts';
import { tokensOf } from './tokens.ts';

const CORRECTIONS = 500;
const READERS = 50;

/** What one fact corrected 500 times costs everybody else while 50 readers come from the start. */
export async function benchCorrections(say: (line: string) => void): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'jalon-bench-'));
  try {
    await build({ force: false, silent: true });
    say(`One fact corrected ${CORRECTIONS} times…`);
    const id = await corrected(root, say);
    const jalon = await startJalon(root);
    try {
      const token = (await tokensOf(jalon.url))['charge-de-qualification'] as string;
      const whole = async (first: string) => {
        for (let next: string | undefined = first; next !== undefined; ) {
          const answer = await get(jalon.url + next, token);
          const page = (await answer.json()) as unknown[];
          next = page.length === 0 ? undefined : /<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1];
        }
      };
      const text = async (path: string) => void (await (await get(jalon.url + path, token)).text());
      const kinds = {
        'the feed from the start': () => whole('/api/feed?limit=200&after=start'),
        replays: () => text(`/api/dossiers/${id}/replay`),
      };
      const lines: Line[] = [];
      for (const [what, read] of Object.entries(kinds)) lines.push(await beside(jalon.url, what, read));
      return table(lines);
    } finally {
      await jalon.stop();
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** A dossier of which an officer corrected one fact; its id. */
async function corrected(folder: string, say: (line: string) => void): Promise<string> {
  const product = await openProduct(folder, () => new Date(), say);
  const steps = walkToJ3();
  const id = await led(product, steps);
  const at = steps.findIndex(({ type }) => type === 'candidature.accuse-emis');
  const caller = { iss: 'urn:bench', sub: 'bench-charge', roles: ['charge-de-qualification'], name: 'Banc' };
  let fait: string | undefined;
  for await (const [event] of product.journal.read(`dossier-${id}`, { from: at, to: at })) fait = event?.envelope.id;
  for (let i = 0; i < CORRECTIONS; i += 1) {
    const data = { fait, donnees: { reference: `AR-2024-${i}` }, motif: 'Erreur de saisie' };
    await product.engine.advance(caller, id, { type: 'dossier.fait-rectifie', data }, { route: 'bench' });
  }
  await product.projector.caughtUp((await product.journal.tip()) ?? -1n, 60_000);
  await product.close();
  return id;
}

/** Readers all at once, and how soon the process says meanwhile that it lives. */
async function beside(url: string, what: string, read: () => Promise<void>): Promise<Line> {
  const health: number[] = [];
  let isOver = false;
  const began = performance.now();
  const probing = (async () => {
    while (!isOver) {
      const at = performance.now();
      await (await fetch(`${url}/health/live`)).text();
      health.push(performance.now() - at);
      await pause(5);
    }
  })();
  const answers = await Promise.allSettled(Array.from({ length: READERS }, read));
  const took = performance.now() - began;
  isOver = true;
  await probing;
  const answered = answers.filter(({ status }) => status === 'fulfilled').length;
  const p99 = quantile(health, 0.99);
  return {
    what: `health beside ${READERS} readers: ${what}, ${CORRECTIONS} corrections`,
    measured: `p99 ${shown(p99)} ms of ${health.length}`,
    against: `${answered} answered in ${shown(took / 1000)} s`,
    ratio: p99,
    wanted: 'under 100 ms, all answered',
    met: p99 < 100 && answered === READERS,
  };
}

async function get(url: string, token: string): Promise<Response> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return answer;
}
