import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Journal, type NewEvent, NO_STREAM, readSqliteJournal, type StoredEvent, seal } from '@jalon/journal';
import { seed } from './seed.ts';

/** Dossiers of real facts, as the engine records them; many more are copied from them. */
export type Templates = readonly (readonly StoredEvent[])[];

/** Facts of each dossier. */
const FACTS = 20;

/** Some dossiers led by the engine, in a folder that is gone afterwards. */
export async function makeTemplates(say: (line: string) => void): Promise<Templates> {
  const folder = mkdtempSync(join(tmpdir(), 'jalon-templates-'));
  try {
    const ids = await seed(
      folder,
      Array.from({ length: 50 }, () => FACTS),
      say,
    );
    const { journal, directory } = await readSqliteJournal(folder);
    const templates: StoredEvent[][] = [];
    for (const id of ids) {
      const events: StoredEvent[] = [];
      for await (const page of journal.read(`dossier-${id}`)) events.push(...page);
      templates.push(events);
    }
    await Promise.all([journal.close(), directory.close()]);
    return templates;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A dossier of the same facts under new ids, sealed anew: its chain verifies as the first one's does. */
function copyOf(template: readonly StoredEvent[]): NewEvent[] {
  const stream = `dossier-${randomUUID()}`;
  const copy: NewEvent[] = [];
  for (const { envelope, data, salt } of template) {
    const id = randomUUID();
    const previousHash = copy.at(-1)?.hash ?? null;
    copy.push(seal({ ...envelope, stream, id, correlationId: id, previousHash }, { data, ...(salt && { salt }) }));
  }
  return copy;
}

/** Where a log was after so many facts. */
export type Milestone = { facts: number; position: bigint };

/** Writes so many facts through the adapter, a dossier an append, sixteen at once; gives a milestone every few thousand. */
export async function fill(
  journal: Journal,
  templates: Templates,
  facts: number,
  say: (line: string) => void,
): Promise<Milestone[]> {
  const milestones: Milestone[] = [];
  let begun = 0;
  let done = 0;
  const started = performance.now();
  const writer = async () => {
    while (begun < facts) {
      const copy = copyOf(templates[(begun / FACTS) % templates.length] as StoredEvent[]);
      begun += FACTS;
      const { position } = await journal.append(copy[0]?.envelope.stream as string, NO_STREAM, copy);
      done += FACTS;
      if (done % 5_000 === 0) milestones.push({ facts: done, position });
      if (done % 100_000 === 0)
        say(`${done.toLocaleString('en-US')} facts stored, ${Math.round((performance.now() - started) / 1000)} s`);
    }
  };
  await Promise.all(Array.from({ length: 16 }, writer));
  return milestones;
}
