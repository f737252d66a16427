/** The database of the read models does not answer, or not yet. What is recorded is safe, and will be shown later. */
export class ReadModelsUnavailable extends Error {
  override readonly name = 'ReadModelsUnavailable';
  constructor(cause: unknown) {
    super(`The database of the read models does not answer: ${reasonOf(cause)}`, { cause });
  }
}

/** An AggregateError (every address of a host refused) has no message of its own. */
function reasonOf(cause: unknown): string {
  const { message, code } = cause as { message?: string; code?: string };
  return message || code || String(cause);
}
