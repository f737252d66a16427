import { DatabaseUnavailable } from '@jalon/journal';

/** The database of the read models does not answer, or not yet. What is recorded is safe, and will be shown later. */
export class ReadModelsUnavailable extends DatabaseUnavailable {
  override readonly name = 'ReadModelsUnavailable';
  constructor(cause: unknown) {
    super(cause, 'The database of the read models');
  }
}
