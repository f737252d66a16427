/**
 * Which way dependencies go: flow <- workflows; flow <- journal <- { engine, projections, delivery, proof }; apps and
 * test compose. test/dependencies.spec.ts plants one violation per rule and proves that each of them bites.
 */

/** Specs and test aids may reach for what product code may not: the file system, the database, a test framework. */
const TESTS = ['^test/', '\\.spec\\.tsx?$', '(^|[/.])contract\\.ts$'];

/** An npm package, wherever npm put it; also when it is not installed and stays unresolved. */
const npm = (...names) => names.flatMap((name) => [`(^|/)node_modules/(@types/)?${name}/`, `^${name}(/|$)`]);

/** A package of this repository, by its folder; what npm nested inside that folder is not it. */
const own = (folder) => `^${folder}/(?!node_modules/)`;

/** The libraries beside each other: none of them knows another. */
const SIDE_BY_SIDE = 'engine|projections|delivery|proof';

const rules = [
  {
    name: 'flow-is-pure',
    comment:
      'Deciding must give the same answer tomorrow, in a browser and in a verifier: no Node, no database, no other library.',
    from: { path: '^libs/flow/', pathNot: TESTS },
    to: {
      pathNot: [
        own('libs/flow'),
        ...npm('xstate', 'class-validator', 'class-transformer', 'class-validator-jsonschema', 'reflect-metadata'),
      ],
    },
  },
  {
    name: 'flow-is-the-bottom',
    comment: 'Even the specs of flow stand alone, so that the model can be read, and trusted, without the rest.',
    from: { path: '^libs/flow/' },
    to: { path: [own('libs/(?!flow/)[^/]+'), own('workflows'), own('apps')] },
  },
  {
    name: 'workflows-are-data',
    comment:
      'An evaluator reads a procedure without knowing Node or Nest, and its hash covers all that it does: flow and the three packages that declare facts and machines, nothing else.',
    from: { path: '^workflows/', pathNot: TESTS },
    to: {
      pathNot: [own('workflows'), '^libs/flow/index\\.ts$', ...npm('xstate', 'class-validator', 'class-transformer')],
    },
  },
  {
    name: 'versions-stand-alone',
    comment:
      'A published version of a procedure never changes: were it to import another version, or a file outside its folder, its hash would not cover what it does.',
    from: { path: '^workflows/([^/]+)/(v[0-9]+)/' },
    to: { path: own('workflows'), pathNot: '^workflows/$1/$2/' },
  },
  {
    name: 'journal-knows-flow-at-most',
    comment: 'The log outlives whoever reads it: a reader may change without the writer noticing.',
    from: { path: '^libs/journal/' },
    to: { path: own('libs/(?!flow/|journal/)[^/]+') },
  },
  {
    name: 'libs-side-by-side',
    comment:
      'Engine, projections, delivery and proof meet in the journal only: each can be stopped, rebuilt or split off alone.',
    from: { path: `^libs/(${SIDE_BY_SIDE})/` },
    to: { path: own(`libs/(?:${SIDE_BY_SIDE})`), pathNot: '^libs/$1/' },
  },
  {
    name: 'libs-know-no-procedure',
    comment: 'Mechanism is not written for one procedure: adding one is one folder and one line in workflows/index.ts.',
    from: { path: '^libs/' },
    to: { path: own('workflows') },
  },
  {
    name: 'nothing-imports-apps',
    comment:
      'Apps are the outermost shell. Whole-product tests start them, and the command line reuses the wiring of the API.',
    from: { path: '^(libs|workflows)/' },
    to: { path: own('apps') },
  },
  {
    name: 'apps-stand-apart',
    comment: 'An app imports no other app; the command line alone may, since it opens the data folder as the API does.',
    from: { path: '^apps/(?!cli/)([^/]+)/' },
    to: { path: own('apps'), pathNot: '^apps/$1/' },
  },
  {
    name: 'console-talks-http',
    comment: 'The console uses the public API and nothing else, so that whatever it does, another client can do.',
    from: { path: '^apps/console/' },
    to: { path: [own('libs'), own('workflows')] },
  },
  {
    name: 'packages-have-one-door',
    comment: 'A package is entered by its index.ts (and a contract suite by specs), so that its inside can change.',
    from: { path: '^(libs/[^/]+|workflows|apps/[^/]+|test)/' },
    to: {
      path: [own('libs'), own('workflows'), '^@jalon/[^/]+/'],
      pathNot: ['^$1/', '^(libs/[^/]+|workflows)/index\\.ts$', '^libs/[^/]+/contract\\.ts$', '^@jalon/[^/]+/contract$'],
    },
  },
  {
    name: 'no-cycles',
    comment:
      'Files that import each other are one file in disguise, and in ESM one of them sees the other half-loaded.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'sqlite-in-its-place',
    comment:
      'The driver is synchronous and durability depends on its settings: only the adapters made for that hold it.',
    from: {
      path: '^(apps|libs|workflows)/',
      pathNot: ['^libs/(journal|proof)/[^/]*sqlite[^/]*$', '^libs/(projections|delivery)/', ...TESTS],
    },
    to: { path: npm('better-sqlite3') },
  },
  {
    name: 'kysely-in-its-place',
    comment:
      'SQL is written where its tables are declared, read models, deliveries and proofs; everything else asks there.',
    from: { path: '^(apps|libs|workflows)/', pathNot: ['^libs/(projections|delivery|proof)/', ...TESTS] },
    to: { path: npm('kysely') },
  },
  {
    name: 'eventstore-in-its-place',
    comment:
      'The client has traps of its own (calls that never settle, a global batch stream): only the adapter that knows them holds it.',
    from: { path: '^(apps|libs|workflows)/', pathNot: ['^libs/journal/client\\.eventstore\\.ts$', ...TESTS] },
    to: { path: npm('@eventstore/db-client') },
  },
  {
    name: 'postgres-in-its-place',
    comment:
      'What tells a database that is away from a wrong question is decided once, for all that lies in PostgreSQL.',
    from: {
      path: '^(apps|libs|workflows)/',
      pathNot: ['^libs/journal/[^/]*postgres[^/]*$', '^libs/projections/scratch\\.ts$', ...TESTS],
    },
    to: { path: npm('pg') },
  },
  {
    name: 'xstate-in-its-place',
    comment:
      'Machines are declared by workflows and run by flow; with from and to in the envelope nobody else needs them.',
    from: { path: '^(apps|libs|workflows)/', pathNot: ['^libs/flow/', '^workflows/', ...TESTS] },
    to: { path: npm('xstate') },
  },
  {
    name: 'product-imports-no-test-aid',
    comment: 'What runs in production was not written to help a test, and needs no test framework to start.',
    from: { pathNot: TESTS },
    to: {
      path: [
        ...TESTS.map((test) => test.replace('^test/', own('test'))),
        ...npm('@jest/globals', 'jest', 'fast-check'),
      ],
    },
  },
  {
    name: 'declared-where-used',
    comment:
      'A package that only the root, or only development, asks for is missing where the product is installed alone. The console is built before that, from development packages.',
    from: { path: '^(apps|libs|workflows)/', pathNot: ['^apps/console/', ...TESTS] },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
  },
  {
    name: 'everything-resolves',
    comment: 'An import that leads nowhere escapes every other rule.',
    from: {},
    to: { couldNotResolve: true },
  },
];

export default {
  forbidden: rules.map((rule) => ({ severity: 'error', ...rule })),
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|apps/[^/]+/dist)/' },
    // Types count: a type that crosses a border binds both sides as much as a function does.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'require', 'types', 'default'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.json'],
    },
  },
};
