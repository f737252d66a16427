import { Webhook } from 'standardwebhooks';

const PREFIX = 'whsec_';

/** A secret is 24 to 64 bytes (Standard Webhooks). */
const BYTES = { least: 24, most: 64, made: 32 };

/** How long a secret still signs, beside the new one, after it was replaced. */
export const OVERLAP_MS = 24 * 3_600_000;

/** A new secret: `whsec_` and 32 bytes in base64. */
export function makeSecret(random: (bytes: number) => Buffer): string {
  return PREFIX + random(BYTES.made).toString('base64');
}

/** Whether a text is a secret: `whsec_` and 24 to 64 bytes in base64. */
export function isSecret(text: string): boolean {
  if (!text.startsWith(PREFIX)) return false;
  const encoded = text.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.length >= BYTES.least && bytes.length <= BYTES.most && bytes.toString('base64') === encoded;
}

/** The headers of a message (Standard Webhooks 1.0), signed with each secret that is valid. */
export function signedHeaders(secrets: readonly string[], id: string, at: Date, body: string): Record<string, string> {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  };
}
