import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import type { ErasablePayload, Missing, NewEvent, Opening, Person } from '@jalon/journal';
import { ArchiveRefused, saltedHash, sha256, vouched } from '@jalon/journal';
import type { StreamSource } from '@jalon/proof';

/** Where the lines of an archive are, by what they are about: from which byte on, how many, and of which rank. */
export type ArchiveLines = {
  file: string;
  streams: Map<string, number[]>;
  payloads: Map<string, [from: number, length: number]>;
  persons: Person[];
  /** What a partial archive says that it leaves out. */
  missing: Missing[];
};

/** Three numbers for each event of a stream: from, length, rank. */
const PLACE = 3;

const NEWLINE = 10;

/**
 * Reads an archive once, from its first line to its last, and remembers where everything is.
 * @throws ArchiveRefused when it is no archive, or cut short
 */
export async function archiveLines(file: string, say: (facts: number) => void): Promise<ArchiveLines> {
  const lines: ArchiveLines = { file, streams: new Map(), payloads: new Map(), persons: [], missing: [] };
  const digest = createHash('sha256');
  let facts = 0;
  let end: Line['end'];
  for await (const { text, from, length } of linesOf(file)) {
    if (end) throw new ArchiveRefused('Something follows the end of the archive.');
    const line = parsed(text);
    if (from === 0 && line.archive !== 1) throw new ArchiveRefused('This is no archive of format 1.');
    if (line.person) lines.persons.push(line.person);
    else if (line.payload) lines.payloads.set(line.payload.id, [from, length]);
    else if (line.event) {
      const { stream } = line.event.envelope;
      facts += 1;
      digest.update(line.event.hash);
      const places = lines.streams.get(stream);
      if (places) places.push(from, length, facts);
      else lines.streams.set(stream, [from, length, facts]);
      if (facts % 10_000 === 0) say(facts);
    } else if (line.end) end = line.end;
  }
  if (end?.events !== facts || end.digest !== digest.digest('hex'))
    throw new ArchiveRefused('The archive is cut short or was changed: its last line does not match what precedes.');
  return { ...lines, missing: end.missing ?? [] };
}

/** The streams of an archive, read from where their lines are. */
export function archiveSource({ file, streams, payloads, persons }: ArchiveLines): StreamSource & { close(): void } {
  const descriptor = openSync(file, 'r');
  const lineAt = (from: number, length: number): Line => {
    const bytes = Buffer.alloc(length);
    readSync(descriptor, bytes, 0, length, from);
    return parsed(bytes.toString('utf8'));
  };
  const openings = new Map<string, Opening & { of: string }>();
  for (const { iss, sub, name, salt } of persons) {
    const commitment = saltedHash(salt, name);
    openings.set(commitment, { commitment, name, salt, of: JSON.stringify([iss, sub]) });
  }
  return {
    async *read(stream) {
      const places = streams.get(stream) ?? [];
      for (let at = 0; at < places.length; at += PLACE) {
        const [from, length, rank] = places.slice(at, at + PLACE) as [number, number, number];
        yield [vouched({ ...(lineAt(from, length).event as NewEvent), position: BigInt(rank) })];
      }
    },
    async payload(id) {
      const place = payloads.get(id);
      return place ? (lineAt(...place).payload as ErasablePayload) : null;
    },
    async openings(asked) {
      return asked.flatMap(({ iss, sub, commitment }) => {
        const found = openings.get(commitment);
        return found?.of === JSON.stringify([iss, sub]) ? [found] : [];
      });
    },
    close: () => closeSync(descriptor),
  };
}

type Line = {
  archive?: number;
  person?: Person;
  payload?: ErasablePayload;
  event?: NewEvent;
  end?: { events: number; digest: string; missing?: Missing[] };
};

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

/** The lines of a file with their places in bytes. */
async function* linesOf(file: string): AsyncGenerator<{ text: string; from: number; length: number }> {
  let held: Buffer = Buffer.alloc(0);
  let at = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let from = 0;
    for (let to = held.indexOf(NEWLINE); to >= 0; to = held.indexOf(NEWLINE, from)) {
      if (to > from) yield { text: held.toString('utf8', from, to), from: at + from, length: to - from };
      from = to + 1;
    }
    at += from;
    held = held.subarray(from);
  }
  if (held.length > 0) yield { text: held.toString('utf8'), from: at, length: held.length };
}
