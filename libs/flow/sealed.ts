/** What a reader is shown of what is withheld from others, as far as the log of accesses keeps it. */
export type Shown =
  /** Facts of one dossier; `own` is the revision of the one that the reader has just recorded. */
  | { what: 'facts'; dossier: string; seeing: readonly string[]; revisions: readonly number[]; own?: number }
  /** The file by which a dossier is verified elsewhere. */
  | { what: 'bundle'; dossier: string; seeing: readonly string[]; revision: number }
  /** Lines of several dossiers, by what they are lines of. */
  | { what: 'lines'; member: string; lines: readonly { dossier: string; line: string }[] }
  /** Facts as they come, and which were selected or where they go. */
  | { what: 'following'; role: string; selection: Readonly<Record<string, unknown>> };

/** Records durably that this is about to be shown; what it throws keeps it from being shown. */
export type Recorder = (shown: Shown) => Promise<void>;

/**
 * What may show what is withheld from others. Its content is given to nobody before it was recorded who is shown what;
 * `redacted` is what may be shown without.
 */
export class Sealed<T, R = never> {
  readonly #content: T;
  readonly #shown: () => Shown | null;
  readonly #redacted: () => R;

  /** `shown` is null, or gives null, when the content shows nothing that is withheld from anybody. */
  constructor(content: T, shown: Shown | null | (() => Shown | null), redacted: () => R = nothing) {
    this.#content = content;
    this.#shown = typeof shown === 'function' ? shown : () => shown;
    this.#redacted = redacted;
  }

  /** The content, once it is recorded who is shown it. @throws what `record` throws: nothing is shown then */
  async open(record: Recorder): Promise<T> {
    const shown = this.#shown();
    if (shown) await record(shown);
    return this.#content;
  }

  /** What may be shown without a record. */
  get redacted(): R {
    return this.#redacted();
  }
}

function nothing(): never {
  throw new TypeError('Nothing of this may be shown without a record.');
}
