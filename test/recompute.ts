import { createHash } from 'node:crypto';
import type { Situation } from '@jalon/flow';
import type { Envelope } from '@jalon/journal';
import canonicalizeModule from 'canonicalize';

// The stored format once more, written from its description (FORMAT.md) and not from the code that writes it.

/** SHA-256 of a text, in lower-case hex. */
const sha256 = (text: string) => createHash('sha256').update(text, 'utf8').digest('hex');

// The package is CommonJS and exports the function itself, where its types announce a default export.
const canonical = canonicalizeModule as unknown as (value: unknown) => string;

/** SHA-256(salt ‖ text). */
export const salted = (salt: string, text: string) =>
  createHash('sha256').update(Buffer.from(salt, 'hex')).update(text, 'utf8').digest('hex');

/** dataHash of a payload under its salt. */
export const payloadHash = (salt: string, data: unknown) => salted(salt, canonical(data));

/** The hash of an envelope. */
export const hashOf = (envelope: Envelope) => sha256(canonical(envelope));

/** The hash of the state that a history leads to. */
export function stateHashOf({ snapshot, workflow, salts, contextSalt }: Situation): string {
  const plain = (member: string, content: unknown) => {
    if (!workflow.keyed.has(member) || content === null) return sha256(canonical(content));
    const entries = Object.entries(content as object).map(([key, entry]) => [key, sha256(canonical(entry))]);
    return sha256(canonical(Object.fromEntries(entries)));
  };
  const context = snapshot.context as Record<string, unknown>;
  const names = new Set([...Object.keys(context), ...(contextSalt === undefined ? [] : workflow.withheldMembers)]);
  const members = [...names].map((member) => {
    const content = context[member];
    const digest = content === undefined ? sha256('') : plain(member, content);
    const salt = salts[member] ?? (workflow.withheldMembers.has(member) ? contextSalt : undefined);
    return [member, salt === undefined ? digest : sha256(canonical({ digest, salt }))];
  });
  return sha256(canonical({ value: snapshot.value, context: Object.fromEntries(members) }));
}
