import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteJournal } from '@jalon/journal';
import type { Product } from '../../apps/api/product.ts';
import { verifyWhole } from '../../apps/cli/verify-journal.ts';
import { type Running, run } from '../running.ts';
import { fact, walkToJ3 } from '../walk.ts';
import { fill, makeTemplates, type Templates } from './copies.ts';
import { led } from './seed.ts';
import { measureShare } from './share.ts';
import { type Line, perSecond, shown, table } from './table.ts';

const SMALL = 10_000;
const LARGE = 1_000_000;
const ROUNDS = 5;
const ASKED = 60;

/** A server on a log of so many facts, with a dossier of forty; what is asked of it is timed over HTTP. */
type Audited = { server: Running; token: string; id: string };

/** Replay, bundles and verification, over a short log and a long one; what proof costs an advance. */
export async function benchAudit(say: (line: string) => void): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'jalon-bench-'));
  try {
    const templates = await makeTemplates(say);
    const small = await audited(join(root, 'small'), SMALL, templates, say);
    const lines: Line[] = await pastAgainstPlain(small);
    const large = await audited(join(root, 'large'), LARGE, templates, say);
    lines.push(await bundles(small, large));
    await small.server.stop('keep');
    await large.server.stop('keep');
    lines.push(await verification(join(root, 'large'), say));
    lines.push(await measureShare(say));
    return table(lines);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function audited(folder: string, facts: number, templates: Templates, say: (line: string) => void) {
  const { journal } = await openSqliteJournal(folder);
  await fill(journal, templates, facts, say);
  await journal.close();
  const server = await run({ folder });
  const { product } = server;
  const id = await dossier(product);
  const tip = (await product.journal.tip()) as bigint;
  await product.projector.caughtUp(tip, 600_000);
  await product.proving.notary.covering(tip);
  say(`a server on ${facts.toLocaleString('en-US')} facts is ready`);
  return { server, token: await server.token('auditeur'), id };
}

/** A dossier of forty facts, from the application to J3 and beyond. */
function dossier(product: Product): Promise<string> {
  const notes = Array.from({ length: 40 - walkToJ3().length }, () => fact('dossier.note-ajoutee'));
  return led(product, [...walkToJ3(), ...notes]);
}

async function pastAgainstPlain(audited: Audited): Promise<Line[]> {
  const plain = '/facts?limit=200';
  const lines: Line[] = [];
  for (const [what, path] of [
    ['state of a dossier of 40 facts at a revision', '/state?revision=20'],
    ['the same on a date, corrected reading', '/state?effectiveAt=2025-03-20&corrected=true'],
  ] as const) {
    const [past, read] = await alternated(
      () => timed(audited, path),
      () => timed(audited, plain),
    );
    const ratio = median(past) / median(read);
    const against = `its 40 facts read, ${shown(median(read))} ms`;
    lines.push({ what, measured: `${shown(median(past))} ms`, against, ratio, wanted: '< 2', met: ratio < 2 });
  }
  return lines;
}

async function bundles(small: Audited, large: Audited): Promise<Line> {
  const [long, short] = await alternated(
    () => timed(large, '/bundle'),
    () => timed(small, '/bundle'),
  );
  const [slow, quick] = [p99(long), p99(short)];
  const ratio = slow / quick;
  const what = `bundle of 40 facts with ${LARGE.toLocaleString('en-US')} facts in the log, p99`;
  const against = `${SMALL.toLocaleString('en-US')} in the log, ${shown(quick)} ms`;
  return { what, measured: `${shown(slow)} ms`, against, ratio, wanted: '≤ 2', met: ratio <= 2 };
}

async function verification(folder: string, say: (line: string) => void): Promise<Line> {
  const started = performance.now();
  const { ok, report } = await verifyWhole({ house: { folder }, checkpoints: [], keys: [], threads: 1, say: () => {} });
  const seconds = (performance.now() - started) / 1000;
  const { facts } = report as { facts: number };
  say(`verified ${facts} facts in ${Math.round(seconds)} s: ${ok}`);
  const rate = facts / seconds;
  const what = '`jalon verify --journal` with every check, one thread';
  const met = ok && rate >= 15_000;
  return { what, measured: perSecond(rate), against: '-', ratio: rate, wanted: '≥ 15,000/s', met };
}

/** How long each of some requests took, in milliseconds. */
async function timed({ server, token, id }: Audited, path: string): Promise<number[]> {
  const times: number[] = [];
  for (let asked = 0; asked < ASKED; asked++) {
    const started = performance.now();
    const { status } = await server.call(token, 'GET', `/api/dossiers/${id}${path}`);
    times.push(performance.now() - started);
    if (status !== 200) throw new Error(`${path} is answered ${status}.`);
  }
  return times;
}

/** Both by turns, round after round; the first round of each warms up. */
async function alternated(one: () => Promise<number[]>, other: () => Promise<number[]>): Promise<[number[], number[]]> {
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round <= ROUNDS; round++) {
    const [first, second] = [await one(), await other()];
    if (round === 0) continue;
    times[0].push(...first);
    times[1].push(...second);
  }
  return times;
}

const ranked = (times: readonly number[], share: number) =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] as number;
const median = (times: readonly number[]) => ranked(times, 0.5);
const p99 = (times: readonly number[]) => ranked(times, 0.99);
