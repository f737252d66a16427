import type { CalendarDate, Failing, Item } from '@jalon/flow';
import { type Context, categoriesManquantes, entree } from './context.ts';
import { CATEGORIES } from './facts.ts';

/** What refusals say of what a dossier holds: enumerations, counts, and the things that sentences name. */

/** Beyond that many, a sentence says how many others there are; its items name them all. */
const NAMED = 12;

/** « C2 (10.5.a), C3 (11.2.b) et C4 (12.1.a) ». */
export function enumerer(items: readonly string[]): string {
  const shown = items.length > NAMED ? [...items.slice(0, NAMED), `${items.length - NAMED} autres`] : items;
  return [shown.slice(0, -1).join(', '), ...shown.slice(-1)].filter(Boolean).join(' et ');
}

/** « 1 audit est ouvert : A1. », « 2 audits sont ouverts : A1 et A2. » */
export function compter(items: readonly Item[], one: string, several: string): Failing {
  const names = enumerer(items.map(({ label }) => label));
  return { message: `${items.length} ${items.length > 1 ? several : one} : ${names}.`, items };
}

/** What the sentence is about, by its id alone. */
export function nommer(kind: string, ids: readonly string[]): Item[] {
  return ids.map((id) => ({ kind, id, label: id }));
}

/** « 2025-10-15 »; « une date inconnue » where the dossier has none. */
export function le(date: CalendarDate | null | undefined): string {
  return date || 'une date inconnue';
}

/** « Réserves ouvertes : R1 et R2. », while it is not known which one is meant. */
export const parmi = (what: string, of: (dossier: Context) => readonly string[]) => (dossier: Context) =>
  `${what} : ${enumerer(of(dossier)) || 'aucun'}.`;

/** « Fin de la validité : 2028-06-30. », or nothing while there is no such date. */
export const date = (what: string, of: (dossier: Context) => CalendarDate | null | undefined) => (dossier: Context) => {
  const known = of(dossier);
  return known ? `${what} : ${known}.` : undefined;
};

const CATEGORIE: Readonly<Record<string, string>> = {
  'mesures-de-securite': 'mesures de sécurité',
  reseaux: 'réseaux',
  equipements: 'équipements',
};

/** The categories of which no document was received. */
export function pieces(dossier: Context): Item[] {
  const missing = categoriesManquantes(dossier, CATEGORIES);
  return missing.map((id) => ({ kind: 'piece', id, label: CATEGORIE[id] ?? id }));
}

/** « C2 (10.5.a) »: a finding and the requirement that it is about. */
export function constat({ constats }: Context, id: string): Item {
  const known = entree(constats, id);
  return { kind: 'constat', id, label: known ? `${id} (${known.exigence})` : id };
}

/** Services that a payload names and that are not among those, and which ones are. */
export function servicesHors(named: readonly string[], among: readonly string[], whose: string): Failing {
  const strangers = nommer(
    'service',
    named.filter((service) => !among.includes(service)),
  );
  const { message } = compter(strangers, `service n'est pas ${whose}`, `services ne sont pas ${whose}`);
  return { message: `${message} Les services possibles sont : ${enumerer(among) || 'aucun'}.`, items: strangers };
}
