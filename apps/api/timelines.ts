import { type Caller, withheldType } from '@jalon/engine';
import { seeingRoles } from '@jalon/flow';
import type { Standing } from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import { LRUCache } from 'lru-cache';
import type { Product } from './product.ts';

/** Answers kept, in bytes, and for how long at most. */
const KEPT = 8_000_000;
const KEPT_MS = 60_000;

/** A timeline as JSON in UTF-8, by which roles it is seen, and the revisions of the confidential facts in it. */
export type ToldTimeline = { json: Buffer; seeing: readonly string[]; confidential: number[] };

/** The timelines of dossiers as JSON in UTF-8, each for those who see the same of it. */
export class Timelines {
  readonly #answers = new LRUCache<string, { position: string; told: ToldTimeline }>({
    maxSize: KEPT,
    sizeCalculation: ({ told }) => told.json.byteLength,
    ttl: KEPT_MS,
  });

  constructor(private readonly product: Product) {}

  /**
   * The timeline of a dossier as the caller may see it; null when the read model has none, or none to show to the caller.
   * Who sees it is told by the read model itself, so that reading folds no history.
   */
  async read(caller: Caller, id: string): Promise<ToldTimeline | null> {
    const { timelines, engine, directory } = this.product;
    const standing = await timelines.standing(id);
    const seeing = standing ? seers(caller, standing) : [];
    if (!standing || seeing.length === 0) return null;
    const today = engine.today();
    // Null: something may have been erased elsewhere.
    const { erasures } = directory;
    const key = `${id} ${seeing.join()} ${today} ${erasures}`;
    const known = erasures === null ? undefined : this.#answers.get(key);
    if (known?.position === standing.position) return known.told;

    let whole = false;
    const confidential: number[] = [];
    const published = catalogue.find(standing.workflow.name, standing.workflow.version);
    const timeline = await timelines.read(id, {
      today,
      hidden: (type) => !published || withheldType(published, type, seeing),
      disclose: async (asked) => {
        const disclosed = await directory.disclose(asked);
        whole = disclosed.whole;
        return disclosed;
      },
      onShown: (revision, type) => {
        if (published?.facts.get(type)?.withheldFrom?.length) confidential.push(revision);
      },
    });
    if (!timeline) return null;
    const json = Buffer.from(JSON.stringify(timeline));
    const told = { json, seeing, confidential: confidential.sort((a, b) => a - b) };
    if (whole && erasures !== null) this.#answers.set(key, { position: timeline.position, told });
    return told;
  }
}

/** The roles by which the caller sees a dossier, as its read model stands. */
function seers(caller: Caller, { workflow, summary }: Standing): string[] {
  const published = catalogue.find(workflow.name, workflow.version);
  return published ? seeingRoles(published, caller, summary) : [];
}
