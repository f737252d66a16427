import { formOf, type Given, type Shown } from './offers.ts';
import type { Entry, Schema } from './reading.ts';

/** Facts that touch another one of the same dossier: it is named by the address of their form, and not typed. */
export const RECTIFICATION = 'dossier.fait-rectifie';
export const ANNULMENT = 'dossier.fait-annule';

export function isCorrection(type: string): boolean {
  return type === RECTIFICATION || type === ANNULMENT;
}

/** Where a fact is corrected. */
export function correctionPath(dossier: string, type: string, fact: string): string {
  return `/dossiers/${dossier}/agir/${type}?fait=${fact}`;
}

/**
 * The form of a correction: why, and for a rectification the whole payload of the fact in question as it should have
 * been, which starts as it is read now.
 */
export function correctionFormOf(
  schema: Schema,
  target: { entry: Entry; schema: Schema; latest: Record<string, unknown> },
  given: Given,
): { schema: Schema; shown: Shown; start: Record<string, unknown> } {
  const { fait: _, donnees, ...others } = schema.properties ?? {};
  const required = (schema.required ?? []).filter((name) => name !== 'fait');
  if (!donnees) return { schema: { ...schema, properties: others, required }, shown: lines(others), start: {} };
  const payload = formOf(target.entry.type, target.schema, given);
  return {
    schema: {
      ...schema,
      required,
      properties: { donnees: { ...payload.schema, title: donnees.title ?? 'Données' }, ...others },
    },
    shown: { donnees: payload.shown, ...lines(others) },
    start: { donnees: target.latest },
  };
}

const lines = (fields: Record<string, Schema>): Shown =>
  Object.fromEntries(
    Object.entries(fields)
      .filter(([, { maxLength = 0 }]) => maxLength > 500)
      .map(([name]) => [name, { 'ui:widget': 'textarea' }]),
  );

/** What a fact says as it is read now: its own payload, or that of its last rectification. */
export function latestOf(entry: Entry, entries: readonly Entry[]): Record<string, unknown> {
  const correction = entries.find(({ id }) => id === entry.corrected?.id);
  const rectified =
    entry.corrected?.kind === 'rectified' && (correction?.data as { donnees?: Record<string, unknown> });
  return (rectified ? rectified.donnees : undefined) ?? (entry.data as Record<string, unknown> | undefined) ?? {};
}
