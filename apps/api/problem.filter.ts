import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { problemOf } from './problems.ts';

/** Everything thrown while answering leaves as a problem document; what was not foreseen is logged whole and told not at all. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(thrown, http.getRequest(), http.getResponse());
  }
}

/** Answers with the problem document of what was thrown. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = problemOf(thrown);
  if (problem.status >= 500 && problem.status !== 503) request.log.error({ err: thrown, type: problem.type }, 'failed');
  else if (problem.status === 503) request.log.warn({ err: thrown, type: problem.type }, 'unavailable');
  if (problem.status === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', '2');
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  const instance = problem.status >= 500 ? { requestId: request.id } : {};
  reply
    .code(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify({ ...problem, ...instance }));
}
