import type { FindWorkflow } from '@jalon/flow';
import { askedOf, canonicalJson, type DirectoryReader, type Envelope, type StoredEvent } from '@jalon/journal';
import type { BundledFact } from './bundled-fact.ts';
import { digestsOf, type HeldFact } from './history.ts';
import { type Jwk, jwkOf } from './keys.ts';
import type { Inclusion } from './prover.ts';
import type { Seal, StoredCheckpoint, StoredKey } from './store.ts';
import { type Summary, summarise } from './summary.ts';

/** The number of the bundle's format. FORMAT.md describes it. */
export const BUNDLE = 1;

/** That an entry is in the tree of the checkpoint. */
type Proof = { leafIndex: number; hashes: string[] };

/** A dossier that can be verified offline: format 1, described in FORMAT.md and bundle.schema.json. */
export type Bundle = {
  bundle: number;
  dossier: string;
  /** In order of their revisions, from the first. */
  facts: BundledFact[];
  /** What opens the commitments of the envelopes, by commitment; names that were erased are left out. */
  names: { commitment: string; name: string; salt: string }[];
  /** The text of every version that the facts follow, by name and version. */
  workflows: { name: string; version: number; hash: string; files: Record<string, string> }[];
  /** For each fact, that it is in the tree of the checkpoint. */
  proofs: Proof[];
  /** For each fact whose payload was erased, the record by which that was asked for; absent when there is none. */
  erasures?: { envelope: Envelope; hash: string; data: Record<string, unknown>; salt: string; proof: Proof }[];
  checkpoint: string;
  /** Every public key of the log, the current one first. */
  keys: Jwk[];
  summary: Summary;
  /** Ed25519 in base64, by the key `kid`, over the canonical JSON of every other member. */
  seal: Seal;
};

/** The text of a version of a procedure: path -> text. Its hash is the SHA-256 of the canonical JSON of that. */
export type DefinitionOf = (name: string, version: number) => Record<string, string>;

/** What a bundle is made of. */
export type BundleParts = {
  dossier: string;
  /** Every fact of the dossier, in order. */
  events: readonly StoredEvent[];
  isWithheld: (event: StoredEvent) => boolean;
  /** Whether the opening's salt of the context is told: to those from whom nothing can be withheld. */
  isContextSaltTold: boolean;
  directory: DirectoryReader;
  find: FindWorkflow;
  definitionOf: DefinitionOf;
  proofs: readonly Inclusion[];
  /** The records of erasures asked for, of facts that are shown without their payload. */
  erasures: readonly { event: StoredEvent; proof: Inclusion }[];
  checkpoint: StoredCheckpoint;
  keys: readonly StoredKey[];
  seal: (text: string) => Promise<Seal>;
};

/**
 * The bundle of a dossier, as the canonical JSON that it is: not a byte may be changed in it.
 * @throws DirectoryUnavailable when names or erasable payloads are not at hand, which would seem erased
 */
export async function makeBundle(parts: BundleParts): Promise<string> {
  const {
    dossier,
    events,
    isWithheld,
    isContextSaltTold,
    directory,
    find,
    definitionOf,
    proofs,
    erasures,
    checkpoint,
    keys,
    seal,
  } = parts;
  const shown = new Set(events.filter((event) => !isWithheld(event)));
  const asked = askedOf(shown);
  const names = await directory.openings(asked.names);
  const facts: BundledFact[] = [];
  const digests = isContextSaltTold ? [] : digestsBeforeWithheld(events, shown, find);
  for (const [i, event] of events.entries()) {
    const { envelope, hash, data, salt, contextSalt } = event;
    if (!shown.has(event)) facts.push({ revision: envelope.revision, hash, withheld: true });
    else if (salt !== undefined) {
      const told = isContextSaltTold && contextSalt !== undefined ? { contextSalt } : {};
      const changed = digests[i];
      // The opening says that digests stand for its salt, even where they are none.
      const hidden = changed && (i === 0 || Object.keys(changed).length > 0) ? { digests: changed } : {};
      facts.push({ envelope, hash, data, salt, ...told, ...hidden });
    } else {
      const kept = await directory.payload(envelope.id);
      facts.push(
        kept ? { envelope, hash, data: kept.data, salt: kept.salt, erasable: true } : { envelope, hash, erased: true },
      );
    }
  }
  const summary = summarise(facts, new Map(names.map(({ commitment, name }) => [commitment, name])), find);
  if (!summary) throw new RangeError(`Dossier ${dossier} follows a workflow that this build does not have.`);
  const unsealed: Omit<Bundle, 'seal'> = {
    bundle: BUNDLE,
    dossier,
    facts,
    names: [...names].sort((a, b) => (a.commitment < b.commitment ? -1 : 1)),
    workflows: definitions(shown, definitionOf),
    proofs: proofs.map(proofOf),
    ...(erasures.length === 0 ? {} : { erasures: erasures.map(erasureOf) }),
    checkpoint: checkpoint.note,
    keys: keys.map(jwkOf),
    summary,
  };
  return canonicalJson({ ...unsealed, seal: await seal(canonicalJson(unsealed)) });
}

/** What a replay without the opening's salt needs, as far as it goes: up to the first withheld fact. */
function digestsBeforeWithheld(
  events: readonly StoredEvent[],
  shown: ReadonlySet<StoredEvent>,
  find: FindWorkflow,
): Record<string, string>[] {
  const end = events.findIndex((event) => !shown.has(event));
  const before = end < 0 ? events : events.slice(0, end);
  if (before[0]?.contextSalt === undefined) return [];
  return digestsOf(before.map(asHeld), find);
}

function asHeld({ envelope, hash, data, salt, contextSalt }: StoredEvent): HeldFact {
  const payload = salt === undefined ? {} : { payload: { data, salt } };
  return { envelope, hash, ...payload, erasable: salt === undefined, ...(contextSalt ? { contextSalt } : {}) };
}

function proofOf({ leaf, hashes }: Inclusion): Proof {
  return { leafIndex: leaf, hashes: hashes.map((hash) => hash.toString('hex')) };
}

function erasureOf({ event, proof }: BundleParts['erasures'][number]): NonNullable<Bundle['erasures']>[number] {
  const { envelope, hash, data, salt } = event;
  if (salt === undefined) throw new RangeError(`The record ${envelope.id} of an erasure has no salt.`);
  return { envelope, hash, data, salt, proof: proofOf(proof) };
}

/** The text of each version that facts follow, once. */
function definitions(events: Iterable<StoredEvent>, definitionOf: DefinitionOf): Bundle['workflows'] {
  const found = new Map<string, Bundle['workflows'][number]>();
  for (const { envelope } of events) {
    if (!envelope.workflow) continue;
    const { name, version, hash } = envelope.workflow;
    const key = `${name} ${String(version).padStart(9, '0')}`;
    if (!found.has(key)) found.set(key, { name, version, hash, files: definitionOf(name, version) });
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, definition]) => definition);
}
