import { type BrokenRule, DATE_RULES, type Possible, type Reader } from './checklist.ts';
import { ANNULMENT, VERSION_CHANGE } from './corrections.ts';
import type { RecordedFact } from './fates.ts';
import type { Situation } from './situation.ts';
import type { Failing, Statement, Workflow } from './workflow.ts';

/** A rule beside the machine: what is wrong where it fails is said of what the proposal concerns. */
type RuleBeside<About> = Statement & { rule: string; field?: string; fails: (about: About) => Failing };

const rule = <About>(declared: RuleBeside<About>) => declared;

/** « le fait 12, « Audit clos » du 2025-03-03 », and where it is found. */
export type NamedFact = { id: string; name: string };

/** An earlier fact as refusals name it. */
export function nameFact(workflow: Workflow, { id, type, effectiveAt }: RecordedFact, revision: number): NamedFact {
  const label = workflow.facts.get(type)?.label ?? type;
  return { id, name: `le fait ${revision}, « ${label} » du ${effectiveAt}` };
}

const itemOf = ({ id, name }: NamedFact) => ({ kind: 'fait', id, label: name });

/** What an earlier fact is refused for once the history is read otherwise; `fact` is absent where it is not to be named. */
export type NoLonger = { fact?: NamedFact; why: readonly BrokenRule[] };

const noLonger =
  (read: string) =>
  ({ fact, why }: NoLonger): Failing => {
    if (!fact) return { message: `${read} : un fait qui ne vous est pas communiqué serait refusé.` };
    const reasons = why.map(({ message }) => message).join(' ') || 'La raison ne vous est pas communiquée.';
    return {
      message: `${read} : ${fact.name}, serait refusé. ${reasons}`,
      items: [itemOf(fact), ...why.flatMap(({ items = [] }) => items)],
    };
  };

/** The rules of what is beside the machine. Each needs the history, so that none can be said to hold beforehand. */
export const RULES = {
  known: rule<string>({
    rule: 'fait-vise-connu',
    asks: "Le fait visé doit figurer dans l'historique du dossier.",
    holds: "Le fait visé figure dans l'historique du dossier.",
    fails: (id) => ({ message: `Aucun fait ${id} ne figure dans l'historique du dossier.` }),
    field: 'fait',
  }),
  standing: rule<NamedFact>({
    rule: 'fait-vise-en-vigueur',
    asks: 'Le fait visé ne doit pas être déjà annulé.',
    holds: "Le fait visé n'est pas déjà annulé.",
    fails: (fact) => ({ message: `Le fait visé est déjà annulé : ${fact.name}.`, items: [itemOf(fact)] }),
    field: 'fait',
  }),
  opening: rule<NamedFact>({
    rule: 'ouverture-conservee',
    asks: "L'ouverture d'un dossier ne s'annule pas.",
    holds: "Le fait visé n'est pas l'ouverture du dossier.",
    fails: (fact) => ({
      message: `L'annulation porte sur l'ouverture du dossier, qui ne s'annule pas : ${fact.name}.`,
      items: [itemOf(fact)],
    }),
    field: 'fait',
  }),
  sameTarget: rule<{ fact: NamedFact; named: string | undefined }>({
    rule: 'meme-fait-vise',
    asks: "La rectification d'une correction doit viser le même fait qu'elle.",
    holds: "La rectification d'une correction vise le même fait qu'elle.",
    fails: ({ fact, named }) => ({
      message: `La correction rectifiée vise ${fact.name}, et non ${named ?? 'rien'} : une rectification n'y change rien.`,
      items: [itemOf(fact)],
    }),
    field: 'donnees',
  }),
  bounded: rule<{ count: number; fact: NamedFact; by: string }>({
    rule: 'corrections-bornees',
    asks: "Une organisation ne doit pas corriger un même fait plus souvent que la procédure ne l'admet.",
    holds: "Votre organisation n'a pas encore corrigé ce fait aussi souvent que la procédure l'admet.",
    fails: ({ count, fact, by }) => ({
      message: `Votre organisation a déjà corrigé ${count} fois ${fact.name}, autant que la procédure l'admet ; peuvent encore le corriger : ${by}.`,
      items: [itemOf(fact)],
    }),
    field: 'fait',
  }),
  replays: rule<NoLonger>({
    rule: 'historique-rejouable',
    asks: "Lu avec cette correction, l'historique doit se rejouer sans refus.",
    holds: "Lu avec cette correction, l'historique se rejoue sans refus.",
    fails: noLonger("L'historique ainsi lu ne se rejoue plus"),
  }),
  published: rule<number>({
    rule: 'version-publiee',
    asks: 'La version demandée de la procédure doit être publiée.',
    holds: 'La version demandée de la procédure est publiée.',
    fails: (version) => ({ message: `La version ${version} de la procédure n'est pas publiée.` }),
    field: 'version',
  }),
  other: rule<number>({
    rule: 'version-autre',
    asks: 'La version demandée doit être une autre que celle que le dossier suit déjà.',
    holds: "La version demandée n'est pas celle que le dossier suit déjà.",
    fails: (version) => ({ message: `Le dossier suit déjà la version ${version} de la procédure.` }),
    field: 'version',
  }),
  underway: rule<string>({
    rule: 'dossier-en-cours',
    asks: 'Le dossier ne doit pas être à une étape finale.',
    holds: "Le dossier n'est pas à une étape finale.",
    fails: (label) => ({ message: `Le dossier est à une étape finale : « ${label} ».` }),
  }),
  replaysThere: rule<NoLonger>({
    rule: 'historique-rejouable',
    asks: "L'historique entier doit se rejouer sans refus sous la version demandée.",
    holds: "L'historique entier se rejoue sans refus sous la version demandée.",
    fails: noLonger("Sous la version demandée, l'historique ne se rejoue plus"),
  }),
} as const;

/** What is said of a rule beside the machine that fails for what it concerns. */
export function brokenBeside<About>({ rule, fails, field }: RuleBeside<About>, about: About): BrokenRule {
  return { rule, ...fails(about), ...(field === undefined ? {} : { field }) };
}

/** Who corrects is said by a checklist; a proposal by anybody else is forbidden rather than refused. */
const WHO: Statement & { rule: string } = {
  rule: 'qui-corrige',
  asks: "Tant qu'aucune décision ne repose sur le fait visé, le corrige qui peut le proposer ; ensuite, qui la procédure en charge. Une partie ne change jamais à qui est le dossier.",
  holds: 'Vous pouvez corriger le fait visé.',
};

function rulesOf(type: string, { correctionsPerFact }: Workflow): (Statement & { rule: string })[] {
  const { known, standing, opening, sameTarget, replays } = RULES;
  const asks = `Une organisation partie au dossier ne doit pas corriger un même fait plus de ${correctionsPerFact} fois.`;
  const bounded = { ...RULES.bounded, asks };
  const { published, other, underway, replaysThere } = RULES;
  if (type === VERSION_CHANGE) return [published, other, underway, replaysThere, DATE_RULES.future];
  if (type === ANNULMENT) return [known, WHO, opening, standing, bounded, replays, DATE_RULES.future];
  return [known, WHO, standing, sameTarget, bounded, replays, DATE_RULES.future];
}

/** The facts beside the machine that a situation accepts, with their checklists. */
export function possibleBeside({ workflow, state }: Situation, { roles }: Reader): Possible[] {
  const facts = [...workflow.facts.values()].slice(-3);
  return facts
    .filter(({ type }) => type !== VERSION_CHANGE || !state.final)
    .map(({ type, label, by }) => ({
      type,
      label,
      by,
      allowed: by.some((role) => roles.includes(role)),
      rules: rulesOf(type, workflow).map(({ rule, asks }) => ({ rule, message: asks, holds: null })),
    }));
}
