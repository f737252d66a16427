import { openCheckpoint, readCheckpoint, type TreeHead } from './checkpoint.ts';
import { cosign, withSignatures } from './cosignature.ts';
import type { KeyPair } from './key-file.ts';
import { type NoteKey, NoteRefused, type NoteSigner, noteKey } from './note.ts';
import { type Seen, SeenCheckpoints } from './seen.sqlite.ts';
import { EMPTY_ROOT, isConsistent } from './tree.ts';
import { type ConsistencyRequest, readConsistencyRequest } from './witness-request.ts';

/** What a witness is made of. */
export type WitnessParts = {
  /** A folder of its own, which the logs that it watches cannot write to. */
  folder: string;
  pair: KeyPair;
  /** Under which it cosigns: kept at the first start, when `draw` is asked for one if none is given. */
  name: string | undefined;
  draw: () => string;
  /** Keys of the logs that it watches, each under its log's origin. */
  logs: readonly NoteKey[];
  clock: () => Date;
};

/** The answer to a request, as HTTP gives it. */
export type WitnessAnswer = { status: 200 | 400 | 403 | 404 | 409 | 422; type: string; body: string };

const TEXT = 'text/plain; charset=utf-8';
/** Of a body that only says which size the witness knows. */
const SIZE = 'text/x.tlog.size';

/**
 * Watches logs for others (C2SP tlog-witness): cosigns each checkpoint that extends all that it cosigned before, and
 * nothing else, so that a log that was rewritten cannot be shown to anybody who asks for its cosignature. What it cosigned
 * is on disk before its cosignature leaves; of two processes on one folder each sees what the other did.
 */
export class Witness {
  readonly #seen: SeenCheckpoints;
  readonly #origins: ReadonlySet<string>;
  readonly #signer: NoteSigner;

  /** @throws JournalRefused when something else lies in the folder; RangeError when it has another name, or this can be none */
  constructor(private readonly parts: WitnessParts) {
    const { pair, name, draw } = parts;
    if (name !== undefined) noteKey(name, pair.publicKey, 'cosignature');
    this.#seen = new SeenCheckpoints(parts.folder);
    this.#origins = new Set(parts.logs.map((log) => log.name));
    const named = this.#named(name, draw);
    this.#signer = { key: noteKey(named, pair.publicKey, 'cosignature'), privateKey: pair.privateKey };
  }

  /** The key that logs and verifiers know it by. */
  get key(): NoteKey {
    return this.#signer.key;
  }

  /** Answers `POST /add-checkpoint`. */
  addCheckpoint(body: string): WitnessAnswer {
    const request = readConsistencyRequest(body);
    if (!request) return told(400, 'The body is no request: « old SIZE », proof, an empty line, a checkpoint.');
    let claimed: TreeHead;
    try {
      claimed = readCheckpoint(request.note);
    } catch (refused) {
      if (!(refused instanceof NoteRefused)) throw refused;
      return told(400, refused.message);
    }
    if (!this.#origins.has(claimed.origin)) return told(404, `The log ${claimed.origin} is not watched here.`);
    try {
      openCheckpoint(
        request.note,
        this.parts.logs.filter(({ name }) => name === claimed.origin),
      );
    } catch (refused) {
      if (!(refused instanceof NoteRefused)) throw refused;
      return told(403, refused.message);
    }
    if (request.old > claimed.size) return told(400, 'The old size is larger than the checkpoint.');
    return this.#seen.atomically(() => this.#extend(request, claimed));
  }

  /** What it cosigned last, of each log, by origin. */
  seen(): Seen[] {
    return this.#seen.all();
  }

  close(): void {
    this.#seen.close();
  }

  #named(wanted: string | undefined, draw: () => string): string {
    const name = this.#seen.named(wanted ?? draw());
    if (wanted === undefined || wanted === name) return name;
    this.#seen.close();
    throw new RangeError(`The witness of this folder is named « ${name} », for good: give another folder to another.`);
  }

  #extend({ old, proof, note }: ConsistencyRequest, head: TreeHead): WitnessAnswer {
    const known = this.#seen.of(head.origin);
    const size = known?.size ?? 0;
    if (old !== size) return { status: 409, type: SIZE, body: `${size}\n` };
    // Two roots of one size: the log has forked.
    if (known && old === head.size && !known.root.equals(head.root))
      return { status: 409, type: SIZE, body: `${size}\n` };
    const isTree = head.size > 0 || head.root.equals(EMPTY_ROOT);
    const isExtension =
      old === 0 ? proof.length === 0 : isConsistent({ size, root: known?.root as Buffer }, head, proof);
    if (!isTree || !isExtension) return told(422, 'The checkpoint does not extend what was cosigned before.');
    const now = this.parts.clock();
    const line = cosign(note, this.#signer, Math.floor(now.getTime() / 1000));
    this.#seen.keep({ ...head, note: withSignatures(note, line, [this.key]), at: now.toISOString() });
    return { status: 200, type: TEXT, body: line };
  }
}

function told(status: WitnessAnswer['status'], says: string): WitnessAnswer {
  return { status, type: TEXT, body: `${says}\n` };
}
