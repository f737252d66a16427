/** A person's name in the directory: the salt makes the commitment SHA-256(salt ‖ name) that the log holds. */
export type Person = { iss: string; sub: string; name: string; salt: string };

/** Payload and salt of an erasable fact, by event id. */
export type ErasablePayload = { id: string; data: Record<string, unknown>; salt: string };

/** What readers of the log ask the directory, whether or not this process writes it. */
export interface DirectoryReader {
  /** The name behind a commitment, or null when it was erased. */
  name(iss: string, sub: string, commitment: string): string | null;
  /** Payload and salt of an erasable fact, or null when destroyed. */
  payload(id: string): ErasablePayload | null;
  /** Everyone in the directory, for moving house. */
  persons(): Iterable<Person>;
  /** Every payload that is not destroyed, for moving house. */
  payloads(): Iterable<ErasablePayload>;
  close(): Promise<void>;
}

/**
 * The directory of persons, beside the log: names and erasable payloads, the only things of Jalon that can be destroyed.
 * Rows are durable before the fact that refers to them is appended. Everything throws JournalUnavailable while it is away.
 */
export interface Directory extends DirectoryReader {
  /** How often something was destroyed here: whoever holds on to what was shown before shows it anew. */
  readonly erasures: number;
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
}
