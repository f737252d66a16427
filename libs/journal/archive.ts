import { createHash } from 'node:crypto';
import type { FindWorkflow } from '@jalon/flow';
import { canonicalJson, sha256 } from './canonical.ts';
import { carryPayload, carryPerson } from './carry.ts';
import type { Directory, DirectoryReader, ErasablePayload, Person } from './directory.ts';
import { chainFault, dataHash, type Link, type NewEvent } from './envelope.ts';
import { ERASURE_ASKED, Erasables } from './erasable.ts';
import { type Journal, type JournalReader, NO_STREAM } from './journal.ts';

/** The number of the archive format. FORMAT.md describes it. */
const ARCHIVE = 1;

/** One line of an archive: what it is, then persons and erasable payloads, then events in global order, then the end. */
type Line =
  | { archive: number }
  | { person: Person }
  | { payload: ErasablePayload }
  | { event: NewEvent }
  | { end: End };

/** The last line: how much precedes it, and what had to be left out of a partial archive. */
type End = { events: number; digest: string; missing?: Missing[] };

/** From which revision on the events of a stream are missing, since one does not hold, and why. */
export type Missing = { stream: string; revision: number; says: string };

/** How an archive is written. */
export type Archiving = {
  say?: (events: number) => void;
  /** By which it is known whose payload may be absent. */
  find?: FindWorkflow;
  /** Leaves out what does not hold, and all that follows it in its stream, and says so; otherwise that is refused. */
  partial?: boolean;
  onMissing?: (missing: Missing) => void;
};

/** The file is no archive, is cut short, or holds an event that its chain does not; or the log holds something else. */
export class ArchiveRefused extends Error {
  override readonly name = 'ArchiveRefused';
}

/** What was moved. */
export type Moved = { events: number; persons: number; payloads: number };

/**
 * A whole log (every stream) and its directory as lines of canonical JSON, in the order in which they are to be written
 * elsewhere: the same log gives the same text, whatever store it lies in. Each event is checked as who reads it will.
 * What is appended meanwhile is left out: the archive ends at the tip as of its start.
 * @throws ArchiveRefused at an event that is not what was recorded, or whose predecessor is not there
 */
export async function* archiveOf(
  journal: JournalReader,
  directory: DirectoryReader,
  { say = () => undefined, find = NONE, partial = false, onMissing = () => undefined }: Archiving = {},
): AsyncGenerator<string> {
  const tip = await journal.tip();
  const line = (content: Line) => `${canonicalJson(content)}\n`;
  yield line({ archive: ARCHIVE });
  const check = new EventCheck(find);
  const missing: Missing[] = [];
  const leaveOut = (found: Missing) => {
    if (!partial) throw refused(found, ' « jalon export --partial » writes all that holds.');
    missing.push(found);
    onMissing(found);
  };
  // After the tip: a fact's person and payload are in the directory before the fact is in the log.
  for await (const person of directory.persons()) yield line({ person });
  for await (const payload of directory.payloads()) {
    check.holds(payload);
    yield line({ payload });
  }
  const digest = createHash('sha256');
  let events = 0;
  for await (const page of tip === null ? [] : journal.readAll(null)) {
    for (const { position, fault, ...event } of page) {
      const { stream, revision } = event.envelope;
      if (position > (tip as bigint) || missing.some((other) => other.stream === stream)) continue;
      const says = fault ?? check.faultOf(event);
      if (says !== null) {
        leaveOut({ stream, revision, says });
        continue;
      }
      digest.update(event.hash);
      events += 1;
      yield line({ event });
    }
    say(events);
    if ((page.at(-1)?.position ?? 0n) >= (tip as bigint)) break;
  }
  const lost = check.lost();
  if (lost !== null) leaveOut(lost);
  yield line({ end: { events, digest: digest.digest('hex'), ...(missing.length > 0 ? { missing } : {}) } });
}

function refused({ stream, revision, says }: Missing, then = ''): ArchiveRefused {
  return new ArchiveRefused(`Event ${revision} of ${stream} does not hold: ${says}.${then}`);
}

/** How procedures are found, by which it is known whose payload may be erased; none: nobody can tell. */
const NONE: FindWorkflow = () => undefined;

/** How an archive is read back. */
export type RestoreOptions = {
  say?: Restoring;
  /** By which it is known whose payload may be absent. */
  find?: FindWorkflow;
  /** Also an archive that says itself that something is missing. */
  partial?: boolean;
};

/** How far a restoration is: events of the archive that hold so far, then those that are in the log so far. */
export type Restoring = (what: 'checked' | 'there', events: number) => void;

/**
 * Writes an archive into a log and its directory, with ids, dates, order and hashes unchanged. `open` gives its lines each
 * time from the first: they are all checked, against their chains and against what the log holds, before anything is
 * written. After an interruption the same call goes on, and a log that holds all of it already, and more, is left as it is.
 * At the end the log is read back and compared.
 * @throws ArchiveRefused, DirectoryTaken, and what the journal throws
 */
export async function restore(
  open: () => AsyncIterable<string>,
  journal: Journal,
  directory: Directory,
  { say = () => undefined, find = NONE, partial = false }: RestoreOptions = {},
): Promise<Moved> {
  const { already, isMore } = await assertBegins(
    contents(open(), find, partial, (events) => say('checked', events)),
    journal,
  );
  const moved: Moved = { events: 0, persons: 0, payloads: 0 };
  // What was erased since must not come back.
  if (isMore) return moved;
  const digest = createHash('sha256');
  for await (const line of contents(open(), find, partial, (events) => say('there', events)))
    if ('person' in line) {
      await carryPerson(line.person, directory);
      moved.persons += 1;
    } else if ('payload' in line) {
      await carryPayload(line.payload, directory);
      moved.payloads += 1;
    } else if ('event' in line) {
      const { event } = line;
      const { stream, revision } = event.envelope;
      if (moved.events >= already) await journal.append(stream, revision === 0 ? NO_STREAM : revision - 1, [event]);
      digest.update(event.hash);
      moved.events += 1;
    }
  await assertSame(journal, moved.events, digest.digest('hex'));
  return moved;
}

/** The lines of an archive, each checked; the last one says that there were no others. @throws ArchiveRefused */
async function* contents(
  lines: AsyncIterable<string>,
  find: FindWorkflow,
  partial: boolean,
  say: (events: number) => void,
): AsyncGenerator<Line> {
  const check = new EventCheck(find);
  const digest = createHash('sha256');
  let events = 0;
  let end: End | undefined;
  let first = true;
  for await (const text of lines) {
    if (text === '') continue;
    const line = parsed(text);
    if (first && !('archive' in line && line.archive === ARCHIVE))
      throw new ArchiveRefused(`This is no archive of format ${ARCHIVE}.`);
    first = false;
    if (end) throw new ArchiveRefused('Something follows the end of the archive.');
    if ('event' in line) {
      const { stream, revision } = line.event.envelope;
      const says = check.faultOf(line.event);
      if (says !== null) throw refused({ stream, revision, says });
      digest.update(line.event.hash);
      events += 1;
      if (events % 1_000 === 0) say(events);
    } else if ('payload' in line) check.holds(line.payload);
    else if ('end' in line) end = line.end;
    yield line;
  }
  if (!end || end.events !== events || end.digest !== digest.digest('hex'))
    throw new ArchiveRefused('The archive is cut short or was changed: its last line does not match what precedes.');
  const [missing] = end.missing ?? [];
  if (missing && !partial)
    throw new ArchiveRefused(
      `The archive is partial: ${end.missing?.length} streams end early, ${missing.stream} before revision ${missing.revision}. « jalon import --partial » takes it nevertheless.`,
    );
  const lost = check.lost();
  if (lost !== null && !partial) throw refused(lost);
}

/** Checks events one after the other: chains, and payloads that do not lie beside their envelopes. */
class EventCheck {
  readonly #tails = new Map<string, Link>();
  readonly #hashes = new Map<string, string>();
  readonly #absent = new Map<string, Omit<Missing, 'says'>>();
  readonly #asked = new Set<string>();
  readonly #erasables: Erasables;

  constructor(find: FindWorkflow) {
    this.#erasables = new Erasables(find);
  }

  holds({ id, salt, data }: ErasablePayload): void {
    this.#hashes.set(id, dataHash(salt, data));
  }

  /** What is wrong with the next event; null: nothing, and the one after it may follow. */
  faultOf(event: NewEvent): string | null {
    const { stream, revision, recordedAt } = event.envelope;
    const fault = chainFault(event, this.#tails.get(stream) ?? null) ?? this.#payloadFault(event);
    if (fault === null) this.#tails.set(stream, { hash: event.hash, envelope: { revision, recordedAt } });
    return fault;
  }

  /** What is wrong with where the payload of the next event lies, or with the payload; null: nothing. */
  #payloadFault({ envelope, data, salt }: NewEvent): string | null {
    const { id, stream, revision, type, dataHash: recorded } = envelope;
    const isErasable = this.#erasables.next(envelope);
    if (type === ERASURE_ASKED && typeof data.fait === 'string') this.#asked.add(data.fait);
    if (salt !== undefined) return isErasable ? 'a payload that can be erased lies in the log itself' : null;
    if (isErasable === false) return 'its payload and salt are gone, and cannot have been erased';
    const held = this.#hashes.get(id);
    if (held === undefined) this.#absent.set(id, { stream, revision });
    return held === undefined || held === recorded ? null : 'the payload does not have the recorded hash';
  }

  /** The first event whose payload is not there though nobody asked that it be destroyed. */
  lost(): Missing | null {
    for (const [id, event] of this.#absent)
      if (!this.#asked.has(id)) return { ...event, says: 'its payload is gone, and nobody asked that it be erased' };
    return null;
  }
}

/**
 * How many events of an archive the log holds already: none, those that an interrupted restoration left, or all of them,
 * and whether it holds more.
 * @throws ArchiveRefused when it holds anything else
 */
async function assertBegins(
  lines: AsyncIterable<Line>,
  journal: JournalReader,
): Promise<{ already: number; isMore: boolean }> {
  const there = eventsOf(journal);
  let [already, events] = [0, 0];
  for await (const line of lines) {
    if (!('event' in line)) continue;
    events += 1;
    const stored = await there.next();
    if (stored.done) continue;
    if (stored.value.hash !== line.event.hash) throw taken(stored.value.envelope);
    already += 1;
  }
  const more = await there.next();
  if (!more.done && events === 0) throw taken(more.value.envelope);
  return { already, isMore: !more.done };
}

function taken({ stream, revision }: NewEvent['envelope']): ArchiveRefused {
  return new ArchiveRefused(
    `The log is not empty: it holds revision ${revision} of ${stream}, which is not there in the archive. Nothing was written.`,
  );
}

async function* eventsOf(journal: JournalReader): AsyncGenerator<NewEvent, undefined> {
  for await (const page of journal.readAll(null)) yield* page;
}

async function assertSame(journal: Journal, events: number, digest: string): Promise<void> {
  const read = createHash('sha256');
  let count = 0;
  for await (const page of journal.readAll(null))
    for (const { hash } of page) {
      read.update(hash);
      count += 1;
    }
  if (count !== events || read.digest('hex') !== digest)
    throw new ArchiveRefused(
      `The log holds ${count} events that are not the ${events} of the archive in their order: another process writes to it.`,
    );
}

function parsed(text: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch (cause) {
    throw new ArchiveRefused(
      `A line is not JSON (${sha256(text).slice(0, 8)}): the archive is cut short or was changed.`,
      {
        cause,
      },
    );
  }
}
