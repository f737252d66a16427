import {
  beginning,
  type Catalogue,
  correctionsOf,
  type FindWorkflow,
  followed,
  isBesideTheMachine,
  type PublishedWorkflow,
  Reading,
  type RecordedFact,
  type Replay,
  type Situation,
  WorkflowUnknown,
  workflowAfter,
} from '@jalon/flow';
import { giveWay, type JournalReader, type StoredEvent, type StreamRange, stateHash } from '@jalon/journal';
import { LRUCache } from 'lru-cache';
import { HistoryUnreadable } from './faults.ts';

/** What is known of each fact of a dossier: its revision, and the type of the fact that it is or corrects in the end. */
type Known = { revision: number; about: string };

/** A dossier as the engine holds it: where it stands, and what the next envelope must follow. */
export type Dossier = {
  id: string;
  /** The version that it follows now. */
  workflow: PublishedWorkflow;
  situation: Situation;
  /** The last fact's hash, instant and position. */
  last: { hash: string; recordedAt: string; position: bigint };
  /** All its facts by id: a proposal that was already accepted is recognised here, and what a correction is about. */
  ids: Map<string, Known>;
};

/** The stream of a dossier. */
export function streamOf(id: string): string {
  return `dossier-${id}`;
}

/** The hash of a situation, as envelopes carry it. */
export function situationHash({ snapshot, salts, contextSalt, workflow }: Situation): string {
  const { keyed, withheldMembers } = workflow;
  const { value, context } = snapshot;
  return stateHash({ value, context: context as object, keyed, salts, withheldMembers, contextSalt });
}

/**
 * Recent dossiers by id, folded from the journal. An advance on a warm dossier reads nothing when this process is the
 * only writer; otherwise each load reads what others appended since. Bounded by facts held, not by dossiers.
 */
export class Dossiers {
  readonly #recent: LRUCache<string, Dossier>;

  constructor(
    private readonly journal: Pick<JournalReader, 'read'>,
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
    // It may have gone further while it was read.
    const further = this.#recent.get(id)?.situation.revision ?? -1;
    if (dossier && dossier.situation.revision > further) this.hold(dossier);
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

  /** Forgets all dossiers. */
  forgetAll(): void {
    this.#recent.clear();
  }

  /** The facts of a dossier as recorded, from the first to a revision. */
  async history(id: string, to?: number): Promise<RecordedFact[]> {
    const facts: RecordedFact[] = [];
    for await (const event of this.events(id, to === undefined ? {} : { to })) facts.push(recordedFact(id, event));
    return facts;
  }

  /** The stored events of a dossier, oldest first. */
  async *events(id: string, range: StreamRange = {}): AsyncGenerator<StoredEvent, void, undefined> {
    for await (const page of this.journal.read(streamOf(id), range))
      for (const event of page) {
        await giveWay();
        assertVouched(id, event);
        yield event;
      }
  }

  /** How workflows are found by name and version. */
  readonly find: FindWorkflow = (name, version) => this.catalogue.find(name, version);

  /** A dossier before its first fact. @throws HistoryUnreadable when this build does not have its workflow */
  begin(id: string, first: StoredEvent): Dossier {
    const workflow = readably(id, first, () => workflowAfter(recordedFact(id, first), this.find));
    return blank(id, workflow);
  }

  /**
   * The dossier brought up to date from the journal. A correction makes the whole history read otherwise: that is done
   * once, with all of them known, however many there are.
   */
  async #read(id: string, held: Dossier | null, to?: number): Promise<Dossier | null> {
    const range = { from: held ? held.situation.revision + 1 : 0, ...(to === undefined ? {} : { to }) };
    let dossier = held;
    let tail: StoredEvent | undefined;
    let isCorrected = false;
    for await (const event of this.events(id, range)) {
      dossier ??= this.begin(id, event);
      isCorrected ||= isBesideTheMachine(event.envelope.type);
      dossier = isCorrected ? this.#noted(dossier, event) : follow(dossier, event);
      tail = event;
    }
    if (isCorrected && dossier && tail) dossier = await this.#reread(dossier, tail);
    if (dossier && tail && situationHash(dossier.situation) !== tail.envelope.stateHash)
      throw new HistoryUnreadable(
        `The history of dossier ${id} does not lead to the state recorded at revision ${tail.envelope.revision}.`,
      );
    return dossier;
  }

  /** The dossier with a fact known to be there, while where that led is still to be read. @throws HistoryUnreadable */
  #noted(dossier: Dossier, event: StoredEvent): Dossier {
    const fact = recordedFact(dossier.id, event);
    const workflow = readably(dossier.id, event, () => {
      const pinned = workflowAfter(fact, this.find);
      if (pinned !== dossier.workflow && !isBesideTheMachine(fact.type)) throw new WorkflowUnknown(fact.workflow);
      return pinned;
    });
    assertErasable(dossier, workflow, event);
    return { ...after(dossier, dossier.situation, event), workflow };
  }

  /** Reads a history twice rather than holding it: once for what its corrections say, once to fold it. */
  async #reread(dossier: Dossier, last: StoredEvent): Promise<Dossier> {
    const { id } = dossier;
    const range = { to: last.envelope.revision };
    const corrections: RecordedFact[] = [];
    let corrected = -1;
    for await (const event of this.events(id, range)) {
      if (isBesideTheMachine(event.envelope.type)) corrected = event.envelope.revision;
      if (event.envelope.target !== undefined) corrections.push(recordedFact(id, event));
    }
    const workflow = readably(id, last, () => workflowAfter(recordedFact(id, last), this.find));
    const reading = new Reading(workflow, correctionsOf(corrections), false);
    for await (const event of this.events(id, range)) {
      readably(id, event, () => reading.take(recordedFact(id, event)));
      // What stood before the last correction stood by what was known then.
      if (event.envelope.revision >= corrected) assertReached(id, reading.situation, event);
    }
    return { ...dossier, workflow, situation: reading.situation };
  }
}

/** @throws HistoryUnreadable when what lies beside an envelope is not what was recorded: nobody may act on it or be shown it */
function assertVouched(id: string, { envelope, fault }: StoredEvent): void {
  if (fault === undefined) return;
  throw new HistoryUnreadable(`Fact ${envelope.revision} (${envelope.type}) of dossier ${id} was changed: ${fault}.`);
}

/** A dossier that has no fact yet. */
export function blank(id: string, workflow: PublishedWorkflow): Dossier {
  const last = { hash: '', recordedAt: '', position: -1n };
  return { id, workflow, situation: beginning(workflow), last, ids: new Map() };
}

/** The dossier after one more stored fact that its machine received. @throws HistoryUnreadable */
export function follow(dossier: Dossier, event: StoredEvent): Dossier {
  const next = () => followed(dossier.situation, recordedFact(dossier.id, event));
  return checked(dossier, readably(dossier.id, event, next), event);
}

/** The dossier after a stored fact that a replay took. @throws HistoryUnreadable */
export function replayed(dossier: Dossier, replay: Replay, event: StoredEvent): Dossier {
  const next = () => replay.next(recordedFact(dossier.id, event));
  return checked(dossier, readably(dossier.id, event, next), event);
}

function checked(dossier: Dossier, situation: Situation, event: StoredEvent): Dossier {
  assertErasable(dossier, situation.workflow, event);
  assertReached(dossier.id, situation, event);
  return after(dossier, situation, event);
}

/** @throws HistoryUnreadable when a fact leads elsewhere than recorded */
function assertReached(id: string, situation: Situation, { envelope }: StoredEvent): void {
  if (situation.state.state === envelope.to && situation.revision === envelope.revision) return;
  throw new HistoryUnreadable(
    `Fact ${envelope.revision} (${envelope.type}) of dossier ${id} leads to ${situation.state.state}, not to ${envelope.to} as recorded.`,
  );
}

/** Only what is declared erasable, or corrects what is, may have its payload elsewhere. @throws HistoryUnreadable */
function assertErasable({ id, ids }: Dossier, workflow: Situation['workflow'], { envelope, salt }: StoredEvent): void {
  if (salt !== undefined) return;
  const { revision, type, target } = envelope;
  const about = target === undefined ? type : ids.get(target)?.about;
  if (workflow.facts.get(about ?? '')?.erasable) return;
  throw new HistoryUnreadable(
    `Fact ${revision} (${type}) of dossier ${id} was changed: its payload and salt are gone.`,
  );
}

// Whatever goes wrong in a pure fold of what is stored, it is what is stored that cannot be read.
function readably<T>(id: string, event: StoredEvent, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const { revision, type } = event.envelope;
    if (cause instanceof WorkflowUnknown) {
      const { name, version, hash } = cause.wanted;
      throw new HistoryUnreadable(
        `Dossier ${id} follows ${name} ${version} (${hash}), which this build does not have.`,
        { cause },
      );
    }
    const { message } = cause as Error;
    throw new HistoryUnreadable(`Fact ${revision} (${type}) of dossier ${id} cannot be read: ${message}`, { cause });
  }
}

/** The dossier after an event whose situation is known. The ids are shared: they only ever grow. */
export function after(dossier: Dossier, situation: Situation, { envelope, hash, position }: StoredEvent): Dossier {
  const { id, revision, type, target, recordedAt } = envelope;
  const about = target === undefined ? undefined : dossier.ids.get(target)?.about;
  dossier.ids.set(id, { revision, about: about ?? type });
  const workflow = situation.workflow as PublishedWorkflow;
  return { ...dossier, workflow, situation, last: { hash, recordedAt, position } };
}

const UNPINNED = { name: 'no workflow', version: 0, hash: '-' };

/** A stored fact as readings take it. */
function recordedFact(dossier: string, { envelope, data, salt, contextSalt }: StoredEvent): RecordedFact {
  const { id, type, effectiveAt, recordedAt, actor, lookups = {}, target, workflow = UNPINNED } = envelope;
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
    workflow,
    ...(target === undefined ? {} : { target }),
    ...(salt === undefined ? {} : { salt }),
    ...(contextSalt === undefined ? {} : { contextSalt }),
  };
}
