import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import {
  type JournalReport,
  keptCheckpoint,
  type Lane,
  noteKeyOf,
  openCheckpoint,
  openPostgresProof,
  ProofStore,
  readSqliteProof,
  type StoredCheckpoint,
  StreamsCheck,
  type StreamsChecked,
  verifyJournal,
} from '@jalon/proof';
import { catalogue } from '@jalon/workflows';
import { archiveLines } from './archive-lines.ts';
import type { House } from './house.ts';
import { openSource, streamsOf, type Where } from './verified-source.ts';
import { readKeys, type Verified } from './verify.ts';

/** How a journal is verified. */
export type JournalOptions = {
  house: House;
  /** An exported file, in the place of the house. */
  archive?: string;
  /** Files of checkpoints that were kept elsewhere, and keys known from elsewhere. */
  checkpoints: readonly string[];
  keys: readonly string[];
  threads?: number;
  say: (line: string) => void;
};

/** Fewer facts than that are not worth a thread. */
const WORTH_A_THREAD = 400;

const SAY_MS = 1_000;

/**
 * Verifies a whole journal, also beside the server that writes it: every stream by itself, then the order of all facts by
 * the checkpoints that were cut.
 * @throws JournalRefused, ArchiveRefused
 */
export async function verifyWhole({ house, archive, ...options }: JournalOptions): Promise<Verified> {
  const say = sparingly(options.say);
  const where: Where =
    archive === undefined ? { house } : { archive: await archiveLines(archive, (facts) => say(`${facts} faits lus`)) };
  // Before the tip of the journal is asked for: what they cover is in it then.
  const known = archive === undefined ? await checkpointsOf(house, options.keys) : { checkpoints: [], refused: [] };
  const { streams, until, gapless } = await streamsOf(where);
  const names = [...streams];
  const kept = options.checkpoints.map((file) => keptCheckpoint(readFileSync(file, 'utf8')));
  const checkpoints = [...known.checkpoints, ...kept].sort((a, b) => a.size - b.size);
  const threads = names.length < WORTH_A_THREAD ? 1 : (options.threads ?? availableParallelism());
  const lanes = await lanesOver({ where, until }, threads);
  try {
    const progress = (facts: number, checked: number) => say(`${facts} faits, ${checked} flux sur ${names.length}`);
    const report = await verifyJournal({ streams: names, lanes, checkpoints, gapless, say: progress });
    const whole = [...known.refused, ...report.whole];
    const all = { ...report, whole, ok: report.ok && whole.length === 0 };
    return { ok: all.ok, lines: linesOf(all), report: all };
  } finally {
    for (const lane of lanes) await lane.close();
  }
}

type ClosableLane = Lane & { close(): Promise<void> };

/** One lane in this thread, or several in threads of their own. */
async function lanesOver(task: { where: Where; until: bigint }, threads: number): Promise<ClosableLane[]> {
  if (threads > 1) return Array.from({ length: threads }, () => threadLane(task));
  const source = await openSource(task.where);
  const check = new StreamsCheck(source, (name, version) => catalogue.find(name, version), task.until);
  return [{ check: (streams) => check.check(streams), close: () => source.close() }];
}

function threadLane(task: { where: Where; until: bigint }): ClosableLane {
  const worker = new Worker(new URL('./verifier.mjs', import.meta.url), { workerData: task });
  const ended = once(worker, 'exit');
  return {
    async check(streams) {
      worker.postMessage(streams);
      const [found] = (await once(worker, 'message')) as [StreamsChecked];
      return found;
    },
    async close() {
      worker.postMessage(null);
      await ended;
    },
  };
}

/** The checkpoints that were cut of a log, the smallest first, and what is wrong with their signatures. */
async function checkpointsOf(
  { folder, database }: House,
  given: readonly string[],
): Promise<{ checkpoints: StoredCheckpoint[]; refused: string[] }> {
  const opened = database === undefined ? readSqliteProof(folder) : openPostgresProof(database);
  if (!opened) return { checkpoints: [], refused: [] };
  const store = new ProofStore(opened);
  try {
    const trusted = given.flatMap(readKeys);
    const keys = (await store.keys()).map(noteKeyOf);
    const own = keys.filter(({ publicKey }) => trusted.length === 0 || trusted.some((key) => key.equals(publicKey)));
    const checkpoints: StoredCheckpoint[] = [];
    const refused: string[] = [];
    for await (const checkpoint of store.checkpoints()) {
      try {
        openCheckpoint(checkpoint.note, own);
      } catch {
        refused.push(`le point de contrôle de ${checkpoint.size} faits n'est signé d'aucune clé reconnue`);
      }
      checkpoints.push(checkpoint);
    }
    return { checkpoints, refused };
  } finally {
    await store.close();
  }
}

function linesOf({ ok, facts, streams, faults, whole, checkpoints, covered }: JournalReport): string[] {
  const lines = [
    ...faults.map(
      ({ stream, revision, type, field, says }) =>
        `✗ ${stream}, fait ${revision}${type ? ` (${type})` : ''} : ${says} (${field})`,
    ),
    ...whole.map((says) => `✗ journal : ${says}`),
    `${facts} faits en ${streams} flux vérifiés${faults.length > 0 ? `, ${faults.length} flux en cause` : ''} ; ${checkpoints} points de contrôle tiennent, jusqu'au fait ${covered}.`,
  ];
  return [...lines, ok ? 'Le journal se vérifie.' : 'Le journal ne se vérifie pas.'];
}

function sparingly(say: (line: string) => void): (line: string) => void {
  let last = performance.now();
  return (line) => {
    if (performance.now() - last < SAY_MS) return;
    last = performance.now();
    say(line);
  };
}
