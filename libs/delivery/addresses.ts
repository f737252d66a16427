import { isIP } from 'node:net';
import ip from 'ipaddr.js';

type Range = readonly [ip.IPv4 | ip.IPv6, number];

/** Ranges of addresses that webhooks may reach besides public ones, there by `http` as well. */
export type Ranges = readonly Range[];

/**
 * Reads ranges as CIDR (`10.2.0.0/16`, `fd00::/8`) or single addresses.
 * @throws RangeError naming the first that is none
 */
export function readRanges(texts: readonly string[]): Ranges {
  return texts.map((text) => {
    const [address = '', bits] = text.split('/');
    if (!isIP(address)) throw new RangeError(`${text} is no range of addresses like 10.2.0.0/16`);
    if (bits === undefined) return [ip.parse(address), isIP(address) === 4 ? 32 : 128] as const;
    if (!ip.isValidCIDR(text)) throw new RangeError(`${text} is no range of addresses like 10.2.0.0/16`);
    return ip.parseCIDR(text);
  });
}

/**
 * Whether a webhook may be sent to an address: to any in the ranges, else by `https` to public ones. Addresses that stand
 * for others (IPv4 in IPv6 in all its forms) are judged by what they stand for, or are not public.
 */
export function mayReach(address: string, protocol: string, ranges: Ranges): boolean {
  if (!isIP(address)) return false;
  // A zone belongs to an interface of this machine: such an address is link-local.
  const parsed = ip.process(address.split('%', 1)[0] as string);
  if (ranges.some((range) => range[0].kind() === parsed.kind() && matches(parsed, range))) return true;
  return protocol === 'https:' && parsed.range() === 'unicast';
}

function matches(address: ip.IPv4 | ip.IPv6, [base, bits]: Range): boolean {
  return (address as ip.IPv4).match(base as ip.IPv4, bits);
}
