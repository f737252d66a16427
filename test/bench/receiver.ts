// A receiver of webhooks in a process of its own, which agrees to everything and counts what comes.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

let received = 0;
const server = createServer((request, reply) => {
  request.resume();
  request.once('end', () => {
    if (request.method === 'OPTIONS') reply.writeHead(200, { 'webhook-allowed-origin': '*' });
    else if (request.method === 'GET') reply.setHeader('x-received', String(received));
    else {
      received += 1;
      reply.statusCode = 204;
    }
    reply.end();
  });
}).listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
