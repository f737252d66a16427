import type { Dossier, Entry, Schema } from './reading.ts';
import { countryOf, wordOf } from './words.ts';

/** A value that a form offers, and what it is called. */
type Offer = { value: string; label: string };

/** What a form may be offered from: the dossier as it stands, and what was recorded of it. */
export type Given = { context: Dossier['context']; entries: readonly Entry[] };

type Named = Record<string, { [member: string]: unknown }>;
const member = <T>({ context }: Given, name: string): T | undefined => (context as Record<string, T>)[name];

/** What the last fact of a type said. */
function said<T>({ entries }: Given, type: string): T | undefined {
  return entries.findLast((entry) => entry.type === type && entry.corrected?.kind !== 'annulled')?.data as
    | T
    | undefined;
}

function services(given: Given, ids: readonly string[] = []): Offer[] {
  const { services: named = [] } =
    said<{ services: { id: string; nom: string; type: string }[] }>(given, 'candidature.deposee') ?? {};
  return ids.map((value) => {
    const service = named.find(({ id }) => id === value);
    return { value, label: service ? `${service.nom} (${service.type})` : value };
  });
}

function phases(given: Given): Offer[] {
  const { phases: named = [] } =
    said<{ phases: { id: string; objet: string }[] }>(given, 'j1.strategie-proposee') ?? {};
  return (member<{ phases: string[] } | null>(given, 'strategie')?.phases ?? []).map((value) => {
    const objet = named.find(({ id }) => id === value)?.objet;
    return { value, label: objet ? `${value} : ${objet}` : value };
  });
}

const audits = (state: string) => (given: Given) =>
  Object.entries(member<Named>(given, 'audits') ?? {})
    .filter(([, { etat }]) => etat === state)
    .map(([value, { phase }]) => ({ value, label: `${value} (phase ${phase})` }));

/** Non-conformities that are not lifted, by their requirement where the finding is known. */
function open(given: Given): Offer[] {
  const told = given.entries.filter(({ type }) => type === 'j2.constat-releve').map(({ data }) => data ?? {});
  return Object.entries(member<Named>(given, 'constats') ?? {})
    .filter(([, { gravite, leve }]) => gravite !== null && !leve)
    .map(([value, { gravite }]) => {
      const exigence = told.find((data) => (data as { constat?: string }).constat === value) as { exigence?: string };
      return { value, label: [value, exigence?.exigence, gravite].filter(Boolean).join(' · ') };
    });
}

const reserves = (given: Given) =>
  (member<string[]>(given, 'reserves') ?? []).map((value) => ({ value, label: value }));
const qualified = (given: Given) =>
  services(given, member<{ services: string[] } | null>(given, 'strategie')?.services);

/** Where a schema says « an identifier », the dossier's own data say which: by fact and path in its payload. */
const OFFERED: Readonly<Record<string, (given: Given) => Offer[]>> = {
  'j1.strategie-proposee perimetre.services': (given) => services(given, member(given, 'services')),
  'j2.audit-planifie phase': phases,
  'j2.audit-ouvert audit': audits('planifie'),
  'j2.constat-releve audit': audits('ouvert'),
  'j2.audit-clos audit': audits('ouvert'),
  'j2.plan-d-action-remis constat': open,
  'j2.ecart-leve constat': open,
  'j3.qualification-accordee services': qualified,
  'suivi.perimetre-modifie services': qualified,
  'suivi.reserve-levee reserve': reserves,
};

/** How a field is shown, as the form library is told. */
export type Shown = { [key: string]: unknown };

/** Texts longer than this are written on several lines. */
const SEVERAL_LINES = 500;

/**
 * What a form is made of: the schema of a payload without references, with what the dossier offers in place of bare
 * identifiers, and how each field is shown.
 */
export function formOf(type: string, schema: Schema, given: Given): { schema: Schema; shown: Shown } {
  return dressed(schema, '', { type, given, defs: schema.$defs ?? {} });
}

type Around = { type: string; given: Given; defs: Readonly<Record<string, Schema>> };

function dressed(bare: Schema, path: string, around: Around): { schema: Schema; shown: Shown } {
  const { $ref, $defs: _, ...own } = bare;
  const schema: Schema = $ref ? { ...around.defs[$ref.split('/').at(-1) as string], ...own } : own;
  const { properties } = schema;
  if (properties && 'empreinte' in properties) return { schema, shown: { 'ui:field': 'document' } };
  if (properties) {
    const fields = Object.entries(properties).map(([name, field]) => {
      const at = path ? `${path}.${name}` : name;
      return [name, dressed(field, at, around)] as const;
    });
    return {
      schema: { ...schema, properties: Object.fromEntries(fields.map(([name, field]) => [name, field.schema])) },
      shown: Object.fromEntries(fields.map(([name, { shown }]) => [name, shown])),
    };
  }
  const offers = OFFERED[`${around.type} ${path}`]?.(around.given);
  if (schema.type === 'array' && schema.items) {
    const items = offers ? { schema: choice(offers), shown: {} } : dressed(schema.items, path, around);
    if (items.schema.enum) {
      const names = namesOf(items.schema.enum, offers);
      return {
        schema: { ...schema, items: { type: 'string', enum: names.map(({ value }) => value) } },
        shown: { 'ui:widget': 'checkboxes', items: { 'ui:enumNames': names.map(({ label }) => label) } },
      };
    }
    return { schema: { ...schema, items: items.schema }, shown: { items: items.shown } };
  }
  if (path === 'exigence') return { schema, shown: { 'ui:widget': 'exigence' } };
  const words = offers?.map(({ value }) => value) ?? schema.enum;
  if (words) {
    const names = namesOf(words, offers);
    return {
      schema: { ...schema, enum: names.map(({ value }) => value) },
      shown: { 'ui:enumNames': names.map(({ label }) => label) },
    };
  }
  return { schema, shown: (schema.maxLength ?? 0) > SEVERAL_LINES ? { 'ui:widget': 'textarea' } : {} };
}

const choice = (offers: readonly Offer[]): Schema => ({ type: 'string', enum: offers.map(({ value }) => value) });

function namesOf(words: readonly string[], offers: readonly Offer[] | undefined): readonly Offer[] {
  if (offers) return offers;
  if (!words.every((word) => /^[A-Z]{2}$/.test(word))) return words.map((value) => ({ value, label: wordOf(value) }));
  return words
    .map((value) => ({ value, label: countryOf(value) }))
    .toSorted((a, b) => a.label.localeCompare(b.label, 'fr'));
}

/** What a form starts with: the next id of what the fact names for the first time, and what is known of the caller. */
export function startOf(type: string, given: Given): Record<string, unknown> {
  const next = (name: string, letter: string) => {
    const taken = Object.keys(member<Named>(given, name) ?? {});
    let rank = taken.length + 1;
    while (taken.includes(`${letter}${rank}`)) rank += 1;
    return `${letter}${rank}`;
  };
  if (type === 'j2.audit-planifie') return { audit: next('audits', 'A') };
  if (type === 'j2.constat-releve') return { constat: next('constats', 'C') };
  return {};
}
