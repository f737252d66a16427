import {
  type CalendarDate,
  type Catalogue,
  DateField,
  type Fact,
  type FieldError,
  Identifier,
  isCalendarDate,
  Nested,
  type PublishedWorkflow,
  Text,
  validatePayload,
  type Workflow,
} from '@jalon/flow';
import { canonicalJson, type Source } from '@jalon/journal';
import { InvalidProposal } from './faults.ts';

/** The party for whom an officer records a fact. */
export class Behalf {
  @Text({ label: 'Rôle représenté', max: 64 }) role!: string;
  @Text({ label: 'Organisation représentée', max: 200 }) org!: string;
  @Text({ label: 'Nom de la personne', max: 200, optional: true }) nom?: string;
}

/** What surrounds a payload in a request that proposes a fact. */
export class ProposedFact {
  @Text({ label: 'Type du fait', max: 128 }) type!: string;
  @DateField({ label: "Date d'effet", hint: "Aujourd'hui (Europe/Paris) si elle est absente.", optional: true })
  effectiveAt?: string;
  @Nested(() => Behalf, { label: 'Pour le compte de', optional: true }) onBehalfOf?: Behalf;
  @Identifier({ label: 'Corrélation', optional: true }) correlationId?: string;
  @Identifier({ label: 'Cause', optional: true }) causationId?: string;
}

/** A proposal as a caller wrote it, of which only `type` has been looked at. */
export type RawProposal = { fact: Fact; body: Record<string, unknown>; at: string };

/** A proposal of the declared form. */
export type Proposal = {
  fact: Fact;
  data: Record<string, unknown>;
  /** Absent: today. */
  effectiveAt?: CalendarDate;
  onBehalfOf?: { role: string; org: string; nom?: string };
  correlationId?: string;
  causationId?: string;
  source?: Source;
  /** Canonical text of the request, names of persons left out: what a repeated Idempotency-Key is compared by. */
  canonical: () => string;
};

/** The fact that a request names. @throws InvalidProposal when there is none of that name. */
export function namedFact(workflow: Workflow, body: unknown, at = ''): RawProposal {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new InvalidProposal([{ path: at, message: 'Un objet { type, data, … } est attendu.' }]);
  const { type } = body as { type?: unknown };
  const fact = typeof type === 'string' ? workflow.facts.get(type) : undefined;
  if (!fact)
    throw new InvalidProposal([
      {
        path: `${at}/type`,
        message:
          type === undefined
            ? 'Ce champ est obligatoire.'
            : typeof type !== 'string'
              ? 'Un texte est attendu.'
              : `La procédure ${workflow.name} ${workflow.version} ne connaît pas le fait « ${type.slice(0, 128)} ».`,
      },
    ]);
  return { fact, body: body as Record<string, unknown>, at };
}

/** The workflow and the first fact that a request to open names, and what is wrong around them. */
export type RawOpening = { workflow: PublishedWorkflow; fact: unknown; errors: FieldError[] };

/**
 * Reads a request to open as far as its fact: who may propose that is said before what is wrong.
 * @throws InvalidProposal when there is no such workflow, or no fact.
 */
export function readOpening(body: unknown, catalogue: Catalogue): RawOpening {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new InvalidProposal([{ path: '', message: 'Un objet { workflow, version?, fact } est attendu.' }]);
  const { workflow: name, version, fact, ...unknown } = body as Record<string, unknown>;
  const errors = Object.keys(unknown).map((field) => ({ path: `/${field}`, message: 'Ce champ est inconnu.' }));
  const numbered = version === undefined || Number.isSafeInteger(version);
  if (!numbered) errors.push({ path: '/version', message: 'Un numéro de version est attendu.' });
  const wanted = numbered ? (version as number | undefined) : undefined;
  const workflow = typeof name === 'string' ? catalogue.find(name, wanted) : undefined;
  if (!workflow) {
    const known = catalogue.workflows.map((one) => `${one.name} ${one.version}`).join(', ');
    errors.push({ path: '/workflow', message: `Cette procédure n'est pas connue ici. Procédures connues : ${known}.` });
  }
  if (fact === undefined) errors.push({ path: '/fact', message: 'Ce champ est obligatoire.' });
  if (!workflow || fact === undefined) throw new InvalidProposal(errors);
  return { workflow, fact, errors };
}

/**
 * Reads a proposal.
 * @throws InvalidProposal with every fault of the request and of the payload; `found` are those found around it already.
 */
export function readProposal(
  { fact, body, at }: RawProposal,
  source?: Source,
  found: readonly FieldError[] = [],
): Proposal {
  const { data = {}, ...around } = body;
  const errors: FieldError[] = [
    ...found,
    ...(isBare(around) ? [] : validatePayload(ProposedFact, around, at)),
    ...validatePayload(fact.payload, data, `${at}/data`),
  ];
  if (errors.length > 0) throw new InvalidProposal(errors);
  const { effectiveAt, onBehalfOf, correlationId, causationId } = around as unknown as ProposedFact;
  const { nom: _unhashed, ...party } = onBehalfOf ?? {};
  return {
    fact,
    data: data as Record<string, unknown>,
    ...(effectiveAt === undefined ? {} : { effectiveAt }),
    ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(causationId === undefined ? {} : { causationId }),
    ...(source === undefined ? {} : { source }),
    canonical: () => canonicalJson({ ...around, data, ...(onBehalfOf === undefined ? {} : { onBehalfOf: party }) }),
  };
}

/** Whether nothing stands beside the payload but the type, which was looked at, and perhaps a date: nearly always. */
function isBare({ type: _looked, effectiveAt, ...others }: Record<string, unknown>): boolean {
  return Object.keys(others).length === 0 && (effectiveAt === undefined || isCalendarDate(effectiveAt));
}
