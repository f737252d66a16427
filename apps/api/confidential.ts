import { type FeedPage, type FeedQuery, readFeed, type View } from '@jalon/delivery';
import type { Caller } from '@jalon/engine';
import { addDays, Sealed, type Shown } from '@jalon/flow';
import { eventAt } from '@jalon/journal';
import type { DeadlineFilter, FollowedDeadline, OwnQuery, Page, Sight } from '@jalon/projections';
import { type Constat, catalogue, constatDe } from '@jalon/workflows';
import type { Product } from './product.ts';
import { Timelines } from './timelines.ts';

/** How long after its date a deadline that was closed is still told to be cancelled. */
const CANCELLED_DAYS = 90;

/** A finding, and whose it is. */
export type Finding = { dossier: string } & Constat;

/** What read models tell that may be withheld from somebody, sealed: controllers are given these and not what they read. */
export class Confidential {
  readonly #product: Product;
  readonly #timelines: Timelines;

  constructor(product: Product) {
    this.#product = product;
    this.#timelines = new Timelines(product);
  }

  /** The timeline of a dossier as JSON in UTF-8; null when the read model has none, or none to show to the caller. */
  async timeline(caller: Caller, id: string): Promise<Sealed<Buffer> | null> {
    const told = await this.#timelines.read(caller, id);
    if (!told) return null;
    const { json, seeing, confidential: revisions } = told;
    return new Sealed(json, revisions.length === 0 ? null : { what: 'facts', dossier: id, seeing, revisions });
  }

  /** A page of findings. @throws CursorRefused */
  async findings(query: OwnQuery & { cursor?: string; limit?: number }): Promise<Sealed<Page<Finding>>> {
    const page = await this.#product.findings.page(query);
    const items = page.items.map((row) => ({ dossier: String(row.dossier), ...constatDe(row) }));
    const lines = items.map(({ dossier, constat }) => ({ dossier, line: constat }));
    return new Sealed({ ...page, items }, shownLines('constats', lines));
  }

  /** A page of deadlines. @throws CursorRefused */
  async deadlines(
    query: DeadlineFilter & { cursor?: string; limit?: number },
  ): Promise<Sealed<Page<FollowedDeadline>>> {
    const { deadlines, engine } = this.#product;
    const page = await deadlines.page({ ...query, today: engine.today() });
    const lines = page.items.filter(isConfidential).map(({ dossier, id }) => ({ dossier, line: id }));
    return new Sealed(page, shownLines('echeances', lines));
  }

  /** What a calendar shows: all that is open, and for a while what is not any more, so that it can be told so. */
  calendar(role: string, sights: readonly Sight[]): Sealed<AsyncGenerator<FollowedDeadline>> {
    return new Sealed(this.#noted(sights), { what: 'following', role, selection: {} });
  }

  /** A page of the feed. @throws JournalUnavailable */
  feed(view: View, query: FeedQuery): Promise<FeedPage> {
    return readFeed(this.#product.leaving.hub, view, query);
  }

  /** The hash of a fact, which tells nothing of it; null when there is none. */
  async hashOf(stream: string, revision: number): Promise<string | null> {
    return (await eventAt(this.#product.journal, stream, revision))?.hash ?? null;
  }

  async *#noted(sights: readonly Sight[]): AsyncGenerator<FollowedDeadline> {
    const { deadlines, engine } = this.#product;
    const today = engine.today();
    for (const filter of [{ open: true }, { open: false, from: addDays(today, -CANCELLED_DAYS) }])
      yield* deadlines.each({ sights, today, ...filter });
  }
}

function shownLines(member: string, lines: { dossier: string; line: string }[]): Shown | null {
  return lines.length === 0 ? null : { what: 'lines', member, lines };
}

/** Whether a fact set it that is withheld from somebody. */
function isConfidential({ workflow: { name, version }, fact }: FollowedDeadline): boolean {
  return catalogue.find(name, version)?.facts.get(fact)?.withheldFrom !== undefined;
}
