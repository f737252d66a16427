import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../../build.mjs';
import { measureAdvance, measureBySize, measureCold, measureGrowth, measureTimeline, type Stage } from './http.ts';
import { measureRebuild, measureReplay } from './offline.ts';
import { seed } from './seed.ts';
import { type Measured, residentMiB, startFloor, startJalon } from './servers.ts';
import { type Line, table } from './table.ts';
import { tokensOf } from './tokens.ts';

/** Dossiers of 20 facts: 100,000 facts. Some more are measured at other sizes. */
const STORED = 5_000;
const LARGE = 24;
const COLD = 600;
const READ = 500;

const here = new URL('.', import.meta.url).pathname;
/** The table of the README: replay, rebuild, and the product over HTTP beside its two floors. */
export async function benchProduct(say: (line: string) => void): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'jalon-bench-'));
  const running: Measured[] = [];
  try {
    return table(await measureAll(root, running, say));
  } finally {
    for (const server of running) await server.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

async function measureAll(root: string, running: Measured[], say: (line: string) => void): Promise<Line[]> {
  const started = async <T extends Measured>(starting: Promise<T>): Promise<T> => {
    const server = await starting;
    running.push(server);
    return server;
  };
  await build({ force: false, silent: true });
  say(
    `Filling a journal with ${STORED} dossiers of 20 facts, ${LARGE} of 30, ${LARGE} of 289, ${COLD} of 40, ${READ} of 20 to read…`,
  );
  const sizes = [STORED, 20, LARGE, 30, LARGE, 289, COLD, 40, READ, 20];
  const layout: number[] = [];
  for (let i = 0; i < sizes.length; i += 2)
    for (let n = 0; n < (sizes[i] as number); n++) layout.push(sizes[i + 1] as number);
  const folder = join(root, 'full');
  const ids = await seed(folder, layout, say);
  const small = join(root, 'small');
  const smallIds = await seed(
    small,
    Array.from({ length: 50 }, () => 20),
    say,
  );

  const lines: Line[] = [];
  say('Replay and rebuild, in this process…');
  lines.push(...(await measureReplay(folder)), ...(await measureRebuild(folder)));

  const starts: number[] = [];
  for (let round = 0; round < 3; round++) {
    const jalon = await startJalon(folder);
    starts.push(jalon.readyMs);
    await jalon.stop();
  }
  const start = starts.sort((a, b) => a - b)[1] as number;

  const insert = await started(startFloor(`${here}floor-insert.mjs`, join(root, 'floor.db')));
  const framework = await started(startFloor(`${here}floor-framework.ts`));
  const jalon = await started(startJalon(folder));
  const jalonSmall = await started(startJalon(small));
  let resident = 0;
  const watch = setInterval(() => {
    resident = Math.max(resident, residentMiB(jalon.pid));
  }, 200);

  const at = (from: number, count: number) => ids.slice(from, from + count);
  const stage: Stage = {
    insert: insert.url,
    framework: framework.url,
    jalon: jalon.url,
    small: jalonSmall.url,
    token: await tokensOf(jalon.url),
    smallToken: await tokensOf(jalonSmall.url),
    dossiers: at(0, STORED),
    smallDossiers: smallIds,
    thirty: at(STORED, LARGE),
    large: at(STORED + LARGE, LARGE),
    cold: at(STORED + 2 * LARGE, COLD),
    read: at(STORED + 2 * LARGE + COLD, READ),
    say,
  };
  lines.push(...(await measureCold(stage)));
  lines.push(...(await measureAdvance(stage)));
  lines.push(...(await measureBySize(stage)));
  lines.push(...(await measureTimeline(stage)));
  lines.push(...(await measureGrowth(stage)));
  clearInterval(watch);

  const facts = layout.reduce((sum, size) => sum + size, 0).toLocaleString('en-US');
  lines.push({
    what: `start to ready on ${facts} facts`,
    measured: `${Math.round(start)} ms`,
    against: '-',
    ratio: start / 1000,
    wanted: '< 2 s',
    met: start < 2000,
  });
  lines.push({
    what: 'resident memory, highest during the bench',
    measured: `${Math.round(resident)} MiB`,
    against: '-',
    ratio: resident,
    wanted: '< 250 MB',
    met: resident * 1.048576 < 250,
  });
  return lines;
}
