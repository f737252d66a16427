import { confidentialMembers, hiddenMembers, Sealed, type Shown } from '@jalon/flow';
import type { DirectoryReader, StoredEvent } from '@jalon/journal';
import type { Caller } from './caller.ts';
import type { Dossier, Dossiers } from './dossiers.ts';
import { difference, type PastMoment, type PastView, type Patch, pastSituation, pastView, replay } from './past.ts';
import {
  confidentialRevisions,
  type DossierView,
  dossierView,
  type FactView,
  factViews,
  isConfidentialFact,
  isWithheldFact,
} from './views.ts';

/** A fact of a replay, and where it left the dossier. */
export type ReplayedStep = PastView & { event: FactView };

/** What answers an accepted fact: the dossier as it left it, and the fact. */
export type Advanced = { view: DossierView; event: FactView };

/** The facts of a dossier as they are stored, and what of them is withheld from the reader. */
export type StoredFacts = {
  events: StoredEvent[];
  isWithheld: (event: StoredEvent) => boolean;
  /** Whether the reader may know the opening's salt of the context: nothing can be withheld from them. */
  isContextSaltTold: boolean;
};

/** Where a fact lies, whether it is withheld from the reader, and whether its payload lies in the directory. */
export type PlacedFact = { id: string; position: bigint; hash: string; isWithheld: boolean; isApart: boolean };

type Parts = { dossiers: Dossiers; directory: DirectoryReader; today: () => string };

/**
 * A dossier as it is disclosed to one reader in one request: loaded once, known up to one revision, every view taken from
 * it. What may show confidential facts is sealed.
 */
export class Disclosure {
  readonly #dossier: Dossier;
  readonly #parts: Parts;

  constructor(
    dossier: Dossier,
    private readonly reader: Caller,
    /** The roles by which the reader sees the dossier. */
    readonly seeing: readonly string[],
    parts: Parts,
  ) {
    this.#dossier = dossier;
    this.#parts = parts;
  }

  get id(): string {
    return this.#dossier.id;
  }

  /** The last revision that is known here. */
  get revision(): number {
    return this.#dossier.situation.revision;
  }

  /** Whether it has a fact of this id that is not withheld from the reader. */
  shows(id: string): boolean {
    return this.#dossier.ids.has(id) && !isWithheldFact(this.#dossier, id, this.seeing);
  }

  /** Where it is now, and what is possible. */
  view(): Sealed<DossierView> {
    const view = dossierView(this.#dossier, this.reader, this.seeing, this.#parts.today());
    return new Sealed(view, this.#facts('state'));
  }

  /** What answers a fact of its own that was just recorded. */
  async answer(event: StoredEvent): Promise<Sealed<Advanced, Advanced>> {
    const { id, revision } = event.envelope;
    const { directory } = this.#parts;
    const today = this.#parts.today();
    const dossier = this.#dossier;
    const view = dossierView(dossier, this.reader, this.seeing, today);
    const [shown] = (await factViews(dossier, [event], this.seeing, directory)) as [FactView];
    const isConfidential = isConfidentialFact(dossier, id);
    const revisions = confidentialRevisions(dossier, this.seeing, 'state');
    if (isConfidential && this.shows(id) && !revisions.includes(revision)) revisions.push(revision);
    const facts = this.#shown(revisions);
    return new Sealed({ view, event: shown }, facts && { ...facts, own: revision }, () => ({
      view: dossierView(dossier, this.reader, this.seeing, today, confidentialMembers(dossier.workflow)),
      event: isConfidential ? { revision, hash: event.hash, withheld: true } : shown,
    }));
  }

  /** The history after a revision (-1: from the first), oldest first, at most `limit` items. */
  async history(after: number, limit: number): Promise<Sealed<FactView[]>> {
    const to = Math.min(after + limit, this.revision);
    const events: StoredEvent[] = [];
    if (after < to)
      for await (const event of this.#parts.dossiers.events(this.id, { from: after + 1, to })) events.push(event);
    const items = await factViews(this.#dossier, events, this.seeing, this.#parts.directory);
    return new Sealed(items, this.#facts('history', { after, to }));
  }

  /** Where it stood at a moment of its past, by replay. @throws MomentNotFound, HistoryUnreadable */
  async past(moment: PastMoment): Promise<Sealed<PastView>> {
    const view = await this.#past(moment);
    // Later corrections tell of what they correct.
    return new Sealed(view, this.#facts('state', moment.corrected ? {} : { to: view.revision }));
  }

  /** What changed from one moment of its past to another. @throws MomentNotFound, HistoryUnreadable */
  async difference(from: PastMoment, to: PastMoment): Promise<Sealed<Patch>> {
    const before = await this.#past(from);
    const after = await this.#past(to);
    const last = from.corrected || to.corrected ? {} : { to: Math.max(before.revision, after.revision) };
    return new Sealed(difference(before, after), this.#facts('state', last));
  }

  /** Each of its facts with where that left it. @throws HistoryUnreadable as it is read */
  replay(): Sealed<AsyncGenerator<ReplayedStep>> {
    return new Sealed(this.#steps(), this.#facts('history'));
  }

  /** Its facts as they are stored, for who hands them over whole. @throws HistoryUnreadable */
  async stored(): Promise<Sealed<StoredFacts, PlacedFact[]>> {
    const events: StoredEvent[] = [];
    for await (const event of this.#parts.dossiers.events(this.id, { to: this.revision })) events.push(event);
    const isWithheld = ({ envelope }: StoredEvent) => isWithheldFact(this.#dossier, envelope.id, this.seeing);
    const { id: dossier, seeing, revision } = this;
    const isContextSaltTold = hiddenMembers(this.#dossier.workflow, seeing).size === 0;
    return new Sealed({ events, isWithheld, isContextSaltTold }, { what: 'bundle', dossier, seeing, revision }, () =>
      events.map((event) => ({
        id: event.envelope.id,
        position: event.position,
        hash: event.hash,
        isWithheld: isWithheld(event),
        isApart: event.salt === undefined,
      })),
    );
  }

  async #past(moment: PastMoment): Promise<PastView> {
    const situation = await pastSituation(this.#parts.dossiers, this.id, moment, this.revision);
    return pastView(this.id, situation, moment.corrected ? 'corrected' : 'recorded', this.seeing);
  }

  async *#steps(): AsyncGenerator<ReplayedStep> {
    for await (const { event, dossier } of replay(this.#parts.dossiers, this.id)) {
      if (event.envelope.revision > this.revision) return;
      const [shown] = (await factViews(this.#dossier, [event], this.seeing, this.#parts.directory)) as [FactView];
      yield { ...pastView(this.id, dossier.situation, 'recorded', this.seeing), event: shown };
    }
  }

  #facts(by: 'history' | 'state', { after = -1, to = this.revision } = {}) {
    const revisions = confidentialRevisions(this.#dossier, this.seeing, by);
    return this.#shown(revisions.filter((revision) => revision > after && revision <= to));
  }

  #shown(revisions: readonly number[]): Extract<Shown, { what: 'facts' }> | null {
    const { id: dossier, seeing } = this;
    return revisions.length === 0 ? null : { what: 'facts', dossier, seeing, revisions };
  }
}
