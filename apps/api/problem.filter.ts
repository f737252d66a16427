import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { KeyReused, Refused } from '@jalon/engine';
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Accesses } from './accesses.ts';
import { type Problem, type ProblemName, problem, problemOf, refusalProblem } from './problems.ts';
import { RateExceeded } from './rate.ts';
import { TokenRefused } from './tokens.ts';

/** How long a client waits before it asks again, in seconds, when nothing better is known. */
const RETRY_AFTER = '2';

/** Everything thrown while answering leaves as a problem document; what was not foreseen is logged whole and told not at all. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly accesses: Pick<Accesses, 'refused' | 'recorder'>) {}

  async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const request: FastifyRequest = http.getRequest();
    try {
      await this.accesses.refused(request, thrown);
    } catch (err) {
      // Whoever was denied is told so all the same: nothing is shown by it.
      request.log.warn({ err }, 'a denial could not be recorded');
    }
    sendProblem(thrown, request, http.getResponse(), await this.#problem(thrown, request));
  }

  /** The checklist of a refused fact may tell of what is withheld from others: without a record less is told. */
  async #problem(thrown: unknown, request: FastifyRequest): Promise<Problem> {
    if (!(thrown instanceof Refused)) return problemOf(thrown);
    try {
      return refusalProblem(thrown, await thrown.told.open(this.accesses.recorder(request)));
    } catch (err) {
      request.log.warn({ err }, 'what a refusal tells could not be recorded, and is not shown');
      return { ...problemOf(thrown), withheldForNow: true };
    }
  }
}

/** Answers with the problem document of what was thrown. */
export function sendProblem(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  problem = problemOf(thrown),
): void {
  if (problem.status >= 500 && problem.status !== 503) request.log.error({ err: thrown, type: problem.type }, 'failed');
  else if (problem.status === 503) request.log.warn({ err: thrown, type: problem.type }, 'unavailable');
  if (problem.status === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', RETRY_AFTER);
  if (thrown instanceof RateExceeded) reply.header('retry-after', String(thrown.seconds));
  if (thrown instanceof KeyReused && thrown.recorded) reply.header('location', factAddress(thrown.recorded));
  // RFC 6750: an error is named only when there was a token.
  if (problem.status === 401)
    reply.header('www-authenticate', thrown instanceof TokenRefused ? 'Bearer error="invalid_token"' : 'Bearer');
  request.refusal = problem.type.slice('/problems/'.length);
  const instance = problem.status >= 500 ? { requestId: request.id } : {};
  reply
    .code(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify({ ...problem, ...instance }));
}

/** Where one fact of a dossier is read. */
function factAddress({ dossier, revision }: { dossier: string; revision: number }): string {
  const after = revision === 0 ? '' : `after=${revision - 1}&`;
  return `/api/dossiers/${dossier}/facts?${after}limit=1`;
}

const UNREADABLE: Readonly<Record<string, ProblemName>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'delai-depasse',
  HPE_HEADER_OVERFLOW: 'en-tetes-trop-longs',
};

/** What is no HTTP request, or never arrives whole, is answered on the bare socket: there is no request to reply to. */
export function answerUnreadable(fault: Error & { code?: string }, socket: Socket): void {
  if (fault.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const told = problem(UNREADABLE[fault.code ?? ''] ?? 'requete-mal-formee');
  const body = JSON.stringify(told);
  const head = [
    `HTTP/1.1 ${told.status} ${STATUS_CODES[told.status]}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
