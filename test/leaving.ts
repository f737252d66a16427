import { Departures, Hub, type Selection, Streams, View } from '@jalon/delivery';
import type { Journal, StoredEvent } from '@jalon/journal';
import { DEMANDES } from './demande.ts';
import type { Office } from './office.ts';

/** A hub over the journal of an office, and what went wrong in it. */
export class Leaving {
  readonly errors: unknown[] = [];
  readonly hub: Hub;
  readonly streams: Streams;

  constructor(
    readonly office: Office,
    {
      journal = office.journal,
      recent,
      heartbeatMs,
    }: { journal?: Journal; recent?: number; heartbeatMs?: number } = {},
  ) {
    const onError = (error: unknown) => this.errors.push(error);
    const clock = () => office.now;
    const seal = (cursor: string) => cursor;
    const summaryOf = (id: string, atLeast: number) => office.engine.summary(id, atLeast);
    const departures = new Departures({ journal, catalogue: DEMANDES, base: 'https://jalon.example', summaryOf, seal });
    this.hub = new Hub({ journal, departures, clock, onError, ...(recent === undefined ? {} : { recent }) });
    this.streams = new Streams({
      hub: this.hub,
      clock,
      seal,
      onError,
      ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
    });
  }

  async close(): Promise<void> {
    this.streams.close();
    await this.hub.close();
  }
}

/** What one who holds these roles, for this organisation, gets of a selection. */
export function viewOf(roles: string[], selection: Selection = {}, org?: string): View {
  return View.alreadyRecorded({ roles, ...(org === undefined ? {} : { org }) }, selection, DEMANDES);
}

/** A subscriber whose reading the test directs: it takes everything until it is told to stop, then one write more. */
export class Reader {
  text = '';
  writes = 0;
  ended = false;
  #stalled = false;
  #again: (() => void)[] = [];

  readonly sink = {
    write: (text: Buffer | string): boolean => {
      this.text += text;
      this.writes += 1;
      return !this.#stalled;
    },
    drained: (again: () => void) => void this.#again.push(again),
    end: () => {
      this.ended = true;
    },
  };

  /** Reads no more: the next write fills it. */
  stall(): void {
    this.#stalled = true;
  }

  /** Has read everything, and goes on reading. */
  read(): void {
    this.#stalled = false;
    for (const again of this.#again.splice(0)) again();
  }

  /** The CloudEvents that it got, in order. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever left
  get events(): any[] {
    return [...this.text.matchAll(/^data: (.+)$/gm)].map(([, json]) => JSON.parse(json as string));
  }

  get ids(): string[] {
    return this.events.map(({ id }) => id);
  }

  /** The cursor of the last event that it got. */
  get cursor(): string {
    return [...this.text.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? 'start';
  }
}

/** Every fact of a journal's dossiers, in order. */
export async function everything(journal: Journal): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const page of journal.readAll(null, { prefixes: ['dossier-'] })) events.push(...page);
  return events;
}
