import type { ReadModel, ReadModelRow, ToldFact } from '@jalon/flow';
import type { J2ConstatReleve, J2EcartLeve, J2PlanDActionRemis } from './v1/facts.ts';

/** A finding of an evaluation, as lists show it. */
export type Constat = {
  constat: string;
  audit: string;
  exigence: string;
  verdict: 'conforme' | 'non-conforme';
  gravite?: 'mineure' | 'majeure';
  description: string;
  releveLe: string;
  /** Id of the fact that recorded it. */
  fait: string;
  plan?: { mesures: string; avantLe: string; remisLe: string };
  leve?: { le: string; preuve: J2EcartLeve['preuve'] };
};

/** What is remembered of a dossier: its non-conformities that are not lifted. */
type Ouverts = Readonly<Record<string, Constat>>;

/** The findings of every evaluation, by requirement: met, not met and open, or lifted. */
export const constats: ReadModel<Ouverts> = {
  name: 'constats',
  version: 1,
  workflow: 'secnumcloud',
  hears: ['j2.constat-releve', 'j2.plan-d-action-remis', 'j2.ecart-leve'],
  columns: { constat: 'text', exigence: 'text', exigence_cle: 'text', open: 'integer', body: 'text' },
  key: ['constat'],
  order: ['exigence_cle'],
  fold(ouverts, fact) {
    const others = ouverts ?? {};
    const { constat } = fact.data as { constat: string };
    const now = fact.type === 'j2.constat-releve' ? releve(fact) : suivi(others, fact);
    if (!now) return { memory: others };
    const kept = Object.entries(others).filter(([id]) => id !== constat);
    const open = estOuvert(now);
    return { memory: Object.fromEntries(open ? [...kept, [constat, now]] : kept), rows: [ligne(now, open)] };
  },
};

/** A finding as a row of the read model keeps it, and whether it is a non-conformity that is not lifted. */
export function constatDe({ body, open }: ReadModelRow): Constat & { open: boolean } {
  return { ...(JSON.parse(String(body)) as Constat), open: Number(open) === 1 };
}

function releve({ id, effectiveAt, data }: ToldFact<J2ConstatReleve>): Constat {
  const { constat, audit, exigence, verdict, gravite, description } = data;
  return {
    constat,
    audit,
    exigence,
    verdict,
    ...(gravite === undefined ? {} : { gravite }),
    description,
    releveLe: effectiveAt,
    fait: id,
  };
}

/** What a plan or a proof makes of an open finding; undefined when it is not of one. */
function suivi(ouverts: Ouverts, fact: ToldFact<{ constat: string }>): Constat | undefined {
  const { constat } = fact.data;
  const found = Object.hasOwn(ouverts, constat) ? (ouverts[constat] as Constat) : undefined;
  if (!found) return undefined;
  const le = fact.effectiveAt;
  if (fact.type === 'j2.ecart-leve') return { ...found, leve: { le, preuve: (fact.data as J2EcartLeve).preuve } };
  const { mesures, avantLe } = fact.data as J2PlanDActionRemis;
  return { ...found, plan: { mesures, avantLe, remisLe: le } };
}

function estOuvert({ verdict, leve }: Constat): boolean {
  return verdict === 'non-conforme' && leve === undefined;
}

function ligne(constat: Constat, open: boolean): ReadModelRow {
  return {
    constat: constat.constat,
    exigence: constat.exigence,
    exigence_cle: cleDe(constat.exigence),
    open: open ? 1 : 0,
    body: JSON.stringify(constat),
  };
}

/** Sorts requirements as the référentiel does: 5.2.a before 5.10.a. */
function cleDe(exigence: string): string {
  return exigence.replaceAll(/\d+/g, (number) => number.padStart(4, '0'));
}
