import { type Catalogue, Sealed } from '@jalon/flow';
import { type Audience, dependsOnParties, mayReceive, receivesConfidential, tellsRevisions } from './audience.ts';
import type { Departure, Outgoing } from './departure.ts';
import { isSelected, type Selection } from './selection.ts';

/** What one subscriber gets of all that leaves: what its audience may receive, and of that what it asked for. */
export class View {
  /** The same for those who get the same. */
  readonly key: string;
  /** Whether whose dossier it is matters. */
  readonly parties: boolean;
  readonly #tellsRevisions: boolean;

  private constructor(
    readonly audience: Audience,
    readonly selection: Selection,
    catalogue: Catalogue,
  ) {
    const { types, jalons, dossier } = selection;
    this.key = JSON.stringify([audience.roles, audience.org, types, jalons, dossier]);
    this.parties = dependsOnParties(audience, catalogue);
    this.#tellsRevisions = tellsRevisions(audience, catalogue);
  }

  /** A view for one who begins to follow: it is recorded before anything leaves to them that is withheld from others. */
  static sealed(audience: Audience, selection: Selection, catalogue: Catalogue): Sealed<View> {
    const role = audience.roles[0] as string;
    const isConfidential = receivesConfidential(audience, catalogue);
    return new Sealed(
      new View(audience, selection, catalogue),
      isConfidential ? { what: 'following', role, selection } : null,
    );
  }

  /** A view of which it was recorded before, as it was set up, who follows by it. */
  static alreadyRecorded(audience: Audience, selection: Selection, catalogue: Catalogue): View {
    return new View(audience, selection, catalogue);
  }

  /** A departure that it has, as the subscriber gets it. */
  of(departure: Departure): Outgoing {
    return departure.as(this.#tellsRevisions ? 'numbered' : 'unnumbered');
  }

  has(departure: Departure): boolean {
    return isSelected(this.selection, departure) && this.mayReceive(departure);
  }

  /** Whether the subscriber may get it, wanted or not. */
  mayReceive(departure: Departure): boolean {
    return mayReceive(this.audience, departure);
  }
}
