import type { BrokenRule, FieldError, Possible, Sealed } from '@jalon/flow';

/** There is no such dossier, or the caller is not to know of it. */
export class DossierNotFound extends Error {
  override readonly name = 'DossierNotFound';
  constructor(readonly id: string) {
    super(`Aucun dossier ${id} ne vous est visible.`);
  }
}

/** The dossier was not there at the moment of its past that was asked for; the message says why. */
export class MomentNotFound extends Error {
  override readonly name = 'MomentNotFound';
}

/** The caller may not propose this; the message says who may. */
export class Forbidden extends Error {
  override readonly name = 'Forbidden';
}

/** The proposal is not of the declared form: every fault at once. */
export class InvalidProposal extends Error {
  override readonly name = 'InvalidProposal';
  constructor(readonly errors: readonly FieldError[]) {
    super(`La proposition compte ${errors.length} ${errors.length > 1 ? 'erreurs' : 'erreur'} de forme.`);
  }
}

/** The same Idempotency-Key came before with another body. */
export class KeyReused extends Error {
  override readonly name = 'KeyReused';
  /** `recorded`: the fact that it led to then, where there is one already. */
  constructor(readonly recorded?: { dossier: string; revision: number }) {
    super('Cette clé Idempotency-Key a déjà servi avec un autre contenu : employez une clé nouvelle par proposition.');
  }
}

/** The dossier has moved on since the revision that the caller named. */
export class RevisionMismatch extends Error {
  override readonly name = 'RevisionMismatch';
  constructor(
    readonly expected: number | readonly number[],
    readonly current: number,
  ) {
    super(
      `Le dossier en est à la révision ${current}, que If-Match ne nomme pas : relisez-le, puis proposez de nouveau.`,
    );
  }
}

/** Why a fact was refused, and what is possible now, by whom, and what it still lacks, as far as the caller may see. */
export type Refusal = { reasons: readonly BrokenRule[]; possible: readonly Possible[] };

/**
 * The machine refuses the fact; nothing was written. What it tells is sealed, since rules may read what is withheld from
 * others; what it tells in public does not rest on that.
 */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(
    readonly workflow: { name: string; version: number },
    readonly fact: { type: string; label: string },
    readonly state: string | null,
    readonly told: Sealed<Refusal, Refusal>,
  ) {
    super(`« ${fact.label} » is refused.`);
  }
}

/** What a refusal says in one text. */
export function sentencesOf({ reasons }: Refusal): string {
  return reasons.map(({ message }) => message).join(' ');
}

/** Others kept writing to this dossier while this proposal was decided again and again. */
export class Contended extends Error {
  override readonly name = 'Contended';
}

/** What is stored cannot be read under this build: it is not touched, and says which fact and why. */
export class HistoryUnreadable extends Error {
  override readonly name = 'HistoryUnreadable';
}
