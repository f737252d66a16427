import { type Caller, DossierNotFound, streamOf } from '@jalon/engine';
import { parisDate, type Recorder, type Shown, UUID } from '@jalon/flow';
import {
  askedOf,
  ChainedLog,
  type ChainedLogParts,
  type Directory,
  ERASURE_ASKED,
  eventAt,
  type Journal,
  type LogRecord,
  type StoredEvent,
  shownName,
  tailOf,
} from '@jalon/journal';
import { LRUCache } from 'lru-cache';
import { malformed } from './http.ts';
import { problemOf } from './problems.ts';
import { RefusedTokens } from './refused-tokens.ts';
import { TokenRefused } from './tokens.ts';

/** What a record says happened. */
const ACCESS_TYPES = {
  'acces.faits-lus': 'Faits confidentiels lus',
  'acces.faits-suivis': 'Faits confidentiels suivis',
  'acces.refuse': 'Accès refusé',
  'acces.exporte': 'Journal exporté',
  'acces.paquet-remis': 'Paquet de preuve remis',
  'acces.effacement-demande': 'Effacement demandé',
  'acces.efface': 'Effacement fait',
  'acces.cle-creee': 'Clé de signature créée',
  'acces.cle-remplacee': 'Clé de signature remplacée',
  'acces.jeton-refuse': 'Jeton refusé',
  'acces.journal-lu': 'Journal des accès lu',
  'acces.journal-verifie': 'Journal vérifié',
  'acces.agenda-ouvert': 'Jeton d’agenda délivré',
  'acces.agenda-revoque': 'Jeton d’agenda révoqué',
  'acces.webhook-regle': 'Webhook réglé',
  'acces.webhook-supprime': 'Webhook supprimé',
  'acces.webhooks-lus': 'Webhooks d’autres lus',
  'acces.secret-remplace': 'Secret d’un webhook remplacé',
  'acces.origine-fermee': 'Origine du journal fermée, une autre ouverte',
} as const;

export type AccessType = keyof typeof ACCESS_TYPES;

/** What was accessed, by which operation (`GET /api/dossiers/:id/facts`, `jalon erase`). */
export type AccessData = {
  operation: string;
  dossier?: string;
  /** Of the confidential facts that were shown: `3-5,9`. */
  revisions?: string;
  /** Name of the problem that was answered. */
  problem?: string;
  [detail: string]: unknown;
};

/** A request as far as it is recorded. */
export type AccessRequest = {
  id: string;
  /** Where it comes from, as trusted proxies say. */
  ip: string;
  method: string;
  params: unknown;
  caller: Caller | null;
  routeOptions: { url?: string | undefined };
};

/** Who asks, and in which request. */
type Asking = Pick<AccessRequest, 'id' | 'caller'>;

/** What the answer to a proposal shows: facts, and the one that was proposed. */
type Answered = Extract<Shown, { what: 'facts' }> & { own: number };

/** A record that stands for the answers that follow it, and the facts that it stands for. */
type Standing = { recorded: Promise<void>; covered: Set<number> };

/** Which records are wanted: of a dossier, of days (Europe/Paris, inclusive). */
export type AccessQuery = { dossier?: string; from?: string; to?: string; cursor?: string; limit: number };

/** A page of records, oldest first. It may be short, or empty, and still have a next one: so much is looked at at once. */
export type AccessPage = { items: object[]; next?: string };

type Parts = Omit<ChainedLogParts, 'streamOf' | 'dateOf' | 'beforeFirst' | 'journal' | 'directory'> & {
  journal: Journal;
  directory: Directory;
  /** Name of this node. */
  node: string;
};

/** Which streams there are: a stream cannot be found by the beginning of its name. */
const REGISTER = 'acces-registre';
const OPENED = 'acces.flux-ouvert';

/** The same read by the same person is recorded once in so long: a record stands for those that follow within a minute. */
const SAME_MS = 60_000;
const SAME_HELD = 5_000;

/** How many records one request looks at. */
const LOOKED_AT = 5_000;

/**
 * The log of accesses: who read what is withheld from others, who was denied, what was exported or erased. It is chained
 * as facts are, in a stream a month and node, outside the dossiers. A record is durable before what it is about is answered.
 */
export class Accesses {
  readonly #log: ChainedLog;
  readonly #register: ChainedLog;
  /** Erasures asked for, by the fact that they are about, as far as the log was read for them. */
  readonly #erasures = { events: new Map<string, StoredEvent>(), until: null as bigint | null };
  readonly #refusedTokens: RefusedTokens;
  readonly #owed: LogRecord[] = [];
  readonly #recent = new LRUCache<string, Promise<void>>({ max: SAME_HELD, ttl: SAME_MS });
  readonly #answers = new LRUCache<string, Standing>({ max: SAME_HELD, ttl: SAME_MS });

  constructor(private readonly parts: Parts) {
    const { node } = parts;
    const dateOf = parisDate;
    this.#refusedTokens = new RefusedTokens((...record) => this.record(...record), parts.clock);
    this.#register = new ChainedLog({ ...parts, dateOf, streamOf: () => REGISTER });
    this.#log = new ChainedLog({
      ...parts,
      dateOf,
      streamOf: (date) => `acces-${date.slice(0, 7)}-${node}`,
      beforeFirst: (stream) => this.#registered(stream),
    });
  }

  async #lookForErasures(): Promise<void> {
    const { events, until } = this.#erasures;
    for await (const page of this.parts.journal.readAll(until, { prefixes: ['acces-'] })) {
      for (const event of page) {
        const { fait } = event.data;
        const isErasure = event.envelope.type === ERASURE_ASKED && event.fault === undefined;
        if (isErasure && typeof fait === 'string') events.set(fait, event);
      }
      this.#erasures.until = page.at(-1)?.position ?? this.#erasures.until;
    }
  }

  /**
   * What opens for the caller of a request what is sealed; `caller` is whose token it is where that is none of a request.
   * What it throws (JournalUnavailable) keeps the seal.
   */
  recorder(request: AccessRequest, caller = request.caller): Recorder {
    const asking = { id: request.id, caller };
    const operation = operationOf(request);
    return (shown) => this.#recordShown(asking, operation, shown);
  }

  async #recordShown(asking: Asking, operation: string, shown: Shown): Promise<void> {
    if (shown.what === 'following')
      return this.#once('acces.faits-suivis', asking, shown.role, { operation, ...shown.selection });
    if (shown.what === 'lines') return this.#lines(asking, operation, shown);
    const { dossier, seeing } = shown;
    const role = seeing[0] as string;
    if (shown.what === 'bundle') {
      const data = { operation, dossier, revision: shown.revision };
      return this.record('acces.paquet-remis', actorOf(asking, role), data, asking.id);
    }
    const key = `${operation}\n${dossier}\n${role}\n${identity(asking.caller as Caller)}`;
    if (shown.own !== undefined) return this.#answered(asking, { operation, dossier }, shown as Answered, key);
    const data = { operation, dossier, revisions: ranges(shown.revisions) };
    // Every read of a timeline passes here: its parts are plain, and told apart by what none of them holds.
    return this.#once('acces.faits-lus', asking, role, data, `${key}\n${data.revisions}`);
  }

  /**
   * What answers a proposal shows all that is confidential so far. The fact itself says who knows it, and needs no record.
   * Within a minute a record stands for the next answers to the same person too, as long as only facts that they recorded
   * meanwhile have come to it.
   */
  async #answered(asking: Asking, about: AccessData, { revisions, seeing, own }: Answered, key: string): Promise<void> {
    let standing = this.#answers.get(key);
    if (!standing || !revisions.every((revision) => revision === own || standing?.covered.has(revision))) {
      const data = { ...about, revisions: ranges(revisions) };
      const isOwn = revisions.every((revision) => revision === own);
      const recorded = isOwn
        ? Promise.resolve()
        : this.record('acces.faits-lus', actorOf(asking, seeing[0] as string), data, asking.id);
      standing = { recorded, covered: new Set(revisions) };
      this.#answers.set(key, standing);
    }
    standing.covered.add(own);
    await this.#orForgotten(this.#answers, key, standing, standing.recorded);
  }

  /** The record by which it was asked that the payload of a fact be destroyed; null when nobody did. @throws JournalUnavailable */
  async erasureOf(fact: string): Promise<StoredEvent | null> {
    if (!this.#erasures.events.has(fact)) await this.#lookForErasures();
    return this.#erasures.events.get(fact) ?? null;
  }

  /** One record for each dossier. */
  async #lines(asking: Asking, operation: string, { member, lines }: Extract<Shown, { what: 'lines' }>): Promise<void> {
    const role = asking.caller?.roles[0] ?? 'aucun';
    const records = [...new Set(lines.map(({ dossier }) => dossier))].map((dossier) => {
      const own = lines.filter((one) => one.dossier === dossier).map(({ line }) => line);
      return this.#once('acces.faits-lus', asking, role, { operation, dossier, [member]: own });
    });
    await Promise.all(records);
  }

  /**
   * Records what was thrown while answering, when it is a denial: a token that is refused, a 403, or a 404 of a dossier that
   * is there and not to be seen by the caller. @throws JournalUnavailable
   */
  async refused(request: AccessRequest, thrown: unknown): Promise<void> {
    if (thrown instanceof TokenRefused) {
      const data = { operation: operationOf(request), cause: thrown.message, ...thrown.about };
      return this.#refusedTokens.told(request, data);
    }
    if (!request.caller) return;
    const { status, type } = problemOf(thrown);
    if (status === 403) await this.#denied(request, type, dossierOf(request));
    else if (thrown instanceof DossierNotFound && (await eventAt(this.parts.journal, streamOf(thrown.id), 0)))
      await this.#denied(request, type, thrown.id);
  }

  async #denied(request: AccessRequest, problem: string, dossier: string | undefined): Promise<void> {
    const role = request.caller?.roles[0] ?? 'aucun';
    const data = { operation: operationOf(request), problem, ...(dossier === undefined ? {} : { dossier }) };
    await this.#once('acces.refuse', request, role, data);
  }

  /** Records what the caller of a request does beside dossiers. @throws JournalUnavailable: then it must not be done */
  async done(request: AccessRequest, type: AccessType, data: Record<string, unknown>): Promise<void> {
    const actor = actorOf(request, request.caller?.roles[0] ?? 'aucun');
    await this.record(type, actor, { operation: operationOf(request), ...data }, request.id);
  }

  /** Records what the caller of a request is about to read beside dossiers. @throws JournalUnavailable: then it must not be */
  async readBeside(request: AccessRequest, type: AccessType, data: Record<string, unknown>): Promise<void> {
    const role = request.caller?.roles[0] ?? 'aucun';
    await this.#once(type, request, role, { operation: operationOf(request), ...data });
  }

  /** Records an act that is none of the two. @throws JournalUnavailable: then it must not be done */
  async record(type: AccessType, actor: LogRecord['actor'], data: AccessData, request?: string): Promise<void> {
    await this.#settle();
    await this.#log.record({ type, actor, data, correlationId: request ?? this.parts.entropy.uuid() });
  }

  /** What happened by itself is recorded before the next access is, or before the log is read: nothing may wait for it. */
  owe(type: AccessType, actor: LogRecord['actor'], data: AccessData): void {
    this.#owed.push({ type, actor, data, correlationId: this.parts.entropy.uuid() });
  }

  async #settle(): Promise<void> {
    for (let owed = this.#owed.shift(); owed; owed = this.#owed.shift()) {
      try {
        await this.#log.record(owed);
      } catch (fault) {
        this.#owed.unshift(owed);
        throw fault;
      }
    }
  }

  /** A page of the log. @throws ProblemRaised 400 for a cursor that it did not give; JournalUnavailable */
  async page({ dossier, from = '', to = '9999-12-31', cursor, limit }: AccessQuery): Promise<AccessPage> {
    await this.#settle();
    const streams = await this.#streams();
    const place = cursor === undefined ? { month: from.slice(0, 7), next: {} } : placeOf(cursor);
    const months = [...new Set(streams.map(monthOf))].sort();
    const found: StoredEvent[] = [];
    let lookedAt = 0;
    for (const month of months.filter((each) => each >= place.month && each <= to.slice(0, 7))) {
      const next: Record<string, number> = month === place.month ? { ...place.next } : {};
      for (const stream of streams.filter((each) => monthOf(each) === month))
        next[stream] ??= await firstOn(this.parts.journal, stream, from);
      for await (const event of merged(this.parts.journal, next)) {
        if (found.length === limit || lookedAt === LOOKED_AT)
          return { items: await this.#shown(found), next: cursorOf({ month, next }) };
        lookedAt += 1;
        const { stream, revision, effectiveAt } = event.envelope;
        next[stream] = revision + 1;
        if (effectiveAt < from || effectiveAt > to || (dossier !== undefined && event.data.dossier !== dossier))
          continue;
        found.push(event);
      }
    }
    return { items: await this.#shown(found) };
  }

  async #once(
    type: AccessType,
    request: Asking,
    role: string,
    data: AccessData,
    key = JSON.stringify([type, role, data, identity(request.caller as Caller)]),
  ): Promise<void> {
    let recorded = this.#recent.get(key);
    if (!recorded) {
      recorded = this.record(type, actorOf(request, role), data, request.id);
      this.#recent.set(key, recorded);
    }
    await this.#orForgotten(this.#recent, key, recorded, recorded);
  }

  /** What failed to be recorded stands for nothing. */
  async #orForgotten<T extends object>(held: LRUCache<string, T>, key: string, value: T, recorded: Promise<void>) {
    try {
      await recorded;
    } catch (fault) {
      if (held.peek(key) === value) held.delete(key);
      throw fault;
    }
  }

  async #registered(stream: string): Promise<void> {
    if ((await this.#streams()).includes(stream)) return;
    const actor = { iss: 'urn:jalon:noeud', sub: this.parts.node, role: 'systeme' };
    await this.#register.record({ type: OPENED, actor, data: { stream }, correlationId: this.parts.entropy.uuid() });
  }

  async #streams(): Promise<string[]> {
    const streams: string[] = [];
    for await (const page of this.parts.journal.read(REGISTER))
      for (const { data } of page) streams.push(String(data.stream));
    return [...new Set(streams)];
  }

  async #shown(events: readonly StoredEvent[]): Promise<object[]> {
    const disclosed = await this.parts.directory.disclose(askedOf(events));
    return events.map(({ envelope, hash, data, position }) => {
      const { id, stream, revision, type, effectiveAt, recordedAt, dataHash, correlationId, software } = envelope;
      const { name, ...actor } = envelope.actor;
      const nom = name === undefined ? {} : { nom: shownName(disclosed.name(actor.iss, actor.sub, name)) };
      const label = ACCESS_TYPES[type as AccessType] ?? type;
      const meta = { stream, dataHash, correlationId, software, previousHash: envelope.previousHash, hash };
      const when = { effectiveAt, recordedAt };
      return {
        id,
        type,
        label,
        revision,
        position: String(position),
        ...when,
        actor: { ...actor, ...nom },
        data,
        meta,
      };
    });
  }
}

/** The caller of a request as the log keeps it. */
function actorOf(request: Pick<Asking, 'caller'>, role: string): LogRecord['actor'] {
  const { iss, sub, org, name } = request.caller as Caller;
  return { iss, sub, role, ...(org === undefined ? {} : { org }), ...(name === undefined ? {} : { nom: name }) };
}

/** Who acts by the command line: whoever may open the data folder. */
export const OPERATOR: LogRecord['actor'] = {
  iss: 'urn:jalon:exploitation',
  sub: 'ligne-de-commande',
  role: 'administrateur',
};

/** The route that a request took, without what is particular to it. */
function operationOf({ method, routeOptions }: AccessRequest): string {
  return `${method} ${routeOptions.url ?? ''}`;
}

/** The dossier that the address of a request names. */
function dossierOf({ params, routeOptions }: AccessRequest): string | undefined {
  const { id } = params as { id?: string };
  return routeOptions.url?.startsWith('/api/dossiers/:id') && id !== undefined && UUID.test(id) ? id : undefined;
}

const identities = new WeakMap<Caller, string>();

/** Who a caller is, as one text. A caller is the same object as long as its token is remembered. */
function identity(caller: Caller): string {
  let text = identities.get(caller);
  if (text === undefined) {
    text = JSON.stringify([caller.iss, caller.sub]);
    identities.set(caller, text);
  }
  return text;
}

const rangesOf = new WeakMap<readonly number[], string>();

/** Numbers in order, as `3-5,9`; remembered for as long as whoever keeps the numbers does. */
function ranges(numbers: readonly number[]): string {
  let text = rangesOf.get(numbers);
  if (text === undefined) {
    text = rangesIn(numbers);
    rangesOf.set(numbers, text);
  }
  return text;
}

function rangesIn(numbers: readonly number[]): string {
  const texts: string[] = [];
  for (let start = 0; start < numbers.length; ) {
    let end = start;
    while (numbers[end + 1] === (numbers[end] as number) + 1) end += 1;
    texts.push(start === end ? String(numbers[start]) : `${numbers[start]}-${numbers[end]}`);
    start = end + 1;
  }
  return texts.join();
}

function monthOf(stream: string): string {
  return stream.slice('acces-'.length, 'acces-'.length + 7);
}

/** The revision of the first record of a day or later; dates never decrease within a stream. */
async function firstOn(journal: Journal, stream: string, date: string): Promise<number> {
  if (date === '') return 0;
  let first = 0;
  let beyond = ((await tailOf(journal, stream))?.envelope.revision ?? -1) + 1;
  while (first < beyond) {
    const middle = Math.floor((first + beyond) / 2);
    const event = await eventAt(journal, stream, middle);
    if (event && event.envelope.effectiveAt < date) first = middle + 1;
    else beyond = middle;
  }
  return first;
}

/** The events of some streams, each from a revision on, in the order of the whole log. */
async function* merged(journal: Journal, from: Readonly<Record<string, number>>): AsyncGenerator<StoredEvent> {
  const sources = Object.entries(from).map(([stream, revision]) => eventsOf(journal, stream, revision));
  const heads = await Promise.all(sources.map((source) => source.next()));
  for (;;) {
    let least = -1;
    for (const [i, head] of heads.entries())
      if (
        !head.done &&
        (least < 0 || head.value.position < (heads[least] as IteratorYieldResult<StoredEvent>).value.position)
      )
        least = i;
    if (least < 0) return;
    yield (heads[least] as IteratorYieldResult<StoredEvent>).value;
    heads[least] = await (sources[least] as AsyncGenerator<StoredEvent, void>).next();
  }
}

async function* eventsOf(journal: Journal, stream: string, from: number): AsyncGenerator<StoredEvent, void> {
  for await (const page of journal.read(stream, { from })) yield* page;
}

/** Where a page ended: the month, and the next revision of each of its streams. */
type Place = { month: string; next: Record<string, number> };

function cursorOf({ month, next }: Place): string {
  return Buffer.from(JSON.stringify([month, next])).toString('base64url');
}

/** A stream of accesses: no other is read by a cursor, whoever made it. */
const STREAM = /^acces-\d{4}-\d{2}-[\w-]+$/;

function placeOf(cursor: string): Place {
  try {
    const [month, next] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const revisions: unknown[] = Object.values(next);
    if (
      /^\d{4}-\d{2}$/.test(month) &&
      Object.keys(next).every((stream) => STREAM.test(stream)) &&
      revisions.every((each) => Number.isSafeInteger(each) && Number(each) >= 0)
    )
      return { month, next };
  } catch {
    // Said below: it is no cursor of ours.
  }
  throw malformed('cursor est donné par « next », pour la même recherche.');
}
