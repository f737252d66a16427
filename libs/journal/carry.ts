import { canonicalJson, saltedHash } from './canonical.ts';
import type { Directory, ErasablePayload, Person } from './directory.ts';

/** The directory that is moved to holds the same person or fact under another salt: the log's hashes would not hold. */
export class DirectoryTaken extends Error {
  override readonly name = 'DirectoryTaken';
}

/** Writes a person into a directory. @throws DirectoryTaken */
export async function carryPerson(person: Person, to: Directory): Promise<void> {
  if ((await to.commit(person)) !== saltedHash(person.salt, person.name))
    throw new DirectoryTaken(
      `The directory knows ${person.sub} of ${person.iss} by another salt already: it was not empty before.`,
    );
}

/** Writes the payload of an erasable fact into a directory. @throws DirectoryTaken */
export async function carryPayload(payload: ErasablePayload, to: Directory): Promise<void> {
  const kept = await to.keep(payload);
  if (canonicalJson(kept) !== canonicalJson(payload))
    throw new DirectoryTaken(
      `The directory has another payload for fact ${payload.id} already: it was not empty before.`,
    );
}

/**
 * Moves everything from one directory to another, and leaves nothing of it behind. After an interruption the same call goes
 * on. @throws DirectoryTaken: then nothing was taken away; JournalUnavailable
 */
export async function moveDirectory(from: Directory, to: Directory): Promise<{ persons: number; payloads: number }> {
  const persons: Person[] = [];
  for await (const person of from.persons()) {
    await carryPerson(person, to);
    persons.push(person);
  }
  const payloads: string[] = [];
  for await (const payload of from.payloads()) {
    await carryPayload(payload, to);
    payloads.push(payload.id);
  }
  for (const { iss, sub } of persons) await from.forget(iss, sub);
  for (const id of payloads) await from.drop(id);
  return { persons: persons.length, payloads: payloads.length };
}
