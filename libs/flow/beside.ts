import { DATE_RULES, type Possible, type Reader } from './checklist.ts';
import { ANNULMENT, VERSION_CHANGE } from './corrections.ts';
import type { Situation } from './situation.ts';
import type { Rule } from './workflow.ts';

/** The rules of what is beside the machine. Each needs the history, so that none can be said to hold beforehand. */
export const RULES = {
  known: {
    rule: 'fait-vise-connu',
    message: "Le fait visé figure dans l'historique du dossier.",
    field: 'fait',
  },
  standing: {
    rule: 'fait-vise-en-vigueur',
    message: "Le fait visé n'est pas déjà annulé.",
    field: 'fait',
  },
  opening: {
    rule: 'ouverture-conservee',
    message: "L'ouverture d'un dossier ne s'annule pas.",
    field: 'fait',
  },
  sameTarget: {
    rule: 'meme-fait-vise',
    message: "La rectification d'une correction vise le même fait qu'elle.",
    field: 'donnees',
  },
  replays: {
    rule: 'historique-rejouable',
    message: "Lu avec cette correction, l'historique se rejoue sans refus.",
  },
  published: {
    rule: 'version-publiee',
    message: 'La version demandée de la procédure est publiée.',
    field: 'version',
  },
  other: {
    rule: 'version-autre',
    message: "La version demandée n'est pas celle que le dossier suit déjà.",
    field: 'version',
  },
  underway: {
    rule: 'dossier-en-cours',
    message: "Le dossier n'est pas à une étape finale.",
  },
  replaysThere: {
    rule: 'historique-rejouable',
    message: "L'historique entier se rejoue sans refus sous la version demandée.",
  },
} as const satisfies Record<string, Rule>;

function rulesOf(type: string): Rule[] {
  const { known, standing, opening, sameTarget, replays, published, other, underway, replaysThere } = RULES;
  if (type === VERSION_CHANGE) return [published, other, underway, replaysThere, DATE_RULES.future];
  if (type === ANNULMENT) return [known, opening, standing, replays, DATE_RULES.future];
  return [known, standing, sameTarget, replays, DATE_RULES.future];
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
      rules: rulesOf(type).map(({ rule, message }) => ({ rule, message, holds: null })),
    }));
}
