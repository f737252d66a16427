import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../../build.mjs';
import { advance, inTurn } from './http.ts';
import { load } from './load.ts';
import { seed } from './seed.ts';
import { startJalon } from './servers.ts';
import type { Line } from './table.ts';
import { tokensOf } from './tokens.ts';

/** Dossiers of twenty facts, on which findings are recorded over this many connections. */
const DOSSIERS = 2_000;
const CONNECTIONS = 64;
const WARM_UP_MS = 3_000;
const MEASURED_MS = 12_000;
const WANTED = 0.15;

/** Where hashing, chain and tree are. The digest of a request is made there too, and counted. */
const PROOF = /libs\/(proof\/|journal\/(canonical|envelope|state-hash)\.ts)/;

type Frame = { url: string; lineNumber: number; columnNumber: number; functionName: string };
type Profile = {
  nodes: { id: number; callFrame: Frame; children?: number[] }[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
};

/**
 * How much of what an advance costs its proof takes, in the product as it is shipped: by a profile of the main thread. The
 * thread that writes makes no hash.
 */
export async function measureShare(say: (line: string) => void): Promise<Line> {
  const root = mkdtempSync(join(tmpdir(), 'jalon-share-'));
  const profiles = join(root, 'profiles');
  try {
    await build({ force: false, silent: true });
    const sizes = Array.from({ length: DOSSIERS }, () => 20);
    const dossiers = await seed(join(root, 'data'), sizes, say);
    const profiling = ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${profiles}`];
    const jalon = await startJalon(join(root, 'data'), {}, ...profiling);
    const next = advance(await tokensOf(jalon.url), inTurn(dossiers, CONNECTIONS));
    const advancing = (ms: number) => load({ url: jalon.url, connections: CONNECTIONS, ms, expect: 201, next });
    await advancing(WARM_UP_MS);
    const from = microseconds();
    const { latencies } = await advancing(MEASURED_MS);
    const to = microseconds();
    await jalon.stop();

    let [all, proof] = [0, 0];
    for (const file of readdirSync(profiles)) {
      const spent = within(JSON.parse(readFileSync(join(profiles, file), 'utf8')), from, to);
      all += spent.all;
      proof += spent.proof;
    }
    const each = (spent: number) => `${Math.round(spent / latencies.length)} µs`;
    const share = proof / all;
    return {
      what: `hashing, chain and tree, of the CPU of an advance, ${CONNECTIONS} connections`,
      measured: each(proof),
      against: `main thread, ${each(all)}`,
      ratio: share,
      wanted: `≤ ${WANTED}`,
      met: share <= WANTED,
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Microseconds of the clock that profiles are written by (monotonic, of the machine). */
function microseconds(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** The time that a profile shows to be spent, not idle, between two moments: all of it, and that under proof. */
function within({ nodes, startTime, samples, timeDeltas }: Profile, from: number, to: number) {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const known = new Map<number, boolean>();
  const isProof = (id: number | undefined): boolean => {
    if (id === undefined) return false;
    let is = known.get(id);
    if (is === undefined) {
      is = PROOF.test(sourceOf(frames.get(id) as Frame)) || isProof(parents.get(id));
      known.set(id, is);
    }
    return is;
  };
  let [now, all, proof] = [startTime, 0, 0];
  for (const [i, id] of samples.entries()) {
    now += timeDeltas[i] as number;
    if (now < from || now > to || frames.get(id)?.functionName === '(idle)') continue;
    // A sample stands for the time until the next one.
    const spent = timeDeltas[i + 1] ?? 0;
    all += spent;
    if (isProof(id)) proof += spent;
  }
  return { all, proof };
}

const maps = new Map<string, SourceMap | null>();

/** The source file of a frame of a bundle. */
function sourceOf({ url, lineNumber, columnNumber }: Frame): string {
  if (!url.startsWith('file:')) return url;
  let map = maps.get(url);
  if (map === undefined) {
    const file = `${fileURLToPath(url)}.map`;
    map = existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, 'utf8'))) : null;
    maps.set(url, map);
  }
  const entry = map?.findEntry(lineNumber, columnNumber);
  return entry && 'originalSource' in entry ? entry.originalSource : url;
}
