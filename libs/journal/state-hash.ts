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
const plainDigests = new Map<unknown, string>();
const PLAIN_DIGESTS = 5_000;

/**
 * SHA-256 of a value's canonical JSON. Remembered by identity for objects (contexts are immutable and share what did not
 * change), by value for the rest, so that a state costs what changed in it.
 */
function digest(value: unknown): string {
  const held = typeof value === 'object' && value !== null;
  let known = held ? digests.get(value) : plainDigests.get(value);
  if (known !== undefined) return known;
  known = sha256(canonicalJson(value));
  if (held) {
    digests.set(value, known);
  } else {
    if (plainDigests.size >= PLAIN_DIGESTS) plainDigests.clear();
    plainDigests.set(value, known);
  }
  return known;
}

function keyedDigest(map: Readonly<Record<string, unknown>>): string {
  let known = keyedDigests.get(map);
  if (known === undefined) {
    const keys = Object.keys(map).sort();
    known = sha256(digestsJson(keys, (key) => digest(map[key])));
    keyedDigests.set(map, known);
  }
  return known;
}

/** Canonical JSON of an object whose values are hex digests: only its keys need care, and they come sorted. */
function digestsJson(sortedKeys: readonly string[], digestOf: (key: string) => string): string {
  let text = '';
  for (const key of sortedKeys) text += `${text === '' ? '{' : ','}${JSON.stringify(key)}:"${digestOf(key)}"`;
  return text === '' ? '{}' : `${text}}`;
}

/** The lower-case hex SHA-256 that binds a fact to the exact state it led to. Replay under any later build must reach it. */
export function stateHash({ value, context, keyed, salts }: HashedState): string {
  const members = context as Readonly<Record<string, unknown>>;
  const memberDigest = (member: string) => {
    const content = members[member];
    const isMap = keyed.has(member) && typeof content === 'object' && content !== null;
    const plain = isMap ? keyedDigest(content as Record<string, unknown>) : digest(content);
    const salt = salts[member];
    return salt === undefined ? plain : sha256(`{"digest":"${plain}","salt":"${salt}"}`);
  };
  // As in JSON, a member that is undefined is absent.
  const present = Object.keys(members).filter((member) => members[member] !== undefined);
  // Sorted as RFC 8785 sorts: by UTF-16 code units, as `sort` does; « context » comes before « value ».
  return sha256(`{"context":${digestsJson(present.sort(), memberDigest)},"value":${canonicalJson(value)}}`);
}
