import { existsSync, readFileSync } from 'node:fs';
import { situationHash } from '@jalon/engine';
import { type RecordedFact, Replay } from '@jalon/flow';
import { chainFault, type NewEvent } from '@jalon/journal';
import { describe, expect, test } from '@jest/globals';
import { catalogue } from '../workflows/index.ts';

/** The events of an archive by stream, in order. */
function streamsOf(file: URL): Map<string, NewEvent[]> {
  const streams = new Map<string, NewEvent[]>();
  for (const text of readFileSync(file, 'utf8').trim().split('\n')) {
    const { event } = JSON.parse(text) as { event?: NewEvent };
    if (event) streams.set(event.envelope.stream, [...(streams.get(event.envelope.stream) ?? []), event]);
  }
  return streams;
}

function factOf({ envelope, data, salt, contextSalt }: NewEvent): RecordedFact {
  const { name: _, ...actor } = envelope.actor;
  const { id, type, effectiveAt, recordedAt, lookups = {}, target, workflow } = envelope;
  const dossier = envelope.stream.slice('dossier-'.length);
  return {
    ...{ id, type, dossier, data, effectiveAt, recordedAt, actor, lookups },
    workflow: workflow as RecordedFact['workflow'],
    ...(target === undefined ? {} : { target }),
    ...(salt === undefined ? {} : { salt }),
    ...(contextSalt === undefined ? {} : { contextSalt }),
  };
}

const published: Record<string, { since: string; hash: string }> = JSON.parse(
  readFileSync(new URL('../workflows/published.json', import.meta.url), 'utf8'),
);

// What is not published may still change, and has no history of reference yet.
const versions = Object.entries(published);
if (versions.length === 0)
  test('aucune version n’est publiée : rien n’est encore figé', () => expect(published).toEqual({}));
else
  describe.each(versions)('Les histoires de référence de %s', (version, { hash }) => {
    const file = new URL(`histories/${version.replace('/', '-')}.jsonl`, import.meta.url);

    test('ont été enregistrées à sa publication', () => {
      expect(existsSync(file)).toBe(true);
    });

    test('se rejouent à la lettre : chaîne, étapes, jalons et empreinte de chaque état', () => {
      const types = new Set<string>();
      for (const events of streamsOf(file).values()) {
        const replay = new Replay((name, number) => catalogue.find(name, number));
        let previous: NewEvent | null = null;
        let from: string | null = null;
        let crossed = 0;
        for (const event of events) {
          const { envelope } = event;
          const { revision, to, stateHash } = envelope;
          expect({ revision, fault: chainFault(event, previous) }).toEqual({ revision, fault: null });
          const situation = replay.next(factOf(event));
          expect({ revision, from, to: situation.state.state, stateHash: situationHash(situation) }).toEqual({
            revision,
            from: envelope.from,
            to,
            stateHash,
          });
          if (envelope.crosses !== undefined)
            expect(situation.crossed.at(-1)).toMatchObject({
              jalon: envelope.crosses,
              recordedAt: envelope.recordedAt,
            });
          crossed = Math.max(crossed, situation.crossed.length);
          types.add(envelope.type);
          expect(envelope.workflow?.hash).toBe(hash);
          previous = event;
          from = to ?? null;
        }
        expect(events.length).toBeGreaterThan(0);
      }
      const [name, number] = version.split('/v');
      const facts = [...catalogue.find(name as string, Number(number))!.facts.keys()];
      const unseen = facts.filter((type) => !types.has(type));
      expect(unseen).toEqual(UNSEEN[version] ?? []);
    });
  });

/** Facts that no golden history of a version holds, and why: they need another dossier, or another version. */
const UNSEEN: Readonly<Record<string, readonly string[]>> = {
  'secnumcloud/v1': ['suivi.renouvellement-demande', 'dossier.version-changee'],
};
