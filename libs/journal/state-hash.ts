import { canonicalJson, sha256 } from './canonical.ts';

/** What a state hash covers, and how: see FORMAT.md, "State hash". */
export type HashedState = {
  /** The machine's state value. */
  value: unknown;
  context: object;
  /** Members that are maps of many entries: hashed entry by entry, so that one more costs one more. */
  keyed: ReadonlySet<string>;
  /** Members written by withheld facts -> the salt of the last such fact, so that they cannot be guessed. */
  salts: Readonly<Record<string, string>>;
};

const digests = new WeakMap<object, string>();
const keyedDigests = new WeakMap<object, string>();

/** SHA-256 of a value's canonical JSON, remembered by identity: contexts are immutable and share what did not change. */
function digest(value: unknown): string {
  if (typeof value !== 'object' || value === null) return sha256(canonicalJson(value));
  let known = digests.get(value);
  if (known === undefined) {
    known = sha256(canonicalJson(value));
    digests.set(value, known);
  }
  return known;
}

function keyedDigest(map: object): string {
  let known = keyedDigests.get(map);
  if (known === undefined) {
    known = sha256(canonicalJson(Object.fromEntries(Object.entries(map).map(([key, entry]) => [key, digest(entry)]))));
    keyedDigests.set(map, known);
  }
  return known;
}

/** The lower-case hex SHA-256 that binds a fact to the exact state it led to. Replay under any later build must reach it. */
export function stateHash({ value, context, keyed, salts }: HashedState): string {
  const members: Record<string, string> = {};
  for (const [member, content] of Object.entries(context)) {
    // As in JSON, a member that is undefined is absent.
    if (content === undefined) continue;
    const plain =
      keyed.has(member) && typeof content === 'object' && content !== null ? keyedDigest(content) : digest(content);
    const salt = salts[member];
    members[member] = salt === undefined ? plain : sha256(canonicalJson({ digest: plain, salt }));
  }
  return sha256(canonicalJson({ value, context: members }));
}
