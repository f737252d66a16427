import type { NewEvent } from './envelope.ts';
import { JournalUnavailable } from './journal.ts';

/** A person's name in the directory: the salt makes the commitment SHA-256(salt ‖ name) that the log holds. */
export type Person = { iss: string; sub: string; name: string; salt: string };

/** Payload and salt of an erasable fact, by event id. */
export type ErasablePayload = { id: string; data: Record<string, unknown>; salt: string };

/** What is asked of the directory at once: names by person and commitment, payloads by event id. */
export type Asked = { names: { iss: string; sub: string; commitment: string }[]; payloads: string[] };

/** What opens a commitment: the name and the salt that give it. */
export type Opening = { commitment: string; name: string; salt: string };

/** The directory does not answer, or not yet. Whoever has nothing to ask of it goes on. */
export class DirectoryUnavailable extends JournalUnavailable {
  override readonly name: string = 'DirectoryUnavailable';
}

/** What readers of the log ask the directory, whether or not this process writes it. */
export interface DirectoryReader {
  /**
   * What it has of what is asked, as of now. It is away, and part of this is not at hand: that is said in the answer, so
   * that what is shown does not pretend that something was erased. @throws JournalUnavailable once closed
   */
  disclose(asked: Asked): Promise<Disclosed>;
  /**
   * What opens these commitments, each once, without those whose name was erased: for who must prove a name rather than
   * show it. @throws DirectoryUnavailable
   */
  openings(names: Asked['names']): Promise<Opening[]>;
  /** The name behind a commitment, or null when it was erased. @throws DirectoryUnavailable */
  name(iss: string, sub: string, commitment: string): Promise<string | null>;
  /** Payload and salt of an erasable fact, or null when destroyed. @throws DirectoryUnavailable */
  payload(id: string): Promise<ErasablePayload | null>;
  /** Everyone in the directory, for moving house; by issuer, subject and name, in the order of UTF-8 bytes. */
  persons(): AsyncIterable<Person>;
  /** Every payload that is not destroyed, for moving house; by id. */
  payloads(): AsyncIterable<ErasablePayload>;
  close(): Promise<void>;
}

/**
 * The directory of persons, beside the log: names and erasable payloads, the only things of Jalon that can be destroyed.
 * Rows are durable before the fact that refers to them is appended. Everything throws JournalUnavailable while it is away.
 */
export interface Directory extends DirectoryReader {
  /**
   * Changes whenever something was destroyed, here or by another process: whoever holds on to what was shown before shows
   * it anew. Null while that is not known for certain: nothing that was shown before may be shown again.
   */
  readonly erasures: number | null;
  /** The commitment to `name` for this person, creating the row (with `salt`) when it is new. */
  commit(person: Person): Promise<string>;
  /**
   * Keeps payload and salt of an erasable fact and gives back what is kept under this id: that of an earlier call when
   * there was one (a retry after a crash). The fact is sealed with the salt given back.
   */
  keep(payload: ErasablePayload): Promise<ErasablePayload>;
  /** Destroys a payload: erased on request, or kept for a fact that was not appended after all. */
  drop(id: string): Promise<void>;
  /** Destroys all names of a person; gives their number. Acting again, the person gets a new row and a new salt. */
  forget(iss: string, sub: string): Promise<number>;
  /**
   * Leaves no byte of what was destroyed in the files of the store, as far as it can reach them. Slow: everything that
   * stays is written anew. @throws JournalUnavailable when it could not be done
   */
  purge(): Promise<void>;
  /** What protects what was acknowledged, as read back from the store. @throws JournalUnavailable */
  durability(): Promise<Record<string, string | number>>;
}

/** What stands in place of a name that was erased. */
const ERASED = 'effacé';

/** What stands in place of a name while the directory is away: whether it was erased is not known then. */
const UNAVAILABLE = 'indisponible';

/** A name as the directory disclosed it, or what stands in its place. */
export function shownName(name: string | null | undefined): string {
  return name ?? (name === null ? ERASED : UNAVAILABLE);
}

/** What the directory answered: null for what was erased, undefined for what it could not be asked. */
export class Disclosed {
  readonly #names = new Map<string, string | null>();
  readonly #payloads = new Map<string, ErasablePayload | null>();

  constructor(
    asked: Asked,
    names: Iterable<{ iss: string; sub: string; commitment: string; name: string }>,
    payloads: Iterable<ErasablePayload>,
    /** Whether the directory answered all that was asked. */
    readonly whole: boolean,
  ) {
    if (whole) {
      for (const each of asked.names) this.#names.set(keyOf(each), null);
      for (const id of asked.payloads) this.#payloads.set(id, null);
    }
    for (const each of names) this.#names.set(keyOf(each), each.name);
    for (const each of payloads) this.#payloads.set(each.id, each);
  }

  name(iss: string, sub: string, commitment: string): string | null | undefined {
    return this.#names.get(keyOf({ iss, sub, commitment }));
  }

  payload(id: string): ErasablePayload | null | undefined {
    return this.#payloads.get(id);
  }
}

function keyOf({ iss, sub, commitment }: { iss: string; sub: string; commitment: string }): string {
  return JSON.stringify([commitment, iss, sub]);
}

/** What the directory holds of these events: the names of their persons, the payloads that lie there. */
export function askedOf(events: Iterable<Pick<NewEvent, 'envelope' | 'salt'>>): Asked {
  const asked: Asked = { names: [], payloads: [] };
  for (const { envelope, salt } of events) {
    const { id, actor, onBehalfOf } = envelope;
    if (actor.name !== undefined) asked.names.push({ iss: actor.iss, sub: actor.sub, commitment: actor.name });
    if (onBehalfOf?.name !== undefined) asked.names.push({ ...behalfPerson(onBehalfOf), commitment: onBehalfOf.name });
    if (salt === undefined) asked.payloads.push(id);
  }
  return asked;
}

/** Under which issuer and subject the directory keeps the name of someone for whom an officer records. */
export function behalfPerson({ role, org }: { role: string; org: string }): { iss: string; sub: string } {
  return { iss: 'pour-le-compte-de', sub: `${role} ${org}` };
}
