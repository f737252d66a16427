import { randomBytes, randomUUID } from 'node:crypto';
import { dataHash, type NewEvent, seal } from '@jalon/journal';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DEMANDES } from '../../test/demande.ts';
import { until } from '../../test/eventually.ts';
import { everything, Leaving, Reader, viewOf } from '../../test/leaving.ts';
import { avis, deposit, losing, note, Office, PEOPLE, piece } from '../../test/office.ts';
import { Departures, placeOf, type View } from './index.ts';

const FOREVER = Number.POSITIVE_INFINITY;
const AGENT = viewOf(['agent']);
const { demandeur, agent, chef } = PEOPLE;

let office: Office;
let leaving: Leaving;
beforeEach(async () => {
  office = await Office.open();
  leaving = new Leaving(office, { recent: 8 });
});
afterEach(async () => {
  await leaving.close();
  await office.close();
  expect(leaving.errors).toEqual([]);
});

async function subscribe(view: View, from: string | 'now' = 'now', reader = new Reader()): Promise<Reader> {
  await leaving.streams.open({
    view,
    from: from === 'now' ? 'now' : placeOf(from),
    sink: reader.sink,
    until: FOREVER,
  });
  return reader;
}

/** So many facts of one dossier; their ids. */
async function record(count: number, id?: string): Promise<string[]> {
  const ids: string[] = [];
  const opened = id === undefined ? await office.open(demandeur) : null;
  if (opened) ids.push(opened.event.envelope.id);
  const dossier = id ?? opened?.dossier.id ?? '';
  while (ids.length < count)
    ids.push((await office.advance(demandeur, dossier, piece(`p${ids.length}`))).event.envelope.id);
  return ids;
}

const idsIn = async () => (await everything(office.journal)).map(({ envelope }) => envelope.id);
const got = (reader: Reader, count: number) => until(async () => reader.events.length >= count);

describe('A subscriber', () => {
  test('gets what is recorded after it came, in order, each once', async () => {
    await record(3);
    const reader = await subscribe(AGENT);
    const ids = await record(30);
    await got(reader, 30);
    expect(reader.ids).toEqual(ids);
  });

  test('from the start gets everything, then what comes, without a gap or anything twice while facts are recorded', async () => {
    await record(40);
    const recording = Promise.all([record(60), record(60), record(60)]);
    const reader = await subscribe(AGENT, 'start');
    await recording;
    const ids = await idsIn();
    await got(reader, ids.length);
    expect(reader.ids).toEqual(ids);
  });

  test('comes back after a cursor, whether the facts since are still in memory or not', async () => {
    const reader = await subscribe(AGENT);
    await record(5);
    await got(reader, 5);
    for (const missed of [1, 5, 100]) {
      const { cursor } = reader;
      const before = reader.events.length;
      const again = new Reader();
      const ids = await record(missed);
      await got(reader, before + missed);
      await subscribe(AGENT, cursor, again);
      await got(again, missed);
      expect(again.ids).toEqual(ids);
    }
  });

  test('that came before anything happened, and saw nothing, misses nothing when it comes back', async () => {
    const reader = await subscribe(AGENT);
    const { cursor } = reader;
    const ids = await record(2);
    const again = await subscribe(AGENT, cursor);
    await got(again, 2);
    expect(again.ids).toEqual(ids);
  });

  test('catches up over a log that ends in what never leaves, and then gets what comes', async () => {
    const ids = await record(3);
    const salt = '0'.repeat(32);
    const access = seal(
      {
        ...{ format: 1, id: randomUUID(), stream: 'acces-2026-03-n-00000000', revision: 0, type: 'acces.exporte' },
        ...{ dataHash: dataHash(salt, {}), actor: { iss: 'urn:jalon', sub: 'banc', role: 'auditeur' } },
        ...{ effectiveAt: '2026-03-02', recordedAt: office.now.toISOString(), correlationId: randomUUID() },
        ...{ software: 'jalon/spec', previousHash: null },
      },
      { data: {}, salt },
    );
    await office.journal.append(access.envelope.stream, -1, [access]);
    const reader = await subscribe(AGENT, 'start');
    await got(reader, 3);
    const { cursor } = reader;
    const again = await subscribe(AGENT, cursor);
    ids.push(...(await record(2)));
    await got(reader, 5);
    await got(again, 2);
    expect(reader.ids).toEqual(ids);
    expect(again.ids).toEqual(ids.slice(3));
  });

  test('that does not read is sent nothing more, holds nobody up, and gets everything once it reads', async () => {
    const slow = await subscribe(AGENT);
    const quick = await subscribe(AGENT);
    slow.stall();
    const ids = await record(200);
    await got(quick, 200);
    expect(quick.ids).toEqual(ids);
    // The one write that filled it, besides the greeting.
    expect(slow.writes).toBe(2);
    slow.read();
    await got(slow, 200);
    expect(slow.ids).toEqual(ids);
  });

  test('that stalls while it catches up is waited for, and nobody else is', async () => {
    await record(1_000);
    const slow = new Reader();
    slow.stall();
    await subscribe(AGENT, 'start', slow);
    const quick = await subscribe(AGENT, 'start');
    const ids = await idsIn();
    await got(quick, ids.length);
    expect(slow.events.length).toBeLessThan(600);
    slow.read();
    await got(slow, ids.length);
    expect(slow.ids).toEqual(ids);
  });

  test('is one of 200, of which 20 never read: the others get everything in order, and those once they read', async () => {
    const readers = await Promise.all(Array.from({ length: 200 }, () => subscribe(AGENT)));
    const stalled = readers.filter((_, i) => i % 10 === 3);
    for (const reader of stalled) reader.stall();
    const ids = await record(120);
    for (const reader of readers) if (!stalled.includes(reader)) await got(reader, 120);
    for (const reader of readers) if (!stalled.includes(reader)) expect(reader.ids).toEqual(ids);
    // Nothing is kept for them: what they miss, they read from the journal.
    expect(stalled.map(({ writes }) => writes)).toEqual(stalled.map(() => 2));
    for (const reader of stalled) reader.read();
    for (const reader of stalled) await got(reader, 120);
    for (const reader of stalled) expect(reader.ids).toEqual(ids);
  }, 20_000);

  test('gets the same bytes as others who may see the same', async () => {
    const readers = [await subscribe(AGENT), await subscribe(viewOf(['agent'])), await subscribe(AGENT, 'start')];
    await record(10);
    for (const reader of readers) await got(reader, 10);
    const [first, ...others] = readers.map(({ text }) => text.replace(/^:\nretry.*?\n\n/s, ''));
    for (const other of others) expect(other).toBe(first);
  });
});

describe('What a subscriber asks for', () => {
  test.each<[string, Parameters<typeof viewOf>[1], string[]]>([
    ['an exact type', { types: ['demande.acceptee'] }, ['demande.acceptee']],
    ['a stage', { types: ['dossier.*'] }, ['dossier.note-ajoutee']],
    ['several', { types: ['dossier.*', 'demande.deposee'] }, ['demande.deposee', 'dossier.note-ajoutee']],
    ['a milestone', { jalons: ['J0'] }, ['demande.acceptee']],
    ['a milestone and another stage', { jalons: ['J0'], types: ['dossier.*'] }, []],
  ])('%s', async (_, selection, types) => {
    const id = await office.led(['demandeur', piece('plan')], ['chef', avis('favorable')], ['agent', note('À voir.')]);
    await office.advance(chef, id, { type: 'demande.acceptee' });
    const all = await subscribe(AGENT, 'start');
    await got(all, 5);
    const reader = await subscribe(viewOf(['agent'], selection), 'start');
    await got(reader, types.length);
    const told = reader.events.map(({ type }) => type);
    expect(told).toEqual(types.map((type) => `fr.jalon.${type}.v1`));
  });

  test('one dossier', async () => {
    const [first, second] = [(await office.open(demandeur)).dossier.id, (await office.open(demandeur)).dossier.id];
    const reader = await subscribe(viewOf(['agent'], { dossier: second }), 'start');
    await office.advance(demandeur, first, piece('a'));
    await office.advance(demandeur, second, piece('b'));
    await got(reader, 2);
    expect(reader.events.map(({ subject, revision }) => [subject, revision])).toEqual([
      [second, 0],
      [second, 1],
    ]);
  });
});

describe('Who may receive', () => {
  const told = (reader: Reader) => reader.events.map(({ type }) => type.slice('fr.jalon.'.length, -'.v1'.length));
  const ALL = [
    'demande.deposee',
    'demande.piece-recue',
    'demande.avis-rendu',
    'dossier.note-ajoutee',
    'demande.acceptee',
  ];

  async function whole(): Promise<string> {
    const id = await office.led(['demandeur', piece('plan')], ['chef', avis('favorable')], ['agent', note('À voir.')]);
    await office.advance(chef, id, { type: 'demande.acceptee' });
    return id;
  }

  test.each(['live', 'start'] as const)('what, %s', async (way) => {
    if (way === 'start') await whole();
    const from = way === 'start' ? 'start' : 'now';
    const everyone = await subscribe(AGENT, from);
    const own = await subscribe(viewOf(['demandeur'], {}, 'Ateliers du Faou'), from);
    const another = await subscribe(viewOf(['demandeur'], {}, 'Ateliers de Landévennec'), from);
    const nobodys = await subscribe(viewOf(['demandeur']), from);
    const press = await subscribe(viewOf(['passant']), from);
    const both = await subscribe(viewOf(['demandeur', 'passant'], {}, 'Ateliers du Faou'), from);
    if (way === 'live') await whole();
    await got(everyone, 5);
    await got(own, 3);
    await got(press, 5);
    await got(both, 5);
    expect(told(everyone)).toEqual(ALL);
    expect(told(own)).toEqual(['demande.deposee', 'demande.piece-recue', 'demande.acceptee']);
    expect([...told(another), ...told(nobodys)]).toEqual([]);
    // A subscriber sees no dossier, and receives what is not withheld from it; a second role can only add.
    expect(told(press)).toEqual(ALL);
    expect(told(both)).toEqual(ALL);
  });

  test('a correction is as visible as the fact that it touches in the end, and counts for its milestone', async () => {
    const id = await whole();
    const [, , opinion, , acceptance] = await everything(office.journal);
    const corrections = [
      await append(id, 'dossier.fait-annule', opinion?.envelope.id, { fait: opinion?.envelope.id, motif: 'Erreur' }),
    ];
    corrections.push(await append(id, 'dossier.fait-annule', corrections[0], { fait: corrections[0], motif: 'Non' }));
    corrections.push(
      await append(id, 'dossier.fait-rectifie', acceptance?.envelope.id, {
        fait: acceptance?.envelope.id,
        donnees: {},
        motif: 'Date',
      }),
    );
    const everyone = await subscribe(AGENT, 'start');
    const own = await subscribe(viewOf(['demandeur'], {}, 'Ateliers du Faou'), 'start');
    const milestones = await subscribe(viewOf(['agent'], { jalons: ['J0'] }), 'start');
    await got(everyone, 8);
    await got(own, 4);
    await got(milestones, 2);
    expect(everyone.ids.slice(-3)).toEqual(corrections);
    expect(told(own).slice(-1)).toEqual(['dossier.fait-rectifie']);
    expect(told(own)).toHaveLength(4);
    expect(milestones.ids).toEqual([acceptance?.envelope.id, corrections[2]]);
    expect(milestones.events.map(({ jalon }) => jalon)).toEqual(['J0', 'J0']);
    expect(milestones.events[1]?.data).toEqual({ fait: acceptance?.envelope.id, donnees: {} });
  });

  test('corrections of one dossier cost one reading of its history, however many they are', async () => {
    const id = await whole();
    const [, received] = await everything(office.journal);
    const about = received?.envelope.id;
    const correction = { fait: about, donnees: { piece: 'plan' }, motif: 'Erreur' };
    const corrections: string[] = [];
    while (corrections.length < 60) corrections.push(await append(id, 'dossier.fait-rectifie', about, correction));
    let read = 0;
    const counting = Object.create(office.journal) as typeof office.journal;
    counting.read = async function* (...asked) {
      for await (const page of office.journal.read(...asked)) {
        read += page.length;
        yield page;
      }
    };
    const summaryOf = async () => null;
    const parts = { catalogue: DEMANDES, base: 'https://jalon.example', summaryOf, seal: (cursor: string) => cursor };
    const departures = new Departures({ ...parts, journal: counting });
    const stored = await everything(office.journal);
    const made = [
      ...(await departures.of(stored.slice(0, 30), null, { parties: false })),
      // Two readers at once, and one who comes from the start again.
      ...(
        await Promise.all([stored.slice(30), stored].map((some) => departures.of(some, null, { parties: false })))
      ).flat(),
    ];
    expect(read).toBeLessThan(stored.length);
    const meant = made.filter((departure) => corrections.includes(departure.id)).map(({ about }) => about?.type);
    expect(meant).toEqual(Array(120).fill('demande.piece-recue'));
  });

  test('a reminder goes to those who name it, and may see the fact that set the deadline', async () => {
    const id = await whole();
    const [, received, opinion] = await everything(office.journal);
    const named = { types: ['echeance.rappel'] };
    const nobody = await subscribe(AGENT);
    const agents = await subscribe(viewOf(['agent'], { types: ['echeance.*', 'demande.*'] }));
    const own = await subscribe(viewOf(['demandeur'], named, 'Ateliers du Faou'));
    const another = await subscribe(viewOf(['demandeur'], named, 'Ateliers de Landévennec'));
    const reminders = [await remind(id, received as NewEvent), await remind(id, opinion as NewEvent)];
    await got(agents, 2);
    await got(own, 1);
    const { event } = await office.open(demandeur);
    await got(nobody, 1);
    expect(nobody.ids).toEqual([event.envelope.id]);
    expect(agents.ids.slice(0, 2)).toEqual(reminders);
    expect(own.ids).toEqual(reminders.slice(0, 1));
    expect(another.ids).toEqual([]);
    expect(own.events[0]).toEqual({
      specversion: '1.0',
      id: reminders[0],
      source: 'https://jalon.example/api/dossiers',
      type: 'fr.jalon.echeance.rappel.v1',
      subject: id,
      time: expect.any(String),
      datacontenttype: 'application/json',
      effectivedate: '2026-03-02',
      traceparent: expect.any(String),
      data: expect.objectContaining({ dossier: id, delai: 'P7D', libelle: 'Pièce à compléter' }),
    });
  });

  test('what this build does not know is sent to nobody, and holds nothing up', async () => {
    const id = await whole();
    const reader = await subscribe(AGENT, 'start');
    await append(id, 'demande.inconnue', undefined, {});
    const { dossier } = await office.open(demandeur);
    await got(reader, 6);
    expect(reader.events.at(-1)?.subject).toBe(dossier.id);
    expect(told(reader)).not.toContain('demande.inconnue');
  });

  let reminded: NewEvent | null = null;
  /** A reminder of a deadline that a fact set, as the clock records it. */
  async function remind(dossier: string, { envelope: { id, type, workflow } }: NewEvent): Promise<string> {
    const data = {
      ...{ dossier, workflow: { name: workflow?.name, version: workflow?.version }, libelle: 'Pièce à compléter' },
      ...{ date: '2026-03-09', jalon: 'J0', fait: id, type, echeance: `${id}.0`, delai: 'P7D' },
    };
    const stream = 'rappels-2026-03';
    const previous = reminded;
    const salt = '0'.repeat(32);
    const event = seal(
      {
        ...{ format: 1, id: randomUUID(), stream, revision: previous ? previous.envelope.revision + 1 : 0 },
        ...{ type: 'echeance.rappel', dataHash: dataHash(salt, data), effectiveAt: '2026-03-02' },
        actor: { iss: 'urn:jalon', sub: 'horloge', role: 'horloge' },
        recordedAt: office.now.toISOString(),
        ...{ correlationId: id, causationId: id, software: 'jalon/spec', previousHash: previous?.hash ?? null },
      },
      { data, salt },
    );
    await office.journal.append(stream, event.envelope.revision - 1, [event]);
    reminded = event;
    return event.envelope.id;
  }

  /** What the engine would not record: straight into the journal. */
  async function append(dossier: string, type: string, target: string | undefined, data: Record<string, unknown>) {
    const stored = (await everything(office.journal)).filter(
      ({ envelope }) => envelope.stream === `dossier-${dossier}`,
    );
    const last = stored.at(-1) as NewEvent;
    const salt = '0'.repeat(32);
    const id = randomUUID();
    const { envelope } = last;
    const event = seal(
      {
        ...envelope,
        id,
        type,
        revision: envelope.revision + 1,
        previousHash: last.hash,
        dataHash: dataHash(salt, data),
        ...(target === undefined ? {} : { target }),
      },
      { data, salt },
    );
    if (event.envelope.crosses !== undefined) delete event.envelope.crosses;
    await office.journal.append(envelope.stream, envelope.revision, [event]);
    return id;
  }
});

describe('A stream', () => {
  test('tells how soon to come back, and what happened, as a CloudEvent', async () => {
    expect((await subscribe(AGENT)).text).toBe(':\nretry: 2000\nid: start\n\n');
    await record(1);
    const reader = await subscribe(AGENT);
    expect(reader.text).toMatch(/^:\nretry: 2000\nid: [\w-]{42}\n\n$/);
    const { event, dossier } = await office.open(demandeur, deposit({ effectiveAt: '2026-02-27' }));
    await got(reader, 1);
    expect(reader.text).toMatch(/\n\nid: [\w-]{42}\nevent: demande\.deposee\ndata: \{.*\}\n\n$/);
    expect(reader.events[0]).toEqual({
      specversion: '1.0',
      id: event.envelope.id,
      source: 'https://jalon.example/api/dossiers',
      type: 'fr.jalon.demande.deposee.v1',
      subject: dossier.id,
      time: '2026-03-02T09:00:00.000Z',
      datacontenttype: 'application/json',
      dataschema: 'https://jalon.example/api/workflows/demande/1/facts/demande.deposee?view=public',
      revision: 0,
      effectivedate: '2026-02-27',
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
      data: {},
    });
  });

  test('shows that it lives while nothing happens', async () => {
    await leaving.close();
    leaving = new Leaving(office, { heartbeatMs: 20 });
    const reader = await subscribe(AGENT);
    await until(async () => reader.text.endsWith(':\n\n:\n\n:\n\n'));
  });

  test('ends when the right to it does, at the end of an event, and says why', async () => {
    const reader = new Reader();
    const expiry = office.now.getTime() + 60_000;
    await leaving.streams.open({ view: AGENT, from: 'now', sink: reader.sink, until: expiry });
    await record(1);
    await got(reader, 1);
    office.now = new Date(expiry);
    await record(1);
    await until(async () => reader.ended);
    expect(reader.text).toMatch(/\n\n: Le jeton a expiré\.\n\n$/);
    expect(reader.events).toHaveLength(1);
    expect(leaving.streams.size).toBe(0);
  });

  test('goes on where it was when the journal comes back', async () => {
    await leaving.close();
    let down = true;
    const failing = losing(office.journal, () => undefined);
    const journal = {
      ...failing,
      subscribe: (...following: Parameters<typeof failing.subscribe>) => {
        if (down) throw new Error('away');
        return failing.subscribe(...following);
      },
    };
    leaving = new Leaving(office, { journal });
    const reader = await subscribe(AGENT);
    const ids = await record(3);
    await until(async () => leaving.errors.length > 0);
    down = false;
    await got(reader, 3);
    expect(reader.ids).toEqual(ids);
    expect(leaving.errors.splice(0)).toHaveLength(1);
  });
});

describe('The hub', () => {
  test('follows the journal once, however many listen, and stops when nobody does any more', async () => {
    await leaving.close();
    let [subscriptions, running] = [0, 0];
    const whole = losing(office.journal, () => undefined);
    const journal = {
      ...whole,
      async *subscribe(...following: Parameters<typeof whole.subscribe>) {
        subscriptions += 1;
        running += 1;
        try {
          yield* whole.subscribe(...following);
        } finally {
          running -= 1;
        }
      },
    };
    leaving = new Leaving(office, { journal });
    const readers = await Promise.all(Array.from({ length: 50 }, () => subscribe(AGENT)));
    const [id] = await record(1);
    for (const reader of readers) await got(reader, 1);
    expect(readers.every(({ ids }) => ids[0] === id)).toBe(true);
    expect([subscriptions, running]).toEqual([1, 1]);
    await leaving.close();
    expect([subscriptions, running]).toEqual([1, 0]);
  });

  test('a cursor of before a restore loses nothing: what may be new is sent again, with the same ids', async () => {
    await record(20);
    office.now = new Date('2026-03-02T15:00:00.000Z');
    const kept = await record(5);
    const reader = await subscribe(AGENT, 'start');
    await got(reader, 25);
    // What was recorded after the back-up is lost with the log; the cursor names the last of it.
    const drawn = randomBytes(16).toString('hex');
    const lost = await Office.open({ entropy: { uuid: randomUUID, salt: () => drawn } });
    const backup = await everything(office.journal);
    for (const { position: _, ...event } of backup.slice(0, 24))
      await lost.journal.append(event.envelope.stream, event.envelope.revision - 1, [event]);
    const restored = new Leaving(lost);
    lost.now = new Date('2026-03-02T16:00:00.000Z');
    const since = (await lost.open(agent)).event.envelope.id;
    const again = new Reader();
    await restored.streams.open({ view: AGENT, from: placeOf(reader.cursor), sink: again.sink, until: FOREVER });
    await got(again, 5);
    expect(again.ids).toEqual([...kept.slice(0, 4), since]);

    // And from there on it is a place of the restored log.
    const next = (await lost.open(agent)).event.envelope.id;
    const later = new Reader();
    await restored.streams.open({ view: AGENT, from: placeOf(again.cursor), sink: later.sink, until: FOREVER });
    await got(later, 1);
    expect(later.ids[0]).toBe(next);
    await restored.close();
    await lost.close();
    expect(restored.errors).toEqual([]);
  });
});
