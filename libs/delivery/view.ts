import type { Catalogue } from '@jalon/flow';
import { type Audience, dependsOnParties, mayReceive } from './audience.ts';
import type { Departure } from './departure.ts';
import { isSelected, type Selection } from './selection.ts';

/** What one subscriber gets of all that leaves: what its audience may receive, and of that what it asked for. */
export class View {
  /** The same for those who get the same. */
  readonly key: string;
  /** Whether whose dossier it is matters. */
  readonly parties: boolean;

  constructor(
    readonly audience: Audience,
    readonly selection: Selection,
    catalogue: Catalogue,
  ) {
    const { types, jalons, dossier } = selection;
    this.key = JSON.stringify([audience.roles, audience.org, types, jalons, dossier]);
    this.parties = dependsOnParties(audience, catalogue);
  }

  has(departure: Departure): boolean {
    return isSelected(this.selection, departure) && mayReceive(this.audience, departure);
  }
}
