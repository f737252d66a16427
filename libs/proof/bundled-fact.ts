import type { Envelope } from '@jalon/journal';

/** A fact in a bundle: whole, or without its destroyed payload, or by its hash only for one it is withheld from. */
export type BundledFact =
  | {
      envelope: Envelope;
      hash: string;
      data: Record<string, unknown>;
      salt: string;
      erasable?: true;
      /** Of the opening, for whom nothing is withheld from. */
      contextSalt?: string;
      /** In its place, for others: salted digests of what withheld facts write, where this fact changed them. */
      digests?: Record<string, string>;
    }
  | { envelope: Envelope; hash: string; erased: true }
  | { revision: number; hash: string; withheld: true };
