import {
  describeFact,
  type Fact,
  mermaid,
  type PublishedWorkflow,
  payloadSchema,
  publicSchema,
  waysOf,
} from '@jalon/flow';
import { catalogue, exigences } from '@jalon/workflows';
import { Controller, Get, Header, Param, Query } from '@nestjs/common';
import { schemaPath } from './answers.ts';
import { diagram } from './diagram.ts';
import { Documented } from './documentation.ts';
import { malformed } from './http.ts';
import { ProblemRaised } from './problems.ts';

/** The procedures themselves, readable by anyone: facts, states, rules, schemas, pictures. */
@Controller('api/workflows')
export class WorkflowsController {
  @Get()
  @Documented({
    id: 'listWorkflows',
    tag: 'Procédures',
    summary: 'Lister les procédures et leurs versions',
    public: true,
    answers: { 200: { says: 'Les procédures', schema: 'Workflows' } },
  })
  list(): object {
    const items = catalogue.workflows.map(({ name, version, label, hash }) => ({
      name,
      version,
      label,
      hash,
      href: `/api/workflows/${name}/${version}`,
    }));
    return { items };
  }

  @Get(':name/:version')
  @Documented({
    id: 'getWorkflow',
    tag: 'Procédures',
    summary: 'Lire une procédure : états, faits, règles, définition',
    public: true,
    path: ['name', 'version'],
    answers: { 200: { says: 'La procédure', schema: 'Workflow' } },
    problems: ['introuvable'],
  })
  show(@Param('name') name: string, @Param('version') version: string): object {
    const workflow = published(name, version);
    const { label, hash, roles, parties, facts, states } = workflow;
    return {
      name,
      version: workflow.version,
      label,
      hash,
      roles,
      parties,
      states: [...states.values()].flatMap(({ accepts: _accepts, ...state }) => (state.state ? [state] : [])),
      facts: [...facts.values()].map((fact) => ({ ...describeFact(fact), schema: schemaPath(workflow, fact.type) })),
      transitions: waysOf(workflow),
      definition: workflow.machine.config,
      mermaid: mermaid(workflow),
      diagram: `/api/workflows/${name}/${version}/diagram.svg`,
    };
  }

  @Get(':name/:version/diagram.svg')
  @Documented({
    id: 'getDiagram',
    tag: 'Procédures',
    summary: 'Voir une procédure en schéma',
    public: true,
    path: ['name', 'version'],
    answers: { 200: { says: 'Le schéma', media: 'image/svg+xml' } },
    problems: ['introuvable'],
  })
  @Header('content-type', 'image/svg+xml; charset=utf-8')
  picture(@Param('name') name: string, @Param('version') version: string): Promise<string> {
    return diagram(published(name, version));
  }

  @Get(':name/:version/requirements')
  @Documented({
    id: 'getRequirements',
    tag: 'Procédures',
    summary: 'Lire les exigences des référentiels, par chapitre et section',
    public: true,
    path: ['name', 'version'],
    answers: { 200: { says: 'Les référentiels que la procédure connaît', schema: 'Requirements' } },
    problems: ['introuvable'],
  })
  requirements(@Param('name') name: string, @Param('version') version: string): object {
    published(name, version);
    return { items: exigences[`${name}/${Number(version)}`] ?? [] };
  }

  @Get(':name/:version/facts/:type')
  @Documented({
    id: 'getFactSchema',
    tag: 'Procédures',
    summary: 'Lire le JSON Schema du contenu d’un fait',
    public: true,
    path: ['name', 'version', 'type'],
    query: {
      view: {
        type: 'string',
        enum: ['public'],
        description: '« public » : ce qui en part vers les abonnés, et rien d’autre',
      },
    },
    answers: { 200: { says: 'Le schéma', schema: 'JsonSchema', media: 'application/schema+json' } },
    problems: ['introuvable'],
  })
  @Header('content-type', 'application/schema+json; charset=utf-8')
  schema(
    @Param('name') name: string,
    @Param('version') version: string,
    @Param('type') type: string,
    @Query('view') view: string | undefined,
  ): string {
    if (view !== undefined && view !== 'public') throw malformed('view ne prend que la valeur « public ».');
    const workflow = published(name, version);
    const fact: Fact | undefined = workflow.facts.get(type);
    if (!fact)
      throw new ProblemRaised('introuvable', `La procédure ${name} ${version} ne connaît pas le fait ${type}.`);
    const path = schemaPath(workflow, type);
    return JSON.stringify(view ? publicSchema(fact, `${path}?view=public`) : payloadSchema(fact, path));
  }
}

function published(name: string, version: string): PublishedWorkflow {
  const workflow = /^[1-9]\d{0,5}$/.test(version) ? catalogue.find(name, Number(version)) : undefined;
  if (!workflow)
    throw new ProblemRaised('introuvable', `Aucune procédure ${name} ${version} ici : /api/workflows les donne.`);
  return workflow;
}
