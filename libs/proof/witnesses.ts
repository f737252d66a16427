import { setTimeout as delay } from 'node:timers/promises';
import { cosignaturesOf } from './cosignature.ts';
import { type NoteKey, NoteRefused } from './note.ts';
import type { ProofStore, StoredCheckpoint } from './store.ts';
import type { Hash } from './tree.ts';
import { writeConsistencyRequest } from './witness-request.ts';

/** A witness as a log knows it: its key, and the address below which it answers `/add-checkpoint`. */
export type WitnessAddress = { key: NoteKey; url: string };

/** What a log knows of one of its witnesses. */
export type WitnessStatus = {
  name: string;
  /** `refused`: it says that the checkpoint does not extend what it saw, or that it does not watch this log. */
  status: 'ok' | 'waiting' | 'absent' | 'refused';
  /** Size of the last checkpoint that it cosigned, null before the first since this process began. */
  size: number | null;
  /** Why it did not cosign the latest, in a sentence. */
  reason?: string;
};

/** What witnesses are asked through. */
export type WitnessesParts = {
  witnesses: readonly WitnessAddress[];
  store: Pick<ProofStore, 'cosigned' | 'latestCheckpoint'>;
  /** That a tree of `to` leaves begins with that of `from`. */
  consistency: (from: number, to: number) => Promise<Hash[]>;
  /** Told when a witness refuses, once until it cosigns again. */
  onRefused: (error: WitnessRefused) => void;
  pace?: Partial<WitnessPace>;
};

/** In milliseconds: how long an exchange may take, the first and the longest pause after a failure, how long to wait for cosignatures. */
export type WitnessPace = { exchange: number; firstPause: number; longestPause: number; patience: number };

/** A witness answers, and does not cosign: it saw another log under this name, or does not watch this one. */
export class WitnessRefused extends Error {
  override readonly name = 'WitnessRefused';
}

const PACE: WitnessPace = { exchange: 5_000, firstPause: 1_000, longestPause: 60_000, patience: 1_000 };

/** Of an answer no more is read. */
const LONGEST_ANSWER = 16_384;

type Asked = WitnessAddress & {
  /** What it has cosigned as far as is known; corrected by what it answers. */
  known: number;
  status: WitnessStatus;
  wake: () => void;
};

/**
 * Brings each checkpoint to every witness, and their cosignatures into the note that is kept. Each is asked by itself: one
 * that is absent delays neither the log nor the others, and is asked again, later and later, for the latest only.
 */
export class Witnesses {
  readonly #asked: Asked[];
  readonly #pace: WitnessPace;
  #latest: StoredCheckpoint | null = null;
  #waiting = new Set<() => void>();

  constructor(private readonly parts: WitnessesParts) {
    this.#pace = { ...PACE, ...parts.pace };
    this.#asked = parts.witnesses.map(({ key, url }) => ({
      key,
      url: url.replace(/\/+$/, ''),
      known: 0,
      status: { name: key.name, status: 'waiting', size: null },
      wake: () => undefined,
    }));
  }

  get keys(): NoteKey[] {
    return this.#asked.map(({ key }) => key);
  }

  status(): WitnessStatus[] {
    return this.#asked.map(({ status }) => status);
  }

  /** There is a fresh checkpoint: witnesses are asked for their cosignatures, whoever calls does not wait. */
  submit(checkpoint: StoredCheckpoint): void {
    this.#latest = checkpoint;
    for (const { wake } of this.#asked) wake();
  }

  /**
   * A checkpoint with the cosignatures of the witnesses that are at hand; waits for them a moment when it was cut just
   * now, and not at all for a witness that was absent the last time.
   */
  async cosigned(checkpoint: StoredCheckpoint): Promise<StoredCheckpoint> {
    if (this.#asked.length === 0 || checkpoint.size !== this.#latest?.size) return checkpoint;
    const end = AbortSignal.timeout(this.#pace.patience);
    while (!end.aborted && this.#isExpected(checkpoint.size)) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        end.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    const kept = await this.parts.store.latestCheckpoint();
    return kept?.size === checkpoint.size ? kept : checkpoint;
  }

  /** Asks for cosignatures of what is submitted until `over` aborts, which is when this process does not sign any more. */
  async run(over: AbortSignal): Promise<void> {
    await Promise.all(this.#asked.map((witness) => this.#keepAsking(witness, over)));
    this.#latest = null;
  }

  async #keepAsking(witness: Asked, over: AbortSignal): Promise<void> {
    let pause = this.#pace.firstPause;
    let done: StoredCheckpoint | null = null;
    while (!over.aborted) {
      const latest = this.#latest;
      if (latest === null || latest === done) {
        await this.#woken(witness, over);
        continue;
      }
      try {
        witness.status = { ...witness.status, size: await this.#ask(witness, latest, over), status: 'ok' };
        delete witness.status.reason;
        done = latest;
        pause = this.#pace.firstPause;
      } catch (fault) {
        if (over.aborted) return;
        this.#failed(witness, fault as Error);
        this.#settled();
        await delay(pause, undefined, { signal: over }).catch(() => undefined);
        pause = Math.min(2 * pause, this.#pace.longestPause);
        continue;
      }
      this.#settled();
    }
  }

  /** Asks for one cosignature and keeps it; the size that the witness has then cosigned. */
  async #ask(witness: Asked, { size, note }: StoredCheckpoint, over: AbortSignal): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const proof =
        witness.known === 0 || witness.known === size ? [] : await this.parts.consistency(witness.known, size);
      const { status, type, body } = await this.#post(
        witness,
        writeConsistencyRequest({ old: witness.known, proof, note }),
        over,
      );
      if (status === 200) {
        const [cosignature] = cosignaturesOf(`${note}${body}`, [witness.key]);
        if (!cosignature) throw new WitnessRefused('It answers with no cosignature of its key.');
        await this.parts.store.cosigned(size, body, [witness.key]);
        witness.known = size;
        return size;
      }
      const known = type === 'text/x.tlog.size' ? Number(/^(\d{1,16})\n$/.exec(body)?.[1] ?? Number.NaN) : Number.NaN;
      const isElsewhere = status === 409 && Number.isSafeInteger(known) && known !== witness.known;
      // It knows less or more than was thought: it is asked once more from there.
      if (isElsewhere && known <= size && attempt === 1) witness.known = known;
      else if (status === 409 && known > size)
        throw new WitnessRefused(`It cosigned ${known} leaves of this log, which has ${size}: the log went back.`);
      else if (status >= 500 || status === 429) throw new Error(`It answers ${status}.`);
      else throw new WitnessRefused(REFUSALS[status] ?? `It answers ${status}.`);
    }
  }

  async #post(
    { url }: Asked,
    body: string,
    over: AbortSignal,
  ): Promise<{ status: number; type: string | null; body: string }> {
    try {
      const response = await fetch(`${url}/add-checkpoint`, {
        method: 'POST',
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body,
        redirect: 'error',
        signal: AbortSignal.any([over, AbortSignal.timeout(this.#pace.exchange)]),
      });
      let text = '';
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += chunk;
        if (text.length > LONGEST_ANSWER) throw new RangeError('its answer does not end');
      }
      return { status: response.status, type: response.headers.get('content-type'), body: text };
    } catch (cause) {
      throw new Error(`It does not answer: ${reasonOf(cause as Error)}.`, { cause });
    }
  }

  #failed(witness: Asked, fault: Error): void {
    const isRefusal = fault instanceof WitnessRefused || fault instanceof NoteRefused;
    if (isRefusal && witness.status.status !== 'refused')
      this.parts.onRefused(new WitnessRefused(`The witness ${witness.key.name} does not cosign: ${fault.message}`));
    witness.status = { ...witness.status, status: isRefusal ? 'refused' : 'absent', reason: fault.message };
  }

  /** Whether some witness may still cosign a checkpoint of this size soon. */
  #isExpected(size: number): boolean {
    return this.#asked.some(
      ({ status }) => (status.status === 'ok' || status.status === 'waiting') && (status.size ?? -1) < size,
    );
  }

  #woken(witness: Asked, over: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        over.removeEventListener('abort', end);
        witness.wake = () => undefined;
        resolve();
      };
      witness.wake = end;
      over.addEventListener('abort', end, { once: true });
    });
  }

  #settled(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const go of waiting) go();
  }
}

const REFUSALS: Readonly<Record<number, string>> = {
  403: 'It knows the log by another key: give it the verifier key that « jalon keys » prints.',
  404: 'It does not watch this log: give it the verifier key that « jalon keys » prints.',
  409: 'It saw another root of this size: the log was rewritten.',
  422: 'The checkpoint does not extend what it cosigned before: the log was rewritten.',
};

function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error ? `${message} (${cause.message})` : message;
}
