import { ProposedFact } from '@jalon/engine';
import { type Fact, type JsonSchema, type PayloadClass, payloadSchema } from '@jalon/flow';
import { DOSSIER_SORTS } from '@jalon/projections';
import { catalogue, STATUTS } from '@jalon/workflows';
import { CalendarTokenRequest } from './calendar-token-request.ts';
import { cursorSchema } from './cursors.ts';
import { DemonstrationToken } from './demonstration-token.ts';
import { WebhookChange, WebhookReplay, WebhookRequest } from './webhook-bodies.ts';

/** An object with these members, all required but the optional ones. Answers may gain members: it is left open. */
function object(members: Record<string, JsonSchema>, optional: Record<string, JsonSchema> = {}): JsonSchema {
  return { type: 'object', properties: { ...members, ...optional }, required: Object.keys(members) };
}

/** One of which every other member is refused, as in requests. */
function closed(members: Record<string, JsonSchema>, optional: Record<string, JsonSchema> = {}): JsonSchema {
  return { ...object(members, optional), additionalProperties: false };
}

/** A reference to one of the components below. */
export const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
const mapOf = (values: JsonSchema): JsonSchema => ({ type: 'object', additionalProperties: values });
const orNull = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: 'null' }] });
const page = (items: JsonSchema): JsonSchema =>
  object({ items: listOf(items) }, { next: text('Adresse de la page suivante ; absente de la dernière.') });
const words = (list: readonly string[], description?: string): JsonSchema => ({
  type: 'string',
  enum: [...list],
  ...(description === undefined ? {} : { description }),
});
function text(description?: string): JsonSchema {
  return { type: 'string', ...(description === undefined ? {} : { description }) };
}
const hex = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const yes = { type: 'boolean' };
const integer = { type: 'integer' };

const { workflows } = catalogue;
const unique = <T>(items: readonly T[]): T[] => [...new Set(items)];
const STATES = unique(workflows.flatMap(({ states }) => [...states.keys()].filter((state) => state !== null)));
const JALONS = unique(workflows.flatMap(({ states }) => [...states.values()].flatMap(({ jalon }) => jalon || [])));
const MILESTONES = unique(
  workflows.flatMap(({ facts }) => [...facts.values()].flatMap(({ crosses }) => crosses ?? [])),
);
const ROLES = unique(workflows.flatMap(({ roles }) => Object.keys(roles)));
const TYPES = unique(workflows.flatMap(({ facts }) => [...facts.keys()]));

const crossing = { effectiveAt: ref('Date'), recordedAt: ref('Instant') };
const person = { role: text(), org: text(), nom: text('Le nom, ou « effacé » ; absent quand aucun n’est connu.') };
const party = object({ role: person.role, org: person.org }, { nom: person.nom });
const actor = object({ iss: text(), sub: text(), role: person.role }, { org: person.org, nom: person.nom });
const rule = {
  rule: text('Nom de la règle'),
  message: text(
    'Ce qui en est vrai, en une phrase qui peut être citée ; ce qu’elle demande, tant que rien n’en est su',
  ),
};
const about = {
  items: {
    ...listOf(
      object({
        kind: text('Ce que c’est : « constat », « audit », « fait »…'),
        id: text('Son identifiant'),
        label: text('Ce qu’en dit la phrase'),
      }),
    ),
    description: 'Ce dont parle la phrase d’une règle qui n’est pas respectée',
  },
};
const procedure = object({ name: words(unique(workflows.map(({ name }) => name))), version: integer });

const possible = {
  type: words(TYPES),
  label: text('Ce que l’évaluateur en dit'),
  by: listOf(words(ROLES, 'Un rôle qui peut le proposer')),
  allowed: { ...yes, description: 'Le rôle de l’appelant peut le proposer' },
  rules: listOf(
    object(
      { ...rule, holds: { type: ['boolean', 'null'], description: 'null : le contenu ou la date en décident' } },
      about,
    ),
  ),
};

const expected = {
  expected: {
    ...object({ of: listOf(words(ROLES)), sentence: text('Ce qui est à faire, en une phrase') }),
    description: 'La procédure attend ce fait maintenant, et de qui ; absent quand elle ne l’attend pas',
  },
};

const standing = {
  id: ref('Uuid'),
  workflow: procedure,
  revision: ref('Revision'),
  position: ref('Position'),
  state: words(STATES),
  jalon: words(JALONS, 'Le jalon vers lequel le dossier avance'),
};

const dossier = {
  ...standing,
  crossed: listOf(object({ jalon: words(MILESTONES), ...crossing })),
  context: { type: 'object', description: 'Ce que la procédure retient ; sans ce qui n’est pas montré à l’appelant.' },
  possible: listOf(object({ ...possible, schema: text('Adresse du JSON Schema de son contenu') }, expected)),
};

const past = {
  id: standing.id,
  workflow: procedure,
  reading: words(['recorded', 'corrected'], 'Selon ce qui était connu alors, ou avec toutes les corrections connues'),
  revision: { ...ref('Revision'), description: 'Le dernier fait alors connu' },
  state: standing.state,
  jalon: standing.jalon,
  crossed: dossier.crossed,
  context: dossier.context,
  stateHash: hex,
};

const source = object(
  { kind: words(['public', 'reconstituted']), precision: text('Précision de la date') },
  { url: text() },
);

const webhook = {
  id: ref('Uuid'),
  url: text(),
  state: words(['active', 'disabled']),
  owner: object({ iss: text(), sub: text(), roles: listOf(words(ROLES)) }, { org: text() }),
  createdAt: ref('Instant'),
  health: object(
    { failures: { ...integer, description: 'Échecs de suite' }, pending: integer, delivered: integer, dead: integer },
    { resumesAt: { ...ref('Instant'), description: 'L’adresse est laissée tranquille jusque-là' } },
  ),
};
const seldom = {
  types: listOf(text()),
  jalons: listOf(words(MILESTONES)),
  reason: text('Pourquoi il ne reçoit plus rien'),
  rate: { type: 'integer', minimum: 1, description: 'Messages par minute que l’adresse a acceptés' },
  previousSecretUntil: { ...ref('Instant'), description: 'L’ancien secret signe aussi jusque-là' },
};

const problem = {
  type: text('URI du type de problème : une page qui l’explique'),
  title: text(),
  status: { type: 'integer', minimum: 400, maximum: 599 },
  detail: text('Ce qui s’est passé, en une phrase'),
};
const truth = {
  const: true,
  description:
    'Ce qui est confidentiel est tu pour l’instant, faute de pouvoir inscrire au journal des accès à qui c’est montré ; relu plus tard, le dossier le montre',
};
const ofFailure = { requestId: ref('Uuid') };

const durations = {
  count: { ...integer, description: 'Nombre de durées' },
  min: { ...integer, description: 'La plus courte, en jours' },
  q1: { ...integer, description: 'Durée qu’une sur quatre ne dépasse pas, en jours' },
  median: { type: 'number', description: 'Durée médiane, en jours' },
  q3: { ...integer, description: 'Durée que trois sur quatre ne dépassent pas, en jours' },
  p90: { ...integer, description: 'Durée que neuf sur dix ne dépassent pas, en jours' },
  max: { ...integer, description: 'La plus longue, en jours' },
};
const calendarToken = {
  id: ref('Uuid'),
  createdAt: ref('Instant'),
  owner: object({ iss: text(), sub: text(), roles: listOf(text()) }, { org: text() }),
};
const labelled = { label: text() };

const answers: Record<string, JsonSchema> = {
  Uuid: { type: 'string', pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' },
  Date: { type: 'string', format: 'date', description: 'Date (Europe/Paris), AAAA-MM-JJ' },
  Instant: { type: 'string', format: 'date-time', description: 'Instant (RFC 3339, UTC)' },
  Revision: { type: 'integer', minimum: 0, description: 'Rang du fait dans son dossier, à partir de 0' },
  Position: { type: 'string', description: 'Place dans le journal entier ; opaque' },

  Dossier: object(dossier),
  DossierAdvanced: object(
    { ...dossier, event: { anyOf: [ref('Fact'), ref('WithheldFact')] } },
    { withheldForNow: truth },
  ),
  MinimalAnswer: object({
    id: ref('Uuid'),
    revision: ref('Revision'),
    position: ref('Position'),
    state: words(STATES),
    event: object({ id: ref('Uuid') }),
  }),

  Fact: object({
    id: ref('Uuid'),
    type: words(TYPES),
    revision: ref('Revision'),
    position: ref('Position'),
    effectiveAt: ref('Date'),
    recordedAt: ref('Instant'),
    data: { type: 'object', description: 'Le contenu, selon le JSON Schema du type de fait' },
    meta: ref('Envelope'),
  }),
  WithheldFact: object({
    revision: ref('Revision'),
    hash: hex,
    withheld: {
      const: true,
      description: 'Ce fait n’est pas montré à l’appelant ; son empreinte laisse lire la chaîne.',
    },
  }),
  Envelope: object(
    {
      actor,
      workflow: object({ name: text(), version: integer, hash: hex }),
      from: orNull(words(STATES)),
      to: words(STATES),
      stateHash: hex,
      dataHash: hex,
      correlationId: text(),
      software: text('Nom et version du logiciel qui l’a enregistré'),
      previousHash: orNull(hex),
      hash: hex,
    },
    {
      onBehalfOf: party,
      crosses: words(MILESTONES),
      causationId: text(),
      lookups: mapOf(orNull({ ...object({ revision: ref('Revision') }), additionalProperties: true })),
      source,
      target: ref('Uuid'),
      erased: { const: true, description: 'Son contenu a été effacé' },
      unavailable: { const: true, description: "Son contenu est dans l'annuaire, qui ne répond pas" },
    },
  ),
  History: page({ anyOf: [ref('Fact'), ref('WithheldFact')] }),

  AccessPage: page(
    object({
      id: ref('Uuid'),
      type: text('Ce qui a eu lieu'),
      label: text(),
      revision: ref('Revision'),
      position: ref('Position'),
      effectiveAt: ref('Date'),
      recordedAt: ref('Instant'),
      actor,
      data: { type: 'object', description: 'L’opération, le dossier, les révisions montrées' },
      meta: { type: 'object', description: 'Le flux, sa chaîne et l’empreinte' },
    }),
  ),
  PastState: object(past),
  ReplayStep: object({ ...past, event: { anyOf: [ref('Fact'), ref('WithheldFact')] } }),
  Patch: listOf(
    object(
      { op: words(['add', 'remove', 'replace', 'move', 'copy', 'test']), path: text('Un pointeur (RFC 6901)') },
      { from: text(), value: {} },
    ),
  ),

  Timeline: object({
    ...standing,
    milestones: listOf(ref('Milestone')),
    entries: listOf(ref('TimelineEntry')),
    targets: listOf(ref('Target')),
    deadlines: listOf(ref('Deadline')),
  }),
  Milestone: object({
    jalon: words(MILESTONES),
    effectiveAt: orNull(ref('Date')),
    recordedAt: orNull(ref('Instant')),
    daysSincePrevious: { type: ['integer', 'null'], description: 'Jours depuis le jalon précédent' },
    daysSinceOpening: { type: ['integer', 'null'], description: 'Jours depuis le dépôt' },
    fact: { ...orNull(ref('Uuid')), description: 'Le fait qui l’a franchi' },
  }),
  TimelineEntry: object(
    {
      id: ref('Uuid'),
      revision: ref('Revision'),
      type: words(TYPES),
      label: text(),
      effectiveAt: ref('Date'),
      recordedAt: ref('Instant'),
      actor,
      jalon: words(JALONS),
      from: orNull(words(STATES)),
      to: words(STATES),
    },
    {
      onBehalfOf: party,
      crosses: words(MILESTONES),
      corrected: object(
        { id: ref('Uuid'), revision: ref('Revision'), kind: words(['rectified', 'annulled']) },
        { effectiveAt: ref('Date') },
      ),
      source,
      data: { type: 'object' },
      erased: { const: true },
      unavailable: { const: true },
    },
  ),
  Target: object({
    jalon: words(MILESTONES),
    periode: text('2026, 2026-T2, 2026-S1, 2026-06 ou une date'),
    until: orNull(ref('Date')),
    effectiveAt: ref('Date'),
    recordedAt: ref('Instant'),
    fact: ref('Uuid'),
    missed: yes,
  }),
  Deadline: object(
    { label: text(), due: ref('Date'), fact: words(TYPES), openedBy: ref('Uuid'), open: yes, overdue: yes },
    { key: text(), closedBy: ref('Uuid'), closedOn: ref('Date') },
  ),

  DeadlinePage: page(ref('ListedDeadline')),
  ListedDeadline: object(
    {
      id: text('Toujours le même, quoi qu’il advienne de l’échéance'),
      dossier: ref('Uuid'),
      workflow: procedure,
      summary: mapOf(text()),
      jalon: words(JALONS, 'Le jalon vers lequel le dossier avançait quand elle a été fixée'),
      label: text(),
      due: ref('Date'),
      validity: { ...yes, description: 'C’est la fin d’une validité, et non ce qu’il faut avoir fait' },
      fact: words(TYPES, 'Le type du fait qui l’a fixée'),
      openedBy: ref('Uuid'),
      openedOn: ref('Date'),
      open: yes,
      overdue: yes,
    },
    { key: text(), closedBy: ref('Uuid'), closedOn: ref('Date') },
  ),
  CalendarTokenMade: object({ ...calendarToken, token: text('Dit cette fois seulement'), url: text() }, labelled),
  CalendarTokens: object({ items: listOf(object(calendarToken, labelled)) }),

  FindingPage: page(ref('Finding')),
  Finding: object(
    {
      dossier: ref('Uuid'),
      constat: text('Identifiant du constat dans son dossier'),
      audit: text(),
      exigence: text('Numéro de l’exigence du référentiel'),
      verdict: words(['conforme', 'non-conforme']),
      description: text(),
      releveLe: ref('Date'),
      fait: ref('Uuid'),
      open: { ...yes, description: 'Un écart qui n’est pas levé' },
    },
    {
      gravite: words(['mineure', 'majeure']),
      plan: object({ mesures: text(), avantLe: ref('Date'), remisLe: ref('Date') }),
      leve: object({ le: ref('Date'), preuve: object({ reference: text(), titre: text(), empreinte: hex }) }),
    },
  ),
  RegisterPage: page(ref('Registered')),
  Registered: object({
    dossier: ref('Uuid'),
    prestataire: text(),
    offre: text(),
    referentiel: object({ nom: text(), version: text() }),
    services: listOf(object({ id: text(), nom: text(), type: text() })),
    decision: text(),
    decideeLe: ref('Date'),
    notifieeLe: orNull(ref('Date')),
    publieeLe: orNull(ref('Date')),
    valideDu: ref('Date'),
    valideJusquAu: { ...ref('Date'), description: 'Dernier jour : décidé, ou celui d’une abrogation s’il vient avant' },
    conditions: listOf(text()),
    statut: words(STATUTS),
    valide: { ...yes, description: 'On peut s’y fier aujourd’hui' },
    historique: listOf(object({ statut: words(STATUTS), depuis: ref('Date') }, { decision: text() })),
  }),
  Statistics: object({
    durations: listOf(
      object({
        workflow: text(),
        from: text('Le jalon de départ ; « depot » : l’ouverture du dossier'),
        to: words(MILESTONES),
        ...durations,
        years: listOf(object({ year: { ...integer, description: 'Année du second jalon' }, ...durations })),
      }),
    ),
    crossings: listOf(
      object({
        workflow: text(),
        jalon: text('Le jalon franchi ; « depot » : l’ouverture du dossier'),
        months: listOf(object({ month: text('AAAA-MM'), count: integer })),
      }),
    ),
    inProgress: listOf(object({ workflow: text(), jalon: words(JALONS), count: integer })),
    ended: listOf(object({ workflow: text(), count: integer })),
  }),

  DossierPage: page(ref('ListedDossier')),
  ListedDossier: object({
    ...standing,
    label: text('Nom de l’état'),
    final: yes,
    openedAt: ref('Date'),
    updatedAt: object(crossing),
    jalonSince: ref('Date'),
    summary: mapOf(text()),
    crossed: mapOf(object(crossing)),
    targets: mapOf(object({ periode: text(), missed: yes })),
    nextDeadline: orNull(object({ label: text(), due: ref('Date'), overdue: yes })),
  }),

  CloudEvent: object(
    {
      specversion: { const: '1.0' },
      id: ref('Uuid'),
      source: text('Où sont les dossiers ; suivi de « subject » : l’adresse du dossier'),
      type: text('fr.jalon.<type de fait>.v1'),
      subject: { ...ref('Uuid'), description: 'Le dossier' },
      time: { ...ref('Instant'), description: 'Quand le fait a été enregistré' },
      datacontenttype: { const: 'application/json' },
      effectivedate: ref('Date'),
      traceparent: text('W3C Trace Context'),
      data: { type: 'object', description: 'Les champs publics du contenu, et eux seuls' },
    },
    {
      dataschema: text('Adresse du JSON Schema de « data »'),
      revision: ref('Revision'),
      jalon: words(MILESTONES, 'Le jalon que ce fait franchit, ou que franchit le fait qu’il corrige'),
    },
  ),
  Feed: listOf(ref('CloudEvent')),

  Webhook: object(webhook, seldom),
  WebhookMade: object({ ...webhook, secret: text('« whsec_ » et du base64 : dit cette seule fois') }, seldom),
  Webhooks: object({ items: listOf(ref('Webhook')) }),
  WebhookTested: object(
    { delivered: yes, ms: { type: 'integer', minimum: 0 } },
    { status: integer, error: text('Pourquoi il n’y a pas eu de réponse') },
  ),
  DeliveryPage: page(ref('Delivery')),
  Delivery: object(
    {
      id: { ...ref('Uuid'), description: 'Le fait, et le message' },
      state: words(['pending', 'delivered', 'dead']),
      attempts: listOf(
        object(
          { at: ref('Instant'), ms: integer },
          { status: integer, error: text('Pourquoi il n’y a pas eu de réponse') },
        ),
      ),
    },
    {
      type: words(TYPES),
      dossier: ref('Uuid'),
      revision: ref('Revision'),
      cursor: text('Le curseur du fait, à partir duquel envoyer de nouveau'),
      nextAt: ref('Instant'),
    },
  ),

  InclusionProof: object({
    leafIndex: { type: 'integer', minimum: 0, description: 'Rang du fait dans l’arbre, à partir de 0' },
    treeSize: { type: 'integer', minimum: 1 },
    leafHash: hex,
    hashes: listOf(hex),
    checkpoint: text('La note signée de cet arbre, en entier'),
  }),
  ConsistencyProof: object({
    from: { type: 'integer', minimum: 1 },
    to: { type: 'integer', minimum: 1 },
    hashes: listOf(hex),
  }),
  Bundle: object({
    bundle: { const: 1, description: 'Format du fichier : libs/proof/FORMAT.md le décrit' },
    dossier: ref('Uuid'),
    facts: listOf({ type: 'object', required: ['hash'] }),
    names: listOf(object({ commitment: hex, name: text(), salt: text() })),
    workflows: listOf(object({ name: text(), version: integer, hash: hex, files: mapOf(text()) })),
    proofs: listOf(object({ leafIndex: integer, hashes: listOf(hex) })),
    checkpoint: text('Le point de contrôle signé'),
    keys: listOf({ type: 'object', required: ['kid', 'x'] }),
    summary: { type: 'object', description: 'Ce que disent les faits, en phrases' },
    seal: object({ kid: text(), signature: text('Ed25519, en base64, sur tout le reste') }),
  }),
  Keys: object({
    keys: listOf(
      object(
        {
          kty: { const: 'OKP' },
          crv: { const: 'Ed25519' },
          x: text('La clé publique, 32 octets en base64url'),
          kid: { type: 'string', pattern: '^[0-9a-f]{8}$', description: 'L’identifiant que portent ses signatures' },
          alg: { const: 'EdDSA' },
          use: { const: 'sig' },
          name: text('Le nom sous lequel elle signe : l’origine du journal'),
          since: ref('Instant'),
        },
        { until: { ...ref('Instant'), description: 'Absent de la clé actuelle' } },
      ),
    ),
  }),

  Workflows: object({
    items: listOf(object({ name: text(), version: integer, label: text(), hash: hex, href: text() })),
  }),
  Workflow: object({
    name: text(),
    version: integer,
    label: text(),
    hash: hex,
    roles: mapOf(
      object(
        { label: text(), sees: words(['all', 'own', 'none']) },
        { recordsForOthers: yes, subscribes: yes, clock: yes },
      ),
    ),
    parties: mapOf(listOf(text())),
    states: listOf(
      object({
        state: words(STATES),
        label: text(),
        jalon: words(JALONS),
        final: yes,
        expects: listOf(
          object(
            { facts: listOf(words(TYPES)), of: listOf(words(ROLES)), sentence: text('Ce qui est à faire') },
            { reads: listOf(text('Ce qui en décide, et qui n’est pas montré à tous')) },
          ),
        ),
      }),
    ),
    facts: listOf(ref('DeclaredFact')),
    transitions: listOf(
      object({ from: orNull(words(STATES)), to: words(STATES), fact: words(TYPES), rules: listOf(object(rule)) }),
    ),
    definition: { type: 'object', description: 'La machine XState' },
    mermaid: text(),
    diagram: text('Adresse du schéma (SVG)'),
  }),
  Requirements: object({
    items: listOf(
      object({
        nom: text(),
        version: text(),
        chapitres: listOf(
          object({
            chapitre: text(),
            titre: text(),
            sections: listOf(
              object({
                section: text(),
                titre: text(),
                exigences: listOf(text('Numéro d’exigence, par exemple 5.1.a')),
              }),
            ),
          }),
        ),
      }),
    ),
  }),
  DeclaredFact: object(
    {
      type: words(TYPES),
      label: text(),
      by: listOf(words(ROLES)),
      schema: text('Adresse du JSON Schema de son contenu'),
    },
    {
      opens: { ...yes, description: 'Ouvre un dossier' },
      crosses: words(MILESTONES),
      free: { ...yes, description: 'Peut porter n’importe quelle date passée' },
      erasable: { ...yes, description: 'Son contenu peut être effacé' },
      lapses: { ...yes, description: 'Une date seule le rend vrai : une correction qui le rend faux l’annule' },
      correctedBy: listOf(words(ROLES, 'Un rôle qui peut le corriger une fois qu’une décision repose dessus')),
      decides: listOf(words(ROLES, 'Un rôle dont il est une décision, qui repose sur tout ce qui précède')),
      abandons: { ...yes, description: 'Met fin au dossier à la demande du demandeur' },
      withheldFrom: listOf(words(ROLES)),
      publicFields: listOf(text()),
      writes: listOf(text('Ce qui parle de lui dans le contexte')),
      announces: object({ jalon: text(), periode: text() }),
      deadlines: listOf(
        object(
          { label: text(), field: text('Champ qui porte la date'), closedBy: listOf(words(TYPES)) },
          {
            endedBy: listOf(words(TYPES, 'Un fait qui met fin à l’étape, et à elle')),
            key: object({ here: text(), closing: text() }),
            validity: { ...yes, description: 'Fin d’une validité' },
            proposes: { ...words(TYPES), description: 'Le fait que l’horloge propose quand elle passe' },
          },
        ),
      ),
    },
  ),
  JsonSchema: { type: 'object', description: 'JSON Schema 2020-12' },

  Token: object({ access_token: text(), token_type: { const: 'Bearer' }, expires_in: integer }),
  Alive: object({ status: { const: 'ok' } }),
  Readiness: object(
    {
      status: words(['ok', 'degraded', 'unavailable']),
      journal: { type: 'object', required: ['status'] },
      directory: { type: 'object', required: ['status'] },
      readModels: { type: 'object', required: ['status'] },
    },
    {
      proof: object(
        { status: words(['ok', 'diverged'], '« diverged » : le journal ne prolonge pas ce qui fut signé') },
        { reason: text() },
      ),
      witnesses: listOf(
        object(
          {
            name: text(),
            status: words(['ok', 'waiting', 'absent', 'refused']),
            size: orNull({ type: 'integer', description: 'Taille du dernier point de contrôle cosigné' }),
          },
          { reason: text() },
        ),
      ),
    },
  ),
  Version: object(
    { name: text(), version: text(), software: text(), node: text(), demonstration: yes },
    { login: object({ issuer: text(), audience: text(), rolesClaim: text() }, { clientId: text() }) },
  ),

  Problem: object(problem, ofFailure),
  InvalidProposal: object(
    { ...problem, errors: listOf(object({ path: text('JSON Pointer (RFC 6901)'), message: text() })) },
    ofFailure,
  ),
  RevisionMismatch: object({ ...problem, revision: ref('Revision') }, ofFailure),
  Refusal: object(
    {
      ...problem,
      fact: words(TYPES),
      state: orNull(words(STATES)),
      reasons: listOf(object(rule, { field: text('Champ du contenu qui est en cause'), ...about })),
      possible: listOf(object({ ...possible, schema: text('Adresse du JSON Schema de son contenu') }, expected)),
    },
    { ...ofFailure, withheldForNow: truth },
  ),
};

/** How many items a page has. */
export const LIMIT: JsonSchema = { type: 'integer', minimum: 1, maximum: 200, default: 50 };

/** Which facts a subscriber asks for. */
export const SELECTION: Record<string, JsonSchema> = {
  types: text('Types de faits, exacts (« j0.acceptee ») ou par étape (« j2.* »), séparés par des virgules'),
  jalons: text('Jalons, séparés par des virgules : les faits qui en franchissent un, et leurs corrections'),
};

/** A position that a reading must include. */
export const MIN_POSITION: JsonSchema = {
  type: 'string',
  pattern: '^\\d{1,20}$',
  description: 'Attend que la lecture comprenne cette position, 5 s au plus',
};

/** Schemas of the query of the list. */
export const LIST_QUERY: Record<string, JsonSchema> = {
  workflow: words(procedureNames()),
  jalon: words(JALONS),
  state: words(STATES),
  prestataire: text('Nom (casse, accents, tirets et ligatures ignorés), SIREN ou SIRET'),
  charge: text('Identifiant du chargé de qualification'),
  referentiel: text('« SecNumCloud 3.2 »'),
  centre: text('Centre d’évaluation'),
  q: text('Partie du nom du prestataire ou de l’offre, du SIREN, de l’identifiant ou du chargé'),
  waiting: words(['me'], 'Les dossiers qui attendent l’appelant'),
  sort: { ...words(DOSSIER_SORTS), default: '-updatedAt' },
  cursor: cursorSchema('Suite de la liste, donnée par « next »'),
  limit: LIMIT,
  'min-position': MIN_POSITION,
};

/** Schemas of the query of the deadlines. */
export const DEADLINE_QUERY: Record<string, JsonSchema> = {
  before: { type: 'string', format: 'date', description: 'Avant cette date, non comprise' },
  jalon: words(JALONS),
  open: { ...words(['true', 'false', 'all']), default: 'true', description: 'Ouvertes, closes, ou toutes' },
  cursor: cursorSchema('Suite de la liste, donnée par « next »'),
  limit: LIMIT,
  'min-position': MIN_POSITION,
};

/** Schemas of the query of the findings. */
export const ACCESS_QUERY = {
  dossier: { ...ref('Uuid'), description: 'Seulement ce dossier' },
  from: { ...ref('Date'), description: 'Depuis ce jour, compris' },
  to: { ...ref('Date'), description: 'Jusqu’à ce jour, compris' },
  cursor: cursorSchema('Donné par « next »'),
  limit: LIMIT,
};

export const FINDING_QUERY: Record<string, JsonSchema> = {
  dossier: ref('Uuid'),
  exigence: text('Numéro de l’exigence, « 9.5.b »'),
  open: { ...words(['true', 'false']), description: 'Les écarts à lever, ou les autres constats' },
  cursor: cursorSchema('Suite de la liste, donnée par « next »'),
  limit: LIMIT,
  'min-position': MIN_POSITION,
};

/** Schemas of the query of the register. */
export const REGISTER_QUERY: Record<string, JsonSchema> = {
  cursor: cursorSchema('Suite de la liste, donnée par « next » (JSON)'),
  limit: LIMIT,
  'min-position': MIN_POSITION,
};

function procedureNames(): string[] {
  return unique(workflows.map(({ name }) => name));
}

/** The schema of a class of ours with its nested classes, each a component of the document. */
function classSchema(label: string, payload: PayloadClass, prefix = ''): Record<string, JsonSchema> {
  const { $schema: _, $defs = {}, ...schema } = payloadSchema({ label, payload } as Fact);
  const named = { [payload.name]: schema, ...($defs as Record<string, JsonSchema>) };
  const moved = JSON.stringify(named).replaceAll('#/$defs/', `#/components/schemas/${prefix}`);
  return Object.fromEntries(
    Object.entries(JSON.parse(moved) as Record<string, JsonSchema>).map(([name, one]) => [prefix + name, one]),
  );
}

/** What may be proposed: one component per type of fact, and the choice between them by `type`. */
function proposals(): Record<string, JsonSchema> {
  const { ProposedFact: around = {}, ...behalf } = classSchema('Fait proposé', ProposedFact);
  const { type: _, ...members } = around.properties as Record<string, JsonSchema>;
  const components: Record<string, JsonSchema> = { ...behalf };
  const contents = new Map<string, { label: string; opens: boolean; data: string[]; needed: boolean }>();
  for (const { name, version, facts } of workflows)
    for (const fact of facts.values()) {
      const prefix = `${name}.${version}.`;
      const found = classSchema(fact.label, fact.payload, prefix);
      const own = prefix + fact.payload.name;
      const one = contents.get(fact.type) ?? { label: fact.label, opens: false, data: [], needed: true };
      one.data.push(own);
      one.opens ||= fact.opens === true;
      one.needed &&= found[own]?.required !== undefined;
      contents.set(fact.type, one);
      Object.assign(components, found);
    }
  for (const [type, { label, data, needed }] of contents) {
    const [only, ...others] = data.map(ref) as [JsonSchema, ...JsonSchema[]];
    const content = others.length === 0 ? only : { anyOf: [only, ...others] };
    const required = { type: { const: type }, ...(needed ? { data: content } : {}) };
    components[`propose.${type}`] = {
      title: label,
      ...closed(required, { ...(needed ? {} : { data: content }), ...members }),
    };
  }
  components.Proposal = choice([...contents.keys()]);
  components.Opening = closed(
    {
      workflow: words(procedureNames()),
      fact: choice([...contents].flatMap(([type, { opens }]) => (opens ? type : []))),
    },
    { version: { type: 'integer', description: 'La dernière, si elle est absente' } },
  );
  return components;
}

function choice(types: readonly string[]): JsonSchema {
  const mapping = Object.fromEntries(types.map((type) => [type, `#/components/schemas/propose.${type}`]));
  return { oneOf: types.map((type) => ref(`propose.${type}`)), discriminator: { propertyName: 'type', mapping } };
}

/** Every schema of the API's document, by name. */
export function componentSchemas(): Record<string, JsonSchema> {
  return {
    ...answers,
    ...classSchema('Jeton de démonstration', DemonstrationToken),
    ...classSchema('Jeton d’agenda', CalendarTokenRequest),
    ...classSchema('Webhook à créer', WebhookRequest),
    ...classSchema('Changement d’un webhook', WebhookChange),
    ...classSchema('Envoi à refaire', WebhookReplay),
    ...proposals(),
  };
}
