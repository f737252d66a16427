import { build } from '../../build.mjs';

// `npm start` serves what the sources say now: bundles are rebuilt when they are older, in less than a second.
const { api } = await build();
if (!api) throw new Error('apps/api/main.ts is missing: there is nothing to start.');
process.setSourceMapsEnabled(true);
await import(api);
