import { chainFault, JournalUnavailable, OutcomeUnknown } from '@jalon/journal';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { deposit, losing, note, Office, PEOPLE, peek, piece } from '../../test/office.ts';
import { unsealed } from '../../test/unsealed.ts';
import { Contended, type Engine, Refused, RevisionMismatch } from './index.ts';

const { demandeur, agent, chef } = PEOPLE;

let office: Office;
/** The ids of a dossier's facts, after checking that its chain holds. */
async function chained(id: string): Promise<string[]> {
  const events = await office.stored(id);
  for (const [i, event] of events.entries()) expect(chainFault(event, events[i - 1] ?? null)).toBeNull();
  return events.map(({ envelope }) => envelope.id);
}

describe('Two engines that write to one journal', () => {
  let other: Engine;
  const route = 'l’autre';
  beforeEach(async () => {
    office = await Office.open({ soleWriter: false });
    other = office.another();
  });
  afterEach(() => office.close());

  test('each decides on what the other recorded, and neither breaks the chain', async () => {
    const id = await office.led();
    for (let i = 0; i < 6; i += 1) await (i % 2 ? other : office.engine).advance(agent, id, piece(`p${i}`), { route });
    expect(await chained(id)).toHaveLength(7);
    expect((await unsealed(other).show(agent, id)).context).toEqual(
      (await unsealed(office.engine).show(agent, id)).context,
    );
  });

  test('all at once: everything that was answered is stored once, in one chain', async () => {
    const id = await office.led();
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        (i % 2 ? other : office.engine).advance(agent, id, piece(`p${i}`), { route }).catch((fault) => fault),
      ),
    );
    const accepted = answers.filter((answer) => 'event' in answer).map(({ event }) => event.envelope.id);
    for (const fault of answers.filter((answer) => !('event' in answer))) expect(fault).toBeInstanceOf(Contended);
    expect((await chained(id)).slice(1).sort()).toEqual(accepted.sort());
    expect(accepted.length).toBeGreaterThan(12);
  });

  /** An engine before each of whose appends the other records one of these facts. */
  function overtaken(facts: readonly object[]): Engine {
    const waiting = [...facts];
    return delayed(async (id) => {
      const fact = waiting.shift();
      if (fact) await other.advance(agent, id, fact, { route });
    });
  }

  /** An engine that lets this happen to the dossier between deciding and appending. */
  function delayed(meanwhile: (id: string) => Promise<unknown>): Engine {
    const { journal } = office;
    const late = Object.assign(
      losing(journal, () => undefined),
      {
        append: async (...append: Parameters<typeof journal.append>) => {
          await meanwhile(append[0].slice('dossier-'.length));
          return journal.append(...append);
        },
      },
    );
    return office.another({ journal: late });
  }

  test('the loser of a revision decides again on what is there now', async () => {
    const id = await office.led();
    const { event } = await overtaken([piece('plan'), piece('carte')]).advance(agent, id, piece('devis'), { route });
    expect(event.envelope.revision).toBe(3);
    expect((await chained(id))[3]).toBe(event.envelope.id);
  });

  test('and is refused when what it proposed is no longer possible', async () => {
    const id = await office.led(
      ['demandeur', piece('plan')],
      ['chef', { type: 'demande.avis-rendu', data: { sens: 'favorable' } }],
      ['chef', { type: 'demande.acceptee' }],
    );
    const late = overtaken([{ type: 'suivi.rouverte' }]);
    await expect(late.advance(agent, id, { type: 'suivi.rouverte' }, { route })).rejects.toThrow(Refused);
    expect(await chained(id)).toHaveLength(5);
  });

  test('one that named the revision it had read is told that the dossier moved on', async () => {
    const id = await office.led();
    const late = overtaken([piece('plan')]);
    const lost = late.advance(agent, id, piece('devis'), { route, ifMatch: 0 });
    await expect(lost).rejects.toMatchObject({ name: 'RevisionMismatch', expected: 0, current: 1 });
    const { event } = await late.advance(agent, id, piece('devis'), { route, ifMatch: 1 });
    expect(event.envelope.revision).toBe(2);
    await expect(late.advance(agent, id, piece('x'), { route, ifMatch: 1 })).rejects.toThrow(RevisionMismatch);
    expect(await chained(id)).toHaveLength(3);
  });

  test('one that is overtaken again and again gives up without a trace', async () => {
    const id = await office.led();
    const late = overtaken(Array.from({ length: 8 }, (_, i) => piece(`p${i}`)));
    await expect(late.advance(agent, id, note('Jamais.'), { route })).rejects.toThrow(Contended);
    expect(await chained(id)).toHaveLength(9);
    expect(peek(office.folder, 'personnes.db', 'select id from erasables')).toEqual([]);
  });

  test('a note that loses its revision keeps its payload; refused in the end, it leaves none', async () => {
    const id = await office.led();
    const { event } = await overtaken([piece('plan')]).advance(agent, id, note('Gardée.'), { route });
    const late = overtaken([piece('carte')]);
    await expect(late.advance(agent, id, note('Perdue.'), { route, ifMatch: 2 })).rejects.toThrow(RevisionMismatch);
    expect(peek(office.folder, 'personnes.db', 'select id, data from erasables')).toEqual([
      { id: event.envelope.id, data: '{"texte":"Gardée."}' },
    ]);
    await chained(id);
  });

  test('a note that was stored by its twin, after another fact, keeps its payload', async () => {
    const id = await office.led();
    const conditions = { route, idempotencyKey: 'jumelles' };
    const late = delayed(async () => {
      await other.advance(agent, id, piece('plan'), { route });
      await other.advance(agent, id, note('Une fois.'), conditions);
    });
    const { event, remembered } = await late.advance(agent, id, note('Une fois.'), conditions);
    expect(remembered).toBe(true);
    expect(await office.stored(id)).toHaveLength(3);
    expect((await office.directory.payload(event.envelope.id))?.data).toEqual({ texte: 'Une fois.' });
  });

  test('one key sent to both at once is one fact, and both answer it as it is stored', async () => {
    const conditions = { route, idempotencyKey: 'deux-fois' };
    const opened = await Promise.all(
      [office.engine, other].map((engine) => engine.open(demandeur, deposit(), conditions)),
    );
    const { id } = opened[0]!.dossier;
    expect(opened[1]!.dossier.id).toBe(id);
    const sent = await Promise.all(
      [office.engine, other].map((engine) => engine.advance(agent, id, note('Une fois.'), conditions)),
    );
    const stored = await office.stored(id);
    for (const [answers, revision] of [
      [opened, 0],
      [sent, 1],
    ] as const)
      for (const { event } of answers) expect(event.hash).toBe(stored[revision]!.hash);
    for (const engine of [office.engine, other]) await engine.advance(agent, id, piece('plan'), { route });
    expect(await chained(id)).toHaveLength(4);
    expect((await office.directory.payload(stored[1]!.envelope.id))?.data).toEqual({ texte: 'Une fois.' });
  });
});

describe('An append of which the answer is lost', () => {
  const lost = () => new OutcomeUnknown('The connection was lost.');
  const key = { idempotencyKey: 'une-fois' };
  afterEach(() => office.close());

  /** An office of which the journal loses the answers to these appends, counted from 1. */
  async function deaf(...appends: number[]): Promise<void> {
    office = await Office.open();
    const journal = losing(office.journal, (append) => (appends.includes(append) ? lost() : undefined));
    office.engine = office.another({ journal });
  }

  test('is tried again under the same id, and stored once', async () => {
    await deaf(1, 3, 4);
    const { dossier, event } = await office.open(demandeur);
    const { event: next } = await office.advance(agent, dossier.id, piece('plan'));
    expect(await office.stored(dossier.id)).toEqual([event, next]);
    expect(await chained(dossier.id)).toHaveLength(2);
  });

  test('to the end: the caller is told so, and their retry with the same key finds the fact', async () => {
    await deaf(2, 3, 4, 5);
    const { dossier } = await office.open(demandeur);
    await expect(office.advance(agent, dossier.id, piece('plan'), key)).rejects.toThrow(OutcomeUnknown);
    const { event, remembered } = await office.advance(agent, dossier.id, piece('plan'), key);
    expect(remembered).toBe(true);
    expect((await office.stored(dossier.id))[1]).toEqual(event);
    await office.advance(agent, dossier.id, piece('carte'));
    expect(await chained(dossier.id)).toHaveLength(3);
  });

  test('to the end, for an opening and for a note: their retries find them too', async () => {
    await deaf(1, 2, 3, 4, 6, 7, 8, 9);
    await expect(office.open(demandeur, deposit(), key)).rejects.toThrow(OutcomeUnknown);
    const opened = await office.open(demandeur, deposit(), key);
    expect(opened.remembered).toBe(true);
    const { id } = opened.dossier;
    await office.advance(agent, id, piece('plan'));
    await expect(office.advance(agent, id, note('Une fois.'), key)).rejects.toThrow(OutcomeUnknown);
    const noted = await office.advance(agent, id, note('Une fois.'), key);
    expect(noted.remembered).toBe(true);
    expect((await office.directory.payload(noted.event.envelope.id))?.data).toEqual({ texte: 'Une fois.' });
    expect(await chained(id)).toHaveLength(3);
  });

  test('to the end, without a key: what others propose next follows what was stored', async () => {
    await deaf(2, 3, 4, 5);
    const { dossier } = await office.open(demandeur);
    await expect(office.advance(agent, dossier.id, piece('plan'))).rejects.toThrow(OutcomeUnknown);
    expect((await unsealed(office.engine).show(chef, dossier.id)).revision).toBe(1);
    await office.advance(agent, dossier.id, piece('carte'));
    expect(await chained(dossier.id)).toHaveLength(3);
  });

  test('is not said to be unwritten because the journal was away when it was tried again', async () => {
    office = await Office.open();
    const { dossier } = await office.open(demandeur);
    let tries = 0;
    const { journal } = office;
    const failing = losing(journal, () => lost());
    const { append } = failing;
    failing.append = (...request) => {
      tries += 1;
      if (tries > 2) return journal.append(...request);
      return tries === 1 ? append(...request) : Promise.reject(new JournalUnavailable('The disk is full.'));
    };
    office.engine = office.another({ journal: failing });
    await expect(office.advance(agent, dossier.id, piece('plan'), key)).rejects.toThrow(OutcomeUnknown);
    expect((await office.advance(agent, dossier.id, piece('plan'), key)).remembered).toBe(true);
    await office.advance(agent, dossier.id, piece('carte'));
    expect(await chained(dossier.id)).toHaveLength(3);
  });

  test('nothing is retried when nothing was written: the caller is told at once, and may propose again', async () => {
    office = await Office.open();
    const { dossier } = await office.open(demandeur);
    let tries = 0;
    const away = Object.assign(
      losing(office.journal, () => undefined),
      {
        append: async () => {
          tries += 1;
          throw new JournalUnavailable('The disk is full.');
        },
      },
    );
    const cut = office.another({ journal: away });
    await expect(cut.advance(agent, dossier.id, piece('plan'), { route: 'x' })).rejects.toThrow(JournalUnavailable);
    expect(tries).toBe(1);
    await office.advance(agent, dossier.id, piece('plan'));
    expect(await chained(dossier.id)).toHaveLength(2);

    // Of a note that was not recorded nothing is kept, unless its key may bring it back.
    const kept = () => peek(office.folder, 'personnes.db', 'select data from erasables').map(({ data }) => data);
    await expect(cut.advance(agent, dossier.id, note('Perdue.'), { route: 'x' })).rejects.toThrow(JournalUnavailable);
    expect(kept()).toEqual([]);
    const again = { route: 'x', ...key };
    await expect(cut.advance(agent, dossier.id, note('Attendue.'), again)).rejects.toThrow(JournalUnavailable);
    expect(kept()).toEqual(['{"texte":"Attendue."}']);
    expect((await office.engine.advance(agent, dossier.id, note('Attendue.'), again)).remembered).toBe(false);
    expect(kept()).toEqual(['{"texte":"Attendue."}']);
  });
});
