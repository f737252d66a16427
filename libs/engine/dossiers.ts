import { beginning, type Catalogue, fold, type PublishedWorkflow, type Situation } from '@jalon/flow';
import { type Journal, type StoredEvent, stateHash } from '@jalon/journal';
import { LRUCache } from 'lru-cache';
import { HistoryUnreadable } from './faults.ts';

/** A dossier as the engine holds it: where it stands, and what the next envelope must follow. */
export type Dossier = {
  id: string;
  workflow: PublishedWorkflow;
  situation: Situation;
  /** The last fact's hash, instant and position. */
  last: { hash: string; recordedAt: string; position: bigint };
  /** Ids of all its facts -> revision: a proposal that was already accepted is recognised here. */
  ids: Map<string, number>;
};

/** The stream of a dossier. */
export function streamOf(id: string): string {
  return `dossier-${id}`;
}

/** The hash of a situation, as envelopes carry it. */
export function situationHash({ snapshot, salts, workflow }: Situation): string {
  return stateHash({ value: snapshot.value, context: snapshot.context as object, keyed: workflow.keyed, salts });
}

/**
 * Recent dossiers by id, folded from the journal. An advance on a warm dossier reads nothing when this process is the
 * only writer; otherwise each load reads what others appended since. Bounded by facts held, not by dossiers.
 */
export class Dossiers {
  readonly #recent: LRUCache<string, Dossier>;

  constructor(
    private readonly journal: Journal,
    private readonly catalogue: Catalogue,
    private readonly soleWriter: boolean,
    factsHeld: number,
  ) {
    this.#recent = new LRUCache({ maxSize: factsHeld, sizeCalculation: ({ situation }) => situation.revision + 10 });
  }

  /** The dossier now, or null when there is none. */
  async load(id: string): Promise<Dossier | null> {
    const held = this.#recent.get(id) ?? null;
    if (held && this.soleWriter) return held;
    const dossier = await this.#read(id, held);
    if (dossier && dossier !== held) this.hold(dossier);
    return dossier;
  }

  /** The dossier as it was at a revision, by replay. */
  asOf(id: string, revision: number): Promise<Dossier | null> {
    return this.#read(id, null, revision);
  }

  /** Holds a dossier as it now stands. */
  hold(dossier: Dossier): void {
    this.#recent.set(dossier.id, dossier);
  }

  /** Forgets a dossier that moved under our feet: the next load reads it again. */
  forget(id: string): void {
    this.#recent.delete(id);
  }

  async #read(id: string, held: Dossier | null, to?: number): Promise<Dossier | null> {
    const range = { from: held ? held.situation.revision + 1 : 0, ...(to === undefined ? {} : { to }) };
    let dossier = held;
    let tail: StoredEvent | undefined;
    for await (const page of this.journal.read(streamOf(id), range))
      for (const event of page) {
        dossier = follow(dossier ?? this.#begin(id, event), event);
        tail = event;
      }
    if (dossier && tail && situationHash(dossier.situation) !== tail.envelope.stateHash)
      throw new HistoryUnreadable(
        `The history of dossier ${id} does not lead to the state recorded at revision ${tail.envelope.revision}.`,
      );
    return dossier;
  }

  #begin(id: string, { envelope }: StoredEvent): Dossier {
    const pinned = envelope.workflow;
    const workflow = pinned && this.catalogue.find(pinned.name, pinned.version);
    if (!workflow || workflow.hash !== pinned.hash)
      throw new HistoryUnreadable(
        `Dossier ${id} follows ${pinned?.name ?? 'no workflow'} ${pinned?.version ?? ''} (${pinned?.hash ?? '-'}), which this build does not have.`,
      );
    const last = { hash: '', recordedAt: '', position: -1n };
    return { id, workflow, situation: beginning(workflow), last, ids: new Map() };
  }
}

/** The dossier after one more stored fact. */
export function follow(dossier: Dossier, event: StoredEvent): Dossier {
  const { envelope } = event;
  const situation = folded(dossier, event);
  if (situation.state.state !== envelope.to || situation.revision !== envelope.revision)
    throw new HistoryUnreadable(
      `Fact ${envelope.revision} (${envelope.type}) of dossier ${dossier.id} leads to ${situation.state.state}, not to ${envelope.to} as recorded.`,
    );
  return after(dossier, situation, event);
}

// Whatever goes wrong in a pure fold of what is stored, it is what is stored that cannot be read.
function folded(dossier: Dossier, event: StoredEvent): Situation {
  try {
    return fold(dossier.situation, pastFact(dossier.id, event));
  } catch (cause) {
    const { revision, type } = event.envelope;
    const { message } = cause as Error;
    throw new HistoryUnreadable(`Fact ${revision} (${type}) of dossier ${dossier.id} cannot be read: ${message}`, {
      cause,
    });
  }
}

/** The dossier after an event whose situation is known. The ids are shared: they only ever grow. */
export function after(dossier: Dossier, situation: Situation, { envelope, hash, position }: StoredEvent): Dossier {
  dossier.ids.set(envelope.id, envelope.revision);
  return { ...dossier, situation, last: { hash, recordedAt: envelope.recordedAt, position } };
}

function pastFact(dossier: string, { envelope, data, salt }: StoredEvent) {
  const { id, type, effectiveAt, recordedAt, actor, lookups = {} } = envelope;
  const { iss, sub, role, org } = actor;
  return {
    type,
    id,
    dossier,
    data,
    effectiveAt,
    recordedAt,
    actor: { iss, sub, role, ...(org === undefined ? {} : { org }) },
    lookups,
    ...(salt === undefined ? {} : { salt }),
  };
}
