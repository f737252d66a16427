import type { FindWorkflow } from '@jalon/flow';
import {
  askedOf,
  ERASURE_ASKED,
  type ErasablePayload,
  Erasables,
  type Opening,
  type StoredEvent,
  saltedHash,
} from '@jalon/journal';
import { type Fault, HistoryCheck } from './history.ts';
import { checkOrder, type KeptOrder } from './kept-order.ts';
import { FactsInOrder, FactsMet } from './order.ts';

/** Where the facts of streams are read from: a folder, EventStoreDB, an archive. */
export type StreamSource = {
  /** The events of one stream, oldest first. */
  read(stream: string): AsyncIterable<StoredEvent[]>;
  /** Payload and salt of an erasable fact, null once destroyed; undefined when it cannot be asked. */
  payload(id: string): Promise<ErasablePayload | null | undefined>;
  /** What opens these commitments, as far as it is known; undefined when it cannot be asked. */
  openings(asked: { iss: string; sub: string; commitment: string }[]): Promise<Opening[] | undefined>;
};

/** The first thing that is wrong with a stream; `revision` is where it stands in it. */
export type StreamFault = { stream: string; revision: number; type: string; field: Fault['field']; says: string };

/** What was found in some streams. */
export type StreamsChecked = {
  streams: number;
  facts: number;
  faults: StreamFault[];
  /** Payloads and names that are not there any more, each once, to be compared with what somebody asked to be destroyed. */
  absent: Absent[];
  /** What somebody asked to be destroyed: keys as of `absent`. */
  erased: string[];
  /** What the order over all facts is made of, by `FactsMet`. */
  met: Uint8Array;
};

/** Where something is missing; `key` is the fact's id, or issuer and subject of the person, as JSON. */
export type Absent = StreamFault & { key: string };

/** Names whose commitment was checked are remembered, so many at most. */
const REMEMBERED = 20_000;

/**
 * Checks streams one after the other, up to a position: place, chain, hashes of envelopes, payloads and names, dates,
 * and replay under the pinned version.
 */
export class StreamsCheck {
  /** Commitments to names: whether what opens them is right, null where nothing does. */
  readonly #named = new Map<string, boolean | null>();
  #absent: Absent[] = [];
  #erased: string[] = [];

  constructor(
    private readonly source: StreamSource,
    private readonly find: FindWorkflow,
    private readonly until: bigint,
  ) {}

  async check(streams: readonly string[]): Promise<StreamsChecked> {
    const faults: StreamFault[] = [];
    const met = new FactsMet();
    this.#absent = [];
    this.#erased = [];
    for (const stream of streams) {
      const fault = await this.#stream(stream, met);
      if (fault) faults.push(fault);
    }
    const { length } = streams;
    return {
      streams: length,
      facts: met.count,
      faults,
      absent: this.#absent,
      erased: this.#erased,
      met: met.bytes(),
    };
  }

  async #stream(stream: string, met: FactsMet): Promise<StreamFault | null> {
    const history = new HistoryCheck(stream, this.find);
    const erasables = new Erasables(this.find);
    let first: StreamFault | null = null;
    let revision = 0;
    try {
      for await (const page of this.source.read(stream)) {
        if (!first) await this.#open(page);
        for (const event of page) {
          if (event.position > this.until) return first;
          met.add(event);
          // After the first fault only the tree is left to check.
          if (!first) {
            const [fault] = await this.#fact(history, erasables, event);
            if (fault) {
              const { type, field, says } = fault;
              first = { stream, revision, type, field, says };
            }
          }
          revision += 1;
        }
      }
    } catch (unreadable) {
      const says = `illisible : ${(unreadable as Error).message}`;
      first ??= { stream, revision, type: '', field: 'enveloppe', says };
    }
    return first;
  }

  async #fact(history: HistoryCheck, erasables: Erasables, event: StoredEvent): Promise<Omit<Fault, 'check'>[]> {
    const { envelope, hash, data, salt, contextSalt } = event;
    const { revision, type, stream } = envelope;
    const erasable = erasables.next(envelope) ?? false;
    const payload = erasable ? await this.source.payload(envelope.id) : salt === undefined ? null : { data, salt };
    const fault = saysOf(event, erasable);
    const faults = history.next({
      envelope,
      hash,
      erasable,
      ...(payload ? { payload } : {}),
      ...(contextSalt === undefined ? {} : { contextSalt }),
      ...(fault === null ? {} : { fault }),
    });
    if (faults.length > 0) return faults;
    const { stop } = history;
    // A build that cannot replay a history does not serve it: for a journal that is a fault.
    if (stop) return [{ revision, type, field: 'enveloppe', says: stop.says }];
    const absent = (key: string, field: Fault['field'], says: string) =>
      this.#absent.push({ key, stream, revision, type, field, says });
    if (payload === null) absent(envelope.id, 'data', "le contenu manque, et nul n'a demandé qu'il soit effacé");
    const { names } = askedOf([event]);
    for (const { commitment, iss, sub } of names) {
      const isRight = this.#named.get(commitment);
      if (isRight === false)
        return [{ revision, type, field: 'names', says: "le nom du répertoire n'est pas celui qui a été enregistré" }];
      if (isRight !== null) continue;
      absent(personKey(iss, sub), 'names', "un nom manque au répertoire, et nul n'a demandé qu'il soit effacé");
      this.#named.set(commitment, true);
    }
    if (type === ERASURE_ASKED && stream.startsWith(ACCESSES)) this.#erased.push(...erasedBy(data));
    return [];
  }

  /** Looks at the names of a page that were not met yet. */
  async #open(page: readonly StoredEvent[]): Promise<void> {
    const asked = askedOf(page).names.filter(({ commitment }) => !this.#named.has(commitment));
    if (asked.length === 0) return;
    if (this.#named.size > REMEMBERED) this.#named.clear();
    const openings = await this.source.openings(asked);
    // A directory that cannot be asked says nothing of what is in it.
    if (openings === undefined) return;
    for (const { commitment } of asked) this.#named.set(commitment, null);
    for (const { commitment, name, salt } of openings)
      this.#named.set(commitment, saltedHash(salt, name) === commitment);
  }
}

/** Streams of the log of accesses. */
const ACCESSES = 'acces-';

/** What is wrong with what lies beside an envelope, by what is declared of the fact and by nothing else; null: nothing. */
function saysOf({ salt, fault }: StoredEvent, erasable: boolean): string | null {
  if (erasable)
    return salt === undefined && fault === undefined ? null : 'un contenu effaçable se trouve au journal lui-même';
  if (fault !== undefined) return "le contenu n'a pas l'empreinte enregistrée";
  return salt === undefined ? 'le sel du contenu manque : rien ne le prouve, et il ne peut pas avoir été effacé' : null;
}

/** What a record of an erasure names, by the keys of what may be missing. */
function erasedBy({ fait, personne }: Record<string, unknown>): string[] {
  const { iss, sub } = (personne ?? {}) as { iss?: unknown; sub?: unknown };
  return [
    ...(typeof fait === 'string' ? [fait] : []),
    ...(typeof iss === 'string' && typeof sub === 'string' ? [personKey(iss, sub)] : []),
  ];
}

function personKey(iss: string, sub: string): string {
  return JSON.stringify([iss, sub]);
}

/** What checks some streams, in this thread or in another. */
export type Lane = { check(streams: readonly string[]): Promise<StreamsChecked> };

/** What a verification of a journal is made of. */
export type JournalVerification = {
  /** The name of every stream. */
  streams: Iterable<string> | AsyncIterable<string>;
  lanes: readonly Lane[];
  /** What is kept elsewhere of the order of its facts. */
  kept: KeptOrder;
  /** Whether positions count from 1 without a gap. */
  gapless: boolean;
  now: Date;
  /** Told from time to time. */
  say: (facts: number, streams: number) => void;
};

/** What was found of a journal. */
export type JournalReport = {
  ok: boolean;
  facts: number;
  streams: number;
  /** The first thing wrong of each stream that is at fault. */
  faults: StreamFault[];
  /** What is wrong with the journal as a whole, or with what stands on it: a checkpoint that does not hold, a read model. */
  whole: string[];
  /** Checkpoints that hold. */
  checkpoints: number;
  /** The size of the largest of them: how many facts it vouches for. */
  covered: number;
  /** Facts that no checkpoint covers, and that are young enough for that. */
  waiting: number;
};

/** Streams that a lane is given at once. */
const BATCH = 40;

/**
 * Verifies a whole journal: every stream, by as many lanes as there are, then the order over all of them, by the tree of
 * the checkpoints that were cut.
 */
export async function verifyJournal({
  streams,
  lanes,
  kept,
  gapless,
  now,
  say,
}: JournalVerification): Promise<JournalReport> {
  const faults: StreamFault[] = [];
  const pieces: Uint8Array[] = [];
  const absent: Absent[] = [];
  const erased = new Set<string>();
  let [facts, checked] = [0, 0];
  const batches = inBatches(streams);
  await Promise.all(
    lanes.map(async (lane) => {
      for (let next = await batches.next(); !next.done; next = await batches.next()) {
        const found = await lane.check(next.value);
        faults.push(...found.faults);
        pieces.push(found.met);
        absent.push(...found.absent);
        for (const key of found.erased) erased.add(key);
        facts += found.facts;
        checked += found.streams;
        say(facts, checked);
      }
    }),
  );
  for (const { key, ...fault } of absent) if (!erased.has(key)) faults.push(fault);
  faults.sort((a, b) => (a.stream < b.stream ? -1 : 1));
  const whole: string[] = [];
  const ordered = new FactsInOrder(pieces, facts);
  if (gapless) {
    const last = facts > 0 ? ordered.position(facts - 1) : 0n;
    const missing = last - BigInt(facts);
    if (missing > 0n) whole.push(`${missing} positions n'ont pas de fait : il a été ôté, ou ne peut être lu`);
  }
  const order = await checkOrder(ordered, kept, now);
  whole.push(...order.faults);
  return {
    ok: faults.length === 0 && whole.length === 0,
    facts,
    streams: checked,
    faults,
    whole,
    checkpoints: order.holding,
    covered: order.covered,
    waiting: order.waiting,
  };
}

async function* inBatches(streams: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string[]> {
  let batch: string[] = [];
  for await (const stream of streams) {
    batch.push(stream);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
