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
  /** Members that withheld facts write: salted by the opening until such a fact brings its own salt. */
  withheldMembers: ReadonlySet<string>;
  /** The salt that the opening keeps for them; absent for who may not know it, and in a dossier that has none. */
  contextSalt?: string | undefined;
  /** In place of that salt, for who may not know it: the salted digests of these members. */
  digests?: Readonly<Record<string, string>> | undefined;
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

/** What stands for an absent member that withheld facts write: whether it is there must not show either. */
const ABSENT = sha256('');

/** The lower-case hex SHA-256 that binds a fact to the exact state it led to. Replay under any later build must reach it. */
export function stateHash(state: HashedState): string {
  const members = state.context as Readonly<Record<string, unknown>>;
  const isSalted = state.contextSalt !== undefined || state.digests !== undefined;
  // As in JSON, a member that is undefined is absent.
  const present = Object.keys(members).filter((member) => members[member] !== undefined);
  const names = isSalted ? [...new Set([...present, ...state.withheldMembers])] : present;
  // Sorted as RFC 8785 sorts: by UTF-16 code units, as `sort` does; « context » comes before « value ».
  const context = digestsJson(names.sort(), (member) => memberDigest(state, member));
  return sha256(`{"context":${context},"value":${canonicalJson(state.value)}}`);
}

/** The digests that hide, in a state hash, what withheld facts will write: of the members that still have the opening's salt. */
export function saltedDigests(state: HashedState): Record<string, string> {
  const awaiting = [...state.withheldMembers].filter((member) => state.salts[member] === undefined);
  return Object.fromEntries(awaiting.sort().map((member) => [member, memberDigest(state, member)]));
}

function memberDigest(state: HashedState, member: string): string {
  const { context, keyed, salts, withheldMembers, contextSalt, digests } = state;
  const awaits = withheldMembers.has(member) && salts[member] === undefined;
  const told = awaits ? digests?.[member] : undefined;
  if (told !== undefined) return told;
  const content = (context as Readonly<Record<string, unknown>>)[member];
  const isMap = keyed.has(member) && typeof content === 'object' && content !== null;
  const plain =
    content === undefined ? ABSENT : isMap ? keyedDigest(content as Record<string, unknown>) : digest(content);
  const salt = awaits ? contextSalt : salts[member];
  return salt === undefined ? plain : sha256(`{"digest":"${plain}","salt":"${salt}"}`);
}
