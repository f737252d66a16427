import { setImmediate } from 'node:timers/promises';
import {
  type CalendarDate,
  type Catalogue,
  decide,
  decideBeside,
  type Fact,
  hiddenMembers,
  isBesideTheMachine,
  type Lookup,
  type PublishedWorkflow,
  parisDate,
  possible,
  type Situation,
  summaryOf,
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
import { after, blank, type Dossier, Dossiers } from './dossiers.ts';
import {
  Contended,
  DossierNotFound,
  HistoryUnreadable,
  InvalidProposal,
  KeyReused,
  Refused,
  RevisionMismatch,
} from './faults.ts';
import { type Conditions, type Entropy, type Identity, proposalIds } from './identity.ts';
import { type PastMoment, type PastView, pastSituation, pastView, replay } from './past.ts';
import { namedFact, type Proposal, readOpening, readProposal } from './proposal.ts';
import { asEvent, asHappening, type Circumstances, requestDigest } from './record.ts';
import {
  confidentialRevisions,
  type DossierView,
  dossierView,
  type FactView,
  factViews,
  isWithheldFact,
} from './views.ts';

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

/** What a caller is shown that others are not: by which roles, and which facts. */
export type Confidential = { seeing: readonly string[]; revisions: number[] };

/** A fact of a replay, and where it left the dossier. */
export type ReplayedStep = PastView & { event: FactView };

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
      correction = readCorrection(workflow, proposal, await this.#dossiers.history(id, situation.revision), seeing);
      role = proposingRole(workflow, correction.fact, seeing, correction.restsOn);
    }
    const { fact } = correction ?? raw;
    if (proposal.onBehalfOf) assertBehalf(workflow, fact, role, proposal.onBehalfOf, situation.summary);
    if (before.ids.has(ids.event)) return this.#remembered(before, ids.event, proposal, seeing);
    const { ifMatch } = conditions;
    if (ifMatch !== undefined && ![ifMatch].flat().includes(situation.revision))
      throw new RevisionMismatch(ifMatch, situation.revision);
    return this.#record(before, { caller, role, seeing, ...(correction ? { correction } : {}) }, proposal, ids);
  }

  /** The dossier as the caller may see it. @throws DossierNotFound */
  async show(caller: Caller, id: string): Promise<DossierView> {
    const { dossier, seeing } = await this.see(caller, id);
    return this.view(dossier, caller, seeing);
  }

  /** The dossier and the roles by which the caller sees it. @throws DossierNotFound */
  async see(caller: Caller, id: string): Promise<{ dossier: Dossier; seeing: string[] }> {
    return seenBy(caller, id, await this.#load(id));
  }

  /** A dossier for one who sees it by these roles, as of now. */
  view(dossier: Dossier, caller: Caller, seeing: readonly string[]): DossierView {
    return dossierView(dossier, caller, seeing, this.today());
  }

  /** Facts of a dossier for one who sees it by these roles. */
  facts(dossier: Dossier, events: readonly StoredEvent[], seeing: readonly string[]): Promise<FactView[]> {
    return factViews(dossier, events, seeing, this.parts.directory);
  }

  /** The history after a revision (-1: from the first), oldest first, at most `limit` items. @throws DossierNotFound */
  async history(caller: Caller, id: string, afterRevision: number, limit: number): Promise<FactView[]> {
    const { dossier, seeing } = await this.see(caller, id);
    const items: FactView[] = [];
    const range = { from: afterRevision + 1, to: afterRevision + limit };
    const page: StoredEvent[] = [];
    for await (const event of this.#dossiers.events(id, range)) page.push(event);
    items.push(...(await this.facts(dossier, page, seeing)));
    return items;
  }

  /**
   * The revisions of a dossier's confidential facts that the caller is shown: those that the machine keeps something of,
   * with `erasables` all of them. @throws DossierNotFound
   */
  async confidential(caller: Caller, id: string, shown: { erasables: boolean }): Promise<Confidential> {
    const { dossier, seeing } = await this.see(caller, id);
    return { seeing, revisions: confidentialRevisions(dossier, seeing, shown) };
  }

  /** Where a dossier stood at a moment of its past, by replay. @throws DossierNotFound, MomentNotFound, HistoryUnreadable */
  async past(caller: Caller, id: string, moment: PastMoment): Promise<PastView> {
    const { seeing } = await this.see(caller, id);
    const reading = moment.corrected ? 'corrected' : 'recorded';
    return pastView(id, await pastSituation(this.#dossiers, id, moment), reading, seeing);
  }

  /** Each fact of a dossier with where it left it, for who may see it. @throws DossierNotFound before the first */
  async replay(caller: Caller, id: string): Promise<AsyncGenerator<ReplayedStep>> {
    const { dossier, seeing } = await this.see(caller, id);
    return this.#steps(id, seeing, dossier.situation.revision);
  }

  // No further than was known when it was asked for: who reads which facts is settled before the first one leaves.
  async *#steps(id: string, seeing: readonly string[], last: number): AsyncGenerator<ReplayedStep> {
    for await (const { event, dossier } of replay(this.#dossiers, id)) {
      if (event.envelope.revision > last) return;
      const [shown] = (await this.facts(dossier, [event], seeing)) as [FactView];
      yield { ...pastView(id, dossier.situation, 'recorded', seeing), event: shown };
    }
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
    const { dossier, seeing } = await this.see(caller, id);
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
    if (!same) throw new KeyReused();
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
      // Never before the previous fact, even when a clock was set back.
      recordedAt: latest(instant.toISOString(), before.last.recordedAt),
      today: parisDate(instant),
      role,
      lookups: await this.#lookUp(correction?.putInPlace ?? proposal),
      erasable: correction?.erasable ?? proposal.fact.erasable === true,
      ...(correction?.target === undefined ? {} : { target: correction.target }),
    };
    const proposing = { proposal, caller, now };
    const fact = asHappening(before, proposing);
    const hidden = hiddenMembers(before.workflow, seeing);
    const decision = correction
      ? decideBeside(before.situation, fact, {
          history: correction.history,
          today: now.today,
          find: this.#dossiers.find,
          untold: (id) => isWithheldFact(before, id, seeing),
          hidden,
        })
      : decide(before.situation, fact, now.today);
    if (!decision.accepted) {
      const reader = { author: fact.actor, roles: seeing, hidden, today: now.today };
      const checklist = possible(before.situation, reader);
      const reasons = toldReasons(before.workflow, decision.reasons, hidden);
      throw new Refused(before.workflow, proposal.fact, decision.state, reasons, checklist);
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

  async #lookUp({ fact, data }: { fact: Fact; data: Record<string, unknown> }): Promise<Record<string, Lookup>> {
    const lookups: Record<string, Lookup> = {};
    for (const id of fact.lookups?.(data as never) ?? []) {
      const other = await this.#load(id);
      lookups[id] = other && exposed(other.workflow, other);
    }
    return lookups;
  }
}

function latest(one: string, other: string): string {
  return other > one ? other : one;
}

function exposed({ exposes }: PublishedWorkflow, { situation }: Dossier): Lookup {
  return { ...exposes?.(situation.snapshot.context as never), revision: situation.revision };
}
