import { type Catalogue, isBesideTheMachine, type PublishedWorkflow } from '@jalon/flow';
import { giveWay, type JournalReader, jsonLine, type StoredEvent } from '@jalon/journal';
import { LRUCache } from 'lru-cache';
import { type CloudEvent, toCloudEvent } from './cloud-event.ts';
import { cursorOf, type Place, placeAfter } from './cursor.ts';
import { DECLARED_REMINDER, type DeclaredFact, DOSSIERS, REMINDER, REMINDERS, type ReminderData } from './declared.ts';
import { Lineage } from './lineage.ts';

/** What lists show of a dossier, by which its parties are known. */
export type Summary = Readonly<Record<string, string>>;

/**
 * The summary of a dossier as it stands, at the given revision or later; null when there is no such dossier, or none that
 * this build can read.
 */
export type SummaryOf = (dossier: string, atLeast: number) => Promise<Summary | null>;

/** Whose dossier it is, as it stands now: shared by all its departures, and brought up to date as facts come. */
type Parties = { summary: Summary; known: Promise<void> | undefined };

/** What a stored event says to those who receive it. */
type Meaning = {
  /** Id of the dossier. */
  dossier: string;
  workflow: PublishedWorkflow | undefined;
  jalon: string | undefined;
  /**
   * What is declared of it, then of what it corrects…, the last being what it is about in the end; empty when this build
   * does not know.
   */
  declared: readonly DeclaredFact[];
};

/** A fact on its way out, read once for all who get it. Its texts are written when first asked for, and kept. */
export class Departure {
  readonly place: Place;
  readonly id: string;
  readonly stream: string;
  readonly revision: number;
  readonly type: string;
  #cursor: string | undefined;
  #sealed: string | undefined;
  #event: StoredEvent | null;
  #cloudEvent: CloudEvent | undefined;
  readonly #written = new Map<Numbering, Outgoing>();

  constructor(
    event: StoredEvent,
    before: bigint | null,
    private readonly base: string,
    private readonly meaning: Meaning,
    /** Absent unless somebody's right depends on it. */
    private readonly parties: Parties | undefined,
    private readonly seal: (cursor: string) => string,
  ) {
    const { id, stream, revision, type } = event.envelope;
    this.place = placeAfter(event, before);
    this.#event = event;
    this.id = id;
    this.stream = stream;
    this.revision = revision;
    this.type = type;
  }

  /** Id of the dossier. */
  get dossier(): string {
    return this.meaning.dossier;
  }

  get workflow(): PublishedWorkflow | undefined {
    return this.meaning.workflow;
  }

  /** The milestone that it crosses, or that the fact crosses which it corrects. */
  get jalon(): string | undefined {
    return this.meaning.jalon;
  }

  /** The fact whose visibility it shares: itself, or for a correction what it touches in the end. */
  get about(): DeclaredFact | undefined {
    return this.meaning.declared.at(-1);
  }

  /** The summary of its dossier as it now stands; empty unless somebody's right depends on it. */
  get summary(): Summary {
    return this.parties?.summary ?? NOTHING;
  }

  get position(): bigint {
    return this.place.position;
  }

  get cursor(): string {
    this.#cursor ??= cursorOf(this.place);
    return this.#cursor;
  }

  /** Its texts for who is told the places of facts in their dossiers, or for who is not. */
  as(numbering: Numbering): Outgoing {
    let written = this.#written.get(numbering);
    if (!written) {
      this.#cloudEvent ??= toCloudEvent(this.#event as StoredEvent, { base: this.base, ...this.meaning });
      this.#event = null;
      const { revision: _, ...unnumbered } = this.#cloudEvent;
      written = new Outgoing(jsonLine(numbering === 'numbered' ? this.#cloudEvent : unnumbered), this);
      this.#written.set(numbering, written);
    }
    return written;
  }

  /** What names it in an event stream. */
  get sealed(): string {
    this.#sealed ??= this.seal(this.cursor);
    return this.#sealed;
  }
}

type Numbering = 'numbered' | 'unnumbered';

/** A departure as some get it: its CloudEvent as JSON on one line, and its event of an event stream. */
export class Outgoing {
  #frame: string | undefined;

  constructor(
    readonly json: string,
    private readonly departure: Pick<Departure, 'type' | 'sealed'>,
  ) {}

  /** The event of an event stream (WHATWG HTML, server-sent events). */
  get frame(): string {
    const { type, sealed } = this.departure;
    this.#frame ??= `id: ${sealed}\nevent: ${type}\ndata: ${this.json}\n\n`;
    return this.#frame;
  }
}

const NOTHING: Summary = {};

/** What departures are made with. */
export type DepartureParts = {
  catalogue: Catalogue;
  journal: Pick<JournalReader, 'read'>;
  summaryOf: SummaryOf;
  /** Makes a cursor that may leave, which tells nothing of what it names. */
  seal: (cursor: string) => string;
  /** Address under which clients reach the server, without a slash at its end. */
  base: string;
};

/** Dossiers whose parties are remembered. */
const REMEMBERED = 20_000;

/** Makes departures of stored events: what is declared of them, and whose dossier it is. */
export class Departures {
  readonly #workflows = new Map<string, PublishedWorkflow | undefined>();
  readonly #parties = new LRUCache<string, Parties>({ max: REMEMBERED });
  readonly #lineage: Lineage;

  constructor(private readonly parts: DepartureParts) {
    this.#lineage = new Lineage(parts.journal);
  }

  /**
   * Departures of consecutive events, of which the first follows `before`. With `parties`, each knows whose dossier it is.
   * `fresh` events were just recorded, in this order: what is remembered of a dossier's parties follows them.
   * @throws JournalUnavailable
   */
  async of(
    events: readonly StoredEvent[],
    before: bigint | null,
    { parties, fresh = false }: { parties: boolean; fresh?: boolean },
  ): Promise<Departure[]> {
    const made: Departure[] = [];
    let previous = before;
    for (const event of events) {
      // Whoever listens is told of what is acknowledged as soon as it is.
      if (!fresh) await giveWay();
      const isReminder = event.envelope.stream.startsWith(REMINDERS);
      const meaning = isReminder ? this.#reminderMeaning(event) : await this.#meaningOf(event);
      const changed = fresh && !isReminder && mayChangeParties(event, meaning.declared[0]);
      const atLeast = isReminder ? 0 : event.envelope.revision;
      const whose = parties ? await this.#partiesOf(meaning.dossier, atLeast, changed) : undefined;
      made.push(new Departure(event, previous, this.parts.base, meaning, whose, this.parts.seal));
      previous = event.position;
    }
    return made;
  }

  /** The departure of a fact that is stored there; null when none is. @throws JournalUnavailable */
  async at(stream: string, revision: number): Promise<Departure | null> {
    for await (const [event] of this.parts.journal.read(stream, { from: revision, to: revision }))
      if (event) return (await this.of([event], null, { parties: true }))[0] ?? null;
    return null;
  }

  /** Forgets what was remembered, since nobody will take note of changes from now on. */
  forget(): void {
    this.#parties.clear();
    this.#lineage.forget();
  }

  async #partiesOf(dossier: string, atLeast: number, changed: boolean): Promise<Parties> {
    const parties = this.#parties.get(dossier) ?? { summary: NOTHING, known: undefined };
    this.#parties.set(dossier, parties);
    if (changed || !parties.known) {
      const known = this.parts.summaryOf(dossier, atLeast).then((summary) => {
        if (parties.known === known) parties.summary = summary ?? NOTHING;
      });
      parties.known = known;
    }
    try {
      await parties.known;
      return parties;
    } catch (error) {
      parties.known = undefined;
      throw error;
    }
  }

  async #meaningOf(event: StoredEvent): Promise<Meaning> {
    const { stream, workflow: pinned, target, crosses } = event.envelope;
    const workflow = this.#workflow(pinned);
    if (!isWhole(event, workflow))
      return { dossier: stream.slice(DOSSIERS.length), workflow, jalon: undefined, declared: [] };
    const targets = target === undefined ? [] : await this.#lineage.of(event);
    const declared = [event.envelope, ...targets].map(({ type }) => workflow?.facts.get(type));
    const root = targets.at(-1);
    const whole = target === undefined || (root !== undefined && root.target === undefined);
    const known = whole && declared.every((each) => each !== undefined);
    return {
      dossier: stream.slice(DOSSIERS.length),
      workflow,
      jalon: crosses ?? root?.crosses,
      declared: known ? (declared as DeclaredFact[]) : [],
    };
  }

  /** A reminder is about the fact that set the deadline. */
  #reminderMeaning({ envelope, data, salt }: StoredEvent): Meaning {
    const { dossier = '', workflow: named, type = '' } = data as Partial<ReminderData>;
    const workflow = this.#workflow(named);
    const about = workflow?.facts.get(type);
    // Without its salt it was changed: nothing of a reminder can be erased.
    const declared = envelope.type === REMINDER && about && salt ? [DECLARED_REMINDER, about] : [];
    return { dossier, workflow, jalon: undefined, declared };
  }

  #workflow(pinned: { name: string; version: number } | undefined): PublishedWorkflow | undefined {
    if (!pinned) return undefined;
    const key = `${pinned.name} ${pinned.version}`;
    if (!this.#workflows.has(key)) this.#workflows.set(key, this.parts.catalogue.find(pinned.name, pinned.version));
    return this.#workflows.get(key);
  }
}

/** Whether an event holds what was recorded: what was changed is nobody's to receive. */
function isWhole({ envelope, salt, fault }: StoredEvent, workflow: PublishedWorkflow | undefined): boolean {
  const { type, target } = envelope;
  const mayBeElsewhere = target !== undefined || workflow?.facts.get(type)?.erasable === true;
  return fault === undefined && (salt !== undefined || mayBeElsewhere);
}

/** Whether an event that was just recorded may have changed whose dossier it is. */
function mayChangeParties({ envelope }: StoredEvent, declared: DeclaredFact | undefined): boolean {
  return !declared || declared.summary !== undefined || isBesideTheMachine(envelope.type);
}
