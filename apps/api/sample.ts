import { createHash } from 'node:crypto';
import type { Caller, Engine } from '@jalon/engine';
import { addDays, addYears, daysBetween } from '@jalon/flow';
import { type JournalReader, JournalUnavailable, OutcomeUnknown, rest, type Source } from '@jalon/journal';
import { HORLOGE } from './clock.ts';
import published from './public-timelines.json' with { type: 'json' };

/** A publicly announced step of a real qualification. `date` is as precise as it was announced: a day, a month, a year. */
type Step = {
  what: string;
  date?: string;
  jalon?: string;
  periode?: string;
  announced?: string;
  precision: string;
  valideJusquAu?: string;
};
type Case = { prestataire: string; service: string; types: string[]; referentiel: string; steps: Step[] };

/** A fact to record, on which date, and how that date is known. */
type SampleFact = {
  type: string;
  role: keyof typeof ACTORS;
  data: Record<string, unknown>;
  effectiveAt: string;
  source: Source;
};

/** Issuer of the actors of the sample, whom no token names. */
const ISSUER = 'urn:jalon:echantillon';

const ACTORS = {
  'charge-de-qualification': actor('charge-de-qualification'),
  'chef-de-bureau': actor('chef-de-bureau'),
  'directeur-general': actor('directeur-general'),
};

function actor(role: string): Caller {
  return { iss: ISSUER, sub: `echantillon-${role}`, roles: [role], org: 'ANSSI' };
}

const CATEGORIES = ['architecture', 'mesures-de-securite', 'reseaux', 'equipements', 'serveurs', 'sous-traitants'];

/** The public cases that a demonstration starts with. */
export const PUBLIC_CASES = published.cases as readonly Case[];

/**
 * Records the public cases through the engine, as if a chargé had. Steps that are not public are reconstituted, say so in
 * their `source`, and are never unfavourable. Recording them again changes nothing: each carries its idempotency key.
 * @returns how many facts were recorded now, and how many were there already
 */
export async function loadSample(
  engine: Engine,
  say: (line: string) => void,
  cases: readonly Case[] = PUBLIC_CASES,
): Promise<{ recorded: number; already: number }> {
  const count = { recorded: 0, already: 0 };
  for (const one of cases) {
    const key = (index: number) => `echantillon:${one.prestataire}:${one.service}:${index}`;
    let id: string | undefined;
    for (const [index, { role, source, ...fact }] of factsOf(one).entries()) {
      const caller = ACTORS[role];
      const conditions = { route: 'echantillon', idempotencyKey: key(index) };
      const accepted =
        id === undefined
          ? await engine.open(caller, { workflow: 'secnumcloud', version: 1, fact }, conditions, source)
          : await engine.advance(caller, id, fact, conditions, source);
      id = accepted.dossier.id;
      count[accepted.remembered ? 'already' : 'recorded'] += 1;
    }
    say(`${one.prestataire}, ${one.service}: dossier ${id}`);
  }
  return count;
}

/** How often a log that was away is looked for. */
const LOG_AWAY_MS = 1_000;

/** Gives the public cases to a log that wants them; false when it is away, before or meanwhile. */
export async function seeded(
  { engine, journal }: { engine: Engine; journal: JournalReader },
  say: (line: string) => void,
): Promise<boolean> {
  try {
    if (await wantsSample(journal)) await loadSample(engine, say);
    return true;
  } catch (fault) {
    if (fault instanceof JournalUnavailable || fault instanceof OutcomeUnknown) return false;
    throw fault;
  }
}

/** The same once the log is back, unless `stopping` aborts before: the server need not wait for it. */
export async function seedLater(
  parts: { engine: Engine; journal: JournalReader },
  say: (line: string) => void,
  stopping: AbortSignal,
): Promise<void> {
  do await rest(LOG_AWAY_MS, stopping);
  while (!stopping.aborted && !(await seeded(parts, say)));
}

/** Whether a log is still to be given the public cases: it is empty, or stops where giving them was interrupted. */
export async function wantsSample(journal: JournalReader): Promise<boolean> {
  let missing = PUBLIC_CASES.reduce((sum, one) => sum + factsOf(one).length, 0);
  for await (const page of journal.readAll(null))
    for (const { envelope } of page) {
      // The clock records what dates make true whenever it may.
      if (envelope.actor.iss === HORLOGE.iss) continue;
      missing -= 1;
      if (envelope.actor.iss !== ISSUER || missing === 0) return false;
    }
  return true;
}

/** The facts of a case, up to the last step that is public. */
function factsOf(one: Case): SampleFact[] {
  const dates = datesOf(one);
  const facts = PROCEDURE.slice(0, dates.length).map(({ type, role = 'charge-de-qualification', data }, index) => {
    const { date, source } = dates[index] as KnownDate;
    return {
      type,
      role,
      data: data(
        one,
        dates.map(({ date: on }) => on),
        index,
      ),
      effectiveAt: date,
      source,
    };
  });
  for (const step of one.steps) if (step.what === 'cible-annoncee') insertTarget(facts, step);
  return facts;
}

type KnownDate = { date: string; source: Source };

/** The date of each fact: as announced where it was, else spread evenly between those that were. */
function datesOf(one: Case): KnownDate[] {
  const known = new Map<number, KnownDate>();
  for (const step of one.steps) {
    const index = PROCEDURE.findIndex(({ step: name }) => name === step.what);
    if (index < 0 || step.date === undefined) continue;
    known.set(index, { date: firstDay(step.date), source: { kind: 'public', precision: step.precision } });
  }
  const reconstituted = (date: string): KnownDate => ({
    date,
    source: { kind: 'reconstituted', precision: 'unknown' },
  });
  const indexes = [...known.keys()].sort((a, b) => a - b);
  const dateAt = (index: number) => (known.get(index) as KnownDate).date;
  return Array.from({ length: (indexes.at(-1) ?? -1) + 1 }, (_, index) => {
    const exact = known.get(index);
    if (exact) return exact;
    const next = indexes.find((other) => other > index) as number;
    const previous = indexes.findLast((other) => other < index);
    if (previous === undefined) return reconstituted(addDays(dateAt(next), -DAYS_BEFORE * (next - index)));
    const span = daysBetween(dateAt(previous), dateAt(next));
    return reconstituted(addDays(dateAt(previous), Math.floor((span * (index - previous)) / (next - previous))));
  });
}

const DAYS_BEFORE = 30;

// A target may have been announced before the application: it is recorded once there is a dossier.
function insertTarget(facts: SampleFact[], { jalon, periode, announced = '', precision }: Step): void {
  const effectiveAt = firstDay(announced);
  const later = facts.findIndex((fact, index) => index > 0 && fact.effectiveAt > effectiveAt);
  const source: Source = { kind: 'public', precision };
  const data = { jalon, periode, source: 'Annonce publique du prestataire' };
  facts.splice(later < 0 ? facts.length : later, 0, {
    type: 'dossier.cible-annoncee',
    role: 'charge-de-qualification',
    data,
    effectiveAt,
    source,
  });
}

/** The first day of a date announced as a day, a month or a year. */
function firstDay(announced: string): string {
  return `${announced}-01-01`.slice(0, 10);
}

/** The last day of one. */
function lastDay(announced: string): string {
  if (announced.length === 10) return announced;
  const [year = '', month = '12'] = announced.split('-');
  return new Date(Date.UTC(Number(year), Number(month), 0)).toISOString().slice(0, 10);
}

function reconstituted(titre: string) {
  const empreinte = createHash('sha256').update(titre).digest('hex');
  return { reference: `RECONSTITUE-${empreinte.slice(0, 8)}`, titre: `${titre} (reconstitué)`, empreinte };
}

function servicesOf({ service, types }: Case) {
  return types.map((type) => ({ id: type.toLowerCase(), nom: `${service} : ${type}`.slice(0, 200), type }));
}

type Dates = readonly string[];

/** The shortest way from the application to a favourable decision; `step` names what public announcements call it. */
const PROCEDURE: readonly {
  type: string;
  step?: string;
  role?: keyof typeof ACTORS;
  data: (one: Case, dates: Dates, index: number) => Record<string, unknown>;
}[] = [
  {
    type: 'candidature.deposee',
    step: 'deposee',
    data: (one) => {
      const [, nom = one.referentiel, version = ''] = /^(.*) (\S+)$/.exec(one.referentiel) ?? [];
      return {
        prestataire: { nom: one.prestataire },
        offre: one.service,
        services: servicesOf(one),
        referentiel: { nom, version },
        pieces: CATEGORIES.map((categorie) => ({
          categorie,
          document: reconstituted(`${one.prestataire} : ${categorie}`),
        })),
        sousTraitants: [],
      };
    },
  },
  { type: 'candidature.accuse-emis', data: () => ({ reference: 'Reconstitué' }) },
  { type: 'candidature.charge-designe', data: () => ({ charge: 'echantillon-charge-de-qualification' }) },
  { type: 'candidature.completee', data: () => ({}) },
  {
    type: 'j0.acceptee',
    step: 'J0',
    data: (_, dates, index) => ({ reference: 'Reconstitué', notifieeLe: dates[index] }),
  },
  {
    type: 'j1.centre-choisi',
    data: (_, dates, index) => ({
      centre: "Centre d'évaluation (reconstitué)",
      agrement: { reference: 'Reconstitué', valideJusquAu: addYears(dates[index] as string, 3) },
    }),
  },
  {
    type: 'j1.strategie-proposee',
    data: (one) => ({
      document: reconstituted(`${one.prestataire} : stratégie d'évaluation`),
      perimetre: { services: servicesOf(one).map(({ id }) => id), sites: [] },
      phases: [{ id: 'p1', objet: 'Audit (reconstitué)', mode: 'sur-site' }],
    }),
  },
  {
    type: 'j1.strategie-validee',
    step: 'J1',
    data: (_, dates, index) => ({ reference: 'Reconstitué', notifieeLe: dates[index] }),
  },
  { type: 'j2.plan-valide', data: (one) => ({ document: reconstituted(`${one.prestataire} : plan d'évaluation`) }) },
  {
    type: 'j2.audit-planifie',
    data: (_, dates, index) => ({ audit: 'a1', phase: 'p1', du: dates[index + 1], au: dates[index + 2] }),
  },
  { type: 'j2.audit-ouvert', data: () => ({ audit: 'a1' }) },
  { type: 'j2.audit-clos', data: () => ({ audit: 'a1' }) },
  {
    type: 'j2.rapport-remis',
    data: (one) => ({ rapport: reconstituted(`${one.prestataire} : rapport d'évaluation`) }),
  },
  {
    type: 'j2.rapport-accepte',
    step: 'J2',
    data: (_, dates, index) => ({ reference: 'Reconstitué', notifieLe: dates[index] }),
  },
  { type: 'j3.avis-rendu', role: 'chef-de-bureau', data: () => ({ sens: 'qualifier', motifs: ['Reconstitué'] }) },
  {
    type: 'j3.qualification-accordee',
    step: 'J3',
    role: 'directeur-general',
    data: (one, dates, index) => {
      const decideeLe = dates[index] as string;
      const end = lastDay(one.steps.find(({ what }) => what === 'J3')?.valideJusquAu ?? addYears(decideeLe, 3));
      return {
        decision: 'Reconstitué',
        decideeLe,
        valideDu: decideeLe,
        valideJusquAu: [end, addYears(decideeLe, 3)].sort()[0],
        services: servicesOf(one).map(({ id }) => id),
        conditions: [],
        reserves: [],
      };
    },
  },
];
