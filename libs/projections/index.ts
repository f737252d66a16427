import { chronologie } from './chronologie.ts';
import { dossiers } from './dossiers.ts';
import { echeances } from './echeances.ts';
import type { Projection } from './projection.ts';
import { statistiques } from './statistiques.ts';

export * from './calendar-tokens.ts';
export * from './chronologie.ts';
export { type Comparison, compareReadModels } from './compare.ts';
export * from './deadline-list.ts';
export * from './dossier-list.ts';
export { SUMMARY_COLUMNS, type SummaryColumn } from './dossiers.ts';
export { ProjectedElsewhere } from './generation.ts';
export { type KeptStore, openKept, openPostgresKept } from './kept.ts';
export { ReadModelsRefused, type Tenure } from './layout.postgres.ts';
export * from './lease.ts';
export type { ProjectionStatus } from './live.ts';
export { ProjectedNowhere, RebuildFailed } from './orders.postgres.ts';
export * from './own.ts';
export { CursorRefused, type Page } from './pages.ts';
export type { ProjectionLag, ReadModelFeed } from './progress.ts';
export * from './projection.ts';
export { Projector, type ProjectorParts } from './projector.ts';
export type { RebuildProgress } from './rebuild.ts';
export * from './shared.ts';
export { type Sight, sightsOf } from './sights.ts';
export * from './statistics.ts';
export { openPostgresReadModels, type PostgresReadModels } from './store.postgres.ts';
export { openReadModels, type ReadModelStore } from './store.ts';
export type { Column, Row, SqlValue, Table } from './tables.ts';
export { ReadModelsUnavailable } from './unavailable.ts';
export { ReadModelsBehind } from './waiters.ts';

/** The read models that any workflow has. Adding one is one file and one line here. */
export const PROJECTIONS: readonly Projection[] = [chronologie, dossiers, echeances, statistiques];
