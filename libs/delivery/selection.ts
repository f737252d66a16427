import type { Catalogue } from '@jalon/flow';
import { REMINDER } from './declared.ts';
import type { Departure } from './departure.ts';

/** Which facts a subscriber asks for; an absent member asks for all. */
export type Selection = {
  /** Types of facts, exact (`j0.acceptee`) or a stage (`j2.*`), as XState's descriptors. */
  types?: readonly string[];
  /** Milestones: the facts that cross one of them, and the corrections of such facts. */
  jalons?: readonly string[];
  /** One dossier, by its id. */
  dossier?: string;
};

/** A descriptor or a milestone that no procedure knows. */
export type UnknownChoice = { member: 'types' | 'jalons'; value: string };

/** The first choices that could select nothing: types that no procedure declares, stages that none has, no milestones. */
export function unknownChoices({ types = [], jalons = [] }: Selection, catalogue: Catalogue): UnknownChoice[] {
  const { known, stages, milestones } = vocabularyOf(catalogue);
  const unknownTypes = types.filter((type) => !known.has(type) && !stages.has(type));
  const unknownJalons = jalons.filter((jalon) => !milestones.has(jalon));
  return [
    ...unknownTypes.map((value) => ({ member: 'types', value }) as const),
    ...unknownJalons.map((value) => ({ member: 'jalons', value }) as const),
  ];
}

/** What may be chosen from: exact types, stages as `j2.*`, milestones. */
export function vocabularyOf({ workflows }: Catalogue): {
  known: ReadonlySet<string>;
  stages: ReadonlySet<string>;
  milestones: ReadonlySet<string>;
} {
  const facts = workflows.flatMap((workflow) => [...workflow.facts.values()]);
  const known = new Set([...facts.map(({ type }) => type), REMINDER]);
  return {
    known,
    stages: new Set([...known].map(stageOf)),
    milestones: new Set(facts.flatMap(({ crosses }) => crosses ?? [])),
  };
}

/** Whether a subscriber asked for a fact. Reminders are only for those who name them. */
export function isSelected({ types, jalons, dossier }: Selection, departure: Departure): boolean {
  if (dossier !== undefined && departure.dossier !== dossier) return false;
  if (jalons && !(departure.jalon !== undefined && jalons.includes(departure.jalon))) return false;
  if (types) return types.includes(departure.type) || types.includes(stageOf(departure.type));
  return departure.type !== REMINDER;
}

function stageOf(type: string): string {
  return `${type.slice(0, type.indexOf('.'))}.*`;
}
