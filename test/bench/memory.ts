import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Journal, openEventStoreJournal } from '@jalon/journal';
import { carryOut } from '../../apps/cli/hold.ts';
import { freePort } from '../free-port.ts';
import { following, leaveEmpty } from './catch-up.ts';
import type { Milestone } from './copies.ts';

const PATIENCE_MS = 1_800_000;
const EVERY = 100_000;

/** Memory over a stretch, in MiB: the most that was resident, the least that the heap came down to, the most outside. */
type Stretch = { facts: number; resident: number; heap: number; outside: number };

/** A node as it is shipped, and its memory as it tells it. */
async function startProbed(folder: string, env: Record<string, string>) {
  const port = await freePort();
  const child = fork('apps/api/start.mjs', {
    execArgv: ['--max-old-space-size=384', '--max-semi-space-size=8', '--import', './test/bench/probe.mjs'],
    env: { ...process.env, PORT: String(port), JALON_DATA: folder, JALON_SAMPLE: 'none', LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const stretches: Stretch[] = [];
  let stretch: Stretch | undefined;
  child.on('message', ({ rss, heapUsed, external }: NodeJS.MemoryUsage) => {
    if (!stretch) return;
    stretch.resident = Math.max(stretch.resident, rss / 2 ** 20);
    stretch.heap = Math.min(stretch.heap, heapUsed / 2 ** 20);
    stretch.outside = Math.max(stretch.outside, external / 2 ** 20);
  });
  return {
    /** What is measured from here to the next mark belongs to the stretch that ends at so many facts. */
    mark(facts: number): void {
      if (stretch) stretches.push(stretch);
      stretch = { facts, resident: 0, heap: Number.POSITIVE_INFINITY, outside: 0 };
    },
    /** The stretches so far; another series may begin. */
    take(): Stretch[] {
      if (stretch) stretches.push(stretch);
      stretch = undefined;
      return stretches.splice(0);
    },
    async stop(): Promise<void> {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/**
 * Memory of a node while its read models catch up with the whole log after an absence, then while they are rebuilt; a
 * Markdown table, a line for each 100,000 facts.
 */
export async function measureMemory(
  root: string,
  eventStore: string,
  database: string,
  milestones: readonly Milestone[],
  say: (line: string) => void,
): Promise<string> {
  await leaveEmpty(database);
  const journal = await openEventStoreJournal(eventStore);
  const folder = join(root, 'node');
  const node = await startProbed(folder, { ESDB_URL: eventStore, DATABASE_URL: database });
  try {
    node.mark(EVERY);
    await following(database, journal, false, async (shared) => {
      shared.start();
      await marked(shared, journal, milestones, node.mark);
    });
    const caughtUp = node.take();
    say('Caught up; rebuilding…');
    node.mark(EVERY);
    let reached = EVERY;
    await carryOut(folder, { command: 'rebuild' }, (line) => {
      const facts = Number(/(\d+) faits/.exec(line)?.[1]);
      if (facts < reached) return;
      reached += EVERY;
      node.mark(reached);
    });
    const rebuilt = node.take();
    return rows(caughtUp, rebuilt);
  } finally {
    await node.stop();
    await journal.close();
  }
}

async function marked(
  shared: { status(): { projections: { position: bigint | null }[] } },
  journal: Journal,
  milestones: readonly Milestone[],
  mark: (facts: number) => void,
): Promise<void> {
  const tip = (await journal.tip()) as bigint;
  const deadline = performance.now() + PATIENCE_MS;
  for (let reached = EVERY; performance.now() < deadline; await pause(50)) {
    const positions = shared.status().projections.map(({ position }) => position ?? -1n);
    if (positions.every((position) => position >= tip)) return;
    const past = ({ position }: Milestone) => positions.every((reached) => reached >= position);
    const facts = milestones.findLast(past)?.facts ?? 0;
    if (facts < reached) continue;
    reached = EVERY * (Math.floor(facts / EVERY) + 1);
    mark(reached);
  }
  throw new Error('The read models did not catch up.');
}

function rows(caughtUp: readonly Stretch[], rebuilt: readonly Stretch[]): string {
  const cells = (stretch: Stretch | undefined) =>
    stretch ? [stretch.resident, stretch.heap, stretch.outside].map((mib) => mib.toFixed(0)) : ['-', '-', '-'];
  const lines = caughtUp.map((stretch, i) => {
    const facts = stretch.facts.toLocaleString('en-US');
    return `| ${[facts, ...cells(stretch), ...cells(rebuilt[i])].join(' | ')} |`;
  });
  const heads = [
    'up to so many facts',
    ...['catch-up', 'rebuild'].flatMap((what) => [
      `${what}: resident, highest`,
      'heap, lowest',
      'outside the heap, highest',
    ]),
  ];
  return [`| ${heads.join(' | ')} |`, `|${'---|'.repeat(heads.length)}`, ...lines].join('\n');
}
