export { describeChronologie } from './chronologie.contract.ts';
export { describeDossierList } from './dossier-list.contract.ts';
export { describeEcheances } from './echeances.contract.ts';
export { describeProjector } from './projector.contract.ts';
export * from './scratch.ts';
export { describeSharing } from './shared.contract.ts';
export * from './site.ts';
export { describeStore } from './store.contract.ts';
export * from './toy.ts';
