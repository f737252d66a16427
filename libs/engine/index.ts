export * from './caller.ts';
export { type Advanced, Disclosure, type PlacedFact, type ReplayedStep, type StoredFacts } from './disclosure.ts';
export { type Dossier, Dossiers, follow, situationHash, streamOf } from './dossiers.ts';
export * from './engine.ts';
export * from './faults.ts';
export type { Conditions, Entropy } from './identity.ts';
export {
  difference,
  type PastMoment,
  type PastView,
  type Patch,
  pastSituation,
  pastView,
  type ReadingName,
  replay,
} from './past.ts';
export { Behalf, ProposedFact } from './proposal.ts';
export * from './views.ts';
