import type { Outbound } from './outbound.ts';

/** An address did not agree to receive, and why, in a sentence. */
export class HandshakeRefused extends Error {
  override readonly name = 'HandshakeRefused';
}

/** What an address agreed to: so many requests a minute, or as many as come (null). */
export type Agreement = { rate: number | null };

/**
 * Asks an address whether it agrees to receive from `origin` (CloudEvents, HTTP 1.1 Web Hooks for Event Delivery, section
 * 4): nobody is made to call an address whose owner does not want it.
 * @throws HandshakeRefused
 */
export async function shakeHands(outbound: Outbound, url: string, origin: string): Promise<Agreement> {
  const { status, error, headers } = await outbound.send('OPTIONS', url, {
    'webhook-request-origin': origin,
    'webhook-request-rate': '*',
  });
  if (error !== null) throw new HandshakeRefused(error);
  if (status === null || status < 200 || status > 299)
    throw new HandshakeRefused(`L’adresse a répondu ${status} à OPTIONS : 200 est attendu.`);
  const allowed = textOf(headers['webhook-allowed-origin']);
  if (!allowed.split(',').some((each) => ['*', origin].includes(each.trim())))
    throw new HandshakeRefused(
      `L’adresse n’a pas accepté d’être appelée : sa réponse à OPTIONS ne porte pas « WebHook-Allowed-Origin: ${origin} ».`,
    );
  const rate = textOf(headers['webhook-allowed-rate']);
  return { rate: /^[1-9]\d{0,8}$/.test(rate) ? Number(rate) : null };
}

function textOf(header: string | string[] | undefined): string {
  return [header ?? ''].flat().join(',').trim();
}
