import { behalfPerson, type Caller, withheldType } from '@jalon/engine';
import { seeingRoles } from '@jalon/flow';
import type { Standing, TimelineView } from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import { LRUCache } from 'lru-cache';
import type { Product } from './product.ts';

/** Answers kept, in bytes, and for how long at most: elsewhere a name may be erased meanwhile. */
const KEPT = 8_000_000;
const KEPT_MS = 60_000;

/** The timelines of dossiers as JSON in UTF-8, each for those who see the same of it. */
export class Timelines {
  readonly #answers = new LRUCache<string, { position: string; json: Buffer }>({
    maxSize: KEPT,
    sizeCalculation: ({ json }) => json.byteLength,
    ttl: KEPT_MS,
  });

  constructor(private readonly product: Product) {}

  /**
   * The timeline of a dossier as the caller may see it; null when the read model has none, or none to show to the caller.
   * Who sees it is told by the read model itself, so that reading folds no history.
   */
  async json(caller: Caller, id: string): Promise<Buffer | null> {
    const { timelines, engine, directory } = this.product;
    const standing = await timelines.standing(id);
    const seeing = standing ? seers(caller, standing) : [];
    if (!standing || seeing.length === 0) return null;
    const today = engine.today();
    const key = `${id} ${seeing.join()} ${today} ${directory.erasures}`;
    const known = this.#answers.get(key);
    if (known?.position === standing.position) return known.json;

    const timeline = await timelines.read(id, this.#view(standing, seeing, today));
    if (!timeline) return null;
    const json = Buffer.from(JSON.stringify(timeline));
    this.#answers.set(key, { position: timeline.position, json });
    return json;
  }

  #view({ workflow }: Standing, seeing: readonly string[], today: string): TimelineView {
    const { directory } = this.product;
    const published = catalogue.find(workflow.name, workflow.version);
    return {
      today,
      hidden: (type) => !published || withheldType(published, type, seeing),
      nameOf: (iss, sub, commitment) => directory.name(iss, sub, commitment),
      nameOfParty: (party, commitment) => {
        const { iss, sub } = behalfPerson(party);
        return directory.name(iss, sub, commitment);
      },
      payloadOf: (event) => directory.payload(event)?.data ?? null,
    };
  }
}

/** The roles by which the caller sees a dossier, as its read model stands. */
function seers(caller: Caller, { workflow, summary }: Standing): string[] {
  const published = catalogue.find(workflow.name, workflow.version);
  return published ? seeingRoles(published, caller, summary) : [];
}
