import type { Envelope } from '@jalon/journal';

/** A fact in a bundle: whole, or without its destroyed payload, or by its hash only for one it is withheld from. */
export type BundledFact =
  | { envelope: Envelope; hash: string; data: Record<string, unknown>; salt: string; erasable?: true }
  | { envelope: Envelope; hash: string; erased: true }
  | { revision: number; hash: string; withheld: true };
