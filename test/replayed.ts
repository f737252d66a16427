import { beginning, type RecordedFact, Replay, type Situation } from '@jalon/flow';
import { chainFault, type DirectoryReader, type StoredEvent } from '@jalon/journal';
import { expect } from '@jest/globals';
import { catalogue } from '../workflows/index.ts';
import { hashOf, payloadHash, stateHashOf } from './recompute.ts';

/**
 * Replays a whole history under the version that it names, checking every recorded member on the way: revisions without
 * a gap, chain, hashes of payloads (those that can be erased are in `directory`) and of states, from and to.
 */
export async function replayed(
  id: string,
  events: readonly StoredEvent[],
  directory: Pick<DirectoryReader, 'payload'>,
): Promise<Situation> {
  const { name, version, hash } = events[0]!.envelope.workflow!;
  const workflow = catalogue.find(name, version)!;
  expect(workflow.hash).toBe(hash);
  const replay = new Replay((name, version) => catalogue.find(name, version));
  let situation = beginning(workflow);
  for (const [i, event] of events.entries()) {
    const { envelope, data, salt, contextSalt } = event;
    expect(chainFault(event, events[i - 1] ?? null)).toBeNull();
    expect(hashOf(envelope)).toBe(event.hash);
    expect(envelope.revision).toBe(i);
    expect(envelope.workflow).toEqual({ name, version, hash });
    const kept = salt === undefined ? (await directory.payload(envelope.id))! : { data, salt };
    expect(payloadHash(kept.salt, kept.data)).toBe(envelope.dataHash);
    expect(envelope.from).toBe(situation.state.state || null);
    situation = replay.next({
      ...envelope,
      dossier: id,
      data,
      lookups: envelope.lookups ?? {},
      workflow: { name, version, hash },
      ...(salt === undefined ? {} : { salt }),
      ...(contextSalt === undefined ? {} : { contextSalt }),
    } as RecordedFact);
    expect(envelope.to).toBe(situation.state.state);
    expect(envelope.stateHash).toBe(stateHashOf(situation));
  }
  return situation;
}
