import 'reflect-metadata';

/** A class whose instances are payloads of one type of fact; its decorators are the only declaration of the payload. */
// biome-ignore lint/suspicious/noExplicitAny: a payload class is constructed by class-transformer, with no argument
export type PayloadClass<T = any> = new () => T;

/** What a fact says of deadlines: which field holds the date, and which later facts close it. */
export type DeadlineSpec = {
  /** Sentence shown beside the date: « Compléments à fournir ». */
  label: string;
  /** Path of the date in the payload; `reserves[].avantLe` makes one deadline per item. */
  field: string;
  closedBy: readonly string[];
  /** Facts that end the stage to which it belongs: they close it whatever its key, done or not. */
  endedBy?: readonly string[];
  /** When several may be open: path that identifies one here (`constat`, or `reserves[].id`), and in the closing fact. */
  key?: { here: string; closing: string };
  /** The end of a validity rather than something to be done by then: it is recalled from two years before. */
  validity?: true;
  /** Type of the fact, without payload, that the passing of the date makes true: the clock proposes it for the day after. */
  proposes?: string;
};

/** Everything that is declared of a type of fact besides its payload. */
export type FactSpec = {
  /** What an evaluator calls it: « Stratégie d'évaluation proposée ». */
  label: string;
  /** Roles that may propose it, in the order in which one is recorded when the caller has several. */
  by: readonly string[];
  /** The milestone that it crosses, the first time it is accepted. */
  crosses?: string;
  /** It opens a dossier. */
  opens?: true;
  /**
   * A date makes it true, and nothing else: a correction that makes it false annuls it in the same act (an expiry, once
   * the end of validity is rectified).
   */
  lapses?: true;
  /**
   * Roles that may correct it once a decision rests on it, or at any time what only the clock proposes; without, those
   * that may propose it and are no party of the dossier. A free fact stays with those who may propose it.
   */
  correctedBy?: readonly string[];
  /**
   * Roles whose recording of it is a decision, on which everything before it rests. Crossing a milestone and ending the
   * dossier are decisions whoever records them.
   */
  decides?: readonly string[];
  /** It gives the procedure up: possible at any time, and never what a dossier waits for. */
  abandons?: true;
  /** It may carry any past date (procedure, rule 4.2). */
  free?: true;
  /** Payload and salt lie in the directory, where they can be destroyed; the machine keeps nothing of them. */
  erasable?: true;
  deadlines?: readonly DeadlineSpec[];
  /** Roles from which it is withheld, and the members of the context that tell of it. */
  withheldFrom?: readonly string[];
  writes?: readonly string[];
  /** Paths of the payload that may leave by feeds and webhooks; all else stays. */
  publicFields?: readonly string[];
  /** What lists and searches show of a dossier: name of the column -> path in the payload, or how to make it from it. */
  summary?: Readonly<Record<string, string | ((data: never) => string | undefined)>>;
  /** It announces a target: paths of the milestone and of the period. */
  announces?: { jalon: string; periode: string };
  /** Ids of other dossiers that its rules ask about; the engine looks them up before deciding. */
  lookups?: (data: never) => readonly string[];
};

/** A declared fact: its type (`<stage>.<past participle>`), what is declared of it, and the class of its payload. */
export type Fact = FactSpec & { type: string; payload: PayloadClass };

const FACT = Symbol('fact');
let declared = 0;
type Declaration = { fact: Fact; rank: number };

const SHAPE = /^[a-z0-9]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*$/;

/**
 * Declares a class as the payload of a type of fact. The same declaration serves the request body, the stored event,
 * the JSON Schema, OpenAPI, the documentation and what leaves to subscribers.
 * @throws TypeError when `type` is not `<stage>.<past participle>`, unaccented, kebab-case.
 */
export function defineFact(type: string, spec: FactSpec): (payload: PayloadClass) => void {
  if (!SHAPE.test(type)) throw new TypeError(`${type} is not a type of fact: <stage>.<past-participle>, unaccented.`);
  return (payload) => {
    declared += 1;
    Reflect.defineMetadata(FACT, { fact: { ...spec, type, payload }, rank: declared } satisfies Declaration, payload);
  };
}

/** The facts among the exports of a module (`import * as facts`), in the order in which they are written there. */
export function factsOf(module: Record<string, unknown>): Fact[] {
  // A module lists its exports in alphabetical order: the rank says in which order they are written.
  return Object.values(module)
    .flatMap((exported): Declaration[] => {
      const declaration = typeof exported === 'function' ? Reflect.getOwnMetadata(FACT, exported) : undefined;
      return declaration ? [declaration] : [];
    })
    .sort((a, b) => a.rank - b.rank)
    .map(({ fact }) => fact);
}

/** The value at a dotted path of a payload (`prestataire.nom`), undefined where there is none. */
export function valueAt(data: unknown, path: string): unknown {
  let value = data;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
