// The way out of a server-streaming call: waits while the client does not read (HTTP/2 flow control), and knows when
// he is gone.

import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { identifierOf, shared, streams } from './protocol.ts';
import type { Refusal } from './refusals.ts';
import type { Recorded } from './store.ts';

/** A call as the readers write to it. */
export class Outlet {
  #full: { room: Promise<void>; drained: () => void } | null = null;
  #over = false;
  readonly #ends: (() => void)[] = [];

  /** `onEvent` hears of each event that is sent. */
  constructor(
    readonly call: ServerWritableStream<ReadReq, ReadResp>,
    private readonly onEvent: () => void,
  ) {
    call.on('cancelled', () => this.#end());
    call.on('close', () => this.#end());
    call.on('error', () => {});
    call.on('drain', () => this.#drained());
  }

  /** Nothing more will reach the client. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Whether the client has not yet taken what was sent. */
  get isFull(): boolean {
    return this.#full !== null;
  }

  /** Calls `ended` once, when nothing more will reach the client. */
  onEnd(ended: () => void): void {
    this.#ends.push(ended);
  }

  /** Until there is room, or the client is gone. */
  async room(): Promise<void> {
    await this.#full?.room;
  }

  /** Sends an answer, however full the way is. */
  send(response: ReadResp): void {
    if (response.hasEvent()) this.onEvent();
    if (this.#over || this.call.write(response) || this.#full) return;
    let drained = () => {};
    const room = new Promise<void>((resolve) => {
      drained = resolve;
    });
    this.#full = { room, drained };
  }

  /** Ends the call in good order. */
  finish(): void {
    if (!this.#over) this.call.end();
    this.#end();
  }

  /** Ends the call with an error, which the client sees after what was sent before. */
  fail(refusal: Refusal): void {
    if (!this.#over) this.call.emit('error', refusal);
    this.#end();
  }

  #drained(): void {
    this.#full?.drained();
    this.#full = null;
  }

  #end(): void {
    this.#over = true;
    this.#drained();
    for (const ended of this.#ends.splice(0)) ended();
  }
}

/** An event as the client reads it. */
export function eventAnswer(event: Recorded): ReadResp {
  const position = String(event.position);
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent()
    .setId(new shared.UUID().setString(event.id))
    .setStreamIdentifier(identifierOf(event.stream))
    // A tombstone has the last revision that there can be.
    .setStreamRevision(event.revision === null ? '9223372036854775807' : String(event.revision))
    .setCommitPosition(position)
    .setPreparePosition(position)
    .setData(new Uint8Array(event.data))
    .setCustomMetadata(new Uint8Array(event.metadata));
  recorded
    .getMetadataMap()
    .set('type', event.type)
    .set('content-type', event.json ? 'application/json' : 'application/octet-stream')
    // .NET counts in ticks of 100 ns.
    .set('created', String(BigInt(event.created) * 10_000n));
  const read = new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(position);
  return new streams.ReadResp().setEvent(read);
}
