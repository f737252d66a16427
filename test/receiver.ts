import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A message that reached a receiver. */
export type Received = { headers: IncomingHttpHeaders; body: string };

/** What a receiver does with a message: answers so, with a body that never ends if `endless`, never answers, or cuts the connection. */
export type Answering = { status: number; headers?: Record<string, string>; endless?: true } | 'hang' | 'reset';

/** A server of somebody else's that receives webhooks, as badly as the test wants. */
export class Receiver {
  readonly received: Received[] = [];
  readonly handshakes: IncomingHttpHeaders[] = [];
  /** What it does with the next message; everything is fine unless the test says otherwise. */
  answer: (message: Received, count: number) => Answering = () => ({ status: 204 });
  /** What it answers to OPTIONS. */
  agrees: { status: number; headers?: Record<string, string> } = {
    status: 200,
    headers: { 'webhook-allowed-origin': '*' },
  };

  private constructor(
    readonly url: string,
    private readonly server: Server,
  ) {}

  static async open(port = 0, host = '127.0.0.1'): Promise<Receiver> {
    const server = createServer().listen(port, host);
    await once(server, 'listening');
    const receiver = new Receiver(`http://${host}:${(server.address() as AddressInfo).port}/faits`, server);
    server.on('request', async (request, reply) => {
      let body = '';
      for await (const part of request.setEncoding('utf8')) body += part;
      if (request.method === 'OPTIONS') {
        receiver.handshakes.push(request.headers);
        reply.writeHead(receiver.agrees.status, receiver.agrees.headers).end();
        return;
      }
      const message = { headers: request.headers, body };
      receiver.received.push(message);
      const answer = receiver.answer(message, receiver.received.length);
      if (answer === 'reset') request.socket.destroy();
      else if (answer !== 'hang') {
        reply.writeHead(answer.status, answer.headers);
        if (answer.endless) reply.write('…');
        else reply.end();
      }
    });
    return receiver;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** The ids of the messages, in the order in which they came. */
  get ids(): string[] {
    return this.received.map(({ headers }) => String(headers['webhook-id']));
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever left
  get events(): any[] {
    return this.received.map(({ body }) => JSON.parse(body));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
