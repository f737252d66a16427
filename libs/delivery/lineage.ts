import type { JournalReader, StoredEvent } from '@jalon/journal';
import { LRUCache } from 'lru-cache';

/** As much of a fact as must be known of it by those that correct it. */
export type Touched = { revision: number; type: string; target: string | undefined; crosses: string | undefined };

/** What is known of a dossier's facts, by id, up to the revision that is read next. */
type Known = { next: number; facts: Map<string, Touched>; reading: Promise<void> };

/** Facts that are remembered, of all dossiers together. */
const REMEMBERED = 100_000;

/**
 * What corrections touch. Each fact of a dossier is read once for all its corrections, as long as the dossier is
 * remembered: n corrections of a history cost one reading of it, not n.
 */
export class Lineage {
  readonly #known = new LRUCache<string, Known>({
    maxSize: REMEMBERED,
    sizeCalculation: ({ facts }) => facts.size + 1,
  });

  constructor(private readonly journal: Pick<JournalReader, 'read'>) {}

  /**
   * What a correction touches, then what that touches when it is a correction too, and so on; it ends early where a
   * target is not an earlier fact of the dossier. @throws JournalUnavailable
   */
  async of({ envelope }: StoredEvent): Promise<Touched[]> {
    const { facts } = await this.#knownBefore(envelope.stream, envelope.revision);
    const touched: Touched[] = [];
    let { target, revision } = envelope as { target?: string | undefined; revision: number };
    while (target !== undefined) {
      const fact = facts.get(target);
      if (!fact || fact.revision >= revision) break;
      touched.push(fact);
      ({ target, revision } = fact);
    }
    return touched;
  }

  /** Forgets all dossiers. */
  forget(): void {
    this.#known.clear();
  }

  async #knownBefore(stream: string, revision: number): Promise<Known> {
    const known = this.#known.get(stream) ?? { next: 0, facts: new Map(), reading: Promise.resolve() };
    // One reading at a time, so that none reads again what another is about to know; one that failed hinders no other.
    const reading = known.reading.catch(() => undefined).then(() => this.#read(stream, known, revision));
    known.reading = reading;
    this.#known.set(stream, known);
    await reading;
    // Set anew, since the cache measures what it holds when it is set.
    this.#known.set(stream, known);
    return known;
  }

  async #read(stream: string, known: Known, before: number): Promise<void> {
    if (known.next >= before) return;
    for await (const page of this.journal.read(stream, { from: known.next, to: before - 1 }))
      for (const { envelope } of page) {
        const { id, revision, type, target, crosses } = envelope;
        known.facts.set(id, { revision, type, target, crosses });
        known.next = revision + 1;
      }
  }
}
