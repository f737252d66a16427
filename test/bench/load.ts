import { Agent, request } from 'node:http';

/** A request to send: the address is that of the server under load. */
export type Shot = { method: string; path: string; body?: string; headers?: Record<string, string> };

/** What a round of load measured: requests answered as expected per second, and the latency of each, in milliseconds. */
export type Round = { rate: number; latencies: number[] };

export type LoadOptions = {
  url: string;
  connections: number;
  /** The round ends after this many requests, or this many milliseconds, whichever comes first. */
  requests?: number;
  ms?: number;
  expect: number;
  /** The next request of a connection. */
  next: (connection: number) => Shot;
};

/**
 * Sends requests over keep-alive connections, one in flight on each.
 * @throws Error on the first answer that is not of the expected status: a fast error would look like a good figure
 */
export async function load({
  url,
  connections,
  requests = Number.POSITIVE_INFINITY,
  ms = 600_000,
  expect,
  next,
}: LoadOptions): Promise<Round> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latencies: number[] = [];
  let left = requests;
  const start = performance.now();
  const connection = async (index: number) => {
    while (left > 0 && performance.now() - start < ms) {
      left -= 1;
      const sent = performance.now();
      await send(agent, url, next(index), expect);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: connections }, (_, index) => connection(index)));
  const seconds = (performance.now() - start) / 1000;
  agent.destroy();
  return { rate: latencies.length / seconds, latencies };
}

function send(agent: Agent, url: string, { method, path, body, headers = {} }: Shot, expect: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const length =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(url + path, { agent, method, headers: { ...headers, ...length } }, (response) => {
      if (response.statusCode === expect) {
        response.resume();
        response.once('end', resolve);
        return;
      }
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.once('end', () => reject(new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 500)}`)));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** The value below which a share of the numbers lies. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The middle of the numbers. */
export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}
