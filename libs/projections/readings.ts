import { type Catalogue, fatesOf, type PublishedWorkflow, type Touching } from '@jalon/flow';
import { giveWay, type JournalReader, type StoredEvent } from '@jalon/journal';
import type { StoodOn } from './generations.ts';
import type { Correction, ReadFact } from './projection.ts';

/** Streams that hold dossiers. */
export const DOSSIERS = 'dossier-';

/** A stored event on its way to projections: its dossier, and its meaning or why this build gives it none. */
export type Arrival = { event: StoredEvent; dossier: string } & ({ read: ReadFact } | { read: null; fault: unknown });

/** Gives stored events their meaning: what is declared of them, and what later corrections made of them. */
export class Readings {
  readonly #workflows = new Map<string, PublishedWorkflow>();

  constructor(
    private readonly catalogue: Catalogue,
    private readonly journal: Pick<JournalReader, 'read'>,
  ) {}

  /** A page of the journal, each event read once for all projections. */
  arrivals(page: readonly StoredEvent[]): Arrival[] {
    return page.map((event) => {
      try {
        const read = this.of(event);
        return { event, dossier: read.dossier, read };
      } catch (fault) {
        return { event, dossier: dossierOf(event), read: null, fault };
      }
    });
  }

  /** @throws Error when this build does not know the workflow, the type of the fact or the state it led to. */
  of(event: StoredEvent): ReadFact {
    const { workflow: pinned, type, target, to, effectiveAt, crosses } = event.envelope;
    if (event.fault !== undefined) throw new Error(`${type} was changed: ${event.fault}`);
    if (!pinned) throw new Error(`${type} names no workflow`);
    const workflow = this.#workflow(pinned.name, pinned.version);
    const fact = workflow.facts.get(type);
    if (!fact) throw new Error(`${pinned.name} ${pinned.version} declares no fact ${type}`);
    if (event.salt === undefined && target === undefined && !fact.erasable)
      throw new Error(`${type} was changed: its payload and salt are gone`);
    if (to === undefined || !workflow.states.has(to))
      throw new Error(`${pinned.name} ${pinned.version} has no state ${to}`);
    const read: ReadFact = { dossier: dossierOf(event), event, workflow, fact, data: event.data, effectiveAt };
    if (crosses !== undefined) read.crosses = crosses;
    return read;
  }

  /** The history of a dossier up to and with `last`, as it reads once every correction in it is applied. */
  async historyTo(last: StoredEvent): Promise<ReadFact[]> {
    const { stream, revision } = last.envelope;
    const facts: ReadFact[] = [];
    for await (const page of this.journal.read(stream, { to: revision }))
      for (const event of page) {
        await giveWay();
        facts.push(this.of(event));
      }
    if (facts.length !== revision + 1)
      throw new Error(`${stream} has ${facts.length} facts up to revision ${revision}`);
    return corrected(facts);
  }

  /** Whether the journal holds, where a checkpoint says so, the fact that it stood on. @throws JournalUnavailable */
  async holds({ position, stream, revision, hash }: StoodOn): Promise<boolean> {
    for await (const [event] of this.journal.read(stream, { from: revision, to: revision }))
      return event?.hash === hash && event.position === position;
    return false;
  }

  #workflow(name: string, version: number): PublishedWorkflow {
    const key = `${name} ${version}`;
    let workflow = this.#workflows.get(key);
    if (!workflow) {
      workflow = this.catalogue.find(name, version);
      if (!workflow) throw new Error(`this build has no workflow ${key}`);
      this.#workflows.set(key, workflow);
    }
    return workflow;
  }
}

function dossierOf({ envelope }: StoredEvent): string {
  return envelope.stream.slice(DOSSIERS.length);
}

/** Whether a fact touches an earlier one, so that the whole history reads otherwise. */
export function isCorrection({ envelope }: StoredEvent): boolean {
  return envelope.target !== undefined;
}

/** The milestone worked towards in the state that a fact led to, and whether that state is final. */
export function stateAfter({ workflow, event }: ReadFact): {
  state: string;
  label: string;
  jalon: string;
  final: boolean;
} {
  const { state, label, jalon, final } = workflow.states.get(event.envelope.to as string) as NonNullable<
    ReturnType<PublishedWorkflow['states']['get']>
  >;
  return { state, label, jalon, final };
}

/**
 * Whether a fact brought its dossier to an end. What was recorded after the end did not, and says nothing once the end is
 * annulled.
 */
export function endsDossier(read: ReadFact): boolean {
  return stateAfter(read).final && !wasOver(read);
}

function wasOver({ workflow, event }: ReadFact): boolean {
  return workflow.states.get(event.envelope.from ?? null)?.final === true;
}

/** A history with its corrections applied. */
function corrected(facts: readonly ReadFact[]): ReadFact[] {
  const fates = fatesOf(facts.map(touching));
  const revisions = new Map(facts.map(({ event: { envelope } }) => [envelope.id, envelope.revision]));
  const undone = endingsUndone(facts.filter(({ event }) => fates.get(event.envelope.id)?.kind !== 'annulled'));
  const correctionOf = (id: string): Correction | undefined => {
    const fate = fates.get(id);
    return fate ? { id: fate.by, revision: revisions.get(fate.by) as number, kind: fate.kind } : undone.get(id);
  };

  const types = new Map<string, string>();
  const crossed = new Set<string>();
  return facts.map((read) => {
    const { id, type, target } = read.event.envelope;
    const fate = fates.get(id);
    const correction = correctionOf(id);
    const about = target === undefined ? undefined : types.get(target);
    types.set(id, about ?? type);
    const { crosses: _recorded, ...rest } = read;
    const now: ReadFact = {
      ...rest,
      data: (fate?.data as ReadFact['data'] | null | undefined) ?? read.data,
      effectiveAt: fate?.effectiveAt ?? read.effectiveAt,
    };
    if (correction) {
      const { effectiveAt, recordedAt } = (facts[correction.revision] as ReadFact).event.envelope;
      now.corrected = correction;
      now.correctedAt = { effectiveAt, recordedAt };
    }
    if (about !== undefined) now.about = about;
    const milestone = read.fact.crosses;
    if (milestone !== undefined && correction?.kind !== 'annulled' && !crossed.has(milestone)) {
      crossed.add(milestone);
      now.crosses = milestone;
    }
    return now;
  });
}

function touching({ event: { envelope, salt }, data }: ReadFact): Touching {
  const { id, type, actor, recordedAt, lookups = {}, target } = envelope;
  return { id, type, actor, recordedAt, lookups, target, data, salt };
}

/**
 * Facts that ended the dossier and that a correction undid without naming them: a corrected end of validity annuls the
 * expiry that it makes false. Nothing else leads out of a final state. What was annulled itself undid nothing.
 */
function endingsUndone(facts: readonly ReadFact[]): Map<string, Correction> {
  const undone = new Map<string, Correction>();
  let ending: ReadFact | undefined;
  for (const read of facts) {
    if (endsDossier(read)) ending = read;
    else if (ending && wasOver(read) && !stateAfter(read).final) {
      const { id, revision } = read.event.envelope;
      undone.set(ending.event.envelope.id, { id, revision, kind: 'annulled' });
      ending = undefined;
    }
  }
  return undone;
}
