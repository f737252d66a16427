import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalogue } from '@jalon/flow';
import type { JournalReader, StoredEvent } from '@jalon/journal';
import Database from 'better-sqlite3';
import { GENERATIONS } from './bookkeeping.ts';
import { type GenerationRow, generationOf, physicalName } from './generations.ts';
import type { Projection } from './projection.ts';
import { Readings } from './readings.ts';
import { Rebuild } from './rebuild.ts';
import { openReadModels, READ_MODELS, type ReadModelStore } from './store.ts';
import type { Row } from './tables.ts';

/** With what the read models of a data folder are compared. */
export type Comparison = {
  folder: string;
  journal: Pick<JournalReader, 'read' | 'readAll'>;
  catalogue: Catalogue;
  projections: readonly Projection[];
  /** Told from time to time how many facts were projected. */
  say: (facts: number) => void;
};

/** A read model as it is kept, or as it was derived a second time. */
type Kept = { projection: Projection; row: GenerationRow };

/**
 * Derives the read models of a data folder from the journal a second time, elsewhere, up to where they stand, and compares
 * every row: what people rely on is what the journal says. Also beside the process that writes there. Gives what differs, a
 * sentence each; a read model that is to be built anyway is passed over.
 */
export async function compareReadModels({ folder, ...parts }: Comparison): Promise<string[]> {
  const file = join(folder, READ_MODELS);
  if (!existsSync(file)) return [];
  const elsewhere = mkdtempSync(join(tmpdir(), 'jalon-comparaison-'));
  let live: Database.Database | undefined;
  const store = openReadModels(elsewhere, () => undefined);
  try {
    await store.prepare();
    live = new Database(file, { readonly: true, timeout: 5000 });
    live.prepare('attach ? as again').run(join(elsewhere, READ_MODELS));
    // One reading of what is kept: what is written there meanwhile is not seen.
    live.exec('begin');
    const rows = live.prepare<[], Row>(`select * from main.${GENERATIONS} where live = 1`).all().map(generationOf);
    const kept = parts.projections.flatMap((projection) => {
      const row = rows.find(({ projection: name }) => name === projection.name);
      return row?.version === projection.version ? [{ projection, row }] : [];
    });
    const derived = await derive(store, kept, parts);
    return kept.flatMap((one, i) => differences(live as Database.Database, one, derived[i] as GenerationRow));
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('SQLITE_'))
      return [`${READ_MODELS} ne peut être lu : ${(error as Error).message}`];
    throw error;
  } finally {
    live?.close();
    await store.close();
    rmSync(elsewhere, { recursive: true, force: true });
  }
}

/** The same read models, each derived up to where it is kept; in the same order. */
async function derive(
  store: ReadModelStore,
  kept: readonly Kept[],
  { journal, catalogue, say }: Omit<Comparison, 'folder'>,
): Promise<GenerationRow[]> {
  const derived = new Map<string, GenerationRow>();
  // As a rule all stand at the same fact: the journal is read once.
  for (const until of new Set(kept.map(({ row }) => row.checkpoint ?? 0n))) {
    const bounded = { read: journal.read.bind(journal), readAll: upTo(journal, until) };
    const parts = {
      store,
      journal: bounded,
      readings: new Readings(catalogue, journal),
      onProgress: ({ facts }: { facts: number }) => say(facts),
      signal: new AbortController().signal,
    };
    const some = kept.filter(({ row }) => (row.checkpoint ?? 0n) === until).map(({ projection }) => projection);
    const rebuild = await Rebuild.beside(parts, some);
    await rebuild.takeOver();
    for (const { row } of rebuild.generations) derived.set(row.projection, row);
  }
  return kept.map(({ projection }) => derived.get(projection.name) as GenerationRow);
}

/** The journal as it was when `until` was its last position. */
function upTo(journal: Comparison['journal'], until: bigint): JournalReader['readAll'] {
  return async function* (after, filter): AsyncGenerator<StoredEvent[]> {
    for await (const page of journal.readAll(after, filter)) {
      const within = page.filter(({ position }) => position <= until);
      if (within.length > 0) yield within;
      if (within.length < page.length) return;
    }
  };
}

/** In what a read model as it is kept differs from itself as it was derived again. */
function differences(live: Database.Database, { projection, row }: Kept, again: GenerationRow): string[] {
  const what = `la vue ${projection.name} n'est pas celle que donne le journal`;
  const then = `« jalon rebuild ${projection.name} » la refait`;
  if (row.stoodOn?.hash !== again.stoodOn?.hash || row.stoodOn?.position !== again.stoodOn?.position)
    return [`${what} : elle s'appuie sur un fait qu'il n'a pas ; ${then}`];
  for (const [name, { columns, key }] of Object.entries(projection.tables)) {
    const all = Object.keys(columns)
      .map((column) => `"${column}"`)
      .join();
    const one = `select ${all} from main."${physicalName(name, row)}"`;
    const other = `select ${all} from again."${physicalName(name, again)}"`;
    const differ = `(select * from (${one} except ${other}) union all select * from (${other} except ${one}))`;
    const [dossier] = key;
    const counted = live
      .prepare<[], { dossiers: number; first: string }>(
        `select count(distinct "${dossier}") as dossiers, min("${dossier}") as first from ${differ}`,
      )
      .get();
    if (counted && counted.dossiers > 0)
      return [`${what} pour ${counted.dossiers} dossiers, dont ${counted.first} ; ${then}`];
  }
  return [];
}
