import { Controller, Get, Header, Param } from '@nestjs/common';
import { Documented } from './documentation.ts';
import { PROBLEMS, type ProblemName, ProblemRaised } from './problems.ts';

/** The pages at the URIs of problem types: what happened, and what to do. */
@Controller('problems')
export class ProblemsController {
  @Get()
  @Documented({
    id: 'listProblems',
    tag: 'Problèmes',
    summary: 'Lister les types de problèmes',
    public: true,
    answers: { 200: { says: 'Une page', media: 'text/html' } },
  })
  @Header('content-type', 'text/html; charset=utf-8')
  index(): string {
    const rows = (Object.keys(PROBLEMS) as ProblemName[]).map(
      (name) => `<li><a href="/problems/${name}">${PROBLEMS[name][1]}</a> (${PROBLEMS[name][0]})</li>`,
    );
    return page('Problèmes', `<ul>${rows.join('')}</ul>`);
  }

  @Get(':name')
  @Documented({
    id: 'explainProblem',
    tag: 'Problèmes',
    summary: 'Expliquer un type de problème, et ce qu’il faut faire',
    public: true,
    path: ['name'],
    answers: { 200: { says: 'Une page', media: 'text/html' } },
    problems: ['introuvable'],
  })
  @Header('content-type', 'text/html; charset=utf-8')
  show(@Param('name') name: string): string {
    if (!Object.hasOwn(PROBLEMS, name)) throw new ProblemRaised('introuvable');
    const [status, title, advice] = PROBLEMS[name as ProblemName];
    return page(title, `<p>${advice}</p><p>Statut HTTP : ${status}. Type : <code>/problems/${name}</code>.</p>`);
  }
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="fr"><meta charset="utf-8"><title>${title} · Jalon</title><h1>${title}</h1>${body}<p><a href="/docs">Documentation</a></p></html>`;
}
