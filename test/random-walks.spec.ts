import { streamOf } from '@jalon/engine';
import { contextOf, type Situation } from '@jalon/flow';
import { readSqliteJournal, type StoredEvent } from '@jalon/journal';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { peek } from './office.ts';
import { choice } from './proposals.ts';
import { replayed } from './replayed.ts';
import { unsealed } from './unsealed.ts';
import { walkToJ3 } from './walk.ts';
import { type Wandered, Wandering } from './wandering.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);
const LONG = process.env.JALON_TEST === 'long';

let wandering: Wandering;
beforeAll(async () => {
  wandering = await Wandering.open();
});
afterAll(async () => {
  await wandering.close();
  expect(wandering.alarms).toEqual([]);
});

/** The stored facts of a dossier, as another process reads them. */
async function stored(id: string): Promise<StoredEvent[]> {
  const { journal, directory } = await readSqliteJournal(wandering.folder);
  const events: StoredEvent[] = [];
  for await (const page of journal.read(streamOf(id))) events.push(...page);
  await Promise.all([journal.close(), directory.close()]);
  return events;
}

/** As it now reads, milestones are crossed once each, in their order, on dates that never go back. */
function inOrder({ crossed }: Situation): void {
  expect(crossed.map(({ jalon }) => jalon)).toEqual(['J0', 'J1', 'J2', 'J3'].slice(0, crossed.length));
  const dates = crossed.map(({ effectiveAt }) => effectiveAt);
  expect(dates).toEqual(dates.toSorted());
}

describe(`Proposals at random, through the engine and onto the disk (seed ${seed}, again by JALON_SEED)`, () => {
  const reached = new Set<string>();
  const refused = new Set<string>();
  let corrected = 0;
  const wandered: Wandered[] = [];

  test(
    'what is stored is what was accepted; read again, it leads to every recorded state and to the one answered',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.nat(walkToJ3().length),
          fc.array(choice, { minLength: 10, maxLength: 60 }),
          async (start, choices) => {
            const walk = await wandering.wander(start, choices);
            wandered.push(walk);
            const events = await stored(walk.id);
            expect(events).toEqual(walk.accepted);
            const situation = await replayed(walk.id, events, wandering.product.directory);
            inOrder(situation);
            corrected += events.filter(({ envelope }) => envelope.target !== undefined).length;
            const view = await unsealed(wandering.product.engine).show(
              { iss: 'urn:test', sub: 'auditeur', roles: ['auditeur'] },
              walk.id,
            );
            expect(view).toMatchObject({
              revision: situation.revision,
              state: situation.state.state,
              jalon: situation.state.jalon,
              crossed: situation.crossed,
              context: contextOf(situation),
              position: String(events.at(-1)!.position),
            });
            for (const { envelope } of events) reached.add(envelope.to!);
            for (const name of Object.keys(walk.refused)) refused.add(name);
          },
        ),
        { seed, numRuns: LONG ? 1500 : 30 },
      );
      // A walk that goes nowhere proves little.
      expect(reached.size).toBeGreaterThan(8);
      expect(corrected).toBeGreaterThan(20);
      expect([...refused].sort()).toEqual([
        'DossierNotFound',
        'Forbidden',
        'InvalidProposal',
        'KeyReused',
        'Refused',
        'RevisionMismatch',
      ]);
    },
    LONG ? 1_800_000 : 60_000,
  );

  test('nothing else was written: no other fact, no payload or name in the directory that no fact refers to', async () => {
    const all = wandered.flatMap((walk) => walk.accepted);
    const opened = wandered.length;
    expect(Number(await wandering.product.journal.tip())).toBe(all.length + opened);
    const notes = all.filter(({ salt }) => salt === undefined).map(({ envelope }) => envelope.id);
    const kept = peek(wandering.folder, 'personnes.db', 'select id from erasables').map(({ id }) => id);
    expect(kept.sort()).toEqual(notes.sort());
    const named = new Set(all.map(({ envelope }) => envelope.actor.name));
    const persons = peek(wandering.folder, 'personnes.db', 'select commitment from persons');
    expect(new Set(persons.map(({ commitment }) => commitment))).toEqual(named);
  });
});
