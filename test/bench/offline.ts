import { type Dossier, follow, situationHash } from '@jalon/engine';
import { beginning } from '@jalon/flow';
import { readSqliteJournal, type StoredEvent } from '@jalon/journal';
import { catalogue } from '@jalon/workflows';
import { openProduct } from '../../apps/api/product.ts';
import { median } from './load.ts';
import { type Line, perSecond } from './table.ts';

const ROUNDS = 5;

/** Replay of stored histories through the machine, on this core; then with every state hash checked. */
export async function measureReplay(folder: string): Promise<Line[]> {
  const histories = await readHistories(folder);
  const facts = histories.reduce((sum, { length }) => sum + length, 0);
  const rates = { fold: [] as number[], hashed: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    rates.fold.push(timed(facts, () => replay(histories, false)));
    rates.hashed.push(timed(facts, () => replay(histories, true)));
  }
  const line = (what: string, measured: number, wanted: number): Line => ({
    what,
    measured: perSecond(measured),
    against: '-',
    ratio: measured,
    wanted: `≥ ${wanted.toLocaleString('en-US')}/s`,
    met: measured >= wanted,
  });
  return [
    line('replay through the machine, one core', median(rates.fold), 50_000),
    line('replay with every state hash checked, one core', median(rates.hashed), 20_000),
  ];
}

/** Rebuild of the timeline and the list from the journal, and of every read model there is. */
export async function measureRebuild(folder: string): Promise<Line[]> {
  const product = await openProduct(
    folder,
    () => new Date(),
    () => undefined,
  );
  const facts = Number((await product.journal.tip()) ?? 0n);
  const rates = { two: [] as number[], all: [] as number[] };
  const rebuilt = async (which: readonly string[] | 'all') => {
    const started = performance.now();
    await product.projector.rebuild(which, () => undefined);
    return facts / ((performance.now() - started) / 1000);
  };
  for (let round = 0; round < 3; round++) {
    rates.two.push(await rebuilt(['chronologie', 'dossiers']));
    rates.all.push(await rebuilt('all'));
  }
  const models = product.projector.status().projections.length;
  await product.close();
  const [two, all] = [median(rates.two), median(rates.all)];
  return [
    {
      what: 'rebuild of timeline and list',
      measured: perSecond(two),
      against: '-',
      ratio: two,
      wanted: '≥ 40,000/s',
      met: two >= 40_000,
    },
    {
      what: `rebuild of all ${models} read models`,
      measured: perSecond(all),
      against: '-',
      ratio: all,
      wanted: '-',
      met: true,
    },
  ];
}

async function readHistories(folder: string): Promise<StoredEvent[][]> {
  const { journal, directory } = await readSqliteJournal(folder);
  const streams = new Map<string, StoredEvent[]>();
  for await (const page of journal.readAll(null))
    for (const event of page) {
      const history = streams.get(event.envelope.stream);
      if (history) history.push(event);
      else streams.set(event.envelope.stream, [event]);
    }
  await journal.close();
  await directory.close();
  return [...streams.values()];
}

function replay(histories: readonly StoredEvent[][], hashed: boolean): void {
  for (const history of histories) {
    const pinned = history[0]?.envelope.workflow;
    const workflow = pinned && catalogue.find(pinned.name, pinned.version);
    if (!workflow) throw new Error('A history of an unknown workflow.');
    const last = { hash: '', recordedAt: '', position: -1n };
    let dossier: Dossier = { id: '', workflow, situation: beginning(workflow), last, ids: new Map() };
    for (const event of history) {
      dossier = follow(dossier, event);
      if (hashed && situationHash(dossier.situation) !== event.envelope.stateHash)
        throw new Error(`State hash of ${event.envelope.stream}@${event.envelope.revision}`);
    }
  }
}

function timed(facts: number, act: () => void): number {
  const started = performance.now();
  act();
  return facts / ((performance.now() - started) / 1000);
}
