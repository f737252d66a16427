/** Records of refused tokens in one hour, at most: whoever presents many does not fill the log. */
const AN_HOUR = 200;

/** Who presents a token that is refused is known by an address alone, which lies in the directory and can be erased. */
const UNKNOWN = { iss: 'urn:jalon:adresse', sub: 'inconnu', role: 'aucun' };

/** Why a token was refused, and by which operation. */
type Refusal = { operation: string; cause: string; [detail: string]: unknown };

type Recording = (
  type: 'acces.jeton-refuse',
  actor: typeof UNKNOWN & { nom?: string },
  data: Refusal,
  request: string,
) => Promise<void>;

/** Tokens that were refused: one record for each cause, address and hour, and one that says that there were too many. */
export class RefusedTokens {
  #hour = Number.NaN;
  readonly #told = new Set<string>();

  constructor(
    private readonly record: Recording,
    private readonly clock: () => Date,
  ) {}

  /** Records that a request presented a token that was refused, and why. @throws JournalUnavailable */
  async told(request: { id: string; ip: string }, data: Refusal): Promise<void> {
    const hour = Math.floor(this.clock().getTime() / 3_600_000);
    if (hour !== this.#hour) this.#told.clear();
    this.#hour = hour;
    const key = `${data.cause}\n${data.agenda ?? ''}\n${request.ip}`;
    if (this.#told.has(key) || this.#told.size > AN_HOUR) return;
    this.#told.add(key);
    const isLast = this.#told.size > AN_HOUR;
    const what = isLast
      ? { operation: data.operation, cause: 'Les suivants de cette heure ne sont pas inscrits.' }
      : data;
    try {
      await this.record('acces.jeton-refuse', { ...UNKNOWN, ...(isLast ? {} : { nom: request.ip }) }, what, request.id);
    } catch (fault) {
      this.#told.delete(key);
      throw fault;
    }
  }
}
