import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher, request } from 'undici';
import { mayReach, type Ranges } from './addresses.ts';

/** The address that a name leads to may not be reached. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
  constructor(readonly host: string) {
    super(`The address of ${host} may not be reached.`);
  }
}

/** Finds all addresses of a name. */
export type Resolve = (
  name: string,
  found: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const resolveBySystem: Resolve = (name, found) => systemLookup(name, { all: true }, found);

/** What requests leave by. */
export type OutboundParts = {
  ranges: Ranges;
  resolve?: Resolve;
  /** Certificates that are trusted besides the usual ones. */
  ca?: string;
  /** How long an answer may take, in milliseconds. */
  patienceMs?: number;
};

const PATIENCE_MS = 10_000;

/** What is read of an answer: nothing of it matters. */
const READ = 65_536;

/** Connections to one address, beyond which requests to it wait. */
const CONNECTIONS = 16;

/** What came of a request. `error` is a sentence, absent when there was an answer. */
export type Outcome = {
  status: number | null;
  error: string | null;
  ms: number;
  headers: Record<string, string | string[] | undefined>;
};

/**
 * Requests to addresses that others chose. Whether an address may be reached is decided at every connection, on the
 * address that is connected to, so that a name which leads elsewhere the next time is of no use. Redirects are not followed.
 */
export class Outbound {
  readonly #agent: Agent;
  readonly #patienceMs: number;

  constructor({ ranges, resolve = resolveBySystem, ca, patienceMs = PATIENCE_MS }: OutboundParts) {
    this.#patienceMs = patienceMs;
    const connectors = Object.fromEntries(
      ['http:', 'https:'].map((protocol) => {
        const lookup = guarded(resolve, (address) => mayReach(address, protocol, ranges));
        const connect = buildConnector({ timeout: patienceMs, lookup, ...(ca === undefined ? {} : { ca }) });
        return [protocol, connect];
      }),
    );
    this.#agent = new Agent({
      connections: CONNECTIONS,
      pipelining: 1,
      connect: (options, callback) => {
        const refuse = () => callback(new AddressRefused(options.hostname), null);
        const host = options.hostname.replace(/^\[|\]$/g, '');
        const connect = connectors[options.protocol];
        // A name that is an address is never looked up.
        if (!connect || (isIP(host) && !mayReach(host, options.protocol, ranges))) return refuse();
        return connect({ ...options, hostname: host }, (error, socket) => {
          if (error) return callback(error, null);
          if (mayReach(socket.remoteAddress ?? '', options.protocol, ranges)) return callback(null, socket);
          socket.destroy();
          return refuse();
        });
      },
    });
  }

  /** Sends a request and waits for the status of its answer. Never throws: what goes wrong is the outcome. */
  async send(
    method: 'OPTIONS' | 'POST',
    url: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<Outcome> {
    const began = performance.now();
    const options = { method, headers, dispatcher: this.#agent as Dispatcher, ...(body === undefined ? {} : { body }) };
    const patience = AbortSignal.timeout(this.#patienceMs);
    try {
      const answer = await request(url, { ...options, signal: patience });
      // The receiver has answered. What it still sends is let go by, so that the connection serves again; if it fails, it does not.
      answer.body.dump({ limit: READ, signal: patience }).catch(() => undefined);
      return {
        status: answer.statusCode,
        error: null,
        ms: Math.round(performance.now() - began),
        headers: answer.headers,
      };
    } catch (fault) {
      const error = patience.aborted ? `Pas de réponse en ${this.#patienceMs / 1000} s.` : sentenceOn(fault);
      return { status: null, error, ms: Math.round(performance.now() - began), headers: {} };
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** A look-up that finds only addresses which may be reached. */
function guarded(resolve: Resolve, may: (address: string) => boolean): LookupFunction {
  return (host, { all, family }, callback) => {
    resolve(host, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const wanted = addresses.filter((each) => !family || family === each.family);
      const reachable = wanted.filter(({ address }) => may(address));
      const [first] = reachable;
      if (!first) return callback(new AddressRefused(host), '', 0);
      return all ? callback(null, reachable) : callback(null, first.address, first.family);
    });
  };
}

function sentenceOn(fault: unknown): string {
  if (fault instanceof AddressRefused) return 'L’adresse n’est pas de celles qui peuvent être appelées.';
  const { code, message } = fault as { code?: string; message: string };
  return `La connexion a échoué (${code ?? message}).`;
}
