import { setImmediate } from 'node:timers/promises';
import {
  type BrokenRule,
  type CalendarDate,
  type Catalogue,
  confidentialMembers,
  decide,
  decideBeside,
  type Fact,
  hiddenMembers,
  isBesideTheMachine,
  type Lookup,
  parisDate,
  possible,
  type Reader,
  Sealed,
  type Situation,
  seeingRoles,
  summaryOf,
  toldDates,
  toldReasons,
  UUID,
  waitsFor,
} from '@jalon/flow';
import {
  type Directory,
  type Journal,
  type NewEvent,
  NO_STREAM,
  OutcomeUnknown,
  RevisionConflict,
  type Source,
  type StoredEvent,
} from '@jalon/journal';
import { assertBehalf, assertOwnOpening, type Caller, proposingRole, seenBy } from './caller.ts';
import { type Correction, readCorrection } from './correction.ts';
import { type Advanced, Disclosure } from './disclosure.ts';
import { after, blank, type Dossier, Dossiers } from './dossiers.ts';
import {
  Contended,
  DossierNotFound,
  HistoryUnreadable,
  InvalidProposal,
  KeyReused,
  type Refusal,
  Refused,
  RevisionMismatch,
} from './faults.ts';
import { type Conditions, type Entropy, type Identity, proposalIds } from './identity.ts';
import { namedFact, type Proposal, readOpening, readProposal } from './proposal.ts';
import { asEvent, asHappening, type Circumstances, requestDigest } from './record.ts';
import { confidentialRevisions, isConfidentialFact, isWithheldFact } from './views.ts';

/** What the engine is made of. Clock and entropy are passed in: nothing inside reads the time or draws at random. */
export type EngineParts = {
  journal: Journal;
  directory: Directory;
  catalogue: Catalogue;
  clock: () => Date;
  entropy: Entropy;
  /** Name and version of this build, kept with every fact. */
  software: string;
  /** Whether no other process writes to the journal: then a dossier in memory is the dossier. */
  soleWriter: boolean;
  /** Bound of the dossiers held in memory, in facts. */
  factsHeld: number;
  /** Position up to which everything was acknowledged before, by this node or another: the tail of the journal. */
  acknowledged: bigint | null;
};

/** An accepted fact, stored: new, or remembered from an earlier request with the same idempotency key. */
export type Accepted = { dossier: Dossier; event: StoredEvent; seeing: readonly string[]; remembered: boolean };

/** Who proposes, in which role, and by which roles they see the dossier; what they correct, if they do. */
type Proposer = { caller: Caller; role: string; seeing: readonly string[]; correction?: Correction };

const REDECISIONS = 8;
const APPEND_ATTEMPTS = 4;
const LOOKS = 50;

/** The use cases: load, decide, append at the expected revision. Everything that holds, holds here, whatever the transport. */
export class Engine {
  readonly #dossiers: Dossiers;
  readonly #turns = new Map<string, Promise<unknown>>();
  #acknowledged: bigint | null;

  constructor(private readonly parts: EngineParts) {
    this.#dossiers = new Dossiers(parts.journal, parts.catalogue, parts.soleWriter, parts.factsHeld);
    this.#acknowledged = parts.acknowledged;
  }

  /** Position of the last fact that this engine acknowledged; null before the first. */
  get acknowledged(): bigint | null {
    return this.#acknowledged;
  }

  /** Something else was written to the journal, up to this position: what is in memory is read again. */
  reread(position: bigint | null): void {
    this.#dossiers.forgetAll();
    this.#acknowledged = position;
  }

  /**
   * Opens a dossier with its first fact.
   * @throws InvalidProposal, Forbidden, KeyReused, Refused, JournalUnavailable, OutcomeUnknown
   */
  async open(caller: Caller, body: unknown, conditions: Conditions, source?: Source): Promise<Accepted> {
    const { workflow, fact: proposed, errors } = readOpening(body, this.parts.catalogue);
    const raw = namedFact(workflow, proposed, '/fact');
    if (!raw.fact.opens)
      throw new InvalidProposal([{ path: '/fact/type', message: `« ${raw.fact.label} » n'ouvre pas de dossier.` }]);
    const role = proposingRole(workflow, raw.fact, caller.roles);
    const proposal = readProposal(raw, source, errors);
    if (workflow.roles[role]?.sees === 'own') assertOwnOpening(workflow, raw.fact, role, caller.org, proposal.data);
    if (proposal.onBehalfOf)
      assertBehalf(workflow, raw.fact, role, proposal.onBehalfOf, summaryOf(raw.fact, proposal.data));

    const ids = proposalIds(caller, conditions, this.parts.entropy);
    return this.#inTurn(ids.dossier, async () => {
      const existing = conditions.idempotencyKey === undefined ? null : await this.#dossiers.load(ids.dossier);
      if (existing)
        return this.#remembered(existing, ids.event, proposal, seenBy(caller, existing.id, existing).seeing);
      const unopened = blank(ids.dossier, workflow);
      const opened = await this.#record(unopened, { caller, role, seeing: [role] }, proposal, ids);
      return { ...opened, seeing: seenBy(caller, ids.dossier, opened.dossier).seeing };
    });
  }

  /**
   * Proposes a fact to a dossier. After a conflict with another writer it is decided again, unless the caller named a
   * revision.
   * @throws DossierNotFound, Forbidden, InvalidProposal, KeyReused, RevisionMismatch, Refused, Contended,
   * JournalUnavailable, OutcomeUnknown
   */
  async advance(caller: Caller, id: string, body: unknown, conditions: Conditions, source?: Source): Promise<Accepted> {
    const ids = proposalIds(caller, conditions, this.parts.entropy);
    return this.#inTurn(id, async () => {
      for (let attempt = 1; attempt <= REDECISIONS; attempt++) {
        try {
          return await this.#propose(caller, id, body, conditions, ids, source);
        } catch (fault) {
          if (!(fault instanceof RevisionConflict)) throw fault;
          this.#dossiers.forget(id);
        }
      }
      throw new Contended('Ce dossier est très sollicité : proposez de nouveau dans un instant.');
    });
  }

  async #propose(
    caller: Caller,
    id: string,
    body: unknown,
    conditions: Conditions,
    ids: Identity,
    source: Source | undefined,
  ): Promise<Accepted> {
    const { dossier: before, seeing } = seenBy(caller, id, await this.#load(id));
    const { workflow, situation } = before;
    const raw = namedFact(workflow, body);
    let role = proposingRole(workflow, raw.fact, seeing);
    const proposal = readProposal(raw, source);
    let correction: Correction | undefined;
    if (isBesideTheMachine(raw.fact.type)) {
      // A correction lost to a conflict is read again with what came in between.
      correction = readCorrection(situation, proposal, await this.#dossiers.history(id, situation.revision), seeing);
      role = proposingRole(workflow, correction.fact, seeing, correction.why);
    }
    const { fact } = correction ?? raw;
    if (proposal.onBehalfOf) assertBehalf(workflow, fact, role, proposal.onBehalfOf, situation.summary);
    if (before.ids.has(ids.event)) return this.#remembered(before, ids.event, proposal, seeing);
    const { ifMatch } = conditions;
    if (ifMatch !== undefined && ![ifMatch].flat().includes(situation.revision))
      throw new RevisionMismatch(ifMatch, situation.revision);
    return this.#record(before, { caller, role, seeing, ...(correction ? { correction } : {}) }, proposal, ids);
  }

  /** What the caller may see of a dossier, as it stands now. @throws DossierNotFound */
  async disclose(caller: Caller, id: string): Promise<Disclosure> {
    const { dossier, seeing } = seenBy(caller, id, await this.#load(id));
    return this.#disclosed(dossier, caller, seeing);
  }

  /** What answers an accepted fact to who proposed it. */
  answer({ dossier, event, seeing }: Accepted, caller: Caller): Promise<Sealed<Advanced, Advanced>> {
    return this.#disclosed(dossier, caller, seeing).answer(event);
  }

  #disclosed(dossier: Dossier, caller: Caller, seeing: readonly string[]): Disclosure {
    const parts = { dossiers: this.#dossiers, directory: this.parts.directory, today: () => this.today() };
    return new Disclosure(dossier, caller, seeing, parts);
  }

  /**
   * What lists show of a dossier, whoever asks, as it stands at revision `atLeast` or later, which the journal has; null
   * when this build cannot read it, or there is none.
   * @throws JournalUnavailable
   */
  async summary(id: string, atLeast: number): Promise<Situation['summary'] | null> {
    try {
      let dossier = await this.#load(id);
      // What was just stored is held a moment later.
      for (let look = 0; look < LOOKS && dossier && dossier.situation.revision < atLeast; look++) {
        await setImmediate();
        dossier = await this.#load(id);
      }
      if (dossier && dossier.situation.revision < atLeast) dossier = await this.#dossiers.asOf(id, atLeast);
      return dossier?.situation.summary ?? null;
    } catch (fault) {
      if (fault instanceof HistoryUnreadable) return null;
      throw fault;
    }
  }

  /** Whether a dossier waits for the caller (`waiting=me`). */
  async waits(caller: Caller, id: string): Promise<boolean> {
    const { dossier, seeing } = seenBy(caller, id, await this.#load(id));
    const author = { iss: caller.iss, sub: caller.sub, role: seeing[0] as string };
    const hidden = hiddenMembers(dossier.workflow, seeing);
    return waitsFor(dossier.situation, { author, roles: seeing, hidden, today: this.today() });
  }

  /** Today in Europe/Paris. */
  today(): CalendarDate {
    return parisDate(this.parts.clock());
  }

  async #load(id: string): Promise<Dossier | null> {
    return UUID.test(id) ? this.#dossiers.load(id) : null;
  }

  /** One proposal at a time for one dossier: rivals in this process queue instead of undoing each other's work. */
  async #inTurn<T>(id: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(act, act);
    this.#turns.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    }
  }

  /** The first answer to a key again, rebuilt from the fact it led to. @throws KeyReused when the request differs */
  async #remembered(now: Dossier, eventId: string, proposal: Proposal, seeing: readonly string[]): Promise<Accepted> {
    const revision = now.ids.get(eventId)?.revision ?? 0;
    const event = await this.#storedAt(now.id, revision);
    const salt = event.salt ?? (await this.parts.directory.payload(eventId))?.salt;
    // An erased payload took its salt along: nothing is left to compare with, and the key alone speaks.
    const same =
      event.envelope.id === eventId && (salt === undefined || event.digest === requestDigest(salt, proposal));
    if (!same) throw new KeyReused({ dossier: now.id, revision });
    const dossier = revision === now.situation.revision ? now : await this.#dossiers.asOf(now.id, revision);
    if (!dossier) throw new DossierNotFound(now.id);
    return { dossier, event, seeing, remembered: true };
  }

  async #storedAt(id: string, revision: number): Promise<StoredEvent> {
    for await (const event of this.#dossiers.events(id, { from: revision, to: revision })) return event;
    throw new DossierNotFound(id);
  }

  async #record(
    before: Dossier,
    { caller, role, seeing, correction }: Proposer,
    proposal: Proposal,
    ids: Identity,
  ): Promise<Accepted> {
    const { clock, entropy } = this.parts;
    const instant = clock();
    const now: Circumstances = {
      id: ids.event,
      keyed: ids.keyed,
      salt: entropy.salt(),
      personSalt: entropy.salt(),
      ...(before.situation.revision < 0 ? { contextSalt: entropy.salt() } : {}),
      // Never before the previous fact, even when a clock was set back.
      recordedAt: latest(instant.toISOString(), before.last.recordedAt),
      today: parisDate(instant),
      role,
      lookups: await this.#lookUp(caller, correction?.putInPlace ?? proposal),
      erasable: correction?.erasable ?? proposal.fact.erasable === true,
      ...(correction?.target === undefined ? {} : { target: correction.target }),
    };
    const proposing = { proposal, caller, now };
    const fact = asHappening(before, proposing);
    const decideTelling = (hidden: ReadonlySet<string>, untold: (id: string) => boolean) =>
      correction
        ? decideBeside(before.situation, fact, {
            history: correction.history,
            today: now.today,
            find: this.#dossiers.find,
            untold,
            hidden,
          })
        : decide(before.situation, fact, now.today);
    const hidden = hiddenMembers(before.workflow, seeing);
    const decision = decideTelling(hidden, (id) => isWithheldFact(before, id, seeing));
    if (!decision.accepted) {
      const { state, reasons } = decision;
      const withoutRecord = () => {
        const redacted = decideTelling(confidentialMembers(before.workflow), (id) => isConfidentialFact(before, id));
        return redacted.accepted ? [] : redacted.reasons;
      };
      const reader = { author: fact.actor, roles: seeing, today: now.today };
      throw new Refused(
        before.workflow,
        proposal.fact,
        state,
        refusal(before, reader, fact.effectiveAt, reasons, withoutRecord),
      );
    }
    const event = await asEvent(this.parts, before, fact, decision, proposing);
    const { position } = await this.#append(before, event);
    if (this.#acknowledged === null || position > this.#acknowledged) this.#acknowledged = position;
    const stored = { ...event, position };
    if (ids.keyed && !this.parts.soleWriter && (await this.#isTwin(before.id, stored))) {
      const now = await this.#reload(before.id);
      if (now) return this.#remembered(now, ids.event, proposal, seeing);
    }
    const dossier = after(before, decision.next, stored);
    this.#dossiers.hold(dossier);
    return { dossier, event: stored, seeing, remembered: false };
  }

  /**
   * Whether another process stored this very proposal first: to the journal the same id is the same success, but salt
   * and instant are then the other's.
   */
  async #isTwin(id: string, { envelope, hash }: StoredEvent): Promise<boolean> {
    return (await this.#storedAt(id, envelope.revision)).hash !== hash;
  }

  #reload(id: string): Promise<Dossier | null> {
    this.#dossiers.forget(id);
    return this.#load(id);
  }

  /** Appends with the same id until the outcome is known: a retry of what was stored is the same success. */
  async #append({ id, situation: { revision } }: Dossier, event: NewEvent): Promise<{ position: bigint }> {
    const { journal, directory } = this.parts;
    let unknown: unknown;
    for (let attempt = 1; ; attempt++) {
      try {
        return await journal.append(event.envelope.stream, revision < 0 ? NO_STREAM : revision, [event]);
      } catch (fault) {
        if (fault instanceof OutcomeUnknown) unknown = fault;
        if (fault instanceof OutcomeUnknown && attempt < APPEND_ATTEMPTS) continue;
        if (fault instanceof RevisionConflict) {
          const stored = event.salt === undefined && (await this.#reload(id))?.ids.has(event.envelope.id);
          if (event.salt === undefined && !stored) await directory.drop(event.envelope.id);
          throw fault;
        }
        // Nothing was written, and nobody will come back for it: without a key the next attempt has another id.
        const isLost = unknown === undefined && event.digest === undefined;
        if (isLost && event.salt === undefined) await directory.drop(event.envelope.id);
        // It may be stored after all: whoever comes next, a retry with its key above all, must look.
        if (unknown !== undefined) this.#dossiers.forget(id);
        throw unknown ?? fault;
      }
    }
  }

  /** What is known of the dossiers that a fact names: one that the caller may not know of is as if there were none. */
  async #lookUp(
    caller: Caller,
    { fact, data }: { fact: Fact; data: Record<string, unknown> },
  ): Promise<Record<string, Lookup>> {
    const lookups: Record<string, Lookup> = {};
    for (const id of fact.lookups?.(data as never) ?? []) {
      const other = await this.#load(id);
      lookups[id] = other && mayName(caller, other) ? exposed(other) : null;
    }
    return lookups;
  }
}

/**
 * What a refusal tells this reader for these reasons; sealed as far as it rests on what is withheld from others, beside
 * `withoutRecord`, the reasons that do not.
 */
function refusal(
  dossier: Dossier,
  reader: Omit<Reader, 'hidden'>,
  effectiveAt: CalendarDate,
  reasons: readonly BrokenRule[],
  withoutRecord: () => readonly BrokenRule[],
): Sealed<Refusal, Refusal> {
  const { id, workflow, situation } = dossier;
  const seeing = reader.roles;
  const telling = (told: readonly BrokenRule[], hidden: ReadonlySet<string>, by = seeing): Refusal => ({
    reasons: toldDates(situation, toldReasons(workflow, told, hidden), effectiveAt, by),
    possible: possible(situation, { ...reader, hidden }),
  });
  const told = telling(reasons, hiddenMembers(workflow, seeing));
  const revisions = confidentialRevisions(dossier, seeing, 'history');
  if (revisions.length === 0) return new Sealed(told, null, () => told);
  const redacted = () => telling(withoutRecord(), confidentialMembers(workflow), []);
  const isSame = () => JSON.stringify(told) === JSON.stringify(redacted());
  return new Sealed(told, () => (isSame() ? null : { what: 'facts', dossier: id, seeing, revisions }), redacted);
}

function latest(one: string, other: string): string {
  return other > one ? other : one;
}

function mayName(caller: Caller, { workflow, situation }: Dossier): boolean {
  const isSeen = seeingRoles(workflow, caller, situation.summary).length > 0;
  return isSeen || workflow.isPublic?.(situation.snapshot.context as never) === true;
}

function exposed({ workflow, situation }: Dossier): Lookup {
  return { ...workflow.exposes?.(situation.snapshot.context as never), revision: situation.revision };
}
