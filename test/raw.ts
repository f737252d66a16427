import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import type { Answer } from './running.ts';

/** A request that fetch would not send: another Host, no content type, a body in chunks. */
export async function sendRaw(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): Promise<Answer> {
  const length =
    body === '' || headers['transfer-encoding'] ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const sent = request(url + path, { method, headers: { ...length, ...headers } });
  // The server may answer and hang up before it has read everything.
  sent.on('error', () => {});
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return answerOf(response.statusCode as number, response.headers as Record<string, string>, text);
}

/** What a server answers to bytes on a bare connection, once it has closed it. */
export async function sendBytes(url: string, bytes: string): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(bytes);
  let received = '';
  for await (const chunk of socket.setEncoding('utf8')) received += chunk;
  const [head = '', text = ''] = received.split('\r\n\r\n');
  const [status = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(lines.map((line) => line.split(': ') as [string, string]));
  return answerOf(Number(status.split(' ')[1]), headers, text);
}

function answerOf(status: number, headers: Record<string, string>, text: string): Answer {
  const json = Object.entries(headers).some(([name, value]) => /^content-type$/i.test(name) && /json/.test(value));
  return { status, headers: new Headers(headers), body: json ? JSON.parse(text) : text, text };
}
