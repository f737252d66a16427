import { isKeyName } from './note.ts';
import type { ProofStore } from './store.ts';

/** The log already has an origin, which is another than the one that is wanted: it never changes. */
export class OriginTaken extends Error {
  override readonly name = 'OriginTaken';
  constructor(
    readonly origin: string,
    readonly wanted: string,
  ) {
    super(
      `The log's origin is ${origin} and cannot become ${wanted}: those who hold its checkpoints know it by that name.`,
    );
  }
}

/** The origin of a log; one that has none yet gets the one that is wanted, or drawn. @throws OriginTaken, ProofUnavailable */
export async function originOf(store: ProofStore, wanted: string | undefined, draw: () => string): Promise<string> {
  const origin = await store.origin(() => wanted ?? draw());
  if (wanted !== undefined && origin !== wanted) throw new OriginTaken(origin, wanted);
  return origin;
}

/** Whether a text can be the origin of a log: what can be the name of a key. */
export function isOrigin(text: unknown): boolean {
  return typeof text === 'string' && isKeyName(text);
}
