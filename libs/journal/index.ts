export * from './archive.ts';
export * from './canonical.ts';
export * from './directory.ts';
export * from './envelope.ts';
export * from './journal.ts';
export * from './open.eventstore.ts';
export * from './open.sqlite.ts';
export * from './state-hash.ts';
