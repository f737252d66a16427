import { createHash } from 'node:crypto';
import { publicData, RECTIFICATION } from '@jalon/flow';
import type { StoredEvent } from '@jalon/journal';
import type { DeclaredFact } from './declared.ts';

/**
 * A fact as it leaves, in whatever way: a CloudEvent (CloudEvents 1.0, JSON format). Extensions: `revision`, `jalon`,
 * `effectivedate`, and `traceparent` of the distributed tracing extension.
 */
export type CloudEvent = {
  specversion: '1.0';
  /** The fact's own id, the same in every way of leaving and every time. */
  id: string;
  /** Where dossiers are: with `subject` behind it, the address of the dossier. */
  source: string;
  /** `fr.jalon.<type of fact>.v1`. */
  type: string;
  /** Id of the dossier. */
  subject: string;
  /** When it was recorded. */
  time: string;
  datacontenttype: 'application/json';
  /** JSON Schema of `data`. */
  dataschema?: string;
  /** Place of the fact in its dossier. */
  revision?: number;
  /** The milestone that it crosses, or that the fact crosses which it corrects. */
  jalon?: string;
  /** Date on which it is true in the world. */
  effectivedate: string;
  traceparent: string;
  /** The public fields of the payload, and nothing else. */
  data: Record<string, unknown>;
};

/** The type of the CloudEvent of a type of fact. */
export function cloudEventType(type: string): string {
  return `fr.jalon.${type}.v1`;
}

/** What a fact is made a CloudEvent with, besides itself. */
export type Around = {
  /** Address under which clients reach the server, without a slash at its end. */
  base: string;
  dossier: string;
  jalon: string | undefined;
  /** What is declared of the fact, then of the fact that it corrects, then of what that one corrects… */
  declared: readonly DeclaredFact[];
};

/** The CloudEvent of a fact: the same members and values every time it is made. */
export function toCloudEvent({ envelope, data }: StoredEvent, { base, dossier, jalon, declared }: Around): CloudEvent {
  const { id, type, revision, effectiveAt, recordedAt, workflow, correlationId, target } = envelope;
  return {
    specversion: '1.0',
    id,
    source: `${base}/api/dossiers`,
    type: cloudEventType(type),
    subject: dossier,
    time: recordedAt,
    datacontenttype: 'application/json',
    // A reminder has no place in its dossier, nor a procedure that declares it.
    ...(workflow ? { dataschema: publicSchemaAddress(base, workflow, type), revision } : {}),
    ...(jalon === undefined ? {} : { jalon }),
    effectivedate: effectiveAt,
    traceparent: traceparentOf(correlationId, id),
    // Said by the envelope too: a payload may lie elsewhere, or be erased.
    data: { ...(target === undefined ? {} : { fait: target }), ...publicOf(declared, data) },
  };
}

/** Where the JSON Schema of a fact's public view is served. */
function publicSchemaAddress(base: string, { name, version }: { name: string; version: number }, type: string) {
  return `${base}/api/workflows/${name}/${version}/facts/${type}?view=public`;
}

/** The public fields of a payload; of a rectification also those of the payload that it holds, which is its target's. */
function publicOf([fact, ...corrected]: readonly DeclaredFact[], data: unknown): Record<string, unknown> {
  if (!fact) return {};
  const view = publicData(fact, data);
  if (fact.type === RECTIFICATION) view.donnees = publicOf(corrected, (data as { donnees?: unknown }).donnees);
  return view;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * W3C trace context, made from what is recorded: facts of one request share the trace, and a fact always has the same one.
 * A correlation id that is a UUID is the trace id; another is hashed into one.
 */
function traceparentOf(correlationId: string, id: string): string {
  const trace = UUID.test(correlationId)
    ? correlationId.replaceAll('-', '')
    : createHash('sha256').update(correlationId).digest('hex').slice(0, 32);
  return `00-${trace}-${id.replaceAll('-', '').slice(0, 16)}-01`;
}
