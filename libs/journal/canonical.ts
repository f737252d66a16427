import { hash } from 'node:crypto';
import canonicalizeModule from 'canonicalize';

// The package is CommonJS and exports the function itself, where its types announce a default export.
const canonicalize = canonicalizeModule as unknown as (value: unknown) => string | undefined;

/** Anything JSON can say. `undefined` members are left out, as RFC 8785 does with absent ones. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json | undefined };

/** RFC 8785 (JCS) text of a JSON value: one value, one text, whatever the order its members were written in. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('Only JSON values have a canonical form.');
  return text;
}

const OTHER_LINE_ENDS = /[\u0085\u2028\u2029]/g;

/** JSON on one line, also for readers to whom Unicode's other line ends (U+0085, U+2028, U+2029) end one: escaped. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    OTHER_LINE_ENDS,
    (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Lower-case hex SHA-256 of a text in UTF-8, or of bytes. */
export function sha256(content: string | Uint8Array): string {
  return hash('sha256', content, 'hex');
}

/** Lower-case hex SHA-256(salt ‖ text): a commitment that cannot be guessed without the salt (16 bytes, in hex). */
export function saltedHash(salt: string, text: string): string {
  return sha256(Buffer.concat([Buffer.from(salt, 'hex'), Buffer.from(text, 'utf8')]));
}
