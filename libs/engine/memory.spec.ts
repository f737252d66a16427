import { Catalogue, type PublishedWorkflow } from '@jalon/flow';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { DEMANDES, demande } from '../../test/demande.ts';
import { avis, note, Office, PEOPLE, piece, tamper } from '../../test/office.ts';
import { UNRECORDED, unsealed } from '../../test/unsealed.ts';
import { type Engine, type EngineParts, HistoryUnreadable, streamOf } from './index.ts';

const { demandeur, agent, chef } = PEOPLE;

let office: Office;
afterEach(() => office.close());

describe('A memory of any size', () => {
  /** What forty interleaved dossiers answer, fact by fact, with room for this many facts. */
  async function answers(factsHeld: number): Promise<unknown[]> {
    office = await Office.open({ factsHeld });
    const said: unknown[] = [];
    const ids: string[] = [];
    for (let i = 0; i < 40; i += 1) ids.push((await office.open(demandeur)).dossier.id);
    for (let round = 0; round < 4; round += 1)
      for (const id of ids) {
        const fact = round === 2 ? avis('favorable') : round === 3 ? note('Vu.') : piece(`p${round}`);
        const accepted = await office.advance(round === 2 ? chef : agent, id, fact);
        const answer = await office.engine.answer(accepted, agent);
        said.push(accepted.event, await answer.open(UNRECORDED));
      }
    for (const id of ids)
      said.push(
        await unsealed(office.engine).show(demandeur, id),
        await unsealed(office.engine).history(agent, id, 1, 2),
      );
    return said;
  }

  test('gives the same answers: with room for everything, for a few dossiers, for none', async () => {
    const all = await answers(100_000);
    await office.close();
    const few = await answers(60);
    await office.close();
    expect(few).toEqual(all);
    expect(await answers(1)).toEqual(all);
  });

  test('a dossier alone larger than the memory is led as any other', async () => {
    office = await Office.open({ factsHeld: 20 });
    const id = await office.led();
    for (let i = 0; i < 40; i += 1) await office.advance(agent, id, piece(`p${i}`));
    expect(Object.keys((await unsealed(office.engine).show(agent, id)).context.pieces as object)).toHaveLength(40);
    expect((await office.stored(id)).map(({ envelope }) => envelope.revision)).toEqual([...Array(41).keys()]);
  });
});

describe('A fact that was corrected many times', () => {
  test('costs who reads or replays its dossier as many facts as there are, not their square', async () => {
    office = await Office.open();
    const id = await office.led(['agent', piece('plan')], ['agent', note('Vu.')]);
    const [, received] = await office.stored(id);
    const transition = jest.spyOn((DEMANDES.find('demande', 1) as PublishedWorkflow).machine, 'transition');

    /** Facts read and folded by an engine without memory that is asked this. */
    async function worked(ask: (engine: Engine) => Promise<unknown>): Promise<{ read: number; folded: number }> {
      let read = 0;
      const counting = Object.create(office.journal) as typeof office.journal;
      counting.read = async function* (...asked) {
        for await (const page of office.journal.read(...asked)) {
          read += page.length;
          yield page;
        }
      };
      const engine = office.another({ journal: counting });
      transition.mockClear();
      await ask(engine);
      return { read, folded: transition.mock.calls.length };
    }

    const load = (engine: Engine) => unsealed(engine).show(agent, id);
    const replay = async (engine: Engine) => {
      const loaded = await engine.disclose(agent, id);
      let revision = -1;
      for await (const step of await loaded.replay().open(UNRECORDED)) revision = step.revision;
      expect(revision).toBe(loaded.revision);
    };

    const correction = { fait: received!.envelope.id, donnees: { piece: 'plan daté' }, motif: 'Erreur' };
    const work: Record<string, { read: number; folded: number }>[] = [];
    for (const corrections of [100, 100]) {
      for (let i = 0; i < corrections; i += 1)
        await office.advance(agent, id, { type: 'dossier.fait-rectifie', data: correction });
      work.push({ load: await worked(load), replay: await worked(replay) });
    }
    transition.mockRestore();
    const facts = 203;
    const [half, whole] = work as [(typeof work)[number], (typeof work)[number]];
    expect(whole.load!.read).toBeLessThanOrEqual(3 * facts);
    expect(whole.load!.folded).toBe(half.load!.folded);
    expect(whole.replay!.read).toBeLessThanOrEqual(4 * facts);
    expect(whole.replay!.folded).toBeLessThan(2 * half.replay!.folded);
  });
});

describe('A history that this build cannot read', () => {
  let id: string;
  beforeEach(async () => {
    office = await Office.open();
    id = await office.led(['agent', piece('plan')], ['chef', avis('favorable')], ['agent', note('Vu.')]);
  });

  /** Expects an engine without memory to say so whatever it is asked, and to write nothing. */
  async function unreadable(why: RegExp, parts: Partial<EngineParts> = {}): Promise<void> {
    const tip = await office.journal.tip();
    const engine = office.another(parts);
    for (const ask of [
      () => unsealed(engine).show(agent, id),
      () => engine.advance(agent, id, piece('carte'), { route: 'x' }),
      () => unsealed(engine).history(agent, id, -1, 10),
      () => engine.waits(agent, id),
    ]) {
      const fault = await ask().catch((thrown) => thrown);
      expect(fault).toBeInstanceOf(HistoryUnreadable);
      expect(fault.message).toMatch(why);
      expect(fault.message).toContain(id);
    }
    expect(await office.journal.tip()).toBe(tip);
  }

  test('a payload was changed: it does not have the recorded hash', async () => {
    tamper(office.folder, streamOf(id), 1, 'data', (data) => data.replace('plan', 'clan'));
    await unreadable(/Fact 1 \(demande.piece-recue\) of dossier .* was changed: the payload does not have/);
  });

  test('a payload was changed, and the salt taken away that proves it', async () => {
    const unsalted = (meta: string) => meta.replace(/"salt":"[0-9a-f]+",?/, '').replace(/,}$/, '}');
    tamper(office.folder, streamOf(id), 1, 'meta', unsalted);
    await unreadable(/Fact 1 .* was changed: there is a payload, and no salt to prove it by/);
    tamper(office.folder, streamOf(id), 1, 'data', () => '{}');
    await unreadable(/Fact 1 .* was changed: its payload and salt are gone/);
  });

  test('the recorded state was changed: the fact leads elsewhere', async () => {
    tamper(office.folder, streamOf(id), 2, 'meta', (meta) => meta.replace('"to":"demande.deposee"', '"to":"suivi"'));
    await unreadable(/Fact 2 \(demande.avis-rendu\) of dossier .* leads to demande.deposee, not to suivi as recorded/);
  });

  test('a fact was replaced by one that is not expected there, or that the procedure does not know', async () => {
    const retype = (type: string) => {
      tamper(office.folder, streamOf(id), 1, 'meta', (meta) => meta.replace(/"type":"[^"]+"/, `"type":"${type}"`));
      tamper(office.folder, streamOf(id), 1, 'type', () => type);
    };
    retype('suivi.rouverte');
    await unreadable(/Fact 1 \(suivi.rouverte\) .*not accepted in demande.deposee/);
    retype('demande.inventee');
    await unreadable(/Fact 1 \(demande.inventee\) .*not accepted in demande.deposee/);
  });

  test('it follows a workflow of another hash, or of a version that is not there', async () => {
    const other = (changed: object) => ({ catalogue: new Catalogue([{ ...demande, ...changed }]) });
    await unreadable(/follows demande 1 \(d{64}\), which this build does not have/, other({ hash: 'e'.repeat(64) }));
    await unreadable(/which this build does not have/, other({ version: 2 }));
  });

  test('other dossiers go on', async () => {
    tamper(office.folder, streamOf(id), 1, 'data', (data) => data.replace('plan', 'clan'));
    await office.advance(agent, await office.led(), piece('plan'));
  });
});
