import { ANNULMENT, addDays, type CalendarDate, type PublishedWorkflow, RECTIFICATION } from '@jalon/flow';
import fc from 'fast-check';
import { CENTRE, PRESTATAIRE } from './parties.ts';
import { EXAMPLES, OTHER } from './walk.ts';

/** A turn of chance: which fact, which ids, how many days later, how sensible, by whom. */
export type Choice = {
  type: number;
  id: number;
  other: number;
  days: number;
  clock: number;
  sense: number;
  turn: boolean;
  key: number;
};

export const choice: fc.Arbitrary<Choice> = fc.record({
  type: fc.nat(10_000),
  id: fc.nat(5),
  other: fc.nat(5),
  days: fc.nat(40),
  clock: fc.integer({ min: -3, max: 30 }),
  sense: fc.nat(19),
  turn: fc.boolean(),
  key: fc.nat(400),
});

const IDS = ['A1', 'A2', 'C1', 'C2', '__proto__', 'constructor'];
const PERIODS = ['2024', '2025-T4', '2026-S1', '2027-03', '2026-02-28', '2030'];

/** A proposal: by whom, and the body of the request. */
export type Proposed = { role: string; org: string; body: Record<string, unknown> };

/** Where a dossier stands, as far as choosing a proposal asks. */
export type Standing = {
  workflow: PublishedWorkflow;
  /** Types of facts that are possible now. */
  listed: readonly string[];
  /** Latest effective date of a fact that is not free. */
  since: CalendarDate | null;
  today: CalendarDate;
  /** Dossiers that a fact may name. */
  others: readonly string[];
  /** Facts recorded before, which may be corrected; without them nothing is. */
  recorded?: readonly Recorded[];
};

/** A recorded fact as far as a correction names it. */
export type Recorded = { id: string; type: string; data: object; role?: string; effectiveAt?: CalendarDate };

/** A proposal: fifteen times out of twenty of a fact that is listed as possible, and mostly plausible. */
export function proposalOf(standing: Standing, chance: Choice): Proposed {
  const { workflow, listed, since, today, others, recorded = [] } = standing;
  const all = chance.sense < 15 && listed.length > 0 ? listed : [...workflow.facts.keys()];
  const from = all.filter((type) => type in EXAMPLES || (CORRECTIONS.includes(type) && recorded.length > 0));
  const type = from[chance.type % from.length] as string;
  if (CORRECTIONS.includes(type)) return correctionOf(type, recorded[chance.days % recorded.length]!, chance);
  const effectiveAt = dateOf(since, today, chance);
  const { role, data } = EXAMPLES[type]!;
  const changed = { ...data, ...changesTo(type, effectiveAt, others, chance) };
  const proposed: Proposed = { role, org: orgOf(role), body: { type, data: withoutAbsent(changed), effectiveAt } };
  return chance.sense >= 18 ? nonsense(proposed, Object.keys(workflow.roles), chance) : proposed;
}

const CORRECTIONS: readonly string[] = [ANNULMENT, RECTIFICATION];

/** A correction of what was recorded: undone, put as it was, or as the example of its type has it, perhaps on another day. */
function correctionOf(
  type: string,
  { id: fait, type: corrected, data, role: by, effectiveAt }: Recorded,
  chance: Choice,
) {
  const { turn, days, sense } = chance;
  const { role = by ?? 'charge-de-qualification', data: example = data } = EXAMPLES[corrected] ?? {};
  const moved = effectiveAt === undefined || sense < 8 ? {} : { effectiveAt: addDays(effectiveAt, (days % 7) - 3) };
  const donnees = type === RECTIFICATION ? { donnees: turn ? data : example, ...moved } : {};
  return { role, org: orgOf(role), body: { type, data: { fait, ...donnees, motif: 'Erreur de saisie.' } } };
}

export function orgOf(role: string): string {
  return role === 'prestataire' ? PRESTATAIRE : role === 'centre-evaluation' ? CENTRE : 'ANSSI';
}

/** Mostly a few days after the last fact, at most today; sometimes before it, sometimes after today. */
function dateOf(since: CalendarDate | null, today: CalendarDate, { days, sense, turn }: Choice): CalendarDate {
  if (sense === 14) return addDays(since ?? today, -1 - days);
  if (sense === 13) return addDays(today, 1 + days);
  const later = addDays(since ?? today, turn ? 0 : days);
  return later > today && since !== null && since <= today ? today : later;
}

function changesTo(
  type: string,
  on: CalendarDate,
  others: readonly string[],
  { id, other, turn, days }: Choice,
): Record<string, unknown> {
  const soon = addDays(on, 1 + days);
  const changes: Record<string, Record<string, unknown>> = {
    'candidature.complements-demandes': { avantLe: soon },
    'candidature.charge-designe': { charge: turn ? 'c.martin' : 'y.kermarrec' },
    'j1.centre-choisi': { agrement: { reference: 'CE-1', valideJusquAu: addDays(on, turn ? 900 : 0) } },
    'j2.audit-planifie': { audit: IDS[id], phase: turn ? 'documentaire' : 'paimpont', du: on, au: soon },
    'j2.audit-ouvert': { audit: IDS[id] },
    'j2.audit-clos': { audit: IDS[id] },
    'j2.constat-releve': {
      constat: IDS[id],
      audit: IDS[other],
      ...(turn ? {} : { verdict: 'conforme', gravite: undefined }),
    },
    'j2.plan-d-action-remis': { constat: IDS[id], avantLe: soon },
    'j2.ecart-leve': { constat: IDS[id] },
    'j3.enquete-conclue': { resultat: days < 30 ? 'favorable' : 'defavorable' },
    'j3.qualification-accordee': {
      decideeLe: on,
      valideDu: on,
      valideJusquAu: addDays(on, turn ? 60 + days : 1000 + 3 * days),
    },
    'j3.qualification-refusee': { decideeLe: on },
    'suivi.decision-notifiee': { le: soon },
    'suivi.decision-publiee': { le: soon },
    'suivi.griefs-notifies': { observationsAvantLe: soon },
    'suivi.qualification-abrogee': { effetLe: soon },
    'suivi.renouvellement-demande': { dossier: others[other % (others.length + 1)] ?? OTHER },
    'dossier.cible-annoncee': { periode: PERIODS[other], jalon: `J${id % 4}` },
    'dossier.note-ajoutee': { texte: `Note ${id}, ${days} jours.` },
  };
  return changes[type] ?? {};
}

const withoutAbsent = (data: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));

/** What no client should send: another role, organisation, field, form, date. */
function nonsense({ role, org, body }: Proposed, roles: readonly string[], { id, other }: Choice): Proposed {
  const data = body.data as Record<string, unknown>;
  const ways: Proposed[] = [
    { role: roles[other % roles.length] as string, org, body },
    { role, org: 'Nuage de Paimpont', body },
    { role, org, body: { ...body, data: { ...data, inconnu: IDS[id] } } },
    { role, org, body: { ...body, data: Object.fromEntries(Object.entries(data).slice(1)) } },
    { role, org, body: { ...body, effectiveAt: '2025-02-30' } },
    { role, org, body: { ...body, onBehalfOf: { role: roles[other % roles.length], org: orgOf(role) } } },
  ];
  return ways[id] as Proposed;
}
