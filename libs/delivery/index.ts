export * from './audience.ts';
export { type CloudEvent, cloudEventType } from './cloud-event.ts';
export * from './cursor.ts';
export { type Departure, type DepartureParts, Departures, type Summary, type SummaryOf } from './departure.ts';
export * from './feed.ts';
export * from './hub.ts';
export * from './selection.ts';
export * from './streams.ts';
export * from './view.ts';
