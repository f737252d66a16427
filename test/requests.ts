import { type ClientRequest, type IncomingMessage, Agent as KeptAgent, request } from 'node:http';

/** A request as bytes are sent, whatever a well-behaved client would send. */
export type Sent = { method: string; path: string; headers: Record<string, string>; body?: string | Buffer };

/** What came of it: of a stream that does not end, only how it began. */
export type Came = { status: number; type: string; text: string };

/** The part of an OpenAPI document that requests are generated from. */
export type Described = {
  paths: Record<string, Record<string, { parameters?: Parameter[]; requestBody?: object; security?: object[] }>>;
};
type Parameter = { name: string; in: string; schema?: { enum?: string[]; type?: string } };

/** What requests are made of that the document does not know: who asks, what there is, what is hidden. */
export type Known = {
  tokens: readonly string[];
  ids: readonly string[];
  /** Bodies that are right somewhere. */
  bodies: readonly object[];
  /** Cursors and positions that answers gave; the generator adds to them. */
  cursors: string[];
};

/** Texts that no field and no parameter is meant for. */
const HOSTILE: readonly string[] = [
  ...[
    '',
    ' ',
    '\u0000',
    'a\u0000b',
    '\ud800',
    'a\udfff',
    '\u202eabc',
    '\u2028',
    '\u0085',
    '\ufeff',
    '\uffff',
    '\u{e0041}',
  ],
  ...['2025-13-01', '2025-02-30', '0000-00-00', '9999-12-31', '2025-07-02T25:00:00Z', '+275760-09-13', '2025-1'],
  ...['-1', '0', '1e9', '1e309', 'NaN', '-0', '0x10', '９', '99999999999999999999', '1.5', '١'],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'undefined', '[object Object]', 'true'],
  ...["' or 1=1 --", '%', '_', '\\', '*', '%%', '%00', '%zz', '../../etc/passwd', '..%2f', '//', ';', '\r\nX: y', '\n'],
  ...[
    '<script>',
    '{{7*7}}',
    '=1+1',
    'é'.repeat(300),
    'x'.repeat(3000),
    '\u0301'.repeat(50),
    '👩\u200d💻',
    'ﷺ',
    'İ',
    'ß',
  ],
  ...[
    'eyJhIjoxfQ',
    'WyItdXBkYXRlZEF0IiwiXHUwMDAwIiwieCJd',
    'WyJlY2hlYW5jZXMiLCJcdTAwMDAiLCJhIiwiYiJd',
    'bnVsbA',
    'start',
  ],
];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'];
const TYPES = ['application/json', 'application/json; charset=utf-16', 'text/plain', 'application/jsonp', '', 'x'];

/** Numbers at random that a seed repeats (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Requests at random to what a document describes, most of them wrong in one way or several. */
export class Requests {
  readonly #operations: { path: string; method: string; parameters: Parameter[]; body: boolean }[];

  constructor(
    { paths }: Described,
    private readonly known: Known,
    private readonly random: () => number,
  ) {
    this.#operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
        path,
        method: method.toUpperCase(),
        parameters,
        body: requestBody !== undefined,
      })),
    );
  }

  next(): Sent {
    const { path, method: right, parameters, body } = this.#one(this.#operations);
    const method = this.#rarely(0.04) ? this.#one(METHODS) : right;
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => this.#encoded(this.#pathValue(name)));
    const query = parameters
      .filter((parameter) => parameter.in === 'query' && this.#rarely(0.4))
      .map((parameter) => `${parameter.name}=${this.#encoded(this.#queryValue(parameter))}`);
    if (this.#rarely(0.05)) query.push(`${this.#encoded(this.#one(HOSTILE))}=${this.#encoded(this.#one(HOSTILE))}`);
    const headers: Record<string, string> = {};
    const token = this.#rarely(0.9) ? this.#one(this.known.tokens) : undefined;
    if (token !== undefined)
      headers.authorization = `Bearer ${this.#rarely(0.03) ? mutated(token, this.random) : token}`;
    for (const parameter of parameters)
      if (parameter.in === 'header' && this.#rarely(0.4)) headers[parameter.name] = this.#header(parameter.name);
    if (this.#rarely(0.1))
      headers.accept = this.#one(['text/csv', 'application/x-ndjson', '*/*;q=x', 'x', 'text/html']);
    const sent: Sent = { method, path: filled + (query.length > 0 ? `?${query.join('&')}` : ''), headers };
    if (body || this.#rarely(0.05)) {
      sent.body = this.#body();
      headers['content-type'] = this.#rarely(0.93) ? 'application/json' : this.#one(TYPES);
      headers['content-length'] = String(Buffer.byteLength(sent.body));
    }
    return sent;
  }

  #pathValue(name: string): string {
    if (this.#rarely(0.25)) return this.#one(HOSTILE) || 'x';
    if (name === 'name') return this.#one(['secnumcloud', 'interdit', 'pascalcloud']);
    if (name === 'version') return this.#one(['1', '01', '2', 'un']);
    if (name === 'type') return this.#one(['j0.acceptee', 'candidature.deposee', 'j9.x']);
    return this.#one(this.known.ids);
  }

  #queryValue({ name, schema }: Parameter): string {
    // Waiting is what these do; there is nothing to find in it.
    if (name === 'wait') return this.#one(['0', '31', 'x', '-1']);
    if (name === 'min-position') return this.#one(['0', '1', 'x', '-1', '\u0000']);
    if (this.#rarely(0.45)) return this.#one(HOSTILE);
    if (schema?.enum) return this.#one(schema.enum);
    if (name === 'cursor' || name === 'after') return this.#cursor();
    if (schema?.type === 'integer') return this.#one(['0', '1', '2', '7', '200', '201']);
    return this.#one([...this.known.ids, '2025-07-01', '2025-07-02T10:00:00Z', 'true', 'j0.*', 'J0', '9.5.b', 'nuage']);
  }

  #cursor(): string {
    const cursor = this.#one([...this.known.cursors, 'start']);
    if (this.#rarely(0.3)) return this.#crafted(cursor);
    return this.#rarely(0.5) ? mutated(cursor, this.random) : cursor;
  }

  /** A cursor as somebody makes one who has looked into those that were given. */
  #crafted(cursor: string): string {
    try {
      const within = JSON.parse(Buffer.from(cursor, 'base64url').toString());
      return Buffer.from(JSON.stringify(this.#warped(within, 0))).toString('base64url');
    } catch {
      // It is no JSON: nothing can be put into it.
      return cursor;
    }
  }

  /** Header values are bytes: what no client could put there is left out. */
  #header(name: string): string {
    const wrong = this.#one(HOSTILE).replace(/[^\t\x20-\x7e\x80-\xff]/g, '');
    if (this.#rarely(0.5)) return wrong;
    if (name === 'If-Match') return this.#one(['"0"', '*', 'W/"1"', '"0", "1"', '"28"']);
    if (name === 'Last-Event-ID') return this.#cursor().replace(/[^\x20-\x7e]/g, '');
    return this.#one(['return=minimal', 'cle-1', 'cle-2', 'x'.repeat(255)]);
  }

  #body(): string | Buffer {
    if (this.#rarely(0.04)) return Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]);
    const text = JSON.stringify(this.#warped(structuredClone(this.#one(this.known.bodies)), 0));
    return this.#rarely(0.05) ? text.slice(0, Math.floor(this.random() * text.length)) : text;
  }

  /** A value of which, here and there, a part is something else. */
  #warped(value: unknown, depth: number): unknown {
    if (this.#rarely(depth === 0 ? 0.02 : 0.06)) return this.#stranger();
    if (Array.isArray(value)) return value.map((item) => this.#warped(item, depth + 1));
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).flatMap(([key, inner]): [string, unknown][] =>
      this.#rarely(0.02) ? [] : [[this.#rarely(0.01) ? this.#one(HOSTILE) : key, this.#warped(inner, depth + 1)]],
    );
    if (this.#rarely(0.03)) members.push([this.#one(HOSTILE), this.#stranger()]);
    return Object.fromEntries(members);
  }

  #stranger(): unknown {
    const hostile = this.#one(HOSTILE);
    return this.#one([hostile, hostile, hostile, null, 0, -1, 1e308, true, [], {}, [hostile], { [hostile]: hostile }]);
  }

  /** Percent-encoded, nearly always rightly; what is no UTF-16 is sent as the bytes that it would have. */
  #encoded(text: string): string {
    if (this.#rarely(0.02)) return text.replace(/[^\x21-\x7e]/g, '%');
    return [...Buffer.from(text.replace(/\p{Cs}/gu, '\ufffd'))]
      .map((byte) => (/[\w.~-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${hex(byte)}`))
      .join('')
      .replace('%EF%BF%BD', '%ED%A0%80');
  }

  #one<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T;
  }

  #rarely(share: number): boolean {
    return this.random() < share;
  }
}

const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, '0');

/** A text of which one character is another. */
function mutated(text: string, random: () => number): string {
  const place = Math.floor(random() * text.length);
  return text.slice(0, place) + String.fromCharCode(33 + Math.floor(random() * 90)) + text.slice(place + 1);
}

const agent = new KeptAgent({ keepAlive: true, maxSockets: 16 });

/** Longer than any answer may take: a request that is not answered by then hangs, and fails. */
const HANGS_MS = 20_000;

/** Sends a request and reads its answer; of a stream of events only its head. */
export function send(url: string, { method, path, headers, body }: Sent): Promise<Came> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sent: ClientRequest = request({ hostname, port, method, path, headers, agent, timeout: HANGS_MS });
    sent.once('timeout', () => sent.destroy(new Error('no answer')));
    sent.once('error', reject);
    sent.once('response', (answer: IncomingMessage) => {
      const type = String(answer.headers['content-type'] ?? '');
      const status = answer.statusCode as number;
      if (type.startsWith('text/event-stream')) {
        sent.destroy();
        resolve({ status, type, text: '' });
        return;
      }
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.once('end', () => resolve({ status, type, text }));
      answer.once('error', reject);
    });
    sent.end(body);
  });
}
