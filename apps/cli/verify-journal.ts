import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { integrityFaults, type Missing } from '@jalon/journal';
import { compareReadModels } from '@jalon/projections';
import {
  HeadFile,
  type JournalReport,
  type KeptOrder,
  type Lane,
  NOTHING_KEPT,
  openPostgresProof,
  ProofStore,
  readCheckpoint,
  readKeptOrder,
  readSqliteProof,
  StreamsCheck,
  type StreamsChecked,
  verifyJournal,
} from '@jalon/proof';
import { catalogue } from '@jalon/workflows';
import { type SignerFiles, signerFiles } from '../api/proof.ts';
import { projections } from '../api/read-models.ts';
import { archiveLines } from './archive-lines.ts';
import { type House, openForReading, readIn } from './house.ts';
import { openSource, streamsOf, type Where } from './verified-source.ts';
import { readKeys, type Verified } from './verify.ts';
import { visible } from './visible.ts';

/** How a journal is verified. */
export type JournalOptions = {
  house: House;
  /** Where who signs keeps key and head; in the data folder unless it is said. */
  signer?: SignerFiles;
  /** An exported file, in the place of the house. */
  archive?: string;
  /** Files of checkpoints that were kept elsewhere, and keys known from elsewhere. */
  checkpoints: readonly string[];
  keys: readonly string[];
  threads?: number;
  /** The instant by which facts are old or young. */
  now?: Date;
  say: (line: string) => void;
};

/** Fewer facts than that are not worth a thread. */
const WORTH_A_THREAD = 400;

const SAY_MS = 1_000;

/**
 * Verifies a whole journal, also beside the server that writes it: every stream by itself, then the order of all facts by
 * what was signed of it, then what stands on it: the tree of the proofs, the read models, the files themselves.
 * @throws JournalRefused, ArchiveRefused, HeadFileRefused
 */
export async function verifyWhole({ house, archive, ...options }: JournalOptions): Promise<Verified> {
  const say = sparingly(options.say);
  const where: Where =
    archive === undefined ? { house } : { archive: await archiveLines(archive, (facts) => say(`${facts} faits lus`)) };
  // Before the tip of the journal is asked for: what is kept of it is in it then.
  const own = archive === undefined ? await openKept(house, options) : ownOrder;
  try {
    const { streams, until, gapless } = await streamsOf(where);
    const names = [...streams];
    const elsewhere = options.checkpoints.map((file) => readCheckpoint(readFileSync(file, 'utf8')));
    const heads = [...own.kept.heads, ...elsewhere].sort((a, b) => a.size - b.size);
    const threads = names.length < WORTH_A_THREAD ? 1 : (options.threads ?? availableParallelism());
    const lanes = await lanesOver({ where, until }, threads);
    const progress = (facts: number, checked: number) => say(`${facts} faits, ${checked} flux sur ${names.length}`);
    const { now = new Date() } = options;
    try {
      const kept = { ...own.kept, heads };
      const report = await verifyJournal({ streams: names, lanes, kept, gapless, now, say: progress });
      // What stands on a journal that is at fault differs from it, rightly or not.
      const standing = archive === undefined && report.ok ? await standingFaults(house, say) : [];
      const leftOut = 'archive' in where ? where.archive.missing.map(saysMissing) : [];
      const whole = [...own.faults, ...leftOut, ...report.whole, ...standing];
      const all = { ...report, whole, ok: report.ok && whole.length === 0 };
      return { ok: all.ok, lines: linesOf(all, house), report: all };
    } finally {
      for (const lane of lanes) await lane.close();
    }
  } finally {
    await own.close();
  }
}

function saysMissing({ stream, revision, says }: Missing): string {
  return `le fichier est partiel : ${stream} s'y arrête avant le fait ${revision} (${says})`;
}

/** What is kept of the order of a log's facts, and what is wrong with it already. */
type OpenedOrder = { kept: KeptOrder; faults: string[]; close(): Promise<void> };

/** An exported file vouches for its own order only. */
const ownOrder: OpenedOrder = { kept: NOTHING_KEPT, faults: [], close: async () => undefined };

async function openKept(
  house: House,
  { signer = signerFiles(house.folder), keys }: Pick<JournalOptions, 'signer' | 'keys'>,
): Promise<OpenedOrder> {
  const { database } = house;
  const opened = database === undefined ? readSqliteProof(readIn(house)) : openPostgresProof(database);
  const store = opened && new ProofStore(opened);
  const close = async () => store?.close();
  try {
    const trusted = keys.flatMap(readKeys);
    const head = new HeadFile(signer.head).read();
    const [kept, faults] = await readKeptOrder({ store, head, isKeyed: existsSync(signer.key), trusted });
    return { kept, faults, close };
  } catch (fault) {
    await close();
    throw fault;
  }
}

/** What is wrong with what stands on a journal: files that SQLite finds damaged, read models that say something else. */
async function standingFaults(house: House, say: (line: string) => void): Promise<string[]> {
  const faults = integrityFaults(readIn(house));
  if (house.database !== undefined) return faults;
  const { journal, close } = await openForReading(house);
  try {
    const told = (facts: number) => say(`vues : ${facts} faits`);
    return [
      ...faults,
      ...(await compareReadModels({ folder: readIn(house), journal, catalogue, projections, say: told })),
    ];
  } finally {
    await close();
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

function linesOf(
  { ok, facts, streams, faults, whole, checkpoints, covered, waiting }: JournalReport,
  { database }: House,
): string[] {
  const lines = [
    ...faults.map(
      ({ stream, revision, type, field, says }) =>
        `✗ ${stream}, fait ${revision}${type ? ` (${type})` : ''} : ${says} (${field})`,
    ),
    ...whole.map((says) => `✗ journal : ${says}`),
    `${facts} faits en ${streams} flux vérifiés${faults.length > 0 ? `, ${faults.length} flux en cause` : ''} ; ${checkpoints} points de contrôle tiennent, jusqu'au fait ${covered}.`,
    ...(waiting > 0 ? [`${waiting} faits récents attendent leur point de contrôle.`] : []),
    ...(database === undefined
      ? []
      : ['Les vues, dans PostgreSQL, ne sont pas recalculées : « jalon rebuild » les refait.']),
  ];
  return [...lines.map(visible), ok ? 'Le journal se vérifie.' : 'Le journal ne se vérifie pas.'];
}

function sparingly(say: (line: string) => void): (line: string) => void {
  let last = performance.now();
  return (line) => {
    if (performance.now() - last < SAY_MS) return;
    last = performance.now();
    say(line);
  };
}
